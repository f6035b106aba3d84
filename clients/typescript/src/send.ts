import { backoff, retryAfter, sleep } from "./retry.js";

/** A request that can be sent more than once. */
export interface Call {
  url: string;
  method: string;
  headers: Headers;
  body?: ArrayBuffer | string;
  signal?: AbortSignal;
}

export interface RetryLimits {
  /** How often a request is sent at most. */
  attempts: number;
  /** With a longer `Retry-After`, the answer is returned instead. */
  maxRetryAfterMs: number;
}

/**
 * Sends a request, again after a lost connection, 429 and 503. The caller makes sure that it may be repeated: reads may be,
 * and commands with an `Idempotency-Key`.
 */
export async function send(fetch: typeof globalThis.fetch, call: Call, limits: RetryLimits): Promise<Response> {
  for (let attempt = 1; ; attempt++) {
    const isLast = attempt >= limits.attempts;
    let delay = backoff(attempt);
    try {
      const { url, ...init } = call;
      const response = await fetch(url, init);
      if ((response.status !== 429 && response.status !== 503) || isLast) {
        return response;
      }
      const wanted = retryAfter(response) ?? 0;
      if (wanted > limits.maxRetryAfterMs) {
        return response;
      }
      await response.body?.cancel();
      delay = Math.max(delay, wanted);
    } catch (error) {
      if (isLast || call.signal?.aborted) {
        throw error;
      }
    }
    await sleep(delay, call.signal);
  }
}

/** An `Idempotency-Key`. It need not be secret: browsers have `crypto.randomUUID` on secure origins only, Node from 19 on. */
export function randomKey(): string {
  const part = () => Math.random().toString(36).slice(2);
  return globalThis.crypto?.randomUUID?.() ?? `${Date.now().toString(36)}-${part()}-${part()}`;
}
