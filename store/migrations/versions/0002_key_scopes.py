"""Keys say `events:write`, `support` and `admin`, and may have a rate limit of their own."""

from collections.abc import Mapping

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

# Nobody loses anything: `manage` was all there was to do, so it becomes both of its heirs.
_HEIRS = {"ingest": ("events:write",), "manage": ("support", "admin")}
_ANCESTORS = {"events:write": ("ingest",), "support": ("manage",), "admin": ("manage",)}

_KEYS = sa.table(
    "api_keys",
    sa.column("id", sa.BigInteger()),
    sa.column("scopes", sa.JSON().with_variant(JSONB(), "postgresql")),
)


def upgrade() -> None:
    op.add_column("api_keys", sa.Column("events_per_second", sa.Integer()))
    _rename(_HEIRS)


def downgrade() -> None:
    _rename(_ANCESTORS)
    with op.batch_alter_table("api_keys") as table:
        table.drop_column("events_per_second")


def _rename(names: Mapping[str, tuple[str, ...]]) -> None:
    """Replace the scopes of every key; a word that is not known stays."""
    connection = op.get_bind()
    for key_id, scopes in connection.execute(sa.select(_KEYS.c.id, _KEYS.c.scopes)).all():
        renamed = sorted({new for old in scopes for new in names.get(old, (old,))})
        connection.execute(sa.update(_KEYS).where(_KEYS.c.id == key_id).values(scopes=renamed))
