import { errorOf, ProblemError } from "./problem.js";
import { backoff, retryAfter, sleep } from "./retry.js";
import type { StreamEvent } from "./schema.js";
import { EventParser } from "./sse.js";

/** Where a stream is, and how to sign its requests. */
export interface StreamSource {
  /** Of read-api, such as `https://example.org/v1/stream`. */
  url: string;
  /** A token that is valid for a while. */
  accessToken(): Promise<string | undefined>;
  /** Another token than this one, which was refused. */
  replace(refused: string): Promise<string | undefined>;
  fetch?: typeof globalThis.fetch;
}

export interface FollowOptions {
  /** Ends the iteration, without an error. */
  signal?: AbortSignal;
  /** The `id` of the last event that an earlier run has handled. */
  lastEventId?: string;
  /** Called when a connection is open, and with the reason when one is lost or cannot be opened. */
  onConnection?: (state: "open" | "lost", reason?: unknown) => void;
}

/** A heartbeat arrives every 15 seconds. */
const MAX_SILENCE_MS = 40_000;

/** An item may arrive again after a reconnection: as many as a stream sends of its three lists at once. */
const MAX_KNOWN_ITEMS = 3_000;

const DEFAULT_RETRY_MS = 2_000;

/**
 * The events of a stream, each item once. It reconnects for as long as it is iterated, renews the token, and resumes behind
 * the last event. Throws a `ProblemError` if the session has ended, or if the request is refused for another reason that
 * does not pass.
 *
 * If the server does not know the last event id any more, it begins anew and yields a `reset` of all lists.
 */
export async function* follow(source: StreamSource, options: FollowOptions = {}): AsyncGenerator<StreamEvent, void> {
  const { signal, onConnection } = options;
  const known = new KnownItems();
  let lastEventId = options.lastEventId;
  let retryMs = DEFAULT_RETRY_MS;
  let failures = 0;
  let hasLostEvents = false;
  while (!signal?.aborted) {
    const connection = new Connection(signal);
    let delay: number | undefined;
    try {
      const response = await open(source, lastEventId, connection.signal);
      if (response.status === 422 && lastEventId !== undefined) {
        throw new InvalidEventId((await errorOf(response)).message);
      }
      if (!response.ok) {
        delay = retryAfter(response);
        throw await errorOf(response);
      }
      onConnection?.("open");
      if (hasLostEvents) {
        hasLostEvents = false;
        yield { event: "reset", id: "", data: { lists: ["feed", "conversations", "notifications"] } };
      }
      const parser = new EventParser(lastEventId);
      for await (const bytes of connection.chunks(response)) {
        failures = 0;
        for (const { event, data } of parser.parse(bytes)) {
          lastEventId = parser.lastEventId;
          const parsed = toStreamEvent(event, lastEventId, data);
          if (parsed !== undefined && known.isNew(parsed)) {
            yield parsed;
          }
        }
        lastEventId = parser.lastEventId;
        retryMs = parser.retryMs ?? retryMs;
      }
      onConnection?.("lost", "the stream ended");
    } catch (error) {
      if (signal?.aborted) {
        return;
      }
      if (!isPassing(error)) {
        throw error;
      }
      if (error instanceof InvalidEventId) {
        hasLostEvents = true;
        lastEventId = undefined;
      }
      failures += 1;
      onConnection?.("lost", error);
    } finally {
      connection.close();
    }
    const wait = failures === 0 ? retryMs : backoff(failures, retryMs);
    await sleep(Math.max(wait, delay ?? 0), signal).catch(() => undefined);
  }
}

/** Sends the request; once more with another token if the first one is refused. */
async function open(source: StreamSource, lastEventId: string | undefined, signal: AbortSignal): Promise<Response> {
  const request = (token: string | undefined) => {
    const headers = new Headers({ Accept: "text/event-stream" });
    if (token !== undefined) {
      headers.set("Authorization", `Bearer ${token}`);
    }
    if (lastEventId !== undefined) {
      headers.set("Last-Event-ID", lastEventId);
    }
    const fetch = source.fetch ?? globalThis.fetch;
    return fetch(source.url, { headers, signal, cache: "no-store" });
  };
  const token = await source.accessToken();
  const response = await request(token);
  if (response.status !== 401 || token === undefined) {
    return response;
  }
  const error = await errorOf(response);
  if (!(error instanceof ProblemError) || error.code !== "unauthorized") {
    throw error;
  }
  return request(await source.replace(token));
}

class InvalidEventId extends Error {}

/** Whether another attempt may succeed: no answer, an answer of a proxy, 429 and 5xx. */
function isPassing(error: unknown): boolean {
  return !(error instanceof ProblemError) || error.problem.status === 429 || error.problem.status >= 500;
}

/** An event, or undefined if it is of a kind that this version does not know. */
function toStreamEvent(event: string, id: string | undefined, data: string): StreamEvent | undefined {
  const kinds: string[] = ["unread", "post", "message", "notification", "edited", "gone", "reset"] satisfies StreamEvent["event"][];
  return kinds.includes(event) ? ({ event, id: id ?? "", data: JSON.parse(data) } as StreamEvent) : undefined;
}

class KnownItems {
  #ids = new Set<string>();

  isNew(event: StreamEvent): boolean {
    if (event.event === "unread" || event.event === "edited" || event.event === "reset") {
      return true;
    }
    if (event.event === "gone") {
      // It may come back.
      event.data.posts.forEach((post) => this.#ids.delete(`post ${post}`));
      return true;
    }
    const id = `${event.event} ${event.data.id}`;
    if (this.#ids.has(id)) {
      return false;
    }
    this.#ids.add(id);
    if (this.#ids.size > MAX_KNOWN_ITEMS) {
      const [oldest] = this.#ids;
      this.#ids.delete(oldest as string);
    }
    return true;
  }
}

/** One request, which the signal or a long silence aborts. */
class Connection {
  #controller = new AbortController();
  #timer: ReturnType<typeof setTimeout> | undefined;
  readonly #abort = () => this.#controller.abort(this.outer?.reason);

  constructor(private readonly outer: AbortSignal | undefined) {
    outer?.addEventListener("abort", this.#abort, { once: true });
    this.#expectBytes();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  async *chunks(response: Response): AsyncGenerator<Uint8Array, void> {
    const reader = response.body?.getReader();
    while (reader !== undefined) {
      this.#expectBytes();
      const { done, value } = await reader.read();
      // The consumer may take its time.
      clearTimeout(this.#timer);
      if (done) {
        return;
      }
      yield value;
    }
  }

  close(): void {
    clearTimeout(this.#timer);
    this.outer?.removeEventListener("abort", this.#abort);
    this.#controller.abort();
  }

  #expectBytes(): void {
    clearTimeout(this.#timer);
    const silent = () => this.#controller.abort(new Error(`nothing arrived for ${MAX_SILENCE_MS} ms`));
    this.#timer = setTimeout(silent, MAX_SILENCE_MS);
  }
}
