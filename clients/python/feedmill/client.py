"""An HTTP client for the generated code."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Protocol, TypeVar

import httpx

from .positions import Positions
from .problem import problem_of, raise_for_problem
from .retry import send
from .session import Session, StoredSession
from .stream import OnConnection, StreamEvent, async_follow, follow

WITHOUT_TOKEN = {
    ("POST", "/v1/accounts"),
    ("POST", "/v1/sessions"),
    ("POST", "/v1/sessions/refresh"),
    ("GET", "/.well-known/jwks.json"),
}
READS_OF_WRITE_API = {"/v1/sessions", "/.well-known/jwks.json"}
MIN_POSITION = "Feedmill-Min-Position"
POSITION_WAIT = "wait=2"


class Feedmill:
    """A client for one account at a time, for any number of threads.

    `http` is for the generated code: its requests go to the right service, with a token, and are repeated after a lost
    connection, 429 and 503. Problems are raised as `ProblemError`.
    """

    def __init__(
        self,
        write_url: str,
        read_url: str,
        *,
        session: StoredSession | None = None,
        on_session: Callable[[StoredSession | None], None] | None = None,
        read_own_writes: bool = True,
        attempts: int = 4,
        transport: httpx.BaseTransport | None = None,
    ) -> None:
        """`session` is that of an earlier run. `on_session` is called with each new pair of tokens, and with None after signing
        out: store what it is called with. With `read_own_writes`, reads wait for the commands of the last minute."""
        inner = transport or httpx.HTTPTransport()
        self.write_url = write_url.rstrip("/")
        self.read_url = read_url.rstrip("/")
        self._positions = Positions()
        plain = httpx.Client(base_url=self.write_url, transport=inner, timeout=35)
        self.session = Session(plain, stored=session, on_change=on_session, attempts=attempts)
        positions = self._positions if read_own_writes else None
        signing = _Transport(inner, self.write_url, self.read_url, self.session, positions, attempts)
        self.http = httpx.Client(base_url=self.write_url, transport=signing, timeout=35)

    def sign_in(self, handle: str, password: str, *, device_name: str | None = None) -> None:
        """Begins a session."""
        self._positions.clear()
        self.session.sign_in(handle, password, device_name=device_name)

    def sign_out(self) -> None:
        """Ends the session."""
        self._positions.clear()
        self.session.sign_out()

    def close(self) -> None:
        """Closes its connections."""
        self.http.close()

    def follow(self, *, last_event_id: str | None = None, on_connection: OnConnection | None = None) -> Iterator[StreamEvent]:
        """The events of the caller's stream. See `feedmill.stream.follow`."""
        url = f"{self.read_url}/v1/stream"
        return follow(url, self.session, last_event_id=last_event_id, on_connection=on_connection)

    def async_follow(
        self, *, last_event_id: str | None = None, on_connection: OnConnection | None = None
    ) -> AsyncIterator[StreamEvent]:
        """The same, for asyncio."""
        url = f"{self.read_url}/v1/stream"
        return async_follow(url, self.session, last_event_id=last_event_id, on_connection=on_connection)


class _Transport(httpx.BaseTransport):
    def __init__(
        self,
        inner: httpx.BaseTransport,
        write_url: str,
        read_url: str,
        session: Session,
        positions: Positions | None,
        attempts: int,
    ) -> None:
        self._inner = inner
        self._prefix = httpx.URL(write_url).raw_path.rstrip(b"/")
        self._read_url = httpx.URL(read_url)
        self._session = session
        self._positions = positions
        self._attempts = attempts

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        request.read()
        raw_path = request.url.raw_path.removeprefix(self._prefix)
        path = raw_path.partition(b"?")[0].decode()
        is_read = request.method in ("GET", "HEAD")
        if is_read and path not in READS_OF_WRITE_API:
            base = self._read_url
            request.url = base.copy_with(raw_path=base.raw_path.rstrip(b"/") + raw_path)
            request.headers["Host"] = request.url.netloc.decode("ascii")
        if not is_read:
            request.headers.setdefault("Idempotency-Key", str(uuid.uuid4()))
        recent = self._positions.recent() if self._positions and is_read else []
        waits = bool(recent) and MIN_POSITION not in request.headers
        if waits:
            request.headers[MIN_POSITION] = ",".join(recent)
            request.headers.setdefault("Prefer", POSITION_WAIT)
        needs_token = (request.method, path) not in WITHOUT_TOKEN
        response = self._send(request, needs_token)
        if waits and self._positions and is_refused_position(response):
            # The server was restored from a backup, for example.
            self._positions.clear()
            del request.headers[MIN_POSITION]
            response = self._send(request, needs_token)
        position = response.headers.get("Feedmill-Position")
        if position and needs_token and self._positions:
            self._positions.add(position)
        if response.status_code >= 400:
            response.read()
            response.request = request
            raise_for_problem(response)
        return response

    def _send(self, request: httpx.Request, needs_token: bool) -> httpx.Response:
        """Sends it with the token of the session; once more with another one if it is refused."""
        token = self._session.access_token() if needs_token else None
        response = self._send_with(request, token)
        if response.status_code == 401 and token is not None:
            response.read()
            problem = problem_of(response)
            if problem is not None and problem.code == "unauthorized":
                other = self._session.replace(token)
                return response if other is None else self._send_with(request, other)
        return response

    def _send_with(self, request: httpx.Request, token: str | None) -> httpx.Response:
        if token is not None:
            request.headers["Authorization"] = f"Bearer {token}"
        return send(lambda: self._inner.handle_request(request), self._attempts)

    def close(self) -> None:
        self._inner.close()


def is_refused_position(response: httpx.Response) -> bool:
    """Whether it is the answer to a position that the server does not know."""
    if response.status_code != 422:
        return False
    response.read()
    problem = problem_of(response)
    return problem is not None and any(error.field == MIN_POSITION for error in problem.errors)


T = TypeVar("T")


def expect(kind: type[T], answer: object) -> T:
    """The answer of a generated function, as the type that it has on success. Problems were raised before."""
    if not isinstance(answer, kind):
        raise TypeError(f"expected {kind.__name__}, got {answer!r}")
    return answer


class Page(Protocol[T]):
    """A page of a list."""

    @property
    def items(self) -> list[T]: ...

    @property
    def next_cursor(self) -> str | None: ...


def items(page: Callable[[str], Page[T]]) -> Iterator[T]:
    """The items of all pages of a list. `page` reads the page at a cursor; the first page has an empty one."""
    cursor: str | None = ""
    while cursor is not None:
        current = page(cursor)
        yield from current.items
        cursor = current.next_cursor
