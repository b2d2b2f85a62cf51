"""`.parcours/`: where the embedded stack keeps its store, its logs and its two secrets.

The secrets are made once and stay, so that links in old mails and keys in an app's settings
go on working; only their owner can read them.
"""

from __future__ import annotations

import os
import secrets
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from store.database import Database

DATA = Path(".parcours")
_OWNER_ONLY = 0o600
_KEY_NAME = "parcours dev"


class DataFolder:
    """One folder, made if it is not there."""

    def __init__(self, path: Path) -> None:
        self.path = path
        path.mkdir(parents=True, exist_ok=True, mode=0o700)

    @property
    def database_url(self) -> str:
        return f"sqlite+aiosqlite:///{self.path / 'parcours.db'}"

    def secret_key(self) -> str:
        """What signs links here."""
        kept = self._read("secret.key")
        if kept is None:
            kept = secrets.token_hex()
            self._write("secret.key", kept)
        return kept

    async def api_key(self, database: Database) -> str:
        """A key with every scope, good for this store; a new one if the old is not known there.

        Then those that were made before are revoked: nobody has them any more.
        """
        from api.scopes import ALL_SCOPES
        from store import keys

        now = datetime.now(UTC)
        async with database.transaction() as session:
            kept = self._read("api.key")
            if kept is not None and await keys.find_valid(session, kept) is not None:
                return kept
            for lost in await keys.live_of(session, _KEY_NAME):
                assert lost.id is not None  # it comes from the store
                await keys.revoke(session, lost.id, now)
            _, made = await keys.create(session, _KEY_NAME, ALL_SCOPES, now)
        self._write("api.key", made)
        return made

    def _read(self, name: str) -> str | None:
        try:
            return (self.path / name).read_text(encoding="ascii").strip() or None
        except FileNotFoundError:
            return None

    def _write(self, name: str, text: str) -> None:
        path = self.path / name
        path.unlink(missing_ok=True)  # it may be readable by others
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, _OWNER_ONLY), "w") as file:
            file.write(f"{text}\n")
