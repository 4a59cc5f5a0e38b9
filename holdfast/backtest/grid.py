"""A grid: the same backtest with every combination of some parameters, side by side in processes."""

import itertools
import multiprocessing
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import Any

import msgspec

from holdfast.backtest.plan import Plan, read_parameters, read_value
from holdfast.backtest.running import Result, run_backtest
from holdfast.config.problems import ConfigurationError, Problem
from supervision import SupervisionError

COMBINATIONS_MAX = 10_000


class Cell(msgspec.Struct, frozen=True):
    """One combination, and what came of it."""

    parameters: dict[str, Any]
    result: Result | None = None
    problem: str = ""
    """Why it could not be run; empty where it was."""


def combinations(grid: Sequence[str]) -> list[dict[str, Any]]:
    """Return every combination of `KEY=VALUE,VALUE,...` texts, the last key changing fastest.

    Raises:
        ConfigurationError: a text is none, or there are too many combinations.
    """
    texts = read_parameters(grid, "--grid", as_text=True)
    choices = {key: [read_value(value.strip()) for value in text.split(",")] for key, text in texts.items()}
    found = [dict(zip(choices, values, strict=True)) for values in itertools.product(*choices.values())]
    if len(found) > COMBINATIONS_MAX:
        problem = Problem("", f"at most {COMBINATIONS_MAX} combinations", str(len(found)), "--grid")
        raise ConfigurationError([problem])
    return found


def run_grid(
    plan: Plan, found: Sequence[dict[str, Any]], *, jobs: int, on_done: Callable[[int], None] = lambda done: None
) -> list[Cell]:
    """Run every combination in at most so many processes; the best return first, what could not be run last."""
    cells: list[Cell] = []
    for cell in _run_all(plan, found, jobs):
        cells.append(cell)
        on_done(len(cells))
    return sorted(cells, key=_place)


def _run_all(plan: Plan, found: Sequence[dict[str, Any]], jobs: int) -> Iterator[Cell]:
    if jobs == 1:
        yield from (_run_cell(plan, parameters) for parameters in found)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=min(jobs, len(found)), mp_context=context) as pool:
        for done in as_completed([pool.submit(_run_cell, plan, parameters) for parameters in found]):
            yield done.result()


def _run_cell(plan: Plan, parameters: dict[str, Any]) -> Cell:
    try:
        ran = run_backtest(plan.with_parameters(parameters), journal=None, progress=False)
    except (ConfigurationError, SupervisionError) as error:
        return Cell(parameters, problem=str(error))
    return Cell(parameters, ran.result)


def _place(cell: Cell) -> tuple[float, str]:
    worth = -cell.result.return_pct if cell.result is not None else float("inf")
    return worth, str(cell.parameters)
