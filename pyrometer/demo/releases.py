"""
In what the two releases of the shop differ.

Everything else is the same code, so whatever Pyrometer reports between the releases comes from these lines.
"""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """
    What a release does its own way.

    Attributes:
        version: The release's ``service.version``.
        discount_rules: Rules that ``apply_discounts`` tries on every line of a cart; its CPU time grows in proportion.
        ledger_stall_fraction: Fraction of the ledger's answers that come late.
        ledger_stall_s: By how much they do.
    """

    version: str
    discount_rules: int
    ledger_stall_fraction: float
    ledger_stall_s: float


BASELINE: Final = Release(version="1.4.0", discount_rules=3_000, ledger_stall_fraction=0.0, ledger_stall_s=0.0)

# The two planted regressions: 60% more CPU in one function (`apply_discounts`), and a tail on one endpoint (/orders).
CANDIDATE: Final = Release(version="1.5.0", discount_rules=4_800, ledger_stall_fraction=0.03, ledger_stall_s=0.25)

RELEASES: Final = {release.version: release for release in (BASELINE, CANDIDATE)}
