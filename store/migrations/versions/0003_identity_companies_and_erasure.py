"""Who is whom: joined customers, companies, what was refused, and who was erased."""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

# As `store.tables.columns` had them at the time: a migration must not change with the code.
UTC_TIME = sa.DateTime(timezone=True)
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
JSON_VALUE = sa.JSON().with_variant(JSONB(), "postgresql")

_CUSTOMER_COLUMNS: dict[str, sa.types.TypeEngine[Any]] = {
    "merged_into": sa.String(),
    "merged_at": UTC_TIME,
    "company_id": sa.String(),
    "company_at": UTC_TIME,
}


def upgrade() -> None:
    for name, kind in _CUSTOMER_COLUMNS.items():
        op.add_column("customers", sa.Column(name, kind))
    op.add_column(
        "customers",
        sa.Column("ordinals_after", sa.Integer(), nullable=False, server_default="0"),
    )
    for column in ("merged_into", "company_id"):
        is_set = sa.text(f"{column} IS NOT NULL")
        op.create_index(
            f"ix_customers_{column}",
            "customers",
            [column],
            sqlite_where=is_set,
            postgresql_where=is_set,
        )
    op.create_table(
        "companies",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("traits", JSON_VALUE, nullable=False),
        sa.Column("trait_times", JSON_VALUE, nullable=False),
        sa.Column("created_at", UTC_TIME, nullable=False),
        sa.Column("updated_at", UTC_TIME, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_companies"),
    )
    op.create_table(
        "erasures",
        sa.Column("hash", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("at", UTC_TIME, nullable=False),
        sa.Column("ordinals", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("hash", name="pk_erasures"),
    )
    op.create_table(
        "erasure_salt",
        sa.Column("id", ROW_NUMBER, nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_erasure_salt"),
    )
    op.create_table(
        "refused_calls",
        sa.Column("id", ROW_NUMBER, nullable=False),
        sa.Column("received_at", UTC_TIME, nullable=False),
        sa.Column("customer_id", sa.String()),
        sa.Column("kind", sa.String()),
        sa.Column("name", sa.String()),
        sa.Column("message_id", sa.String()),
        sa.Column("code", sa.String(), nullable=False),
        sa.Column("message", sa.String(), nullable=False),
        sa.Column("api_key", sa.String()),
        sa.Column("payload", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_refused_calls"),
    )
    op.create_index("ix_refused_calls_customer_id", "refused_calls", ["customer_id"])
    op.create_index("ix_refused_calls_received_at", "refused_calls", ["received_at"])
    op.create_index("ix_events_received_at", "events", ["received_at"])
    op.add_column("outbox", sa.Column("event_id", sa.String()))
    op.create_index("ix_outbox_event_id", "outbox", ["event_id"])


def downgrade() -> None:
    op.drop_index("ix_outbox_event_id", "outbox")
    op.drop_column("outbox", "event_id")
    op.drop_index("ix_events_received_at", "events")
    for table in ("refused_calls", "erasure_salt", "erasures", "companies"):
        op.drop_table(table)
    for column in ("merged_into", "company_id"):
        op.drop_index(f"ix_customers_{column}", "customers")
    for column in ("ordinals_after", *reversed(_CUSTOMER_COLUMNS)):
        op.drop_column("customers", column)
