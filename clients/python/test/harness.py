"""What the tests share: the stack, and how to ask the program that started it for a fault."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import httpx

from feedmill import Feedmill, StoredSession, expect
from feedmill_api import AuthenticatedClient
from feedmill_api.api.accounts import create_account
from feedmill_api.models import AccountSummary, NewAccount

WRITE_URL = os.environ["WRITE_API_URL"]
READ_URL = os.environ["READ_API_URL"]


@dataclass
class User:
    """An account that is signed in."""

    feedmill: Feedmill
    api: AuthenticatedClient
    id: str


def client(
    session: StoredSession | None = None,
    on_session: Callable[[StoredSession | None], None] | None = None,
    transport: httpx.BaseTransport | None = None,
) -> tuple[Feedmill, AuthenticatedClient]:
    """A client of the stack."""
    feedmill = Feedmill(WRITE_URL, READ_URL, session=session, on_session=on_session, transport=transport)
    return feedmill, AuthenticatedClient(base_url=WRITE_URL, token="").set_httpx_client(feedmill.http)


def sign_up(
    handle: str,
    on_session: Callable[[StoredSession | None], None] | None = None,
    transport: httpx.BaseTransport | None = None,
) -> User:
    """A new account."""
    feedmill, api = client(on_session=on_session, transport=transport)
    password = f"the password of {handle}"
    new = NewAccount(handle=handle, display_name=handle, password=password)
    account = expect(AccountSummary, create_account.sync(client=api, body=new))
    feedmill.sign_in(handle, password)
    return User(feedmill, api, str(account.id))


def request(fault: str) -> None:
    """Has the program that started the stack do this, and waits until it is done."""
    print(f"> {fault}", flush=True)
    input()


@contextmanager
def test(name: str) -> Iterator[None]:
    """Reports the duration of a test."""
    began = time.monotonic()
    yield
    print(f"{name}: ok, {(time.monotonic() - began) * 1000:.0f} ms", flush=True)


def eventually(condition: Callable[[], bool], what: str, timeout: float = 10) -> None:
    """Waits until the condition holds."""
    deadline = time.monotonic() + timeout
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.05)
