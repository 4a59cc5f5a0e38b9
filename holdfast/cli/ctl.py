"""`holdfast ctl`: steers the node that runs in a home."""

from typing import Annotated, Any, Literal

from cyclopts import App, Parameter
from cyclopts.validators import Number

from holdfast.cli.asking import ask, stream
from holdfast.cli.histories import conflicts, crashes, violations
from holdfast.cli.options import HERE, At
from holdfast.cli.tables import as_event, as_outcome, as_performance


def _require_name(_type: object, symbol: str | None) -> None:
    # Left out it means every position: a script whose variable is empty has not asked for that.
    if symbol == "":
        raise ValueError("expected a symbol such as BTCUSDT, found nothing; leave --symbol out to flatten all")


app = App(name="ctl", help="Steer the node that runs in this home.")
quarantine = App(
    name="quarantine", help="Show the messages that ended their actor twice and are not delivered any more."
)
for command in (quarantine, conflicts, crashes, violations):
    app.command(command)

RequestId = Annotated[
    str,
    Parameter(
        name="--request-id",
        show_default=False,
        help="Name of this request: the same name twice is done once.  Made up if not given.",
    ),
]
Reason = Annotated[str, Parameter(name="--reason", show_default=False, help="Why; it is kept in the journal.")]


@app.command
def status(*, at: At = HERE) -> int:
    """Say how the node is: its state, the journal's sequence, uptime, equity, and its actors."""
    return _ask(at, "status")


@app.command
def tree(*, at: At = HERE) -> int:
    """Show the supervisors and their actors."""
    return _ask(at, "tree")


@app.command
def positions(*, at: At = HERE) -> int:
    """Show what is held, by symbol."""
    return _ask(at, "positions")


@app.command
def orders(
    *, all_: Annotated[bool, Parameter(name="--all", negative=(), show_default=False)] = False, at: At = HERE
) -> int:
    """Show the orders that are not finished.

    Parameters
    ----------
    all_
        The finished ones too.
    """
    return _ask(at, "orders", all=all_)


@app.command
def performance(*, at: At = HERE) -> int:
    """Show return, drawdown, fees, trades, restarts of actors and uptime."""
    return ask(at.folder, "performance", {}, as_json=at.as_json, write=lambda _method, answer: as_performance(answer))


@app.command(name="dead-letters")
def dead_letters(*, at: At = HERE) -> int:
    """Show what could not be delivered: to whom, of which type, why and how many."""
    return _ask(at, "dead-letters")


@quarantine.default
def show_quarantine(*, at: At = HERE) -> int:
    """Show the messages that ended their actor twice and are not delivered any more."""
    return _ask(at, "quarantine")


@quarantine.command
def retry(actor: str, fingerprint: str, /, *, reason: Reason = "", request_id: RequestId = "", at: At = HERE) -> int:
    """Deliver what waits in quarantine, and all messages like it from now on.

    Parameters
    ----------
    actor
        Whom the messages are for.
    fingerprint
        What they have in common, as `holdfast ctl quarantine` shows it.
    """
    return _order(at, "quarantine-retry", request_id, actor=actor, fingerprint=fingerprint, reason=reason)


@quarantine.command
def drop(actor: str, fingerprint: str, /, *, reason: Reason = "", request_id: RequestId = "", at: At = HERE) -> int:
    """Forget what waits in quarantine; messages like it are delivered again from now on.

    Parameters
    ----------
    actor
        Whom the messages are for.
    fingerprint
        What they have in common, as `holdfast ctl quarantine` shows it.
    """
    return _order(at, "quarantine-drop", request_id, actor=actor, fingerprint=fingerprint, reason=reason)


@app.command
def pause(*, reason: Reason = "", request_id: RequestId = "", at: At = HERE) -> int:
    """Take no new entries; what is open goes on."""
    return _order(at, "pause", request_id, reason=reason)


@app.command
def resume(*, reason: Reason = "", request_id: RequestId = "", at: At = HERE) -> int:
    """Take entries again, after a pause or a halt (which asks for a reason)."""
    return _order(at, "resume", request_id, reason=reason)


@app.command
def halt(*, reason: Reason, request_id: RequestId = "", at: At = HERE) -> int:
    """Stop trading until resumed with a reason, through restarts too."""
    return _order(at, "halt", request_id, reason=reason)


@app.command
def flatten(
    *,
    symbol: Annotated[str | None, Parameter(validator=_require_name, show_default=False)] = None,
    reason: Reason = "",
    request_id: RequestId = "",
    at: At = HERE,
) -> int:
    """Leave every position, or that in one symbol.

    Parameters
    ----------
    symbol
        The one symbol to leave, such as BTCUSDT.
    """
    return _order(at, "flatten", request_id, symbol=(symbol or "").upper(), reason=reason)


@app.command(name="cancel-all")
def cancel_all(*, reason: Reason = "", request_id: RequestId = "", at: At = HERE) -> int:
    """Cancel the entries and exits that are open at the venue; protective stops stay."""
    return _order(at, "cancel-all", request_id, reason=reason)


@app.command
def settle(client_id: str, /, *, reason: Reason, request_id: RequestId = "", at: At = HERE) -> int:
    """Vouch for it that the venue has nothing more of an order that it denies.

    For an order that the venue had once and knows nothing of any more, or one without a deadline at a venue that does
    not say whether it came. The node asks the venue again as often as proof of absence takes, and what that shows goes
    before your word, which holds for an hour of market time.

    Parameters
    ----------
    client_id
        Of the order, as `holdfast ctl orders` shows it.
    """
    return _order(at, "settle", request_id, client_id=client_id, reason=reason)


@app.command
def restart(actor: str, /, *, reason: Reason = "", request_id: RequestId = "", at: At = HERE) -> int:
    """Start an actor anew from the journal.

    Parameters
    ----------
    actor
        Its name, as `holdfast ctl tree` shows it.
    """
    return _order(at, "restart", request_id, actor=actor, reason=reason)


@app.command
def crash(actor: str, /, *, reason: Reason = "", request_id: RequestId = "", at: At = HERE) -> int:
    """Break an actor on purpose and watch it heal; on the paper venue only.

    Parameters
    ----------
    actor
        Its name, as `holdfast ctl tree` shows it.
    """
    return _order(at, "crash", request_id, actor=actor, reason=reason)


@app.command
def excuse(
    actor: str,
    sequence: Annotated[int, Parameter(validator=Number(gte=1))],
    /,
    *,
    reason: Reason,
    request_id: RequestId = "",
    at: At = HERE,
) -> int:
    """Have an actor pass over an event that it cannot fold, from now on and in every replay; then resume.

    Parameters
    ----------
    actor
        Its name, as `holdfast ctl status` shows it under `poisoned`.
    sequence
        The event's sequence, as shown there.
    """
    return _order(at, "excuse", request_id, actor=actor, sequence=sequence, reason=reason)


@app.command
def hang(actor: str, /, *, reason: Reason = "", request_id: RequestId = "", at: At = HERE) -> int:
    """Let an actor hang on purpose and watch it be replaced; on the paper venue only.

    Its thread is held up for good. Once that has taken `supervision.hang_after_s`, it is fenced and started anew, and
    `holdfast ctl crashes` has its stack.

    Parameters
    ----------
    actor
        Its name, as `holdfast ctl tree` shows it; a supervisor does not hang.
    """
    return _order(at, "hang", request_id, actor=actor, reason=reason)


@app.command
def reload(*, reason: Reason = "", request_id: RequestId = "", at: At = HERE) -> int:
    """Load the configuration again: all of it is right and applied, or none of it."""
    return _order(at, "reload", request_id, reason=reason)


@app.command
def loglevel(
    level: Literal["debug", "info", "warning", "error"],
    /,
    *,
    reason: Reason = "",
    request_id: RequestId = "",
    at: At = HERE,
) -> int:
    """Log from this level on, until the next restart.

    Parameters
    ----------
    level
        The lowest level that is logged.
    """
    return _order(at, "loglevel", request_id, level=level, reason=reason)


@app.command
def snapshot(*, reason: Reason = "", request_id: RequestId = "", at: At = HERE) -> int:
    """Take a snapshot of every actor's state now."""
    return _order(at, "snapshot", request_id, reason=reason)


@app.command
def reconcile(*, reason: Reason = "", request_id: RequestId = "", at: At = HERE) -> int:
    """Hold the journal against the venue's account now; `holdfast ctl conflicts` shows what was found."""
    return _order(at, "reconcile", request_id, reason=reason)


@app.command
def stop(*, reason: Reason = "", request_id: RequestId = "", at: At = HERE) -> int:
    """Stop the node; positions and orders stay as they are."""
    return _order(at, "stop", request_id, reason=reason)


@app.command
def tail(
    *,
    n: Annotated[int, Parameter(name=("-n", "--lines"), validator=Number(gte=0, lte=1_000))] = 20,
    follow: Annotated[bool, Parameter(name=("--follow", "-f"), negative=(), show_default=False)] = False,
    at: At = HERE,
) -> int:
    """Show the newest events of the journal.

    Parameters
    ----------
    n
        How many, at most 1000.
    follow
        Go on as events come, until interrupted.
    """
    params = {"n": n, "follow": follow}
    return stream(at.folder, "tail", params, as_json=at.as_json, write=as_event, is_endless=follow)


def _ask(at: At, method: str, **params: Any) -> int:
    return ask(at.folder, method, params, as_json=at.as_json)


def _order(at: At, method: str, request_id: str, **params: Any) -> int:
    from uuid import uuid4

    named = {"request_id": request_id or str(uuid4())} | params
    return ask(at.folder, method, named, as_json=at.as_json, write=lambda _method, answer: as_outcome(answer))
