"""The tables of the projections.  Decimals are text, instants milliseconds."""

from peewee import CompositeKey, FloatField, IntegerField, Model, TextField


class OrderRow(Model):
    """An order as far as evidence goes."""

    client_id = TextField(primary_key=True)
    strategy = TextField()
    symbol = TextField()
    side = TextField()
    type = TextField()
    leg = TextField()
    quantity = TextField()
    limit_price = TextField(null=True)
    stop_price = TextField(null=True)
    valid_until = IntegerField()
    state = TextField()
    filled = TextField()
    venue_id = TextField()
    evidence = TextField()
    detail = TextField()
    proposal_id = TextField()
    ordered_by = IntegerField()
    attempt = IntegerField()
    why = TextField()
    intended_seq = IntegerField()
    intended_at = IntegerField()
    changed_seq = IntegerField()
    changed_at = IntegerField()

    class Meta:
        table_name = "orders"
        strict_tables = True
        without_rowid = True


class FillRow(Model):
    """A trade of ours."""

    seq = IntegerField(primary_key=True)
    trade_id = TextField()
    client_id = TextField()
    strategy = TextField()
    symbol = TextField()
    side = TextField()
    quantity = TextField()
    price = TextField()
    fee = TextField()
    fee_asset = TextField()
    liquidity = TextField()
    evidence = TextField()
    at = IntegerField()

    class Meta:
        table_name = "fills"
        strict_tables = True


class PositionRow(Model):
    """What a strategy holds of a symbol."""

    strategy = TextField()
    symbol = TextField()
    quantity = TextField()
    average_price = TextField()
    realised = TextField()
    entered_at = IntegerField(null=True)
    changed_seq = IntegerField()
    changed_at = IntegerField()

    class Meta:
        table_name = "positions"
        primary_key = CompositeKey("strategy", "symbol")
        strict_tables = True
        without_rowid = True


class EquityRow(Model):
    """What the account was worth."""

    seq = IntegerField(primary_key=True)
    at = IntegerField()
    equity = TextField()
    cash = TextField()
    unrealised = TextField()
    realised = TextField()
    drawdown = TextField()

    class Meta:
        table_name = "equity"
        strict_tables = True


class SentimentRow(Model):
    """A headline's score; `symbols` are separated by spaces, and none means all."""

    seq = IntegerField(primary_key=True)
    source = TextField()
    text_hash = TextField()
    model = TextField()
    value = FloatField()
    half_life_ms = IntegerField()
    published_at = IntegerField()
    arrived_at = IntegerField()
    symbols = TextField()

    class Meta:
        table_name = "sentiment"
        strict_tables = True


class ImportedTradeRow(Model):
    """A trade from before the journal.  A file says so, no venue: it is none of our fills."""

    number = IntegerField(primary_key=True)
    id = TextField()
    symbol = TextField()
    side = TextField()
    quantity = TextField()
    price = TextField()
    fee = TextField()
    fee_asset = TextField()
    at = IntegerField()
    kept = TextField()
    seq = IntegerField()

    class Meta:
        table_name = "imported_trades"
        strict_tables = True


class ProjectedRow(Model):
    """The one row that says up to which sequence the other tables tell what the events do."""

    id = IntegerField(primary_key=True)
    seq = IntegerField()

    class Meta:
        table_name = "projected"
        strict_tables = True


TABLES = (ProjectedRow, OrderRow, FillRow, PositionRow, EquityRow, SentimentRow, ImportedTradeRow)
TABLE_KEYS = {
    "projected": "id",
    "orders": "client_id",
    "fills": "seq",
    "positions": "strategy, symbol",
    "equity": "seq",
    "sentiment": "seq",
    "imported_trades": "number",
}
