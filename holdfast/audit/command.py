"""`holdfast audit`: how a day's decisions compare, as a table for people or JSON for programs."""

from pathlib import Path
from typing import Any

import msgspec

from domain.money import plain
from holdfast.audit.causes import Difference, Slip
from holdfast.audit.compare import Audit, Side, audit
from holdfast.audit.deviations import Deviation
from holdfast.audit.items import Item
from holdfast.audit.matching import Score
from holdfast.cli.output import say, say_json
from holdfast.exit_codes import ExitCode
from holdfast.rerun.decisions import Decision
from holdfast.secrets import scrub_value
from holdfast.shown import when

SHOWN_MAX = 5
"""First differences that people are shown; JSON has all of them."""
QUIET = ("strategy", "symbol", "base", "side", "at", "offer_at", "attempt", "sizing", "valid_until", "evidence")
"""Fields that say nothing of why two sides are not the same, or are said in the line above."""


def audit_command(
    home: Path, day: str | None, *, data: Path | None, overrides: tuple[str, ...], as_json: bool, progress: bool
) -> int:
    """Audit a day, print what was found, and return the exit code: 0 where all is equal, 1 where something is not.

    Raises:
        NoSuchDay: the journal has no bar of the day.
        JournalError: there is no journal, or it is damaged.
        ConfigurationError: something that the day is to be lived with is not here.
    """
    found = audit(home, day, data=data, overrides=overrides, progress=progress)
    if as_json:
        say_json(audit_view(found))
    else:
        say("\n".join(_lines(found, is_chosen=day is None)))
    return int(ExitCode.OK if found.is_equal else ExitCode.FAILED)


def audit_view(found: Audit) -> dict[str, Any]:
    """Return an audit as JSON values; scores and money as text."""
    before = found.before
    view = {
        "day": found.day.name,
        "is_whole": found.day.is_whole,
        "after": found.day.since,
        "until": found.day.until,
        "equal": found.is_equal,
        "score": _text(found.score),
        "source": found.source,
        "settings": list(found.settings),
        "begins": {
            "from": "re-run" if found.day.since else "beginning",
            "equal": before is None,
            "difference": None
            if before is None
            else {"at": before.at, "journal": _decision_view(before.journal), "rerun": _decision_view(before.rerun)},
        },
        "replay": _side_view(found.replay, "rerun"),
        "backtest": _side_view(found.backtest, "backtest"),
        "causes": {cause: msgspec.to_builtins(tally) for cause, tally in found.tallies().items()},
        "inputs": [_deviation_view(each) for each in found.deviations],
    }
    scrubbed = scrub_value(view)
    assert isinstance(scrubbed, dict)
    return scrubbed


def brief_of(found: Audit) -> str:
    """Return the first differences as text."""
    lines = [*_first_lines(found.replay, "re-run"), *_first_lines(found.backtest, "backtest")]
    return "\n".join(line for line in lines if line)


def _side_view(side: Side, name: str) -> dict[str, Any]:
    return {
        "decisions": _score_view(side.decisions),
        "fills": _score_view(side.fills),
        "differences": [_difference_view(each, name) for each in side.differences],
    }


def _score_view(score: Score) -> dict[str, Any]:
    return {"score": _text(score.percent), "matched": score.matched, "places": score.places}


def _difference_view(found: Difference, name: str) -> dict[str, Any]:
    item = found.pair.item
    return {
        "number": found.number,
        "cause": found.cause,
        "follows": found.follows,
        "what": item.group,
        "at": item.at,
        "strategy": item.strategy,
        "symbol": item.symbol,
        "side": item.side,
        "journal": _item_view(found.pair.journal),
        name: _item_view(found.pair.other),
        "evidence": [_deviation_view(each) for each in found.evidence],
        "slip": None
        if found.slip is None
        else {"price_bps": plain(found.slip.price_bps), "quote": plain(found.slip.quote), "fee": plain(found.slip.fee)},
    }


def _deviation_view(found: Deviation) -> dict[str, Any]:
    view: dict[str, Any] = msgspec.to_builtins(found)
    del view["lifts"]
    return view


def _item_view(item: Item | None) -> dict[str, Any] | None:
    return item.view() if item is not None else None


def _decision_view(decision: Decision | None) -> dict[str, Any] | None:
    return decision.view() if decision is not None else None


def _text(percent: Any) -> str | None:
    return None if percent is None else f"{percent:f}"


def _lines(found: Audit, *, is_chosen: bool) -> list[str]:
    day = found.day
    kind = "whole" if day.is_whole else "not over" + (", and no day of the journal is whole" if is_chosen else "")
    lines = [
        f"day          {day.name} ({kind}), sequences {day.since + 1:,} to {day.until:,}",
        f"source       {found.source}",
        *([f"settings     {', '.join(found.settings)}"] if found.settings else []),
        f"replay       {_scores(found.replay)}",
        f"backtest     {_scores(found.backtest)}",
        f"score        {'none: nothing was decided' if found.score is None else f'{found.score} %'}",
    ]
    if found.before is not None:
        at, inner = found.before.at, found.before.journal or found.before.rerun
        kind = inner.kind if inner is not None else "a decision"
        lines.append(f"BEGAN OTHERWISE: before the day the re-run differs, first in {kind} at {when(at)} ({at})")
    if found.tallies():
        lines += ["", f"{'cause':<14} {'inputs':>7} {'first':>7} {'following':>10}"]
        lines += [
            f"{cause:<14} {tally.inputs:>7,} {tally.first:>7,} {tally.following:>10,}"
            for cause, tally in found.tallies().items()
        ]
    for side, name in ((found.replay, "re-run"), (found.backtest, "backtest")):
        lines += _first_lines(side, name)
    return lines


def _scores(side: Side) -> str:
    return f"decisions {_score(side.decisions)}, fills {_score(side.fills)}"


def _score(score: Score) -> str:
    return "none" if score.percent is None else f"{score.percent} % ({score.matched:,} of {score.places:,})"


def _first_lines(side: Side, name: str) -> list[str]:
    """Show the differences that others follow from, both versions below each other."""
    first = [each for each in side.differences if each.follows is None]
    if not side.differences:
        return []
    shown = first[:SHOWN_MAX] or list(side.differences[:1])
    lines = [
        "",
        f"{len(side.differences):,} differences between journal and {name}, {len(first):,} of them first ones:",
    ]
    for each in shown:
        item = each.pair.item
        about = " ".join(word for word in (item.group, item.side, item.symbol, item.strategy) if word)
        lines.append(f"{when(item.at)}  {each.cause}: {about}")
        lines += [f"  because   {_evidence(evidence)}" for evidence in each.evidence]
        lines += [f"  {'journal':<9} {_brief(each.pair.journal, each.pair.other)}"]
        lines += [f"  {name:<9} {_brief(each.pair.other, each.pair.journal)}"]
        lines += [f"  slip      {_slip(each.slip)}"] if each.slip is not None else []
    hidden = len(first) - len(shown)
    return [*lines, *([f"... and {hidden:,} more; --json has all"] if hidden > 0 else [])]


def _evidence(found: Deviation) -> str:
    where = f"sequence {found.seq}, " if found.seq is not None else ""
    bars = [
        f"{name} {' '.join(str(bar[key]) for key in ('open', 'high', 'low', 'close', 'volume'))}"
        for name, bar in (("journal", found.journal), ("source", found.source))
        if bar is not None
    ]
    return f"{where}{when(found.at)} {found.symbol} {found.detail} {'; '.join(bars)}".replace("  ", " ").rstrip()


def _brief(item: Item | None, other: Item | None) -> str:
    """Say what one side has, as far as the other has not."""
    if item is None:
        return "nothing like it"
    theirs = _flat(other)
    told = [f"{key}={value}" for key, value in _flat(item).items() if theirs.get(key) != value or other is None]
    return f"seq {item.seq} {item.kind}  {'  '.join(told)}"


def _flat(item: Item | None) -> dict[str, str]:
    flat: dict[str, str] = {}
    for key, value in (item.values() if item is not None else {}).items():
        entries = value.items() if isinstance(value, dict) else [(key, value)]
        flat |= {inner: _cell(entry) for inner, entry in entries if inner not in QUIET and entry is not None}
    return flat


def _cell(entry: Any) -> str:
    return " ".join(map(str, entry.values())) if isinstance(entry, dict) else str(entry)


def _slip(slip: Slip) -> str:
    return f"{plain(slip.price_bps)} bps, {plain(slip.quote)} in quote currency, fee {plain(slip.fee)}"
