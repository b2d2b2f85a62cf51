"""Messages are found by the address they went to: bounces and replies name nothing else."""

from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_messages_address_channel", "messages", ["address", "channel"])


def downgrade() -> None:
    op.drop_index("ix_messages_address_channel", "messages")
