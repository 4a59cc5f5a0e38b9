"""Laws of scores and causes: 100 means all, what follows is no cause, and what has none is not given one."""

import json
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.market import HOUR_MS
from holdfast.audit.causes import Causes, Difference
from holdfast.audit.deviations import Cause, Deviation
from holdfast.audit.items import Group, Item
from holdfast.audit.matching import Pair, Score, match

GROUPS: tuple[Group, ...] = ("proposal", "verdict", "order", "fill")


def item(
    group: Group = "order",
    at: int = 1,
    symbol: str = "BTCUSDT",
    *,
    kind: str = "OrderIntended",
    seq: int = 1,
    side: str = "buy",
    **values: Any,
) -> Item:
    content = json.dumps(values, sort_keys=True)
    return Item(group, kind, seq, at, "ema_cross", symbol, side, content)


def fill(at: int, price: str, *, order: str = "one", symbol: str = "BTCUSDT", fee: str = "1") -> Item:
    traded = {"side": "buy", "price": price, "quantity": "2", "fee": {"amount": fee, "asset": "USDT"}}
    return item("fill", at, symbol, kind="OrderFilled", fill=traded, order={"name": order, "symbol": symbol})


items = st.lists(
    st.builds(
        lambda group, at, symbol, value: item(group, at, symbol, value=value),
        st.sampled_from(GROUPS),
        st.integers(1, 3),
        st.sampled_from(("BTCUSDT", "ETHUSDT")),
        st.integers(1, 2),
    ),
    max_size=12,
)


@given(items, items)
def test_all_match_only_where_both_sides_have_the_same_as_often(mine: list[Item], theirs: list[Item]) -> None:
    found = match(mine, theirs)

    said = [sorted(each.said for each in side) for side in (mine, theirs)]
    scores = [score.percent for score in (found.decisions, found.fills) if score.percent is not None]
    assert (all(score == 100 for score in scores)) is (said[0] == said[1]) is (not found.pairs)
    assert bool(scores) is bool(mine or theirs)


@given(items, items)
def test_which_side_is_which_makes_no_difference_to_a_score(mine: list[Item], theirs: list[Item]) -> None:
    one, other = match(mine, theirs), match(theirs, mine)

    assert (one.decisions, one.fills, len(one.pairs)) == (other.decisions, other.fills, len(other.pairs))


@given(items, items)
def test_everything_is_in_one_place_and_no_place_is_empty(mine: list[Item], theirs: list[Item]) -> None:
    found = match(mine, theirs)

    matched = found.decisions.matched + found.fills.matched
    assert matched + sum(pair.journal is not None for pair in found.pairs) == len(mine)
    assert matched + sum(pair.other is not None for pair in found.pairs) == len(theirs)
    assert matched + len(found.pairs) == found.decisions.places + found.fills.places


@pytest.mark.parametrize(
    ("matched", "places", "percent"), [(0, 0, None), (0, 3, "0.00"), (2, 3, "66.66"), (99_999, 100_000, "99.99")]
)
def test_a_score_is_rounded_down_and_none_of_nothing(matched: int, places: int, percent: str | None) -> None:
    assert Score(matched, places).percent == (None if percent is None else Decimal(percent))


def test_fills_of_one_order_are_one_place_also_at_two_instants() -> None:
    found = match([fill(1, "100")], [fill(2, "101"), fill(2, "101", order="two")])

    assert [(pair.journal is not None, pair.other is not None) for pair in found.pairs] == [(True, True), (False, True)]


def causes_of(*pairs: Pair, deviations: tuple[Deviation, ...] = (), **known: Any) -> list[Difference]:
    causes = Causes(deviations, began_equal=known.pop("began_equal", True), **known)
    return [causes.of(pair) for pair in pairs]


def deviation(cause: Cause = "revised bar", at: int = 1, symbol: str = "BTCUSDT", *, lifts: bool = False) -> Deviation:
    return Deviation(cause, 7, at, "a test", symbol=symbol, lifts=lifts)


def summed_up(found: list[Difference]) -> list[tuple[str, int | None]]:
    return [(each.cause, each.follows) for each in found]


def lone(at: int, symbol: str = "BTCUSDT", **values: Any) -> Pair:
    return Pair(None, item(at=at, symbol=symbol, **values))


def test_what_has_no_cause_is_unexplained_and_what_comes_after_it_follows() -> None:
    found = causes_of(lone(1), lone(2), lone(3, "ETHUSDT"))

    assert summed_up(found) == [("unexplained", None), ("unexplained", 1), ("unexplained", 1)]


def test_an_input_explains_nothing_that_came_before_it() -> None:
    found = causes_of(lone(1), deviations=(deviation(at=2),))

    assert summed_up(found) == [("unexplained", None)]


def test_the_newest_input_about_the_symbol_is_named_with_its_evidence() -> None:
    bars = (deviation("missing bar", 1), deviation("late bar", 2), deviation("revised bar", 2, "ETHUSDT"))

    (found,) = causes_of(lone(3), deviations=bars)

    assert (found.cause, found.evidence) == ("late bar", (bars[1],))


def test_a_bar_of_another_symbol_is_named_where_there_is_nothing_nearer() -> None:
    found = causes_of(lone(3), deviations=(deviation("revised bar", 2, "ETHUSDT"),))

    assert summed_up(found) == [("revised bar", None)]


def test_an_input_is_the_cause_of_one_difference_and_the_others_follow() -> None:
    pause = deviation("operator", 1, "")

    found = causes_of(lone(2), lone(2, "ETHUSDT"), lone(3), deviations=(pause,))

    assert summed_up(found) == [("operator", None), ("operator", 1), ("operator", 1)]


def test_what_only_ends_a_pause_explains_what_nothing_else_does() -> None:
    resume = deviation("operator", 2, "", lifts=True)

    assert summed_up(causes_of(lone(3), deviations=(resume,))) == [("operator", None)]
    found = causes_of(lone(2), lone(3, "ETHUSDT"), deviations=(deviation("missing bar", 1), resume))
    assert summed_up(found) == [("missing bar", None), ("missing bar", 1)]


def test_what_the_re_run_shows_too_is_given_no_input_as_its_cause() -> None:
    strange = lone(2)

    found = causes_of(strange, lone(3), deviations=(deviation(),), strange={strange.item.said})

    assert summed_up(found) == [("unexplained", None), ("unexplained", 1)]


def test_a_command_shortly_before_is_evidence_of_what_is_unexplained() -> None:
    commands = (deviation("operator", 1, ""), deviation("operator", 5, ""))

    (found,) = causes_of(lone(4), hands=commands)

    assert (found.cause, found.evidence) == ("unexplained", commands[:1])
    assert causes_of(lone(4 + HOUR_MS), hands=commands[:1])[0].evidence == ()


def test_where_the_day_began_otherwise_what_has_no_cause_follows_from_that() -> None:
    assert summed_up(causes_of(lone(1), began_equal=False)) == [("unexplained", 0)]


def test_each_fill_of_the_same_order_slips_by_itself_and_what_it_leads_to_follows() -> None:
    pairs = match([fill(1, "101"), fill(3, "99", order="two")], [fill(1, "100"), fill(3, "100", order="two")]).pairs

    found = causes_of(pairs[0], lone(2), pairs[1])

    assert summed_up(found) == [("slippage", None), ("slippage", 1), ("slippage", None)]
    slips = [each.slip for each in found if each.slip is not None]
    assert [(slip.price_bps, slip.quote) for slip in slips] == [
        (Decimal(100), Decimal(2)),
        (Decimal(-100), Decimal(-2)),
    ]


def test_what_is_decided_on_another_position_follows_from_what_made_it_another() -> None:
    (slipped,) = match([fill(2, "101", symbol="ETHUSDT")], [fill(2, "100", symbol="ETHUSDT")]).pairs

    found = causes_of(lone(1), slipped, lone(3, "ETHUSDT"), lone(3), deviations=(deviation(at=3, symbol="ETHUSDT"),))

    assert summed_up(found) == [("unexplained", None), ("slippage", None), ("slippage", 2), ("unexplained", 1)]


def test_a_fill_on_other_bars_has_the_bar_as_its_cause() -> None:
    (pair,) = match([fill(2, "101")], [fill(2, "100")]).pairs

    assert summed_up(causes_of(pair, deviations=(deviation(at=2),))) == [("revised bar", None)]
    assert summed_up(causes_of(pair, deviations=(deviation(at=1),))) == [("slippage", None)]


@pytest.mark.parametrize("reason", ["STALE_MARKET", "EXPIRED", "NO_PRICE"])
def test_a_denial_for_age_is_staleness_unless_both_sides_denied_for_it(reason: str) -> None:
    denied = item("verdict", kind="OrderDenied", reason=reason)
    approved = item("verdict", kind="OrderApproved")

    assert summed_up(causes_of(Pair(denied, approved))) == [("staleness", None)]
    alike = Pair(denied, item("verdict", kind="OrderDenied", reason=reason, detail="older"))
    assert summed_up(causes_of(alike)) == [("unexplained", None)]
