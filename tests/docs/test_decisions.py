"""Decision records have a number of their own, and say what was the case, decided, and follows."""

import re
from collections import Counter
from pathlib import Path

from tests.lint.checkout import ROOT

_NAME = re.compile(r"(\d{4})-[a-z0-9-]+\.md")


def faults(folder: Path) -> list[str]:
    """What is wrong with the records in a folder."""
    records = [path for path in sorted(folder.glob("*.md")) if path.name != "README.md"]
    numbers = Counter(path.name[:4] for path in records)
    found = []
    for path in records:
        text = path.read_text(encoding="utf-8").lower()
        if not _NAME.fullmatch(path.name) or numbers[path.name[:4]] > 1:
            found.append(f"{path.name}: its name")
        if lacks := [p for p in ("context", "decision", "consequence") if p not in text]:
            found.append(f"{path.name}: no {', '.join(lacks)}")
    return found


def test_every_decision_record_is_whole() -> None:
    assert faults(ROOT / "docs" / "decisions") == []


def test_a_record_that_is_not_whole_is_found(tmp_path: Path) -> None:
    whole = "context, decision, consequence"
    for name, text in {
        "0001-one.md": whole,
        "0002-two.md": whole,
        "0002-too.md": whole,
        "0003-three.md": "context, consequence",
        "four.md": whole,
        "README.md": "what these are",
    }.items():
        (tmp_path / name).write_text(text)
    assert faults(tmp_path) == [
        "0002-too.md: its name",
        "0002-two.md: its name",
        "0003-three.md: no decision",
        "four.md: its name",
    ]
