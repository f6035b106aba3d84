import { errorOf, ProblemError } from "./problem.js";
import type { Tokens } from "./schema.js";
import { randomKey, type Call } from "./send.js";

/** What to store of a session, to continue it after a restart. It is as secret as a password. */
export interface StoredSession {
  accessToken: string;
  /** In milliseconds since 1970. */
  expiresAt: number;
  refreshToken: string;
  /** Keep it after signing out, for the next sign-in of the same account on this device. */
  deviceToken?: string | undefined;
}

/** An access token is renewed this long before it expires, or after three quarters of its life. */
const RENEW_BEFORE_MS = 30_000;

/** The tokens of an account. They are renewed once, however many requests wait for them. */
export class Session {
  #stored: StoredSession | undefined;
  #renewAt = 0;
  #renewal: Promise<string> | undefined;
  #deviceToken: string | undefined;
  /** A refresh whose answer was lost is repeated with its key. */
  #key: { refreshToken: string; key: string } | undefined;

  constructor(
    private readonly send: (call: Omit<Call, "url">, path: string) => Promise<Response>,
    private readonly onChange: (stored: StoredSession | undefined) => void,
    stored?: StoredSession,
  ) {
    this.#stored = stored;
    this.#renewAt = (stored?.expiresAt ?? 0) - RENEW_BEFORE_MS;
    this.#deviceToken = stored?.deviceToken;
  }

  get isSignedIn(): boolean {
    return this.#stored !== undefined;
  }

  get deviceToken(): string | undefined {
    return this.#deviceToken;
  }

  /** Begins a session with the answer to a sign-in or a refresh. */
  accept(tokens: Tokens): string {
    this.#deviceToken = tokens.device_token ?? this.#deviceToken;
    const life = tokens.expires_in * 1000;
    this.#stored = {
      accessToken: tokens.access_token,
      expiresAt: Date.now() + life,
      refreshToken: tokens.refresh_token,
      deviceToken: this.#deviceToken,
    };
    this.#renewAt = this.#stored.expiresAt - Math.min(RENEW_BEFORE_MS, life / 4);
    this.onChange(this.#stored);
    return tokens.access_token;
  }

  /** Forgets the tokens, but for that of the device. */
  clear(): void {
    this.#stored = undefined;
    this.onChange(undefined);
  }

  /** A token that is valid for a while, or undefined if nobody is signed in. */
  async accessToken(): Promise<string | undefined> {
    if (this.#stored === undefined || Date.now() < this.#renewAt) {
      return this.#stored?.accessToken;
    }
    return this.#renewal ?? this.#renew();
  }

  /** Another token than this one, which was refused. Throws a `ProblemError` if the session has ended. */
  async replace(refused: string): Promise<string | undefined> {
    if (this.#stored?.accessToken !== refused) {
      return this.accessToken();
    }
    return this.#renewal ?? this.#renew();
  }

  #renew(): Promise<string> {
    const renewal = this.#refresh().finally(() => {
      this.#renewal = undefined;
    });
    this.#renewal = renewal;
    return renewal;
  }

  async #refresh(): Promise<string> {
    const before = this.#stored;
    const refreshToken = before?.refreshToken ?? "";
    if (this.#key?.refreshToken !== refreshToken) {
      this.#key = { refreshToken, key: randomKey() };
    }
    const headers = new Headers({ "Content-Type": "application/json", "Idempotency-Key": this.#key.key });
    const body = JSON.stringify({ refresh_token: refreshToken });
    const response = await this.send({ method: "POST", headers, body }, "/v1/sessions/refresh");
    if (response.ok) {
      const tokens = (await response.json()) as Tokens;
      // Somebody may have signed out or in meanwhile.
      return this.#stored === before ? this.accept(tokens) : tokens.access_token;
    }
    const error = await errorOf(response);
    if (error instanceof ProblemError && error.code === "dead_token" && this.#stored === before) {
      this.clear();
    }
    throw error;
  }
}
