"""The strategy of a torture: it enters or leaves at nearly every second, by what the bars alone decide."""

from holdfast.simulation.restless import Restless


class Hasty(Restless):
    """Restless, by the second."""

    timeframes: tuple[str, ...] = ("1s",)
