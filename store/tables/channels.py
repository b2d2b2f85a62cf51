"""What of a channel's rate is given out."""

from datetime import datetime

from sqlmodel import Field

from store.tables.columns import UTC_TIME, Table


class SendSlots(Table, table=True):
    """One row a channel that has a rate: `engine.rates.Lines`, by the database's clock.

    `handed_at` is when the last message is handed to its provider.
    """

    __tablename__ = "send_slots"

    channel: str = Field(primary_key=True)
    free_at: datetime = Field(sa_type=UTC_TIME)  # wall, as are the others
    transactional_at: datetime = Field(sa_type=UTC_TIME)
    marketing_at: datetime = Field(sa_type=UTC_TIME)
    handed_at: datetime = Field(sa_type=UTC_TIME)
