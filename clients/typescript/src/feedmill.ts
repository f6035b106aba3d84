import createClient, { type Client } from "openapi-fetch";

import { follow, type FollowOptions } from "./follow.js";
import { Positions } from "./positions.js";
import { errorOf, ProblemError } from "./problem.js";
import type { Credentials, paths, StreamEvent, Tokens } from "./schema.js";
import { randomKey, send, type Call, type RetryLimits } from "./send.js";
import { Session, type StoredSession } from "./session.js";

export interface FeedmillOptions {
  /** Where write-api is, such as `http://localhost:8080`. */
  writeUrl: string;
  /** Where read-api is. The same as `writeUrl` if both are behind one host name. */
  readUrl: string;
  /** The session of an earlier run. */
  session?: StoredSession;
  /** Called with each new pair of tokens, and with undefined after signing out. Store what it is called with. */
  onSession?: (session: StoredSession | undefined) => void;
  /** Whether reads wait for the commands that this client sent in the last minute: true by default. */
  readOwnWrites?: boolean;
  /** How often a request is sent at most: 4 by default. */
  attempts?: number;
  /** `globalThis.fetch` by default. */
  fetch?: typeof globalThis.fetch;
}

export interface Feedmill {
  /** The operations of the API, by method and path. */
  api: Client<paths>;
  signIn(credentials: Credentials): Promise<void>;
  signOut(): Promise<void>;
  readonly isSignedIn: boolean;
  /** The events of the caller's stream. */
  follow(options?: FollowOptions): AsyncGenerator<StreamEvent, void>;
}

/** Operations that are without a token. */
const WITHOUT_TOKEN = new Set([
  "POST /v1/accounts",
  "POST /v1/sessions",
  "POST /v1/sessions/refresh",
  "GET /.well-known/jwks.json",
]);

/** Reads that write-api answers. */
const READS_OF_WRITE_API = new Set(["/v1/sessions", "/.well-known/jwks.json"]);

const MIN_POSITION = "Feedmill-Min-Position";
const POSITION_WAIT = "wait=2";

async function isRefusedPosition(response: Response): Promise<boolean> {
  const error = await errorOf(response);
  const fields = error instanceof ProblemError ? error.problem.errors : undefined;
  return fields?.some(({ field }) => field === MIN_POSITION) ?? false;
}

/** A client for one account at a time. */
export function createFeedmill(options: FeedmillOptions): Feedmill {
  const [writeUrl, readUrl] = [baseUrl(options.writeUrl), baseUrl(options.readUrl)];
  const fetch = options.fetch ?? ((...call) => globalThis.fetch(...call));
  const limits: RetryLimits = { attempts: options.attempts ?? 4, maxRetryAfterMs: 10_000 };
  const positions = new Positions();
  const toWriteApi = (call: Omit<Call, "url">, path: string) => send(fetch, { ...call, url: writeUrl + path }, limits);
  const session = new Session(toWriteApi, options.onSession ?? (() => undefined), options.session);

  const fetchOperation = async (request: Request): Promise<Response> => {
    const path = request.url.slice(writeUrl.length);
    const pathname = path.replace(/\?.*/, "");
    const isRead = request.method === "GET" || request.method === "HEAD";
    const headers = new Headers(request.headers);
    if (!isRead && !headers.has("Idempotency-Key")) {
      headers.set("Idempotency-Key", randomKey());
    }
    const waitsFor = isRead && !headers.has(MIN_POSITION) && options.readOwnWrites !== false ? positions.header() : undefined;
    if (waitsFor !== undefined) {
      headers.set(MIN_POSITION, waitsFor);
      headers.set("Prefer", headers.get("Prefer") ?? POSITION_WAIT);
    }
    const call: Call = {
      url: (isRead && !READS_OF_WRITE_API.has(pathname) ? readUrl : writeUrl) + path,
      method: request.method,
      headers,
      signal: request.signal,
    };
    if (request.body !== null) {
      call.body = await request.arrayBuffer();
    }
    const needsToken = !WITHOUT_TOKEN.has(`${request.method} ${pathname}`) && !headers.has("Authorization");
    let response = needsToken ? await sendSigned(call) : await send(fetch, call, limits);
    if (waitsFor !== undefined && response.status === 422 && (await isRefusedPosition(response.clone()))) {
      // The server was restored from a backup, for example.
      positions.clear();
      headers.delete(MIN_POSITION);
      response = await sendSigned(call);
    }
    const position = response.headers.get("Feedmill-Position");
    if (position !== null && needsToken) {
      positions.add(position);
    }
    return response;
  };

  /** Sends a request with the token of the session; once more with another one if it is refused. */
  const sendSigned = async (call: Call): Promise<Response> => {
    const token = await session.accessToken();
    if (token === undefined) {
      return send(fetch, call, limits);
    }
    call.headers.set("Authorization", `Bearer ${token}`);
    const response = await send(fetch, call, limits);
    if (response.status !== 401) {
      return response;
    }
    const error = await errorOf(response.clone());
    if (!(error instanceof ProblemError) || error.code !== "unauthorized") {
      return response;
    }
    const other = await session.replace(token);
    if (other === undefined) {
      return response;
    }
    call.headers.set("Authorization", `Bearer ${other}`);
    return send(fetch, call, limits);
  };

  const api = createClient<paths>({ baseUrl: writeUrl, fetch: fetchOperation });
  return {
    api,
    get isSignedIn() {
      return session.isSignedIn;
    },
    async signIn(credentials) {
      const device_token = credentials.device_token ?? session.deviceToken;
      const body = device_token === undefined ? credentials : { ...credentials, device_token };
      const { data, error, response } = await api.POST("/v1/sessions", { body });
      if (error !== undefined) {
        throw new ProblemError(error, response);
      }
      positions.clear();
      session.accept(data satisfies Tokens);
    },
    async signOut() {
      await api.DELETE("/v1/sessions/current");
      positions.clear();
      session.clear();
    },
    follow(followOptions) {
      const source = {
        url: `${readUrl}/v1/stream`,
        accessToken: () => session.accessToken(),
        replace: (refused: string) => session.replace(refused),
        fetch,
      };
      return follow(source, followOptions);
    },
  };
}

/** As `Request` normalizes it, without a slash at the end. */
function baseUrl(url: string): string {
  return new URL(url).href.replace(/\/+$/, "");
}

/**
 * The items of all pages of a list, from `page(undefined)` to the one without a next cursor.
 *
 * `page` reads the page at a cursor.
 */
export async function* items<T>(
  page: (cursor: string | undefined) => Promise<{ items: T[]; next_cursor: string | null }>,
): AsyncGenerator<T, void> {
  let cursor: string | undefined;
  do {
    const { items, next_cursor } = await page(cursor);
    yield* items;
    cursor = next_cursor ?? undefined;
  } while (cursor !== undefined);
}
