"""`holdfast torture`: progress, verdict and exit code."""

import random
import signal
import sys
from types import FrameType

import msgspec

from gateways.exchange.scenario import read_scenario
from holdfast.cli.output import complain
from holdfast.config.problems import ConfigurationError, Problem
from holdfast.exit_codes import ExitCode
from holdfast.torture.preflight import demand_configuration, replaced_by_torture
from holdfast.torture.report import lines_of
from holdfast.torture.run import run_torture
from holdfast.torture.wanted import Wanted

NOTHING_TRADED = (
    "expected nodes that trade, found not one order in all their lives: this proves nothing; let it die more often, or "
    'give it a strategy that trades within seconds, such as one with feed.frames = ["1s"]'
)


def torture_command(wanted: Wanted, *, as_json: bool) -> int:
    """Run a torture, print what came of it, and return the exit code.

    Raises:
        ConfigurationError: the folder to keep it in is not empty, or the nodes' configuration has mistakes.
        ScenarioBroken: the scenario has mistakes.
        ExchangeFailed, OSError: it could not be brought to its end.
    """
    if wanted.seed < 0:
        wanted = msgspec.structs.replace(wanted, seed=random.SystemRandom().randrange(10**6))
    if wanted.keep is not None and wanted.keep.is_dir() and any(wanted.keep.iterdir()):
        problem = Problem("", "an empty folder, or none", "one with files", str(wanted.keep), "--keep")
        raise ConfigurationError([problem])
    read_scenario(wanted.scenario)
    # What no node could start with is found here, and not by each of its lives.
    demand_configuration(wanted)
    replaced = replaced_by_torture(wanted)
    for each in replaced:
        complain(f"holdfast: {each}")
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, _interrupt)
    report = run_torture(wanted, show=lambda kills, violations: _show_progress(kills, violations, wanted.kills))
    report.replaced = replaced
    _clear_progress()
    out = sys.stdout
    if as_json:
        out.write(msgspec.json.encode(report).decode() + "\n")
    else:
        out.write("\n".join(lines_of(report)) + "\n")
    if report.violations:
        return int(ExitCode.FAILED)
    if report.broke:
        return int(ExitCode.IO_ERROR)
    if report.proves_nothing:
        complain(f"holdfast: {NOTHING_TRADED}")
        return int(ExitCode.PROVED_NOTHING)
    return int(ExitCode.OK)


def _interrupt(_number: int, _frame: FrameType | None) -> None:
    """Die no more: the rounds under way settle and are judged."""
    raise KeyboardInterrupt


def _show_progress(kills: int, violations: int, wanted: int) -> None:
    if sys.stderr.isatty():
        sys.stderr.write(f"\r{kills} of {wanted} kills, {violations} violations\033[K")
        sys.stderr.flush()


def _clear_progress() -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\r\033[K")
        sys.stderr.flush()
