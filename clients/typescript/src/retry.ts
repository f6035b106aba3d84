/** How long to wait before the next attempt, and waiting that can be cancelled. */

const MAX_DELAY_MS = 30_000;

/** The delay before attempt `failures + 1`: it doubles with each failure, and half of it is random. */
export function backoff(failures: number, firstMs = 250): number {
  const delay = Math.min(MAX_DELAY_MS, firstMs * 2 ** Math.min(failures - 1, 16));
  return delay / 2 + (Math.random() * delay) / 2;
}

/** The `Retry-After` of an answer in milliseconds, if it has one. */
export function retryAfter(response: Response): number | undefined {
  const seconds = Number(response.headers.get("Retry-After") ?? "none");
  return Number.isFinite(seconds) ? seconds * 1000 : undefined;
}

/** Rejects with the signal's reason when it is aborted. */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) {
      reject(signal.reason);
      return;
    }
    const abort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", abort);
      resolve();
    }, ms);
    signal?.addEventListener("abort", abort, { once: true });
  });
}
