"""`holdfast simulate`: whole nodes on the stage, with faults drawn from a seed."""

from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number


def simulate(
    *,
    seeds: Annotated[int, Parameter(validator=Number(gte=1, lte=100_000_000))] = 100,
    first: Annotated[int, Parameter(name="--from", validator=Number(gte=0))] = 0,
    hours: Annotated[float, Parameter(validator=Number(gte=0.1, lte=24))] = 2.0,
    jobs: Annotated[int, Parameter(validator=Number(gte=0, lte=1_024))] = 0,
    trace: Annotated[bool, Parameter(negative=(), show_default=False)] = False,
    as_json: Annotated[bool, Parameter(name="--json", negative=(), show_default=False)] = False,
) -> int:
    """Let whole nodes live through faults drawn from seeds, and check what must hold after every step of it.

    Actors crash and hang, nodes die between and within steps and come back, the line to the venue loses, delays and
    doubles, commits fail, clocks are set.  A seed that fails is named with the command that shows it again; exit
    code 1.

    Parameters
    ----------
    seeds
        How many seeds; each is a life of its own.
    first
        The first seed.
    hours
        Market time of each, in hours.
    jobs
        Processes side by side; 0 for as many as there are cores.
    trace
        Show every fault and every record as it becomes durable.
    as_json
        Write JSON.
    """
    from holdfast.simulation.command import cores, simulate_command

    return simulate_command(first=first, seeds=seeds, hours=hours, jobs=jobs or cores(), as_json=as_json, trace=trace)
