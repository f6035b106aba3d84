"""Requests that are sent again."""

from __future__ import annotations

import random
import time
from collections.abc import Callable

import httpx

MAX_DELAY = 30.0
MAX_RETRY_AFTER = 10.0
"""With a longer `Retry-After`, the answer is returned instead. In seconds, as everywhere."""


def backoff(failures: int, first: float = 0.25) -> float:
    """The delay before attempt `failures + 1`: it doubles with each failure, and half of it is random."""
    delay = min(MAX_DELAY, first * 2.0 ** min(failures - 1, 16))
    return delay / 2 + random.random() * delay / 2


def retry_after(response: httpx.Response) -> float:
    """The `Retry-After` of an answer, or 0."""
    value = response.headers.get("Retry-After", "")
    return float(value) if value.isdecimal() else 0.0


def send(attempt: Callable[[], httpx.Response], attempts: int) -> httpx.Response:
    """Sends a request, again after a lost connection, 429 and 503. The caller makes sure that it may be repeated: reads may be,
    and commands with an `Idempotency-Key`."""
    for failures in range(1, attempts):
        delay = backoff(failures)
        try:
            response = attempt()
        except httpx.TransportError:
            time.sleep(delay)
            continue
        if response.status_code not in (429, 503) or retry_after(response) > MAX_RETRY_AFTER:
            return response
        response.close()
        time.sleep(max(delay, retry_after(response)))
    return attempt()
