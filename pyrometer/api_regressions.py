"""Regressions in the query API: one for each cause, with its states."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from pyrometer.api_detect import FindingRow

RegressionState = Literal[
    "provisional", "confirmed", "gone", "cost_shift", "planned", "acknowledged", "resolved", "false_positive"
]


class StateRow(msgspec.Struct, kw_only=True):
    """One state: from when on, by whom (``scan``, or a name), and why."""

    time: str
    state: RegressionState
    by: str
    note: str


class RegressionRow(msgspec.Struct, kw_only=True):
    """
    One regression.

    ``began`` is when the change was; ``release`` the one it came with, null where that is not known. ``kinds`` is all
    that was found of the function, operation or service; ``finding`` what says most, as it was found last. ``history``
    holds its states, the oldest first.
    """

    id: str
    state: RegressionState
    open: bool
    began: str
    release: str | None
    kinds: list[str]
    finding: FindingRow
    history: list[StateRow]


class RegressionsAnswer(msgspec.Struct, kw_only=True):
    """Answer of ``GET /regressions``: open ones first, the last to begin first."""

    currency: str
    regressions: list[RegressionRow]


class RegressionBody(msgspec.Struct, kw_only=True, frozen=True, forbid_unknown_fields=True):
    """What ``POST /regressions`` takes: the state that a person gives a regression; ``confirmed`` opens it again."""

    id: Annotated[str, Meta(min_length=1, max_length=100)]
    state: Literal["planned", "acknowledged", "resolved", "false_positive", "confirmed"]
    by: Annotated[str, Meta(max_length=200)] = ""
    note: Annotated[str, Meta(max_length=10_000)] = ""
