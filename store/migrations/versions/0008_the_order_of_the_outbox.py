"""What the dispatcher looks at next, found without going through all that is pending."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_PENDING = "done_at IS NULL AND parked_at IS NULL"
_INDICES = {
    "ix_outbox_in_order": ("id", sa.text(f"{_PENDING} AND kind <> 'paced'")),
    "ix_outbox_paced": ("not_before_at", sa.text(f"{_PENDING} AND kind = 'paced'")),
}


def upgrade() -> None:
    for name, (column, where) in _INDICES.items():
        op.create_index(name, "outbox", [column], sqlite_where=where, postgresql_where=where)


def downgrade() -> None:
    for name in _INDICES:
        op.drop_index(name, "outbox")
