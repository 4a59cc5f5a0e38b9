"""What supervision reports: as events for the journal, and as lines for the log."""

from typing import Any

from holdfast.routes import WATCHER
from holdfast.secrets import scrub
from messages.base import Event
from messages.node import OperatorCommanded, PartGaveUp
from messages.parts import PartCrashed, PartStarted, SupervisorReported
from supervision import CrashReport, Progress, SupervisorReport
from supervision.signals import STACK_CHARS_MAX
from supervision.system import Report

ENDS_ENTRIES = ("trading", "guard", "strategies", "market")
"""Supervisors that trading rests on: when one of them gives up, only what reduces goes on."""
TEXT_CHARS_MAX = 500
CUT_CHARS = 1_000
"""What goes of a stack that came cut, at its beginning: that cut may have gone through a secret, and a piece of one is
not known for what it is."""


def events_of(report: Report) -> list[Event]:
    """Return what is remembered of a report: bounded, and without secrets."""
    match report:
        case Progress():
            return [PartStarted(report.supervisor, report.name, report.epoch)]
        case CrashReport():
            return [_crash(report)]
        case SupervisorReport(context="shutdown", supervisor=supervisor) if supervisor in ENDS_ENTRIES:
            why = report.reason.detail.removeprefix("reached_max_restart_intensity: ")
            return [_supervisor(report), PartGaveUp(supervisor, journal_text(f"{report.offender.name}: {why}"))]
        case SupervisorReport():
            return [_supervisor(report)]


def halts_of(report: Report, *, wall_ms: int) -> list[Event]:
    """Return the halt that a poison event asks for: an actor that cannot fold its past knows nothing."""
    if not isinstance(report, SupervisorReport) or report.reason.kind != "poisoned":
        return []
    if report.offender.name == WATCHER:
        return []  # It only looks on: that it is blind is in the log and in the status, and no reason to stop.
    part, seq_and_why = report.offender.name, journal_text(report.reason.detail)
    return [
        OperatorCommanded(
            request_id=f"poison-{report.offender.epoch}",
            command="halt",
            user="holdfast",
            process=0,
            wall_ms=wall_ms,
            reason=f"{part} cannot fold {seq_and_why}"[:TEXT_CHARS_MAX],
        )
    ]


def line_of(report: Report) -> tuple[str, str, dict[str, Any]]:
    """Return level, name and values of the line that a report is worth in the log."""
    match report:
        case Progress():
            return "debug", "child.started", report._asdict()
        case CrashReport():
            texts = {"reason": journal_text(report.reason), "message": journal_text(report.message)}
            return "error", "actor.crashed", report._asdict() | texts | {"stack": _stack_of(report)}
        case SupervisorReport(context=context, reason=reason, offender=offender):
            said = {"supervisor": report.supervisor, "child": offender.name, "epoch": offender.epoch}
            counted = {"reason": journal_text(str(reason)), "restarts_in_window": offender.restarts_in_window}
            level, name = (
                ("error", "supervisor.gave_up") if context == "shutdown" else ("warning", f"child.{_name(context)}")
            )
            return level, name, said | counted


def _name(context: str) -> str:
    return context.removeprefix("child_")


def _crash(report: CrashReport) -> PartCrashed:
    return PartCrashed(
        part=report.name,
        epoch=report.epoch,
        reason=journal_text(report.reason),
        stack=_stack_of(report),
        message=journal_text(report.message),
        last_messages=report.last_messages,
        mailbox_depth=report.mailbox_depth,
        mailbox_types=report.mailbox_types,
        uptime_s=round(report.uptime_s, 3),
        ancestors=report.ancestors,
    )


def _stack_of(report: CrashReport) -> str:
    scrubbed = _as_characters(scrub(report.stack))
    return scrubbed[CUT_CHARS:] if len(report.stack) >= STACK_CHARS_MAX else scrubbed


def _supervisor(report: SupervisorReport) -> SupervisorReported:
    offender = report.offender
    return SupervisorReported(
        supervisor=report.supervisor,
        context=report.context,
        reason=journal_text(str(report.reason)),
        part=offender.name,
        epoch=offender.epoch,
        restart=offender.restart,
        restarts_in_window=offender.restarts_in_window,
    )


def journal_text(text: str) -> str:
    """Return a text that the journal takes: scrubbed, cut, and with nothing in it that is no character."""
    return _as_characters(scrub(text)[:TEXT_CHARS_MAX])


def _as_characters(text: str) -> str:
    """Spell out what is no character: half of a pair, as undecodable names of files have them."""
    return text.encode("utf-8", "backslashreplace").decode()
