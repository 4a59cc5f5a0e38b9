"""Which book is believed where the node's and the venue's differ while it runs."""

from collections.abc import Collection, Sequence
from typing import Literal

import msgspec

from domain.money import ZERO
from domain.reconciliation import Finding, Policy

Strategy = Literal["by_kind", "journal_wins", "venue_wins", "merge", "most_recent", "emergency_reset"]
"""`by_kind`: each kind of difference as at a start.

`journal_wins`: the books stay, and the difference is told.  `venue_wins`: the books become the account's.
`merge`: what the account has more is taken into the books; where it has less, nothing more is entered.
`most_recent`: the books stay where they have counted a trade of that asset since the two last agreed, for the venue may
show it late; else they become the account's.
`emergency_reset`: the books become the account's, everything is left at the market, and the node halts.
"""


def resolved(findings: Sequence[Finding], strategy: Strategy, *, traded: Collection[str]) -> tuple[Finding, ...]:
    """Return differences with what becomes of each; those of orders keep what their kind says.

    `traded` are the symbols of which the books have counted a trade since they last agreed with the account.
    """
    return tuple(
        finding
        if finding.client_id or strategy == "by_kind"
        else msgspec.structs.replace(finding, policy=_policy_of(finding, strategy, traded))
        for finding in findings
    )


def _policy_of(finding: Finding, strategy: Strategy, traded: Collection[str]) -> Policy:
    match strategy:
        case "journal_wins":
            return "report"
        case "merge":
            return "adopt" if finding.change > ZERO else "halt"
        case "most_recent":
            # Quote currency moves with every trade.
            is_ours = finding.symbol in traded if finding.symbol else bool(traded)
            return "report" if is_ours else "adopt"
    return "adopt"
