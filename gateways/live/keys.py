"""What the account's key permits: a bot needs none that lets money leave the account."""

from gateways.live.connection import Connection

NOT_SERVED = 404


def may_withdraw(connection: Connection) -> bool | None:
    """Say whether the key permits withdrawals; None where the venue does not serve the question.

    Raises:
        KeysRefused: the venue refuses the key.
        VenueSilent: it does not answer.
        Unreadable: it answers something else.
    """
    received = connection.ask(connection.dialect.permissions())
    return None if received.status == NOT_SERVED else connection.dialect.read_may_withdraw(received)
