"""`parcours demo`: real customers, a fast clock, and a table that tells the truth."""

from pathlib import Path

import pytest

from cli.demo_cast import CAST, cast
from tests.cli.running import parcours


def test_beyond_the_cast_they_come_again_under_another_id_and_address() -> None:
    members = list(cast(45))
    assert len({member.id for member in members}) == 45
    addresses = [a for m in members if "@example.com" in (a := str(m.traits.get("email")))]
    assert len(set(addresses)) == len(addresses)
    assert len(list(cast(20))) == len(CAST) == 20


def test_it_empties_no_folder_that_is_not_a_demos(tmp_path: Path) -> None:
    (tmp_path / "thesis.txt").write_text("years of work")
    ran = parcours("demo", "--data", tmp_path)
    assert ran.code == 2
    assert "is not a demo's folder" in ran.err
    assert (tmp_path / "thesis.txt").exists()


@pytest.mark.long
def test_three_customers_at_a_day_a_second_get_what_their_stories_say(tmp_path: Path) -> None:
    ran = parcours("demo", "--speed", "86400", "--customers", "4", "--data", tmp_path / "demo")
    assert (ran.code, ran.err) == (0, "")
    table = ran.out.partition("Who got what")[2]
    rows = {words[0]: words for line in table.splitlines() if (words := line.split())}
    assert rows["ada"][-8:] == ["✓", "1", "✓", "2", "bought", "bought", "converted", "4"]
    assert rows["bruno"][-10:-2] == ["✓", "1", "✓", "2", "✓", "10", "✓", rows["bruno"][-3]]
    assert rows["chloe"][-10:-2] == ["✓", "1", "✓", "2", "not", "due", "✓", rows["chloe"][-3]]
    assert rows["dan"][-8:] == ["✓", "1", "✓", "2", "left", "left", "exited", "6"]
    assert "mailbox" in ran.out
