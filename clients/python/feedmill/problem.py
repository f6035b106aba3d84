"""Answers with a problem document (RFC 9457)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import httpx


@dataclass(frozen=True)
class FieldError:
    """An error in one field, parameter or header."""

    field: str
    message: str


@dataclass(frozen=True)
class Problem:
    """What went wrong. Programs match on `code`: the values of `ProblemCode`, to which newer servers may add."""

    code: str
    status: int
    title: str
    detail: str
    errors: tuple[FieldError, ...] = ()


class ProblemError(Exception):
    """An answer with a problem document."""

    def __init__(self, problem: Problem) -> None:
        super().__init__(f"{problem.title}: {problem.detail}")
        self.problem = problem

    @property
    def code(self) -> str:
        """The code of the problem."""
        return self.problem.code


def problem_of(response: httpx.Response) -> Problem | None:
    """The problem of an answer whose body was read, or None if something else than Feedmill answered."""
    if response.headers.get("Content-Type") != "application/problem+json":
        return None
    body: dict[str, Any] = response.json()
    errors = (FieldError(error["field"], error["message"]) for error in body.get("errors", ()))
    return Problem(body["code"], body["status"], body["title"], body["detail"], tuple(errors))


def raise_for_problem(response: httpx.Response) -> None:
    """Raises a `ProblemError`, or a `httpx.HTTPStatusError` if something else than Feedmill answered. The body was read."""
    if response.status_code < 400:
        return
    problem = problem_of(response)
    if problem is not None:
        raise ProblemError(problem)
    response.raise_for_status()
