"""The positions of an account's last commands."""

from __future__ import annotations

import threading
import time

MAX_POSITIONS = 8
MAX_AGE = 60.0
"""How many commands a read waits for at most, and of how many seconds. Older ones are in the read models long since."""


class Positions:
    """They are opaque, and belong to the account."""

    def __init__(self) -> None:
        self._recent: dict[str, float] = {}
        self._lock = threading.Lock()

    def add(self, position: str) -> None:
        """Remembers the position of a command."""
        with self._lock:
            self._recent.pop(position, None)
            self._recent[position] = time.monotonic()
            while len(self._recent) > MAX_POSITIONS:
                del self._recent[next(iter(self._recent))]

    def clear(self) -> None:
        """Forgets those of another account."""
        with self._lock:
            self._recent.clear()

    def recent(self) -> list[str]:
        """For `Feedmill-Min-Position`."""
        with self._lock:
            since = time.monotonic() - MAX_AGE
            return [position for position, at in self._recent.items() if at > since]
