"""One round of a torture: a home and an exchange of its own, lives and deaths, and the verdict."""

import random
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

from holdfast.replay import rebuild
from holdfast.torture.deaths import Lived, look_at_deaths
from holdfast.torture.disk import Disk
from holdfast.torture.exchange import ExchangeProcess
from holdfast.torture.judge import disagreements, doubled, unproven
from holdfast.torture.liar import Liar
from holdfast.torture.lives import Life, NodeEnded, durable_seq
from holdfast.torture.moments import Injection, Moment, Tampering, draw_moment, wait_until_stopped
from holdfast.torture.report import Tally
from holdfast.torture.verdicts import Books, misjudged
from holdfast.torture.wanted import SPEED, Plan, Wanted, arguments_for, scenario_for, setting_words
from holdfast.torture.warm import Warm
from holdfast.torture.weather import UNWRITABLE, Forecast, Sky, befall, draw_weather
from persistence.reader import JournalReader

LIFE_S_MAX = 12.0
"""A life that no moment has ended until then is ended anywhere."""
SIGN_WITHIN_S = 60.0
"""A life must show a sign of itself within that: real start-ups on a busy machine take seconds."""
LEAVE_WITHIN_S = 60.0
"""A process that cannot write its journal must be gone within that: to find that out is a part of its start."""
START_S, REAL_START_S = 0.3, 2.5
"""About how long a start takes, for deaths in its midst."""
LOOK_AT_BOOKS_S = 0.5
STOP_WITHIN_S = 60.0
ENDS_IN_A_ROW_MAX = 20
LIE_SHARE = 0.25
"""Share of the rounds that end with a disk that lies."""
SILENT_VENUE = "must answer before a node can start"


class Tools:
    """What a round is made with, shared by all of them."""

    def __init__(self, *, warm: Warm | None, has_strace: bool, can_mount: bool) -> None:
        self.warm = warm
        self.has_strace = has_strace
        self.can_mount = can_mount


class Round:
    """Lives and dies as planned in a folder of its own; what it comes to is in `tally`."""

    def __init__(
        self,
        wanted: Wanted,
        plan: Plan,
        folder: Path,
        tools: Tools,
        *,
        is_over: Callable[[], bool],
        show: Callable[[], None],
    ) -> None:
        """`is_over` says whether no more deaths are to be died; `show` is called after each."""
        self.tally = Tally()
        self.folder = folder
        self._wanted = wanted
        self._plan = plan
        self._warm = None if plan.is_real else tools.warm
        self._has_strace = tools.has_strace
        self._is_over = is_over
        self._show = show
        self._draw = random.Random(plan.seed)
        folder.mkdir(mode=0o700, parents=True)
        # Deaths of a node as it is really run are died on a real disk.
        self.disk = Disk(folder, is_small=tools.can_mount and not plan.is_real)
        self._home = self.disk.home
        self._lives: list[Lived] = []
        self._died_ms = 0

    def run(self) -> None:
        """Let a node live and die, settle, and be judged.

        Raises:
            ExchangeFailed: the exchange did not start, or does not answer.
        """
        with self._exchange() as exchange:
            arguments = arguments_for(self._wanted, self._plan, exchange, self.folder)
            self._live_and_die(arguments, Sky(self._draw, self.disk, exchange))
            exchange.be_honest()
            # Lives that all died while they started may have left none; one that cannot start leaves none ever.
            if durable_seq(self._home) or not self.tally.violations:
                self._settle(arguments, exchange)
            if not durable_seq(self._home):
                self._violate("no life has left a journal")
                return
            ledger = exchange.ledger()
            self.tally.violations += [*unproven(self._home), *misjudged(self._home, ledger, self._lives)]
            self._count(ledger)
            self.tally.faults.update(exchange.faults())
            if self._may_lie() and not self.tally.violations:
                self._be_lied_to(arguments, exchange)

    def _exchange(self) -> ExchangeProcess:
        scenario = None
        if not self._wanted.honest:
            scenario = self.folder / "scenario.toml"
            scenario.write_text(scenario_for(self._wanted, self._plan))
        return ExchangeProcess(
            self.folder / "exchange",
            symbols=self._wanted.symbols,
            balances=("USDT=100000",),
            speed=SPEED,
            seed=self._plan.seed,
            scenario=scenario,
            data=self._wanted.data,
        )

    # -- lives and deaths ----------------------------------------------------------------------------------------

    def _live_and_die(self, arguments: Sequence[str], sky: Sky) -> None:
        ends_in_a_row = 0
        while self.tally.kills < self._plan.kills and not self._is_over() and not self.tally.violations:
            kills = self.tally.kills
            self._one_life(arguments, sky)
            ends_in_a_row = 0 if self.tally.kills > kills else ends_in_a_row + 1
            if ends_in_a_row > ENDS_IN_A_ROW_MAX:
                self._violate(f"{ends_in_a_row} lives in a row ended by themselves")
            self._show()

    def _one_life(self, arguments: Sequence[str], sky: Sky) -> None:
        """Live in some weather, and die at some moment or end as the weather has it."""
        kind = draw_weather(self._draw, is_forked=self._warm is not None, is_small=self.disk.is_small)
        start_s = REAL_START_S if self._warm is None else START_S
        moment = draw_moment(self._draw, start_s=start_s, has_strace=self._has_strace and kind is None)
        if kind is None:
            self._live(arguments, moment, Forecast(), lambda life: None)
            return
        name = kind.__name__.replace("_", " ")
        self.tally.weathers[name] += 1
        with closing(kind(sky)) as weather:
            self._live(arguments, moment, next(weather), lambda life: befall(weather, life), name)

    def _live(
        self,
        arguments: Sequence[str],
        moment: Moment,
        forecast: Forecast,
        have_weather: Callable[[Life], None],
        weather: str = "fair weather",
    ) -> None:
        is_fair = weather == "fair weather"
        life = self._begin([*arguments, *setting_words(forecast.settings)], moment, forecast, is_timely=is_fair)
        tampering = self._tamper(life, moment.injection) if moment.injection is not None else None
        if moment.kind == "its start" and not forecast.must_end:
            time.sleep(moment.delay_s)
        else:
            have_weather(life)
            self._live_on(life, moment, forecast, tampering)
        has_died_on_cue = life.is_over()
        self._died_ms = life.kill()
        if tampering is not None:
            tampering.end()
        if life.exit_code is None:
            self._count_kill(moment, has_died_on_cue=has_died_on_cue)
        self._judge_end(life, moment, forecast, weather, tampering)

    def _live_on(self, life: Life, moment: Moment, forecast: Forecast, tampering: Tampering | None) -> None:
        """Live until the moment has come."""
        if forecast.must_end:
            life.wait_for_end(LEAVE_WITHIN_S)
            return
        if not life.wait_for_events(1, limit_s=SIGN_WITHIN_S):
            if not life.is_over():
                self._violate(f"{moment.name}: no sign of life within {SIGN_WITHIN_S:g} s: {life.last_words()}")
            return
        if moment.kind == "anywhere":
            life.wait_for_events(moment.events, limit_s=LIFE_S_MAX)
            time.sleep(moment.delay_s)
        else:
            life.wait_for_end(LIFE_S_MAX)
        if _must_leave(moment, tampering):
            life.wait_for_end(LEAVE_WITHIN_S)

    def _begin(self, arguments: Sequence[str], moment: Moment, forecast: Forecast, *, is_timely: bool = True) -> Life:
        self.tally.restarts += bool(self._lives)
        tampers = moment.injection is not None
        began_ms = time.time_ns() // 1_000_000
        life = Life(
            self._home,
            arguments,
            said=self.folder / "said.txt",
            program=self._wanted.program,
            environment={**forecast.environment, **moment.environment},
            warm=self._warm,
            wall_steps=forecast.wall_steps,
            waits=tampers,
        )
        self._lives.append(Lived(life.first_seq, self._died_ms, began_ms, is_timely and not tampers))
        return life

    def _tamper(self, life: Life, injection: Injection) -> Tampering:
        # A write that is lost without a word is one to the log: the watermark is what tells.
        is_lie = injection.deed.startswith("retval=")
        files = tuple(self._home / name for name in ("journal.db-wal", *(() if is_lie else ("journal.watermark",))))
        if self._warm is not None:
            wait_until_stopped(life)
        tampering = Tampering(life, injection, files, self.folder / "strace.txt")
        if self._warm is not None:
            life.go_on()
        return tampering

    def _count_kill(self, moment: Moment, *, has_died_on_cue: bool) -> None:
        tally = self.tally
        tally.kills += 1
        tally.real_kills += self._plan.is_real
        tally.during_start += moment.kind == "its start"
        tally.on_cue += has_died_on_cue and bool(moment.cue)
        is_missed = moment.kind in ("a boundary", "a system call") and not has_died_on_cue
        tally.moments["anywhere" if is_missed else moment.name] += 1

    # -- judging a life ------------------------------------------------------------------------------------------

    def _judge_end(
        self, life: Life, moment: Moment, forecast: Forecast, weather: str, tampering: Tampering | None
    ) -> None:
        """Judge what a life ended with by itself, and that it did where it had to."""
        code = life.exit_code
        may_end_with = list(forecast.may_end_with)
        if moment.injection is not None and moment.injection.fails:
            may_end_with.append(UNWRITABLE)
            weather = moment.name
        if code is None:
            if forecast.must_end or _must_leave(moment, tampering):
                expected = f"expected a node that leaves with {UNWRITABLE} within {LEAVE_WITHIN_S:g} s"
                self._violate(f"{weather}: {expected}, found that it lives on: {life.last_words()}")
            return
        if code in may_end_with or _found_no_venue(life):
            self.tally.ends[f"{weather}: {code}"] += 1
        else:
            self._violate(f"{weather}, to die at {moment.name}: it ended with {code}: {life.last_words()}")

    def _violate(self, what: str) -> None:
        self.tally.violations.append(f"life {len(self._lives)}: {what}")

    # -- settling and judging the round --------------------------------------------------------------------------

    def _settle(self, arguments: Sequence[str], exchange: ExchangeProcess) -> None:
        """Let the node live, undisturbed, until journal and ledger agree, and again after an end in order.

        What happens as it ends they may know apart, as after any death: the next life must find it all.
        """
        words = [*arguments, *setting_words(["risk.no_trade=true"])]
        # Each round has one life that nothing ends before it trades: how long that took is always known.
        life, settled_s = self._come_to_agree(words, exchange, after_death=True)
        self.tally.settled_s.append(settled_s)
        try:
            life.stop(limit_s=STOP_WITHIN_S)
        except NodeEnded as error:
            self._violate(f"it settled: {error}")
        if not self.tally.violations:
            self._come_to_agree(words, exchange, after_death=False)[0].kill()

    def _come_to_agree(
        self, words: Sequence[str], exchange: ExchangeProcess, *, after_death: bool
    ) -> tuple[Life, float]:
        """Live until journal and ledger agree, which must be within a bound; return the life, and how long it took."""
        began, within_s = time.monotonic(), self._wanted.settle_within_s
        life = self._begin(words, Moment("settle"), Forecast(), is_timely=after_death)
        found, is_final = ["it did not hear the market, or gave no verdict"], False
        while found and not is_final and time.monotonic() - began < within_s:
            time.sleep(LOOK_AT_BOOKS_S)
            if life.is_over() and not _found_no_venue(life):
                break
            if _found_no_venue(life):
                # As a service manager does after 74.
                self.tally.ends[f"settling: {UNWRITABLE}"] += 1
                life = self._begin(words, Moment("settle"), Forecast(), is_timely=False)
            if self._has_said(life, "BarsClosed", "Reconciled"):
                # The ledger first: what happens in between is in the journal later, and looked at again.
                ledger = exchange.ledger()
                found = disagreements(self._home, ledger)
                is_final = any(doubled(ledger))
        after = "the last fault" if after_death else "an end in order"
        since = "" if is_final else f", {within_s:g} s after {after}"
        self.tally.violations += [f"{each}{since}" for each in found]
        return life, round(time.monotonic() - began, 3)

    def _has_said(self, life: Life, *kinds: str) -> bool:
        """Say whether a life has heard the market, and given its verdict."""
        if durable_seq(self._home) <= life.first_seq:
            return False
        with JournalReader(self._home) as reader:
            return set(kinds) <= {record.kind for record in reader.read(after=life.first_seq, kinds=kinds)}

    def _count(self, ledger: dict[str, Any]) -> None:
        tally = self.tally
        history = rebuild(self._home)[0].history
        tally.orders, tally.fills = len(ledger["orders"]), len(ledger["trades"])
        tally.intended = len(history.orders)
        tally.absent = sum(order.state == "absent" for order in history.orders.values())
        verdicts = Books(self._home).verdicts
        tally.verdicts, tally.conflicts = len(verdicts), sum(len(each.findings) for each in verdicts)
        tally.events = durable_seq(self._home)
        deaths = look_at_deaths(self._home, self._lives)
        tally.with_open_order, tally.with_unproven_order = deaths.with_open_order, deaths.with_unproven_order
        tally.crashes.update(deaths.crashes)
        (tally.recoveries if self._warm is not None else tally.real_recoveries).extend(deaths.recoveries)

    # -- a disk that lies ----------------------------------------------------------------------------------------

    def _may_lie(self) -> bool:
        is_drawn = self._draw.random() < LIE_SHARE
        return self._has_strace and self._warm is not None and is_drawn and not self._is_over()

    def _be_lied_to(self, arguments: Sequence[str], exchange: ExchangeProcess) -> None:
        """Have the disk lie once, and see that the next start either tells or has lost nothing."""

        def begin(moment: Moment) -> tuple[Life, Tampering | None]:
            life = self._begin(arguments, moment, Forecast(), is_timely=False)
            return life, self._tamper(life, moment.injection) if moment.injection is not None else None

        liar = Liar(
            self._home,
            draw=self._draw,
            begin=begin,
            settle=lambda: self._settle(arguments, exchange),
            violate=self._violate,
        )
        self.tally.lies[liar.lie(exchange, self._wanted.program)] += 1


def _found_no_venue(life: Life) -> bool:
    """Say whether a life ended at its start because the exchange did not tell what must be known before."""
    return life.exit_code == UNWRITABLE and SILENT_VENUE in life.last_words()


def _must_leave(moment: Moment, tampering: Tampering | None) -> bool:
    """Say whether a write has failed that nobody may pass over; a log is lengthened only where there is room."""
    is_meant = moment.injection is not None and moment.injection.deed == "error=EIO"
    return is_meant and tampering is not None and tampering.has_struck
