"""What is computed of customers, what is sent to many at once, and offers of free shipping."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

# As `store.tables.columns` had them at the time: a migration must not change with the code.
UTC_TIME = sa.DateTime(timezone=True)
JSON_VALUE = sa.JSON().with_variant(JSONB(), "postgresql")
_WORD = sa.String(32)


def upgrade() -> None:
    op.create_table(
        "computed",
        sa.Column("customer_id", sa.String(), nullable=False),
        sa.Column("by", sa.String(), nullable=False),
        sa.Column("state", JSON_VALUE, nullable=False),
        sa.Column("inside", JSON_VALUE, nullable=False),
        sa.Column("computed_at", UTC_TIME, nullable=False),
        sa.Column("changes_at", UTC_TIME),
        sa.ForeignKeyConstraint(
            ["customer_id"], ["customers.id"], name="fk_computed_customer_id_customers"
        ),
        sa.PrimaryKeyConstraint("customer_id", name="pk_computed"),
    )
    changes = sa.text("changes_at IS NOT NULL")
    op.create_index(
        "ix_computed_changes_at",
        "computed",
        ["changes_at"],
        sqlite_where=changes,
        postgresql_where=changes,
    )
    op.create_index("ix_computed_by", "computed", ["by"])
    op.create_table(
        "hours_of_clicks",
        sa.Column("hour", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("clicks", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("hour", name="pk_hours_of_clicks"),
    )
    op.create_table(
        "broadcasts",
        sa.Column("id", sa.String(), nullable=False),
        sa.Column("kind", _WORD, nullable=False),
        sa.Column("journey", sa.String()),
        sa.Column("version", sa.String()),
        sa.Column("step", sa.String()),
        sa.Column("event", sa.String()),
        sa.Column("properties", JSON_VALUE, nullable=False),
        sa.Column("audience", sa.String()),
        sa.Column("start_at", UTC_TIME, nullable=False),
        sa.Column("local_time", sa.String()),
        sa.Column("per_second", sa.Float()),
        sa.Column("state", _WORD, nullable=False),
        sa.Column("cursor", sa.String()),
        sa.Column("all_seen", sa.Boolean(), nullable=False),
        sa.Column("counted", JSON_VALUE, nullable=False),
        sa.Column("created_at", UTC_TIME, nullable=False),
        sa.Column("created_by", sa.String(), nullable=False),
        sa.Column("changed_at", UTC_TIME, nullable=False),
        sa.Column("changed_by", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_broadcasts"),
    )
    op.add_column("enrollments", sa.Column("broadcast_id", sa.String()))
    open_ones = sa.text("broadcast_id IS NOT NULL AND state = 'open'")
    op.create_index(
        "ix_enrollments_broadcast",
        "enrollments",
        ["broadcast_id", "next_at"],
        sqlite_where=open_ones,
        postgresql_where=open_ones,
    )
    op.add_column(
        "offers",
        sa.Column("free_shipping", sa.Boolean(), nullable=False, server_default=sa.false()),
    )


def downgrade() -> None:
    with op.batch_alter_table("offers") as table:
        table.drop_column("free_shipping")
    op.drop_index("ix_enrollments_broadcast", "enrollments")
    with op.batch_alter_table("enrollments") as table:
        table.drop_column("broadcast_id")
    op.drop_table("broadcasts")
    op.drop_table("hours_of_clicks")
    op.drop_index("ix_computed_by", "computed")
    op.drop_index("ix_computed_changes_at", "computed")
    op.drop_table("computed")
