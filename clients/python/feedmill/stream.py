"""Following the stream of live updates.

`follow` and `async_follow` differ only in how they wait. What they have in common is in `_Following`, without I/O.
"""

from __future__ import annotations

import asyncio
import json
import time
from asyncio import to_thread
from collections.abc import AsyncIterator, Callable, Iterator
from dataclasses import dataclass
from typing import Any, Literal, cast

import httpx

from .problem import ProblemError, problem_of
from .retry import backoff, retry_after
from .session import Session
from .sse import EventParser

OnConnection = Callable[[Literal["open", "lost"], Exception | None], None]
"""Called when a connection is open, and when one is lost or cannot be opened."""

EventName = Literal["unread", "post", "message", "notification", "edited", "gone", "reset"]
EVENT_NAMES = ("unread", "post", "message", "notification", "edited", "gone", "reset")
ALL_LISTS = ["feed", "conversations", "notifications"]

# A heartbeat arrives every 15 seconds.
TIMEOUT = httpx.Timeout(10, read=40)
DEFAULT_RETRY = 2.0
MAX_KNOWN_ITEMS = 3_000
"""An item may arrive again after a reconnection: as many as a stream sends of its three lists at once."""


@dataclass(frozen=True)
class StreamEvent:
    """An event of the stream. The schema `StreamEvent` of the API says which `data` each `event` has; `from_dict` of the
    generated class makes an object of it, for example `Post.from_dict(event.data)`."""

    event: EventName
    id: str
    """Opaque: as `last_event_id`, it resumes the stream behind the event."""
    data: dict[str, Any]


def follow(
    url: str,
    session: Session,
    *,
    last_event_id: str | None = None,
    on_connection: OnConnection | None = None,
) -> Iterator[StreamEvent]:
    """The events of a stream, each item once. It reconnects for as long as it is iterated, renews the token, and resumes behind
    the last event. Raises a `ProblemError` if the session has ended, or if the request is refused for another reason that
    does not pass.

    `last_event_id` is the `id` of the last event that an earlier run has handled. If the server does not know it any more, the
    stream begins anew with a `reset` of all lists.
    """
    following = _Following(last_event_id, on_connection)
    with httpx.Client(timeout=TIMEOUT) as http:
        while True:
            try:
                refused = following.refused
                token = session.replace(refused) if refused else session.access_token()
                with http.stream("GET", url, headers=following.headers(token)) as response:
                    if response.status_code != 200:
                        response.read()
                    yield from following.opened(response, token)
                    for chunk in response.iter_bytes():
                        yield from following.received(chunk)
                following.lost(None)
            except (httpx.TransportError, _Passing) as error:
                following.lost(error)
            time.sleep(following.delay)


async def async_follow(
    url: str,
    session: Session,
    *,
    last_event_id: str | None = None,
    on_connection: OnConnection | None = None,
) -> AsyncIterator[StreamEvent]:
    """The same as `follow`, for asyncio: cancelling the task ends it at once."""
    following = _Following(last_event_id, on_connection)
    async with httpx.AsyncClient(timeout=TIMEOUT) as http:
        while True:
            try:
                refused = following.refused
                # The session waits for its lock and for the network.
                token = await (to_thread(session.replace, refused) if refused else to_thread(session.access_token))
                async with http.stream("GET", url, headers=following.headers(token)) as response:
                    if response.status_code != 200:
                        await response.aread()
                    for event in following.opened(response, token):
                        yield event
                    async for chunk in response.aiter_bytes():
                        for event in following.received(chunk):
                            yield event
                following.lost(None)
            except (httpx.TransportError, _Passing) as error:
                following.lost(error)
            await asyncio.sleep(following.delay)


class _Passing(Exception):
    """Another attempt may succeed."""


class _Following:
    def __init__(self, last_event_id: str | None, on_connection: OnConnection | None) -> None:
        self.refused: str | None = None
        """The token that was refused, to be replaced."""
        self.delay = 0.0
        """How long to wait before the next attempt."""
        self._last_event_id = last_event_id
        self._on_connection = on_connection
        self._parser = EventParser(last_event_id)
        self._known: dict[tuple[str, str], None] = {}
        self._failures = 0
        self._retry = DEFAULT_RETRY
        self._min_delay = 0.0
        self._has_lost_events = False

    def headers(self, token: str | None) -> dict[str, str]:
        headers = {"Accept": "text/event-stream", "Cache-Control": "no-store"}
        if token is not None:
            headers["Authorization"] = f"Bearer {token}"
        if self._last_event_id is not None:
            headers["Last-Event-ID"] = self._last_event_id
        return headers

    def opened(self, response: httpx.Response, token: str | None) -> Iterator[StreamEvent]:
        if response.status_code != 200:
            self._refuse(response, token)
        self.refused = None
        self._parser = EventParser(self._last_event_id)
        if self._on_connection is not None:
            self._on_connection("open", None)
        if self._has_lost_events:
            self._has_lost_events = False
            yield StreamEvent("reset", "", {"lists": ALL_LISTS})

    def received(self, chunk: bytes) -> Iterator[StreamEvent]:
        self._failures = 0
        for name, data in self._parser.parse(chunk):
            self._last_event_id = self._parser.last_event_id
            # Newer servers may send further events.
            if name in EVENT_NAMES:
                event = StreamEvent(cast(EventName, name), self._last_event_id or "", json.loads(data))
                if self._is_new(event):
                    yield event
        self._last_event_id = self._parser.last_event_id
        self._retry = self._parser.retry or self._retry

    def lost(self, error: Exception | None) -> None:
        self._failures += error is not None
        wait = backoff(self._failures, self._retry) if self._failures else self._retry
        self.delay = max(wait, self._min_delay)
        self._min_delay = 0.0
        if self._on_connection is not None:
            self._on_connection("lost", error)

    def _refuse(self, response: httpx.Response, token: str | None) -> None:
        problem = problem_of(response)
        self._min_delay = retry_after(response)
        if problem is None or problem.status == 429 or problem.status >= 500:
            raise _Passing(f"HTTP {response.status_code}" if problem is None else problem.detail)
        if problem.code == "invalid_event_id":
            self._last_event_id = None
            self._has_lost_events = True
            raise _Passing(problem.detail)
        if problem.code == "unauthorized" and token is not None and self.refused is None:
            self.refused = token
            raise _Passing(problem.detail)
        raise ProblemError(problem)

    def _is_new(self, event: StreamEvent) -> bool:
        if event.event in ("unread", "edited", "reset"):
            return True
        if event.event == "gone":
            # It may come back.
            for post in event.data["posts"]:
                self._known.pop(("post", post), None)
            return True
        key = (event.event, event.data["id"])
        if key in self._known:
            return False
        self._known[key] = None
        if len(self._known) > MAX_KNOWN_ITEMS:
            del self._known[next(iter(self._known))]
        return True
