"""The column types that every table shares: times, JSON, closed lists of words, row numbers.

Knows nothing of any table. The one surprising fact: SQLite hands back datetimes without
a zone, so `UTC_TIME` refuses to store a naive one and gives every one back as aware UTC.
"""

from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any

import sqlalchemy as sa
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.engine import Dialect
from sqlmodel import SQLModel


class _UtcTime(sa.TypeDecorator[datetime]):
    """An instant. PostgreSQL keeps `timestamptz`, SQLite sortable text in UTC."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.utcoffset() is None:
            raise ValueError(f"{value!r} has no zone: the store keeps instants, so make it UTC")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is UTC:  # as the driver of PostgreSQL gives it
            return value
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


UTC_TIME = _UtcTime()


class _Exact(sa.TypeDecorator[Decimal]):
    """A decimal number that comes back digit for digit; SQLite, which has none, keeps its text."""

    impl = sa.Numeric(18, 4)
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> sa.types.TypeEngine[Any]:
        if dialect.name == "sqlite":
            return dialect.type_descriptor(sa.String(20))
        return dialect.type_descriptor(sa.Numeric(18, 4))

    def process_bind_param(self, value: Decimal | None, dialect: Dialect) -> object:
        if value is None:
            return None
        value = value.quantize(_CENT_OF_A_CENT)
        return str(value) if dialect.name == "sqlite" else value

    def process_result_value(self, value: object, dialect: Dialect) -> Decimal | None:
        return None if value is None else Decimal(str(value))


# Four decimals: a currency has at most three (ISO 4217), a price per unit often one more.
_CENT_OF_A_CENT = Decimal("0.0001")

# Money and percentages.
EXACT = _Exact()

# To look into: traits, properties. `jsonb` sorts an object's keys; nothing may hang on them.
JSON_VALUE = sa.JSON(none_as_null=True).with_variant(JSONB(none_as_null=True), "postgresql")

# To hand back exactly as given: PostgreSQL's `json` keeps the text, and so the order of keys.
JSON_AS_WRITTEN = sa.JSON(none_as_null=True)

# SQLite numbers rows only in a column declared INTEGER.
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

_LONGEST_WORD = 32  # every word of every list is shorter; only the column's width hangs on it


def word(words: type[StrEnum]) -> sa.Enum:
    """A column for one word of a closed list, kept as its text.

    Not the database's own enum type, to which a word can only be added by a migration.
    """
    return sa.Enum(
        words,
        native_enum=False,
        length=_LONGEST_WORD,
        values_callable=lambda members: [member.value for member in members],
    )


def empty_object() -> dict[str, Any]:
    """What a column of an object begins with.

    Not `dict` itself: Pydantic asks of each row anew what its factory takes, and of a built-in
    that costs three times what all the rest of the row does.
    """
    return {}


def empty_list() -> list[Any]:
    """What a column of a list begins with."""
    return []


class Table(SQLModel):
    """What every table inherits: metadata of its own, in which constraints have names.

    Without names Alembic could not change a constraint later on.
    """

    metadata = sa.MetaData(
        naming_convention={
            "pk": "pk_%(table_name)s",
            "fk": "fk_%(table_name)s_%(column_0_N_name)s",
            "uq": "uq_%(table_name)s_%(column_0_N_name)s",
            "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        }
    )
