"""What the account's key permits: a bot needs none that lets money leave the account."""

import time

from gateways.live.connection import Connection, KeysRefused, VenueSilent
from gateways.live.dialect import Unreadable

PAUSES_S = (1.0, 2.0)
"""Between the attempts to ask."""
NOT_SERVED = 404


def may_withdraw(connection: Connection) -> bool:
    """Say whether the key permits withdrawals, as far as the venue tells; where it does not, a person is told so.

    A question that is not answered keeps no node from starting: protective stops may be waiting for it.

    Raises:
        KeysRefused: the venue refuses the key.
    """
    why = ""
    for pause_s in (*PAUSES_S, 0.0):
        try:
            received = connection.ask(connection.dialect.permissions())
            if received.status != NOT_SERVED:
                return connection.dialect.read_may_withdraw(received)
            why = "the venue does not serve the question"
            break
        except KeysRefused:
            raise
        except (VenueSilent, Unreadable) as error:
            why = str(error)
        time.sleep(pause_s)
    connection.tell("venue.key_permissions_unknown", why=why)
    return False
