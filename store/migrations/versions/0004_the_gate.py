"""What the gate, the callbacks, the offers and the stop buttons remember."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

# As `store.tables.columns` had them at the time: a migration must not change with the code.
UTC_TIME = sa.DateTime(timezone=True)
ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_WORD = sa.String(32)

# Nullable columns that tables grow by.
_GROWN: dict[str, dict[str, sa.types.TypeEngine[Any]]] = {
    "consents": {"ip": sa.String()},
    "enrollments": {"next_reason": _WORD},
    "messages": {"intended_address": sa.String(), "status": _WORD, "status_at": UTC_TIME},
    "offers": {
        "currency": sa.String(),
        "made_by": sa.String(),
        "redeemed_for": sa.String(),
        "revoked_by": sa.String(),
    },
}


def upgrade() -> None:
    for table, columns in _GROWN.items():
        for name, kind in columns.items():
            op.add_column(table, sa.Column(name, kind))
    op.add_column(
        "delivery_events",
        sa.Column("is_machine", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    _name_journeys_of_offers()
    op.create_table(
        "stops",
        sa.Column("id", ROW_NUMBER, nullable=False),
        sa.Column("scope", _WORD, nullable=False),
        sa.Column("journey", sa.String()),
        sa.Column("step", sa.String()),
        sa.Column("channel", sa.String()),
        sa.Column("at", UTC_TIME, nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("why", sa.String()),
        sa.Column("lifted_at", UTC_TIME),
        sa.Column("lifted_by", sa.String()),
        sa.PrimaryKeyConstraint("id", name="pk_stops"),
    )
    in_force = sa.text("lifted_at IS NULL")
    op.create_index(
        "ix_stops_in_force",
        "stops",
        ["scope"],
        sqlite_where=in_force,
        postgresql_where=in_force,
    )
    op.create_table(
        "archives",
        sa.Column("journey", sa.String(), nullable=False),
        sa.Column("at", UTC_TIME, nullable=False),
        sa.Column("actor", sa.String(), nullable=False),
        sa.Column("inside", _WORD, nullable=False),
        sa.PrimaryKeyConstraint("journey", name="pk_archives"),
    )


def _name_journeys_of_offers() -> None:
    """Every offer says its journey, as its enrollment always could."""
    op.add_column("offers", sa.Column("journey", sa.String()))
    offers = sa.table("offers", sa.column("journey"), sa.column("enrollment_id"))
    enrollments = sa.table("enrollments", sa.column("id"), sa.column("journey"))
    named = (
        sa.select(enrollments.c.journey)
        .where(enrollments.c.id == offers.c.enrollment_id)
        .scalar_subquery()
    )
    op.execute(sa.update(offers).values(journey=named))
    with op.batch_alter_table("offers") as table:
        table.alter_column("journey", existing_type=sa.String(), nullable=False)
    op.create_index("ix_offers_journey_id", "offers", ["journey", "id"])


def downgrade() -> None:
    op.drop_table("archives")
    op.drop_table("stops")
    op.drop_index("ix_offers_journey_id", "offers")
    with op.batch_alter_table("offers") as table:
        table.drop_column("journey")
    with op.batch_alter_table("delivery_events") as table:
        table.drop_column("is_machine")
    for table_name, columns in _GROWN.items():
        with op.batch_alter_table(table_name) as table:
            for name in columns:
                table.drop_column(name)
