"""`holdfast why`: what led to an order, and what became of it."""

from typing import Annotated

from cyclopts import Parameter

from holdfast.cli.options import HERE, At


def why(order: Annotated[str, Parameter(negative=())], /, *, at: At = HERE) -> int:
    """Tell why an order is what it is, from the journal alone, also while a node writes it.

    Candle, scores, worth, offer, signal, verdict, intent, answers and fills, each with its sequence, market time and
    wall clock. For a stop or an exit: what it protects, and who or what ordered it.

    Parameters
    ----------
    order
        A client order id or the beginning of one, a proposal that was denied, or the sequence of a record of either.
    """
    from holdfast.why.command import why_command

    return why_command(at.folder, order, as_json=at.as_json)
