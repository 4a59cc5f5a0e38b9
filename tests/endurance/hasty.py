"""The strategy of the deaths at an exchange: it enters or leaves at nearly every second."""

from holdfast.simulation.restless import Restless


class Hasty(Restless):
    """Restless, by the second."""

    timeframes: tuple[str, ...] = ("1s",)
