"""Bugs that an operator would meet with: each breaks a law of commands, stops, flattens or parts that gave up."""

from typing import Any

from actors.breaker_memory import BreakerMemory
from actors.executor_memory import ExecutorMemory
from actors.operator import Operator
from domain.execution import Execution
from messages.node import AnswerOperator, PartGaveUp
from supervision.switchboard import Switchboard
from tests.endurance.mutation import Mutant, Put


def a_command_that_arrives_twice_is_taken_for_two(put: Put) -> None:
    """A command is not told apart by its request id."""

    def mutated(self: Operator, command: Any, respond: Any) -> None:
        self._responds.setdefault(command.request_id, []).append(respond)
        self.record(command)

    put(Operator, "_receive", mutated)


def a_command_is_answered_before_it_is_durable(put: Put) -> None:
    """An operator is told that a command is done while it may still be lost."""
    hold = Switchboard._hold

    def mutated(self: Switchboard, sender: Any, to: str, message: Any, *, gate: int) -> None:
        if isinstance(message, AnswerOperator):
            self._deliver(to, message, sender)
        else:
            hold(self, sender, to, message, gate=gate)

    put(Switchboard, "_hold", mutated)


def a_command_of_an_earlier_life_is_done_again(put: Put) -> None:
    """A command that may have been done before its clerk died is done once more."""
    put(Operator, "started", lambda self: None)


def a_halt_is_not_restored(put: Put) -> None:
    """A breaker that comes back knows of no pause and no halt."""
    load = BreakerMemory.load

    def mutated(self: BreakerMemory, saved: bytes) -> None:
        load(self, saved)
        self.state.paused = self.state.halted = ""

    put(BreakerMemory, "load", mutated)


def a_flatten_is_ordered_again_when_the_executor_comes_back(put: Put) -> None:
    """What an operator once ordered flat is sold again, though it was bought since."""
    load = ExecutorMemory.load

    def mutated(self: ExecutorMemory, saved: bytes) -> None:
        load(self, saved)
        for symbol, halt in list(self.state.stops.items()):
            if halt.exit_until:
                self.state.wish_flat(symbol, halt.why, halt.exit_until, halt.seq)

    put(ExecutorMemory, "load", mutated)


def a_flatten_sells_nothing(put: Put) -> None:
    """An operator's flatten ends the entries and leaves what is held."""
    put(Execution, "wish_flat", lambda self, symbol, why, good_until, seq: None)


def a_part_that_gave_up_ends_no_entries(put: Put) -> None:
    """The breaker does not mind that a part of trading is gone for good."""
    fold = BreakerMemory._fold_order

    def mutated(self: BreakerMemory, event: object) -> None:
        if not isinstance(event, PartGaveUp):
            fold(self, event)

    put(BreakerMemory, "_fold_order", mutated)


OBEDIENCE_MUTANTS: tuple[Mutant, ...] = (
    a_command_that_arrives_twice_is_taken_for_two,
    a_command_is_answered_before_it_is_durable,
    a_command_of_an_earlier_life_is_done_again,
    a_halt_is_not_restored,
    a_flatten_is_ordered_again_when_the_executor_comes_back,
    a_flatten_sells_nothing,
    a_part_that_gave_up_ends_no_entries,
)
