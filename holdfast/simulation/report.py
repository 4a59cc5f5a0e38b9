"""What many seeds came to, added up."""

from collections import Counter

import msgspec

from holdfast.simulation.oracle import Violation
from holdfast.simulation.run import Result

CRASHES = ("crash", "crash_within", "hang")
DEATHS = ("kill", "kill_within", "commit_fails", "log_is_cut")


class Broken(msgspec.Struct, frozen=True):
    """A seed for which a law did not hold, and the command that shows it again."""

    seed: int
    violations: list[Violation]
    reproduce: str


class Report(msgspec.Struct):
    """The sums, and every seed that failed."""

    first_seed: int
    seeds: int = 0
    simulated_hours: float = 0.0
    lives: int = 0
    crashes: int = 0
    """Of actors and supervisors: ended by a fault on cue, or hung."""
    deaths: int = 0
    """Of whole nodes."""
    faults: dict[str, int] = msgspec.field(default_factory=dict)
    commands: dict[str, int] = msgspec.field(default_factory=dict)
    """Of operators, that were answered."""
    orders: int = 0
    fills: int = 0
    events: int = 0
    orders_min: int = 0
    """Of the seed that had the fewest."""
    faults_min: int = 0
    cpu_s: float = 0.0
    broken: list[Broken] = msgspec.field(default_factory=list)
    is_partial: bool = False
    """It was interrupted."""

    def add(self, result: Result, *, hours: float) -> None:
        """Add what one seed came to."""
        faults = sum(result.faults.values())
        self.orders_min = min(self.orders_min, result.orders) if self.seeds else result.orders
        self.faults_min = min(self.faults_min, faults) if self.seeds else faults
        self.seeds += 1
        self.simulated_hours += result.hours
        self.lives += result.lives
        self.crashes += sum(result.faults.get(kind, 0) for kind in CRASHES)
        self.deaths += sum(result.faults.get(kind, 0) for kind in DEATHS)
        self.faults = dict(sorted((Counter(self.faults) + Counter(result.faults)).items()))
        self.commands = dict(sorted((Counter(self.commands) + Counter(result.commands)).items()))
        self.orders += result.orders
        self.fills += result.fills
        self.events += result.events
        self.cpu_s = round(self.cpu_s + result.cpu_s, 3)
        if result.violations:
            self.broken.append(Broken(result.seed, result.violations, command_for(result.seed, hours=hours)))


def command_for(seed: int, *, hours: float) -> str:
    """Return the command that lives a seed again, and shows all of it."""
    return f"holdfast simulate --from {seed} --seeds 1 --hours {hours:g} --trace"


def lines_of(report: Report) -> list[str]:
    """Return a report as lines for people."""
    faults = ", ".join(f"{count} {kind}" for kind, count in report.faults.items()) or "none"
    commands = ", ".join(f"{count} {kind}" for kind, count in report.commands.items()) or "none"
    lines = [
        f"seeds        {report.seeds}, from {report.first_seed}{', interrupted' if report.is_partial else ''}",
        f"simulated    {report.simulated_hours:g} hours of market in {report.lives} lives",
        f"crashes      {report.crashes} of actors and supervisors, {report.deaths} of whole nodes",
        f"faults       {faults}; at least {report.faults_min} a seed",
        f"commands     {commands}",
        f"orders       {report.orders}, {report.fills} fills, {report.events} events; "
        f"at least {report.orders_min} orders a seed",
        f"cpu          {report.cpu_s:.1f} s",
        f"violations   {sum(len(broken.violations) for broken in report.broken)}",
    ]
    for broken in report.broken:
        lines.append(f"seed {broken.seed}: {broken.reproduce}")
        lines += [f"    {violation.law}: {violation.found}" for violation in broken.violations]
    return lines
