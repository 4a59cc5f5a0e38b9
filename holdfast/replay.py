"""`holdfast replay`: what the journal alone says, at any past moment, and whether it proves to be true."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from actors.archivist import hash_parts, hash_states
from actors.watcher_memory import WatcherMemory
from domain.invariants.finding import LAWS, NOTICES
from domain.market import Instant
from domain.money import plain
from holdfast import views
from holdfast.cli.output import say
from holdfast.config.problems import ConfigurationError, Problem
from holdfast.exit_codes import ExitCode
from holdfast.memories import new_memory
from holdfast.rebuild import Rebuilt, eras, excuses, market_at, shape_at
from holdfast.recovery import recorded_of
from holdfast.routes import WATCHER, kinds_of
from holdfast.shown import when
from messages.codec import decode
from messages.node import StateHashed
from persistence.reader import JournalReader
from persistence.verify import verify as verify_journal


class NoSuchSequence(LookupError):
    """A journal does not go as far as it is asked for."""


class Check(msgspec.Struct, frozen=True):
    """One thing that was verified, and what was found wrong with it."""

    name: str
    checked: int
    problems: list[str]
    passed_over: int = 0
    """How many could not be compared."""
    reason: str = ""
    """Why they could not."""


def replay_command(home: Path, *, to: str | None, verify: bool, as_json: bool) -> int:
    """Rebuild the state, print it, and return the exit code.

    Raises:
        JournalError: there is no journal, or it is damaged where it is read.
        ConfigurationError: `to` is neither a sequence nor a moment.
    """
    checks = verify_everything(home) if verify else []
    is_sound = not any(check.problems for check in checks)
    view: dict[str, Any] = {}
    if is_sound or not verify:
        rebuilt, notes = rebuild(home, to)
        view = replay_view(rebuilt) | ({"notes": notes} if notes else {})
    if verify:
        view["verified"] = is_sound
        view["checks"] = msgspec.to_builtins(checks)
    _print(view, as_json=as_json)
    return int(ExitCode.OK if is_sound else ExitCode.DAMAGED)


def rebuild(home: Path, to: str | None = None) -> tuple[Rebuilt, list[str]]:
    """Fold the whole journal up to a sequence or moment; return it with notes of what could not be rebuilt."""
    with JournalReader(home) as reader:
        until = _until(reader, to)
        shape, problems = shape_at(reader, until)
        rebuilt = Rebuilt(shape, market=lambda: market_at(reader, until), excused=excuses(reader))
        rebuilt.fold_all(reader.read(until=until))
    return rebuilt, [*map(str, problems), *rebuilt.poisoned.values()]


def replay_view(rebuilt: Rebuilt) -> dict[str, Any]:
    """Return what is held, what is owed, every fill and every order with its evidence, as JSON values."""
    state = rebuilt.positions.state
    history = rebuilt.history
    return {
        "seq": rebuilt.seq,
        "at": rebuilt.at,
        "hash": rebuilt.hash.hex(),
        "state_hash": rebuilt.state_hash(),
        "positions": views.holdings_view(state),
        "lots": views.lots_view(state),
        "cash": views.cash_view(state),
        "worth": views.worth_view(state),
        "imported": _imported_view(rebuilt),
        "mended": [
            {"seq": seq, "kind": type(event).__name__} | msgspec.to_builtins(event) for seq, event in rebuilt.mends
        ],
        "state": rebuilt.mode,
        "fills": [
            {
                "symbol": filled.fill.symbol,
                "side": filled.fill.side,
                "quantity": plain(filled.fill.quantity),
                "price": plain(filled.fill.price),
                "fee": f"{plain(filled.fill.fee.amount)} {filled.fill.fee.asset}",
                "at": filled.fill.at,
                "strategy": filled.strategy,
                "client_id": filled.fill.client_id,
                "trade_id": filled.fill.trade_id,
            }
            for filled in history.fills
        ],
        "orders": [
            views.order_view(order) | {"evidence": msgspec.to_builtins(history.proofs[client_id])}
            for client_id, order in history.orders.items()
        ],
        "owed": [client_id for client_id, order in history.orders.items() if order.is_open],
    }


def _imported_view(rebuilt: Rebuilt) -> dict[str, Any] | None:
    if rebuilt.imported is None:
        return None
    seq, event = rebuilt.imported
    files = [f"{file.path} sha256:{file.sha256}" for file in event.files]
    return {"seq": seq, "files": files, "positions": event.positions, "trades": event.trades}


def verify_everything(home: Path) -> list[Check]:
    """Check chain, watermark, snapshots and projections, and every hashed state against a full fold.

    Raises:
        JournalError: the journal cannot be read at all.
        ConfigurationError: the files of bars that a backtest's journal leaves its bars to are not here.
    """
    with JournalReader(home) as reader:
        last = reader.last()[0]
        shape, notes = shape_at(reader, last)
        in_force = eras(reader, last)
        excused = tuple(excuses(reader))
        since = in_force[-1].since if in_force else 0
        marked = {
            event.sequence: event
            for record in reader.read(kinds=["StateHashed"])
            if isinstance(event := decode(record.kind, record.version, record.payload), StateHashed)
        }
        # Opened before anything is checked: that bars are not here says nothing of the journal.
        leaves_bars = next(reader.read(kinds=["BarsPassed"]), None) is not None
        market = market_at(reader, last) if leaves_bars else None
    rebuilt = Rebuilt(shape, market=None if market is None else lambda: market, excused=excused)
    problems: list[str] = []
    compared = passed_over = 0

    def watch(record: Any) -> None:
        nonlocal compared, passed_over
        rebuilt.fold(record)
        event = marked.get(record.seq)
        if event is None:
            return
        if record.seq >= since and not notes:
            compared += 1
            problems.extend(_differences(event, rebuilt))
        else:
            passed_over += 1

    verification = verify_journal(home, watch=watch)
    problems.extend(rebuilt.poisoned.values())
    checks = [
        Check("journal", verification.events, [str_of(finding) for finding in verification.findings]),
        Check("states", compared, problems, passed_over, _why_passed_over(notes) if passed_over else ""),
    ]
    if verification.is_sound:
        checks += [_check_snapshots(home, rebuilt), _check_invariants(rebuilt)]
    return checks


def _check_invariants(full: Rebuilt) -> Check:
    """Hold the whole journal to the laws of the watcher; what that told while the node ran is no news."""
    memory = full.memories.get(WATCHER)
    if not isinstance(memory, WatcherMemory):
        return Check("invariants", 0, [])
    news = [str(finding) for finding in memory.state.pending if finding.code not in NOTICES]
    told = len(memory.state.told)
    return Check("invariants", len(LAWS), news, told, "told while running: see ctl violations" if told else "")


def _why_passed_over(notes: Sequence[Problem]) -> str:
    if notes:
        return f"not comparable here: {notes[0]}"
    return "under earlier configurations"


def str_of(finding: Any) -> str:
    """Return a finding as one line."""
    where = "" if finding.sequence is None else f" (sequence {finding.sequence})"
    return f"{finding.place}: {finding.sentence}{where}"


def _differences(event: StateHashed, rebuilt: Rebuilt) -> list[str]:
    if hash_parts(event.parts) != event.state_hash:
        return [f"state at marker {event.sequence}: its hash is not that of its parts"]
    comparable = {
        name: memory.save()
        for name, memory in rebuilt.memories.items()
        if name in event.parts
        and name not in rebuilt.poisoned
        and event.versions.get(name, memory.version) == memory.version
    }
    parts = hash_states(comparable)
    names = [name for name in sorted(parts) if parts[name] != event.parts[name]]
    if not names:
        return []
    return [f"state at marker {event.sequence}: a full fold gives other states of {', '.join(names)}"]


def _check_snapshots(home: Path, full: Rebuilt) -> Check:
    """Fold each actor's newest snapshot and the records since; the outcome must be that of the full fold."""
    problems, checked = [], 0
    with JournalReader(home) as reader:
        shape, _ = shape_at(reader, full.seq)
        excused = set(excuses(reader))
        for name, memory in full.memories.items():
            kept = reader.state_of(name, version=memory.version, upto=full.seq)
            if kept is None or name in full.poisoned:
                continue
            checked += 1
            again = new_memory(name, shape)
            again.load(kept[1])
            for record in reader.read(after=kept[0], until=full.seq, kinds=kinds_of(name)):
                if (name, record.seq) not in excused:
                    again.fold(recorded_of(record))
            if again.save() != memory.save():
                problems.append(f"snapshot of {name} at {kept[0]}: with the records since it is not the full fold")
    return Check("snapshots", checked, problems)


def _until(reader: JournalReader, to: str | None) -> int:
    last = reader.last()[0]
    if to is None:
        return last
    if not to.isdecimal():
        return reader.seq_at(_moment(to))
    if int(to) > last:
        raise NoSuchSequence(f"expected a sequence of this journal, which ends at {last}, found {to} (--to)")
    return int(to)


def _moment(text: str) -> Instant:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        problem = Problem("--to", "a sequence such as 1200, or a moment such as 2021-06-22T13:00:00Z", text, "--to")
        raise ConfigurationError([problem]) from None
    moment = moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)
    return int(moment.timestamp() * 1000)


def _rest_of(check: dict[str, Any]) -> str:
    return f" ({check['passed_over']} more {check['reason']})" if check["passed_over"] else ""


def _print(view: dict[str, Any], *, as_json: bool) -> None:
    if as_json:
        say(msgspec.json.encode(view).decode())
        return
    say("\n".join(_lines(view)))


def _lines(view: dict[str, Any]) -> Iterator[str]:
    for check in view.get("checks", []):
        yield f"{check['name']:<12} {check['checked']:>8} checked  {len(check['problems'])} problems{_rest_of(check)}"
        for problem in check["problems"]:
            yield f"    {problem}"
    if "seq" not in view:
        return
    worth = view["worth"]
    yield f"sequence     {view['seq']}"
    yield f"market time  {when(view['at'])}"
    yield f"hash         {view['hash']}"
    yield f"state        {view['state']}"
    yield f"state hash   {view['state_hash']}"
    yield f"equity       {worth['equity']} {worth['quote']}"
    yield f"orders       {len(view['orders'])}, {len(view['owed'])} of them not finished"
    yield f"fills        {len(view['fills'])}"
    if view["imported"]:
        counts = "{positions} positions and {trades} trades".format_map(view["imported"])
        yield f"imported     {counts}, from {', '.join(view['imported']['files'])}"
    yield "cash         " + ", ".join(f"{amount} {asset}" for asset, amount in view["cash"].items())
    for symbol, held in view["positions"].items():
        yield f"{symbol:<12} {held['quantity']} at {held['average_price']}, realised {held['realised']}"
    for mend in view["mended"]:
        kept = mend.get("kept", mend.get("last_sequence"))
        yield f"{mend['kind'].lower():<12} up to sequence {kept}: generation {mend['generation']} begins"
    for note in view.get("notes", []):
        yield f"note: {note}"
