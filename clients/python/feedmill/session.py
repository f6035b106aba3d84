"""The tokens of an account."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import httpx

from .problem import ProblemError, raise_for_problem
from .retry import send

RENEW_BEFORE = 30.0
"""An access token is renewed this long before it expires, or after three quarters of its life."""


@dataclass(frozen=True)
class StoredSession:
    """What to store of a session, to continue it after a restart. It is as secret as a password."""

    access_token: str
    expires_at: float
    """In seconds since 1970."""
    refresh_token: str
    device_token: str | None = None
    """Keep it after signing out, for the next sign-in of the same account on this device."""


class Session:
    """The tokens of an account, for any number of threads. They are renewed once, however many requests wait for them."""

    def __init__(
        self,
        http: httpx.Client,
        *,
        stored: StoredSession | None = None,
        on_change: Callable[[StoredSession | None], None] | None = None,
        attempts: int = 4,
    ) -> None:
        """`http` has the address of write-api as its base URL."""
        self._http = http
        self._stored = stored
        self._renew_at = stored.expires_at - RENEW_BEFORE if stored else 0.0
        self._device_token = stored.device_token if stored else None
        self._on_change = on_change
        self._attempts = attempts
        self._lock = threading.RLock()
        # A refresh whose answer was lost is repeated with its key.
        self._refresh_key = ("", "")

    @property
    def is_signed_in(self) -> bool:
        """Whether there are tokens."""
        return self._stored is not None

    def sign_in(self, handle: str, password: str, *, device_name: str | None = None) -> None:
        """Begins a session."""
        body = {"handle": handle, "password": password, "device_name": device_name, "device_token": self._device_token}
        tokens = self._post("/v1/sessions", str(uuid.uuid4()), {name: value for name, value in body.items() if value})
        with self._lock:
            self._accept(tokens)

    def sign_out(self) -> None:
        """Ends the session."""
        token = self.access_token()
        if token is not None:
            self._http.delete("/v1/sessions/current", headers={"Authorization": f"Bearer {token}"})
        with self._lock:
            self._clear()

    def access_token(self) -> str | None:
        """A token that is valid for a while, or None if nobody is signed in."""
        with self._lock:
            if self._stored is None or time.time() < self._renew_at:
                return self._stored.access_token if self._stored else None
            return self._refresh(self._stored)

    def replace(self, refused: str) -> str | None:
        """Another token than this one, which was refused. Raises a `ProblemError` if the session has ended."""
        with self._lock:
            if self._stored is None or self._stored.access_token != refused:
                return self.access_token()
            return self._refresh(self._stored)

    def _refresh(self, stored: StoredSession) -> str:
        if self._refresh_key[0] != stored.refresh_token:
            self._refresh_key = (stored.refresh_token, str(uuid.uuid4()))
        try:
            tokens = self._post("/v1/sessions/refresh", self._refresh_key[1], {"refresh_token": stored.refresh_token})
        except ProblemError as error:
            if error.code == "dead_token":
                self._clear()
            raise
        return self._accept(tokens)

    def _accept(self, tokens: dict[str, Any]) -> str:
        life: float = tokens["expires_in"]
        now = time.time()
        self._device_token = tokens.get("device_token", self._device_token)
        self._renew_at = now + life - min(RENEW_BEFORE, life / 4)
        access_token: str = tokens["access_token"]
        self._change(StoredSession(access_token, now + life, tokens["refresh_token"], self._device_token))
        return access_token

    def _clear(self) -> None:
        self._change(None)

    def _change(self, stored: StoredSession | None) -> None:
        self._stored = stored
        if self._on_change is not None:
            self._on_change(stored)

    def _post(self, path: str, key: str, body: dict[str, Any]) -> dict[str, Any]:
        headers = {"Idempotency-Key": key}
        response = send(lambda: self._http.post(path, json=body, headers=headers), self._attempts)
        raise_for_problem(response)
        tokens: dict[str, Any] = response.json()
        return tokens
