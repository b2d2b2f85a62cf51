"""YAML 1.2 into plain data with lines, and nothing that a hostile file could use."""

from typing import Any

import pytest

from authoring.yaml_lines import MAX_VALUES, NotYaml, read_yaml


def _data(text: str) -> Any:
    return read_yaml(text).data


@pytest.mark.parametrize("word", ["on", "off", "yes", "no", "y", "n", "On", "YES"])
def test_words_that_yaml_1_1_took_for_truth_values_are_text(word: str) -> None:
    assert _data(f"{word}: {word}") == {word: word}


@pytest.mark.parametrize(
    ("written", "value"),
    [
        ("true", True), ("False", False), ("null", None), ("~", None), ("", None),
        ("17", 17), ("-3", -3), ("017", 17), ("0o17", 15), ("0x1F", 31),
        ("1.5", 1.5), (".5", 0.5), ("1e3", 1000.0),
        ("1_000", "1_000"), ("0b1", "0b1"), ("12:30", "12:30"), ("190:20:30", "190:20:30"),
        ("2026-12-01", "2026-12-01"), ("2026-12-01 09:00", "2026-12-01 09:00"),
        ("2026-12-01T09:00:00Z", "2026-12-01T09:00:00Z"),
        ("'17'", "17"), ('"true"', "true"), ("9" * 41, "9" * 41), ("=", "="),
    ],
)  # fmt: skip
def test_a_scalar_is_what_the_core_schema_says(written: str, value: object) -> None:
    found = _data(f"key: {written}")["key"]
    assert found == value
    assert type(found) is type(value)


def test_a_key_is_always_text() -> None:
    assert _data("1: a\ntrue: b\n2026-12-01: c") == {"1": "a", "true": "b", "2026-12-01": "c"}


def test_lines_are_those_of_the_keys() -> None:
    document = read_yaml("# a comment\ntop:\n  - a: 1\n    b:\n      2\n  - {c: 3}\n")
    assert document.line() == 2
    assert document.line(("top", 0, "a")) == 3
    assert document.line(("top", 0, "b")) == 4
    assert document.line(("top", 1)) == 6
    assert document.line(("top", 1, "c")) == 6


def test_a_path_that_the_file_does_not_have_leads_to_what_is_around_it() -> None:
    document = read_yaml("a: 1\nevents:\n  event: x\n  where: y\n")
    assert document.line(("events", "missing")) == 2
    assert document.line(("events", 0, "where")) == 4  # one mapping stands for a list of one


def test_a_key_written_twice_is_found_and_the_rest_still_read() -> None:
    document = read_yaml("a: 1\nb: 2\na: 3\n")
    assert document.data == {"a": 1, "b": 2}
    assert [(d.key, d.line, d.first_line) for d in document.duplicates] == [("a", 3, 1)]


def test_an_alias_is_the_value_it_names() -> None:
    assert _data("a: &x {b: [1, 2]}\nc: *x\n") == {"a": {"b": [1, 2]}, "c": {"b": [1, 2]}}


def test_a_billion_laughs_are_refused_before_they_are_told() -> None:
    lines = ["a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 9)]
    with pytest.raises(NotYaml, match=f"more than {MAX_VALUES} values") as caught:
        read_yaml("\n".join(lines))
    assert caught.value.line is not None


@pytest.mark.parametrize("bomb", ["[" * 100_000, "{a: " * 50_000, "- " * 100_000])
def test_depth_is_bounded_before_it_costs_anything(bomb: str) -> None:
    with pytest.raises(NotYaml, match="nested deeper than"):
        read_yaml(bomb)


def test_a_huge_file_is_refused() -> None:
    with pytest.raises(NotYaml, match="larger than 256 KB"):
        read_yaml("a: " + "x" * 300_000)


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("a: 1\nb: !!python/object/apply:os.system [ls]", 2, "the tag .* is not read"),
        ("a: !!str 1", 1, "the tag"),
        ("a: 1\nb: !custom {}", 2, "the tag"),
        ("a: 1\n---\nb: 2", 2, "a second document"),
        ("a: &x\n  b: *x", 2, "stands inside the value it names"),
        ("&a [*a]", 1, "stands inside the value it names"),
        ("a: 1\nb: *nope", 2, "no `&nope` before it"),
        ("a: &x {b: 1}\nc:\n  <<: *x", 3, "write the keys out"),
        ("? [1]\n: 2", 1, "a key is one word"),
        ("a: .inf", 1, "not a finite number"),
        ("a: .nan", 1, "not a finite number"),
        ("a: 1e999", 1, "not a finite number"),
        ("a:\n\tb: 1", 2, "indent with spaces"),
        ("a: 1\nb: c: d", 2, "in quotes"),
        ("a: 1\n  b: 2", 2, "indented alike"),
        ("a: 1\nb: [1, 2", 2, "`\\[` is not closed"),
        ("a: 1\nb: 'x", 2, "never closed"),
        ("a: `x`", 1, "backtick"),
        ("a: 1\nb", 2, "write `key: value`"),
        ("- a\nb: 1", 2, "indent"),
        ("a: 1\nb: \x00", 2, "U\\+0000"),
        ("", None, "empty"),
        ("# nothing\n", None, "empty"),
    ],
)
def test_what_is_not_read_is_refused_with_its_line(
    text: str, line: int | None, message: str
) -> None:
    with pytest.raises(NotYaml, match=message) as caught:
        read_yaml(text)
    assert caught.value.line == line


def test_the_1_1_directive_changes_nothing() -> None:
    assert _data("%YAML 1.1\n---\non: yes\n") == {"on": "yes"}


def test_a_byte_order_mark_is_no_part_of_the_first_key() -> None:
    assert _data("\ufeffa: 1") == {"a": 1}
