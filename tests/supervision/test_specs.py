"""Specifications: what cannot be is refused as a whole, with its value, before anything starts."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from supervision import Backoff, ChildSpec, SpecError, check_specs
from tests.supervision.troupe import House, supervisor

INFINITE, NAN = float("inf"), float("nan")


def child(name: str = "a", **fields: Any) -> ChildSpec:
    return ChildSpec(name=name, start=lambda system, seat: pytest.fail("nothing may be started"), **fields)


@pytest.mark.parametrize(
    ("tree", "said"),
    [
        (supervisor("root", child("")), "a child must have a name"),
        (supervisor("root", child(), supervisor("s", child())), "names of children must differ, 'a' is used twice"),
        (supervisor("root", child("root")), "'root' is used twice"),
        (supervisor("root", child(restart="always")), "must be permanent, transient or temporary, was 'always'"),
        (supervisor("root", child(shutdown_s=-10)), "shutdown must be at least 0 seconds and finite, or None, was -10"),
        (supervisor("root", child(shutdown_s=INFINITE)), "finite, or None, was inf"),
        (supervisor("root", child(shutdown_s=NAN)), "finite, or None, was nan"),
        (supervisor("root", child(start_timeout_s=0)), "time to start must be above 0 seconds and finite, was 0"),
        (supervisor("root", child(start_timeout_s=INFINITE)), "time to start .* was inf"),
        (supervisor("root", child(), strategy="one_by_one"), "strategy must be .*, was 'one_by_one'"),  # type: ignore[arg-type]
        (supervisor("root", child(), intensity=-1), "root: intensity must be a whole number of at least 0, was -1"),
        (supervisor("root", child(), period_s=0), "root: period must be above 0 seconds and finite, was 0"),
        (supervisor("root", child(), period_s=INFINITE), "root: period must be .* was inf"),
        (supervisor("root", child(backoff=Backoff(base_s=2, cap_s=1))), "backoff must have 0 <= base <= cap"),
        (supervisor("root", child(backoff=Backoff(base_s=-1))), "backoff must have 0 <= base <= cap"),
        (supervisor("root", child(backoff=Backoff(jitter=-0.1))), "jitter >= 0"),
        (supervisor("root", child(backoff=Backoff(base_s=NAN))), "backoff must have 0 <= base <= cap"),
        (
            supervisor("root", child(backoff=Backoff(reset_after_s=0))),
            "reset_after_s must be above 0 and finite, was 0",
        ),
    ],
)
def test_what_cannot_be_is_refused_with_its_value(tree: ChildSpec, said: str) -> None:
    with pytest.raises(SpecError, match=said):
        check_specs(tree)


def test_a_supervisor_may_not_be_given_a_limit_to_stop_in() -> None:
    limited = ChildSpec(name="s", start=child().start, shutdown_s=5.0, supervises=supervisor("x").supervises)

    with pytest.raises(SpecError, match="s: a supervisor must be given all the time it needs to stop"):
        check_specs(supervisor("root", limited))


@pytest.mark.parametrize(("period_s", "is_possible"), [(3.0, False), (3.1, True)])
def test_waits_that_would_never_let_a_supervisor_give_up_are_refused(period_s: float, is_possible: bool) -> None:
    tree = supervisor("root", child(backoff=Backoff(base_s=1.0, jitter=0.0)), intensity=1, period_s=period_s)

    if is_possible:
        check_specs(tree)
    else:
        with pytest.raises(SpecError, match=r"the first 2 waits .* 3\.0 s, so root .* could never give up"):
            check_specs(tree)


def test_the_longest_waits_that_can_be_drawn_count() -> None:
    with pytest.raises(SpecError, match=r"take up to 9\.0 s"):
        check_specs(
            supervisor("root", child(backoff=Backoff(base_s=1.0, cap_s=6.0, jitter=2.0)), intensity=1, period_s=9.0)
        )
    check_specs(
        supervisor("root", child(backoff=Backoff(base_s=1.0, cap_s=6.0, jitter=2.0)), intensity=1, period_s=9.1)
    )


def test_a_refused_tree_has_started_and_declared_nothing() -> None:
    house = House()

    with pytest.raises(SpecError):
        house.begin(child("a"), child("b"), child("a"))
    assert house.log == []
    assert house.switchboard.vitals() == []
    assert house.system.names() == ()


def test_a_tree_is_walked_from_the_top_in_order_of_start() -> None:
    tree = supervisor("root", child("a"), supervisor("s", child("b"), child("c")), child("d"))

    walked = [(spec.name, parent) for spec, parent in tree.walk()]
    assert walked == [("root", ""), ("a", "root"), ("s", "root"), ("b", "s"), ("c", "s"), ("d", "root")]


@pytest.mark.parametrize(
    ("restarts", "base_s", "cap_s", "wait_s"),
    [(0, 300, 420, 300), (2, 5, 7, 7), (2, 5, 604_800, 20), (29, 300, 600, 600), (10**9, 300, 600, 600)],
)
def test_waits_double_up_to_the_cap(restarts: int, base_s: float, cap_s: float, wait_s: float) -> None:
    assert Backoff(base_s=base_s, cap_s=cap_s, jitter=0.0).delay_s(restarts, draw=0.7) == wait_s


@given(
    base=st.floats(0, 1e6),
    extra=st.floats(0, 1e6),
    jitter=st.floats(0, 10),
    restarts=st.integers(0, 10**6),
    draw=st.floats(0, 1),
)
def test_a_wait_is_never_below_the_plain_one_nor_above_the_cap(
    base: float, extra: float, jitter: float, restarts: int, draw: float
) -> None:
    backoff = Backoff(base_s=base, cap_s=base + extra, jitter=jitter)
    plain = Backoff(base_s=base, cap_s=base + extra, jitter=0.0)

    assert plain.delay_s(restarts, draw) <= backoff.delay_s(restarts, draw) <= base + extra
    assert backoff.delay_s(restarts, draw) <= backoff.delay_s(restarts + 1, draw)
