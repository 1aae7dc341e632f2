"""
The one error shape of every route, and the exceptions that stand for it.

Source: RFC 9457, Problem Details for HTTP APIs.
"""

from http import HTTPStatus
from typing import Final

import msgspec

from pyrometer.api import Problem

PROBLEM_TYPE: Final = "application/problem+json"


class ProblemError(Exception):
    """Ends a request with a problem. The detail is for a person, and says what to do."""

    def __init__(self, status: HTTPStatus, detail: str, headers: dict[str, str] | None = None) -> None:
        super().__init__(detail)
        self.status = status
        self.detail = detail
        self.headers = headers or {}

    def body(self) -> bytes:
        """Return the problem as JSON."""
        problem = Problem(title=self.status.phrase, status=self.status.value, detail=self.detail)
        return msgspec.json.encode(problem)


def bad_parameter(name: str, rule: str) -> ProblemError:
    """Return the problem of a parameter that breaks a rule."""
    return ProblemError(HTTPStatus.BAD_REQUEST, f"parameter {name}: {rule}")
