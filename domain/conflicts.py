"""Which book is believed where the node's and the venue's differ while it runs."""

from collections.abc import Collection, Sequence

import msgspec

from domain.money import ZERO
from domain.reconciliation import Finding, Policy, Strategy


def resolved(findings: Sequence[Finding], strategy: Strategy, *, traded: Collection[str]) -> tuple[Finding, ...]:
    """Return differences with what becomes of each; those of orders keep what their kind says.

    `traded` are the symbols of which the books have counted a trade since they last agreed with the account.
    """
    return tuple(
        msgspec.structs.replace(finding, policy=_policy_of(finding, strategy, traded))
        if finding.is_about_money and strategy != "by_kind"
        else finding
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
