"""`holdfast torture`: progress, verdict and exit code."""

import random
import sys

import msgspec

from gateways.exchange.scenario import read_scenario
from holdfast.config.problems import ConfigurationError, Problem
from holdfast.exit_codes import ExitCode
from holdfast.torture.report import Report, lines_of
from holdfast.torture.run import Wanted, run_torture


def torture_command(wanted: Wanted, *, as_json: bool) -> int:
    """Run a torture, print what came of it, and return the exit code.

    Raises:
        ConfigurationError: the folder to keep it in is not empty.
        ScenarioBroken: the scenario has mistakes.
        NodeEnded, ExchangeFailed, OSError: it could not be brought to its end.
    """
    if wanted.seed < 0:
        wanted = msgspec.structs.replace(wanted, seed=random.SystemRandom().randrange(10**6))
    if wanted.keep is not None and wanted.keep.is_dir() and any(wanted.keep.iterdir()):
        problem = Problem("", "an empty folder, or none", "one with files", str(wanted.keep), "--keep")
        raise ConfigurationError([problem])
    read_scenario(wanted.scenario)
    report = run_torture(wanted, show=lambda report: _show_progress(report, wanted.kills))
    _show_progress(None, wanted.kills)
    out = sys.stdout
    if as_json:
        out.write(msgspec.json.encode(report).decode() + "\n")
    else:
        out.write("\n".join(lines_of(report)) + "\n")
    if report.violations:
        return int(ExitCode.FAILED)
    return int(ExitCode.OK)


def _show_progress(report: Report | None, kills: int) -> None:
    if not sys.stderr.isatty():
        return
    if report is None:
        sys.stderr.write("\r\033[K")
    else:
        unproven = report.with_unproven_order
        sys.stderr.write(f"\r{report.kills} of {kills} kills, {unproven} with an order unproven\033[K")
    sys.stderr.flush()
