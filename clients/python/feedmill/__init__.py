"""A client of Feedmill's HTTP API. README.md shows how to use it."""

from .client import Feedmill, expect, items
from .problem import FieldError, Problem, ProblemError
from .session import Session, StoredSession
from .stream import StreamEvent, async_follow, follow

__all__ = [
    "Feedmill",
    "FieldError",
    "Problem",
    "ProblemError",
    "Session",
    "StoredSession",
    "StreamEvent",
    "async_follow",
    "expect",
    "follow",
    "items",
]
