"""A channel's rate is held by the store: one row says what of it is given out."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

# As `store.tables.columns` had it at the time: a migration must not change with the code.
UTC_TIME = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "send_slots",
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("free_at", UTC_TIME, nullable=False),
        sa.Column("transactional_at", UTC_TIME, nullable=False),
        sa.Column("marketing_at", UTC_TIME, nullable=False),
        sa.Column("handed_at", UTC_TIME, nullable=False),
        sa.PrimaryKeyConstraint("channel", name="pk_send_slots"),
    )


def downgrade() -> None:
    op.drop_table("send_slots")
