"""Runs the client against a stack."""

from __future__ import annotations

import asyncio
import threading
import time
from contextlib import suppress
from dataclasses import replace
from uuid import UUID

import httpx
from harness import client, eventually, request, sign_up, test

from feedmill import ProblemError, StoredSession, StreamEvent, expect, items
from feedmill.sse import EventParser
from feedmill_api.api.accounts import create_account, follow_user, get_me
from feedmill_api.api.notifications import list_notifications
from feedmill_api.api.posts import create_post, get_feed, get_post, like_post, list_posts_of_user
from feedmill_api.api.sessions import end_current_session
from feedmill_api.models import FeedList, NewAccount, NewPost, NotificationList, OwnProfile, Post, PostPage

with test("server-sent events are parsed, however their bytes are cut"):
    text = 'retry: 1740\r\n\r\nevent: post\nid: a\ndata: {"text":\ndata: "é𝄞"}\n\n: still here\rid: b\r\rdata:c\n\n'
    encoded = text.encode()
    for size in range(1, len(encoded) + 1):
        parser = EventParser()
        parsed = [
            (*event, parser.last_event_id)
            for start in range(0, len(encoded), size)
            for event in parser.parse(encoded[start : start + size])
        ]
        assert parsed == [("post", '{"text":\n"é𝄞"}', "a"), ("message", "c", "b")], (size, parsed)
        assert parser.retry == 1.74

alice = sign_up("alice_p")
bob = sign_up("bob_p")


def publish(text: str) -> Post:
    return expect(Post, create_post.sync(client=alice.api, body=NewPost(text=text)))


with test("a read includes one's own command"):
    for number in range(10):
        post = publish(f"post {number}")
        feed = expect(FeedList, get_feed.sync(client=alice.api, limit=1))
        assert feed.items[0].id == post.id

with test("a feed is read to its end, one post a page"):
    follow_user.sync_detailed(UUID(alice.id), client=bob.api)
    posts = items(lambda cursor: expect(FeedList, get_feed.sync(client=bob.api, limit=1, cursor=cursor)))
    assert [post.text for post in posts] == [f"post {number}" for number in reversed(range(10))]

with test("a problem has its code and fields"):
    try:
        create_account.sync(client=bob.api, body=NewAccount(handle="x", display_name="", password="short"))
        raise AssertionError("an invalid account was made")
    except ProblemError as error:
        assert (error.problem.status, error.code) == (422, "invalid_request")
        assert {field.field for field in error.problem.errors} == {"handle", "display_name", "password"}
    try:
        get_post.sync(UUID(int=7 << 76 | 2 << 62), client=bob.api)
        raise AssertionError("a post that does not exist was read")
    except ProblemError as error:
        assert (error.problem.status, error.code) == (404, "not_found")


class Losing(httpx.HTTPTransport):
    """Loses the first two answers to a post."""

    lost = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        if request.method == "POST" and request.url.path == "/v1/posts" and self.lost < 2:
            self.lost += 1
            response.close()
            raise httpx.ReadError("the answer was lost")
        return response


with test("a command that is repeated is carried out once"):
    losing = Losing()
    carol = sign_up("carol_p", transport=losing)
    create_post.sync(client=carol.api, body=NewPost(text="once"))
    assert losing.lost == 2
    page = expect(PostPage, list_posts_of_user.sync(carol.id, client=carol.api))
    assert [post.text for post in page.items] == ["once"]


class Forging(httpx.HTTPTransport):
    """Gives positions of another server."""

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        response = super().handle_request(request)
        if "Feedmill-Position" in response.headers:
            response.headers["Feedmill-Position"] = "of another server"
        return response


with test("a position that the server refuses is forgotten"):
    frank = sign_up("frank_p", transport=Forging())
    create_post.sync(client=frank.api, body=NewPost(text="here"))
    assert str(expect(OwnProfile, get_me.sync(client=frank.api)).id) == frank.id


class Counting(httpx.HTTPTransport):
    """Counts refreshes."""

    refreshes = 0

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        self.refreshes += request.url.path == "/v1/sessions/refresh"
        return super().handle_request(request)


with test("many threads renew a token once, and the session continues after a restart"):
    stored: list[StoredSession | None] = []
    dave = sign_up("dave_p", on_session=stored.append)
    assert stored[-1] is not None
    counting = Counting()
    expired = replace(stored[-1], expires_at=time.time())
    feedmill, api = client(session=expired, on_session=stored.append, transport=counting)
    read: list[bool] = []
    threads = [
        threading.Thread(target=lambda: read.append(str(expect(OwnProfile, get_me.sync(client=api)).id) == dave.id))
        for _ in range(20)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert read == [True] * 20
    assert counting.refreshes == 1

    # One that is refused although it should be valid.
    refused = replace(stored[-1], access_token="refused", expires_at=time.time() + 900)
    feedmill, api = client(session=refused, on_session=stored.append, transport=counting)
    expect(OwnProfile, get_me.sync(client=api))
    assert counting.refreshes == 2

    feedmill.sign_out()
    assert stored[-1] is None
    try:
        get_me.sync(client=api)
        raise AssertionError("the account was read without a token")
    except ProblemError as error:
        assert error.code == "unauthorized"

with test("the stream has each item once, across cuts, restarts and expired tokens"):
    events: list[StreamEvent] = []
    async_events: list[StreamEvent] = []
    states: list[str] = []

    def on_connection(state: str, error: Exception | None) -> None:
        states.append(f"{state} {error}" if error else state)

    def follow() -> None:
        for event in bob.feedmill.follow(on_connection=on_connection):
            events.append(event)

    async def async_follow() -> None:
        async for event in bob.feedmill.async_follow():
            async_events.append(event)

    loop = asyncio.new_event_loop()
    following = loop.create_task(async_follow())

    def run_loop() -> None:
        with suppress(asyncio.CancelledError):
            loop.run_until_complete(following)

    threading.Thread(target=follow, daemon=True).start()
    async_thread = threading.Thread(target=run_loop)
    async_thread.start()
    eventually(lambda: bool(events and async_events), "the streams are not open")

    sent: list[str] = []

    def received(of: list[StreamEvent]) -> list[str]:
        return [event.data["id"] for event in of if event.event == "post"]

    def catch_up() -> None:
        eventually(lambda: set(sent) <= set(received(events)) & set(received(async_events)), "a post is missing")

    own = expect(Post, create_post.sync(client=bob.api, body=NewPost(text="like this")))
    sent.append(str(own.id))
    like_post.sync_detailed(own.id, client=alice.api)
    catch_up()
    for fault in ["cut the connections", "restart read-api", "cut the connections"]:
        sent.append(str(publish(f"before: {fault}").id))
        request(fault)
        sent.append(str(publish(f"after: {fault}").id))
        catch_up()
    # The access token expires in this time.
    count = states.count("open")
    eventually(lambda: states.count("open") > count, "the token has not expired yet", timeout=20)
    sent.append(str(publish("after the token expired").id))
    catch_up()
    for each in (events, async_events):
        assert len(set(received(each))) == len(received(each)), "an item arrived twice"
        likes = [event for event in each if event.event == "notification" and event.data["type"] == "like"]
        assert len(likes) == 1, likes
    assert states.count("open") >= 5, states
    loop.call_soon_threadsafe(following.cancel)
    async_thread.join(1)
    assert not async_thread.is_alive(), "cancelling does not end the iteration"
    assert expect(NotificationList, list_notifications.sync(client=bob.api)).unread_count == 1

with test("an event id that the server does not know begins anew with a reset"):
    first = next(iter(alice.feedmill.follow(last_event_id="unknown")))
    assert first.event == "reset"

with test("a stream ends with the session"):
    erin = sign_up("erin_p")
    try:
        for event in erin.feedmill.follow():
            if event.event == "unread":
                end_current_session.sync_detailed(client=erin.api)
        raise AssertionError("the iteration ended")
    except ProblemError as error:
        assert error.code in ("session_ended", "dead_token")
