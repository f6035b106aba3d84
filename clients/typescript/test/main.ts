import assert from "node:assert/strict";

import { createFeedmill, items, ok, ProblemError, type StoredSession, type StreamEvent } from "feedmill-client";

import { EventParser } from "../dist/sse.js";
import { request, signUp, test, urls } from "./harness.js";

await test("server-sent events are parsed, however their bytes are cut", async () => {
  const text = 'retry: 1740\r\n\r\nevent: post\nid: a\ndata: {"text":\ndata: "é𝄞"}\n\n: still here\rid: b\r\rdata:c\n\n';
  const bytes = new TextEncoder().encode(text);
  for (let size = 1; size <= bytes.length; size++) {
    const parser = new EventParser();
    const events: unknown[] = [];
    for (let start = 0; start < bytes.length; start += size) {
      for (const event of parser.parse(bytes.subarray(start, start + size))) {
        events.push({ ...event, id: parser.lastEventId });
      }
    }
    assert.deepEqual(events, [
      { event: "post", data: '{"text":\n"é𝄞"}', id: "a" },
      { event: "message", data: "c", id: "b" },
    ]);
    assert.equal(parser.retryMs, 1740);
  }
});

const alice = await signUp("alice");
const bob = await signUp("bob");

await test("a read includes one's own command", async () => {
  for (let round = 0; round < 10; round++) {
    const post = await ok(alice.feedmill.api.POST("/v1/posts", { body: { text: `post ${round}` } }));
    const feed = await ok(alice.feedmill.api.GET("/v1/feed", { params: { query: { limit: 1 } } }));
    assert.equal(feed.items[0]?.id, post.id);
  }
});

await test("a feed is read to its end, one post a page", async () => {
  const { api } = bob.feedmill;
  await ok(api.PUT("/v1/users/{id}/follow", { params: { path: { id: alice.id } } }));
  const feed = items((cursor) => ok(api.GET("/v1/feed", { params: { query: { limit: 1, cursor } } })));
  const texts: string[] = [];
  for await (const post of feed) {
    texts.push(post.text);
  }
  assert.deepEqual(texts, Array.from({ length: 10 }, (_, index) => `post ${9 - index}`));
});

await test("a problem has its type", async () => {
  const { api } = alice.feedmill;
  const { error } = await api.POST("/v1/accounts", {
    body: { handle: "x", display_name: "", password: "short" },
  });
  assert(error?.code === "invalid_request");
  const status: 422 = error.status;
  assert.equal(status, 422);
  assert.deepEqual(error.errors?.map(({ field }) => field).sort(), ["display_name", "handle", "password"]);

  const taken = await api.POST("/v1/accounts", {
    body: { handle: "bob", display_name: "Bob", password: "stone and water" },
  });
  assert(taken.error?.code === "handle_taken");

  const path = { id: "00000000-0000-7000-8000-000000000000" };
  await assert.rejects(ok(api.GET("/v1/posts/{id}", { params: { path } })), (error) => {
    assert(error instanceof ProblemError && error.code === "not_found");
    assert.equal(error.response.status, 404);
    return true;
  });
});

await test("a command that is repeated is carried out once", async () => {
  let lost = 0;
  const losing: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    if (init?.method === "POST" && String(input).endsWith("/v1/posts") && lost++ < 2) {
      await response.body?.cancel();
      throw new TypeError("the answer was lost");
    }
    return response;
  };
  const { feedmill, id } = await signUp("carol", { fetch: losing });
  await ok(feedmill.api.POST("/v1/posts", { body: { text: "once" } }));
  assert.equal(lost, 3);
  const posts = await ok(feedmill.api.GET("/v1/users/{user}/posts", { params: { path: { user: id } } }));
  assert.deepEqual(posts.items.map(({ text }) => text), ["once"]);
});

await test("a position that the server refuses is forgotten", async () => {
  const forging: typeof fetch = async (input, init) => {
    const response = await fetch(input, init);
    if (!response.headers.has("Feedmill-Position")) {
      return response;
    }
    const headers = new Headers(response.headers);
    headers.set("Feedmill-Position", "of another server");
    return new Response(await response.text(), { status: response.status, headers });
  };
  const { feedmill, id } = await signUp("frank", { fetch: forging });
  await ok(feedmill.api.POST("/v1/posts", { body: { text: "here" } }));
  assert.equal((await ok(feedmill.api.GET("/v1/me"))).id, id);
});

await test("many requests renew a token once, and the session continues after a restart", async () => {
  let refreshes = 0;
  const counting: typeof fetch = (input, init) => {
    refreshes += Number(String(input).endsWith("/v1/sessions/refresh"));
    return fetch(input, init);
  };
  const stored: (StoredSession | undefined)[] = [];
  const onSession = (session: StoredSession | undefined) => stored.push(session);
  const { id } = await signUp("dave", { onSession });
  const session = stored.at(-1);
  assert(session);
  const expired = { ...session, expiresAt: Date.now() };
  const feedmill = createFeedmill({ ...urls, session: expired, onSession, fetch: counting });
  const reads = Array.from({ length: 20 }, () => ok(feedmill.api.GET("/v1/me")));
  assert((await Promise.all(reads)).every((me) => me.id === id));
  assert.equal(refreshes, 1);

  // One that is refused although it should be valid.
  const refused = { ...(stored.at(-1) ?? session), accessToken: "refused", expiresAt: Date.now() + 900_000 };
  const again = createFeedmill({ ...urls, session: refused, onSession, fetch: counting });
  await Promise.all([ok(again.api.GET("/v1/me")), ok(again.api.GET("/v1/feed"))]);
  assert.equal(refreshes, 2);

  await again.signOut();
  assert.equal(stored.at(-1), undefined);
  assert.equal((await again.api.GET("/v1/me")).error?.code, "unauthorized");
});

await test("the stream has each item once, across cuts, restarts and expired tokens", async () => {
  const stop = new AbortController();
  const events: StreamEvent[] = [];
  const states: string[] = [];
  const isOpen = { resolve: () => {} };
  const opened = new Promise<void>((resolve) => (isOpen.resolve = resolve));
  const following = (async () => {
    const onConnection = (state: "open" | "lost") => states.push(state);
    for await (const event of bob.feedmill.follow({ signal: stop.signal, onConnection })) {
      events.push(event);
      isOpen.resolve();
    }
  })();
  await opened;
  const { api } = alice.feedmill;
  const sent: string[] = [];
  const post = async (text: string) => {
    const post = await ok(api.POST("/v1/posts", { body: { text } }));
    sent.push(post.id);
    return post;
  };
  const received = () => events.flatMap((event) => (event.event === "post" ? [event.data.id] : []));
  const caughtUp = () => eventually(() => assert.deepEqual(sent.filter((id) => !received().includes(id)), []));

  const own = await ok(bob.feedmill.api.POST("/v1/posts", { body: { text: "like this" } }));
  sent.push(own.id);
  await ok(api.PUT("/v1/posts/{id}/like", { params: { path: { id: own.id } } }));
  await post("first");
  await caughtUp();
  for (const fault of ["cut the connections", "restart read-api", "cut the connections"] as const) {
    const before = post(`before: ${fault}`);
    await request(fault);
    await before;
    await post(`after: ${fault}`);
    await caughtUp();
  }
  // The access token expires in this time.
  const opens = () => states.filter((state) => state === "open").length;
  const count = opens();
  await eventually(() => assert(opens() > count, "the token has not expired yet"), 20_000);
  await post("after the token expired");
  await caughtUp();

  stop.abort();
  await following;
  assert.equal(new Set(received()).size, received().length, "an item arrived twice");
  const likes = events.filter((event) => event.event === "notification" && event.data.type === "like");
  assert.equal(likes.length, 1);
  assert(opens() >= 5, `the connection was opened ${opens()} times`);
});

await test("an event id that the server does not know begins anew with a reset", async () => {
  for await (const event of alice.feedmill.follow({ lastEventId: "unknown" })) {
    assert.equal(event.event, "reset");
    break;
  }
});

await test("a stream ends with the session", async () => {
  const { feedmill } = await signUp("erin");
  const following = (async () => {
    for await (const event of feedmill.follow()) {
      if (event.event === "unread") {
        await ok(feedmill.api.DELETE("/v1/sessions/current"));
      }
    }
  })();
  await assert.rejects(following, (error) => error instanceof ProblemError && /session_ended|dead_token/.test(error.code));
});

/** Repeats the check until it passes. */
async function eventually(check: () => void, timeoutMs = 10_000): Promise<void> {
  for (const deadline = Date.now() + timeoutMs; ; ) {
    try {
      return check();
    } catch (error) {
      if (Date.now() > deadline) {
        throw error;
      }
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}

process.exit(0);
