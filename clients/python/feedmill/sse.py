"""A parser of server-sent events (WHATWG HTML 9.2.6)."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

# A CR at the end may be the first half of a CR LF.
LINE_END = re.compile(r"\r\n|\n|\r(?!\Z)")


class EventParser:
    """Takes bytes, gives events: their name and data."""

    def __init__(self, last_event_id: str | None = None) -> None:
        self.last_event_id = last_event_id
        """The last `id`, also of a block without data, such as a heartbeat."""
        self.retry: float | None = None
        """The last `retry`, in seconds."""
        self._decoder = codecs.getincrementaldecoder("utf-8-sig")(errors="replace")
        self._rest = ""
        self._event = ""
        self._data: list[str] = []
        self._id: str | None = None

    def parse(self, chunk: bytes) -> Iterator[tuple[str, str]]:
        """The events that these bytes complete. After each of them, `last_event_id` resumes behind it."""
        *lines, self._rest = LINE_END.split(self._rest + self._decoder.decode(chunk))
        for line in lines:
            if line:
                self._field(*line.partition(":")[::2])
                continue
            if self._id is not None:
                self.last_event_id = self._id
            event, data = self._event or "message", self._data
            self._event, self._data, self._id = "", [], None
            if data:
                yield event, "\n".join(data)

    def _field(self, name: str, value: str) -> None:
        value = value.removeprefix(" ")
        if name == "event":
            self._event = value
        elif name == "data":
            self._data.append(value)
        elif name == "id" and "\0" not in value:
            self._id = value
        elif name == "retry" and value.isascii() and value.isdecimal():
            self.retry = int(value) / 1000
