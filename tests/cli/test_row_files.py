"""Files as people have them, read row by row: CSV from spreadsheets, JSONL from databases."""

import gzip
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from api.importing.rows import Refusal, Row, RowCode
from cli.columns import renaming
from cli.errors import WrongInputError
from cli.row_files import RowFile, opened

ID = (("id",),)


def read(
    folder: Path,
    content: str | bytes,
    *names: str,
    required: Sequence[tuple[str, ...]] = ID,
    clear_empty: bool = False,
) -> list[Row | Refusal]:
    path = folder / "file"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    with opened(path) as raw:
        rows = RowFile(path, raw, renaming(names), required, clear_empty=clear_empty)
        return list(rows.entries())


def values(entries: Sequence[Row | Refusal]) -> list[dict[str, Any]]:
    return [dict(each.values) for each in entries if isinstance(each, Row)]


def refused(entries: Sequence[Row | Refusal]) -> list[tuple[int, str]]:
    return [(each.line, each.code.value) for each in entries if isinstance(each, Refusal)]


TWO = [{"id": "c1", "name": "Ada, or so"}, {"id": "c2", "name": "Bea"}]


@pytest.mark.parametrize(
    "content",
    [
        pytest.param('id,name\nc1,"Ada, or so"\nc2,Bea\n', id="commas"),
        pytest.param("id;name\r\nc1;Ada, or so\r\nc2;Bea\r\n", id="semicolons and CRLF"),
        pytest.param("id\tname\nc1\tAda, or so\nc2\tBea", id="tabs, no newline at the end"),
        pytest.param('\ufeffid,name\nc1,"Ada, or so"\n\nc2,Bea\n\n', id="a BOM and blank lines"),
        pytest.param('id , "name"\nc1, " Ada, or so "\n c2 ,Bea\n', id="spaces around"),
    ],
)
def test_a_csv_is_read_whatever_a_spreadsheet_made_of_it(tmp_path: Path, content: str) -> None:
    entries = read(tmp_path, content)
    assert values(entries) == TWO
    assert refused(entries) == []


def test_a_separator_within_a_quoted_name_is_not_counted(tmp_path: Path) -> None:
    (row,) = read(tmp_path, '"a;b;c",id\n1,c1\n')
    assert row.values == {"a;b;c": "1", "id": "c1"}


def test_a_cell_may_hold_line_breaks_and_lines_are_still_counted(tmp_path: Path) -> None:
    entries = read(tmp_path, 'id,note\nc1,"one\ntwo ""2""\n"\nc2\nc3,x\n')
    assert values(entries) == [{"id": "c1", "note": 'one\ntwo "2"'}, {"id": "c3", "note": "x"}]
    assert [each.line for each in entries] == [2, 5, 6]
    assert refused(entries) == [(5, "wrong_columns")]


def test_cells_have_the_type_of_their_column_and_are_text_without_one(tmp_path: Path) -> None:
    header = "id,zip,seats:number,price:number,vip:bool,ends:date,tags:json,name:text\n"
    (row,) = read(tmp_path, header + 'c1,01234,3,1.5,Yes,2026-12-23,"[""a"", 1]",true\n')
    assert row.values == {
        "id": "c1",
        "zip": "01234",
        "seats": 3,
        "price": 1.5,
        "vip": True,
        "ends": "2026-12-23",
        "tags": ["a", 1],
        "name": "true",
    }


@pytest.mark.parametrize(
    ("column", "cell", "told"),
    [
        ("a:number", '"1,5"', "write `1234.5`"),
        ("a:number", "nan", "is no number"),
        ("a:number", "1e999", "is no number"),
        ("a:bool", "maybe", "`true` or `false`"),
        ("a:date", "23.12.2026", "`2026-12-23`"),
        ("a:json", "{a}", "not JSON"),
        ("a:json", "NaN", "not JSON"),
    ],
)
def test_a_cell_that_is_not_of_its_type_is_refused_with_its_column(
    tmp_path: Path, column: str, cell: str, told: str
) -> None:
    (entry,) = read(tmp_path, f"id,{column}\nc1,{cell}\n")
    assert isinstance(entry, Refusal)
    assert entry.code is RowCode.INVALID_VALUE
    assert "`a`" in entry.message
    assert told in entry.message


def test_an_empty_cell_says_nothing_unless_it_clears(tmp_path: Path) -> None:
    content = "id,plan,seats:number\nc1,, \n"
    assert values(read(tmp_path, content)) == [{"id": "c1"}]
    cleared = read(tmp_path, content, clear_empty=True)
    assert values(cleared) == [{"id": "c1", "plan": None, "seats": None}]


def test_json_values_keep_their_types(tmp_path: Path) -> None:
    rows = [{"id": 7, "vip": True, "tags": ["a"], "plan": None}, {"id": "c2", "name": "Zoë"}]
    content = "\ufeff" + "\n\n".join(json.dumps(row, ensure_ascii=False) for row in rows)
    assert values(read(tmp_path, content)) == rows


def test_a_bad_line_of_json_is_refused_and_the_next_is_read(tmp_path: Path) -> None:
    lines = [
        b'{"id": "c1"}',
        b"{oops}",
        b"[1]",
        b'{"a": NaN}',
        b'{"a": "\xff"}',
        b"[" * 9999,
        b"x" * 300_000,
        b'{"id": "c8"}',
    ]
    entries = read(tmp_path, b"\n".join(lines))
    assert values(entries) == [{"id": "c1"}, {"id": "c8"}]
    assert refused(entries) == [
        (2, "not_json"),
        (3, "not_an_object"),
        (4, "not_json"),
        (5, "not_utf8"),
        (6, "not_json"),
        (7, "too_long"),
    ]


def test_a_bad_line_of_csv_is_refused_and_the_next_is_read(tmp_path: Path) -> None:
    lines = [b"id,a", b'c2,"x"y', b"c3,\xff", b"c4,1,2", b"c5," + b"x" * 300_000, b"c6,z"]
    entries = read(tmp_path, b"\n".join(lines))
    assert values(entries) == [{"id": "c6", "a": "z"}]
    assert refused(entries) == [
        (2, "not_csv"),
        (3, "not_utf8"),
        (4, "wrong_columns"),
        (5, "too_long"),
    ]


def test_a_quote_that_is_never_closed_loses_no_more_than_it_must(tmp_path: Path) -> None:
    entries = read(tmp_path, 'id,a\nc1,x\nc2,"never\nc3,y\n')
    assert values(entries) == [{"id": "c1", "a": "x"}]
    assert refused(entries) == [(3, "not_csv")]


def test_a_gzipped_file_is_read_by_what_it_is_not_by_its_name(tmp_path: Path) -> None:
    assert values(read(tmp_path, gzip.compress(b"id,a\nc1,x\n"))) == [{"id": "c1", "a": "x"}]
    assert values(read(tmp_path, gzip.compress(b'{"id": 1}\n'))) == [{"id": 1}]


def test_a_column_can_be_renamed_typed_and_left_out(tmp_path: Path) -> None:
    entries = read(
        tmp_path,
        "User ID,n,notes,a=b\nc1,3,x,y\n",
        "User ID=id",
        "n=seats:number",
        "notes=",
        "a=b=c",
    )
    assert values(entries) == [{"id": "c1", "seats": 3, "c": "y"}]
    entries = read(tmp_path, '{"user": "c1", "notes": 1, "x": 2}', "user=id", "notes=")
    assert values(entries) == [{"id": "c1", "x": 2}]


@pytest.mark.parametrize(
    ("content", "names", "told"),
    [
        ("email,name\na,b\n", (), "no column `id`; it has `email`, `name`"),
        ("", (), "is empty"),
        ("\n\n", (), "is empty"),
        ("id,,a\n", (), "column 2 has no name"),
        ("id,a,a\n", (), "more than one column is called `a`"),
        ("id,a\n", ("a=id",), "more than one column is called `id`"),
        ("id,a:nmber\n", (), "there is no type `nmber`"),
        ("id,a\n", ("b=c",), "there is no column `b`; there are `id`, `a`"),
        ("id,a\n", ("b",), "not COLUMN=NAME"),
        ('[{"id": 1}]', (), "is a JSON array"),
        ("id,a\n".encode("utf-16"), (), "is not UTF-8"),
        pytest.param(
            gzip.compress(b"id,a\n" * 99)[:-9], (), "can't be read beyond line", id="cut off"
        ),
    ],
)
def test_a_file_whose_columns_can_not_be_known_is_refused_as_a_whole(
    tmp_path: Path, content: str | bytes, names: tuple[str, ...], told: str
) -> None:
    with pytest.raises(WrongInputError) as error:
        read(tmp_path, content, *names)
    assert told in str(error.value)


def test_one_of_several_columns_is_enough(tmp_path: Path) -> None:
    either = (("id", "email"), ("at",))
    assert values(read(tmp_path, "email,at\na,b\n", required=either)) == [{"email": "a", "at": "b"}]
    with pytest.raises(WrongInputError, match="no column `id` or `email`"):
        read(tmp_path, "at\nb\n", required=either)


def test_a_file_that_is_not_there_is_told(tmp_path: Path) -> None:
    with pytest.raises(WrongInputError, match="can't be read"):
        opened(tmp_path / "nothing.csv")
    with pytest.raises(WrongInputError, match="can't be read"):
        opened(tmp_path)
