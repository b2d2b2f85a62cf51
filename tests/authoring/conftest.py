"""A journeys folder made of texts, right until a test makes it wrong."""

from pathlib import Path

import pytest

from tests.authoring.right_folder import RIGHT, Write


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes the right folder, changed by what is given: path → text, or None to leave it out."""

    def _write(changes: dict[str, str | bytes | None] | None = None) -> Path:
        root = tmp_path / "journeys"
        for name, text in (RIGHT | (changes or {})).items():
            if text is None:
                continue
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(text if isinstance(text, bytes) else text.encode())
        return root

    return _write
