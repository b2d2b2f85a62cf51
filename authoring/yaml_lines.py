"""YAML text into plain Python data that remembers its lines.

Reads YAML 1.2's core schema and nothing more: `on`, `off`, `yes` and `no` are text, keys
are always text (`1:` is `"1"`), tags and several documents are refused, aliases are
followed within a bound. The surprising fact: a date or time without quotes stays the text
that was written (`2026-12-01` is `"2026-12-01"`), as YAML 1.2 has no dates, so what a trait
means is decided by the engine, which knows the customer's zone, and by nobody before it.

ruamel.yaml cuts the text into events; the values are made here, so that no YAML text can
make anything but None, bool, int, float, str, list and dict.
"""

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NoReturn

from ruamel.yaml import YAML
from ruamel.yaml.error import MarkedYAMLError, YAMLError
from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    Event,
    MappingEndEvent,
    MappingStartEvent,
    NodeEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)
from ruamel.yaml.reader import ReaderError

MAX_BYTES = 256 * 1024  # a journey of a hundred steps has 20 KB; the scanner needs 2 s for this
MAX_DEPTH = 20  # the deepest journey has 6; the scanner grows slow with depth
MAX_VALUES = 50_000  # with what aliases repeat, so nine lines can't stand for a billion values

_NULL = frozenset({"", "~", "null", "Null", "NULL"})
_BOOL = {"true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False}
_INT = re.compile(r"[-+]?[0-9]+")
_OCTAL = re.compile(r"0o[0-7]+")
_HEX = re.compile(r"0x[0-9a-fA-F]+")
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?")
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)")
_LONGEST_NUMBER = 40  # longer digits are an id, which a number would spoil

# What ruamel says, and what that means for someone who writes a journey.
_HINTS = (
    ("mapping values are not allowed", "unexpected `:`: put a value that contains `: ` in quotes, "
     "and check that keys of one level are indented alike"),
    ("character '\\t'", "a tab: indent with spaces"),
    ("character '`'", "a value can't start with a backtick: put it in quotes"),
    ("character '@'", "a value can't start with `@`: put it in quotes"),
    ("character '%'", "a value can't start with `%`: put it in quotes"),
    ("could not find expected ':'", "a key without `:`: write `key: value`"),
    ("expected ',' or ']'", "a `[` is not closed: write `]`, with commas between the items"),
    ("expected ',' or '}'", "a `{` is not closed: write `}`, with commas between the entries"),
    ("expected <block end>", "the indentation does not fit the lines before: indent keys of one "
     "level alike, and start each item of a list with `- `"),
    ("unexpected end of stream", "a quote is opened and never closed"),
    ("unknown escape character", "unknown escape: use 'single quotes' for text with backslashes"),
)  # fmt: skip


class NotYaml(ValueError):  # noqa: N818 - read as a sentence where it is caught
    """The text is not YAML as we read it; `line` counts from 1, or is None."""

    def __init__(self, line: int | None, message: str) -> None:
        super().__init__(message)
        self.line = line
        self.message = message


@dataclass
class Node:
    """A value with its line. `entries` has the children of a list or mapping, by index or key."""

    value: Any
    line: int
    size: int = 1
    entries: dict[int | str, "Node"] = field(default_factory=dict)


@dataclass(frozen=True)
class Duplicate:
    """A key that is written twice in one mapping; the first one counts."""

    key: str
    line: int
    first_line: int


@dataclass(frozen=True)
class Document:
    """A text that was read. A mistake that leaves the rest readable (`duplicates`) is kept."""

    root: Node
    duplicates: tuple[Duplicate, ...]

    @property
    def data(self) -> Any:
        """The plain value: dicts, lists, text, numbers, truth values, None."""
        return self.root.value

    def line(self, loc: Sequence[int | str] = ()) -> int:
        """The line of what a path leads to, or of the nearest thing around it.

        Parts that the file does not have are passed over, so pydantic's locations fit also
        where a single value stands for a list of one.
        """
        node = self.root
        for part in loc:
            node = node.entries.get(part, node)
        return node.line


def read_yaml(text: str) -> Document:
    """Raises NotYaml, at the first fault: behind it nobody can know what was meant."""
    if len(text.encode("utf-8", "surrogatepass")) > MAX_BYTES:
        raise NotYaml(None, f"the file is larger than {MAX_BYTES // 1024} KB: split it")
    builder = _Builder(_events(text))
    return Document(builder.document(), tuple(builder.duplicates))


def _events(text: str) -> Iterator[Event]:
    yaml = YAML(typ="safe", pure=True)
    try:
        yield from yaml.parse(text)
    except ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise NotYaml(line, f"the character U+{ord(text[error.position]):04X} can't stand in YAML: "
                      "remove it") from None  # fmt: skip
    except MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        raise NotYaml(mark.line + 1 if mark else None, _in_plain_words(error)) from None
    except YAMLError as error:
        raise NotYaml(None, f"this is not YAML: {error}") from None


def _in_plain_words(error: MarkedYAMLError) -> str:
    problem = error.problem or "it can't be read"
    hint = next((hint for sign, hint in _HINTS if sign in problem), problem)
    return f"this is not YAML: {hint}"


class _Builder:
    """Makes values of a stream of events, one document, depth and number bounded."""

    def __init__(self, events: Iterator[Event]) -> None:
        self._events = events
        self._anchors: dict[str, Node | None] = {}  # None while the anchored value is being read
        self._values = 0
        self.duplicates: list[Duplicate] = []

    def document(self) -> Node:
        root: Node | None = None
        for event in self._events:
            if isinstance(event, DocumentStartEvent) and root is not None:
                _refuse(event, "a second document begins here: keep one document in a file")
            if isinstance(event, NodeEvent):
                root = self._node(event, 0)
        if root is None:
            raise NotYaml(None, "the file is empty")
        return root

    def _node(self, event: Event, depth: int) -> Node:
        if isinstance(event, AliasEvent):
            return self._alias(event)
        assert isinstance(event, ScalarEvent | SequenceStartEvent | MappingStartEvent)
        if event.ctag:
            _refuse(event, f"the tag `{event.tag}` is not read: write a plain value")
        if depth > MAX_DEPTH:
            _refuse(event, f"nested deeper than {MAX_DEPTH} levels: write it flatter")
        self._count(event, 1)
        if event.anchor is not None:
            self._anchors[event.anchor] = None
        node = Node(None, event.start_mark.line + 1)
        if isinstance(event, ScalarEvent):
            node.value = _scalar(event)
        elif isinstance(event, SequenceStartEvent):
            self._fill_list(node, depth)
        else:
            self._fill_mapping(node, depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = node
        return node

    def _alias(self, event: AliasEvent) -> Node:
        if event.anchor not in self._anchors:
            _refuse(
                event,
                f"`*{event.anchor}` has no `&{event.anchor}` before it; if it is text, "
                "put it in quotes",
            )
        target = self._anchors[event.anchor]
        if target is None:
            _refuse(event, f"`*{event.anchor}` stands inside the value it names")
        self._count(event, target.size)
        return target

    def _count(self, event: Event, values: int) -> None:
        self._values += values
        if self._values > MAX_VALUES:
            _refuse(event, f"the file holds more than {MAX_VALUES} values: split it")

    def _fill_list(self, node: Node, depth: int) -> None:
        node.value = []
        while not isinstance(event := next(self._events), SequenceEndEvent):
            self._add(node, len(node.value), self._node(event, depth + 1))

    def _fill_mapping(self, node: Node, depth: int) -> None:
        node.value = {}
        while not isinstance(event := next(self._events), MappingEndEvent):
            key = self._key(event)
            line = event.start_mark.line + 1
            child = self._node(next(self._events), depth + 1)
            if key in node.entries:
                self.duplicates.append(Duplicate(key, line, node.entries[key].line))
                continue
            # A key's line, not its value's: that is where the eye looks.
            self._add(node, key, Node(child.value, line, child.size, child.entries))

    def _key(self, event: Event) -> str:
        if not isinstance(event, ScalarEvent):
            _refuse(event, "a key is one word, not a list, a mapping or an alias")
        if event.value == "<<" and event.style is None:
            _refuse(event, "`<<` is not part of YAML 1.2: write the keys out")
        if event.ctag or event.anchor is not None:
            _refuse(event, "a key can't carry a tag or an anchor")
        if event.value == "":
            _refuse(event, "a key is missing before `:`")
        self._count(event, 1)
        return str(event.value)

    @staticmethod
    def _add(node: Node, part: int | str, child: Node) -> None:
        node.entries[part] = child
        node.size += child.size
        if isinstance(part, str):
            node.value[part] = child.value
        else:
            node.value.append(child.value)


def _refuse(event: Event, message: str) -> NoReturn:
    raise NotYaml(event.start_mark.line + 1, message)


def _scalar(event: ScalarEvent) -> str | int | float | bool | None:
    text = str(event.value)
    if event.style is not None:  # quoted, or a block: text
        return text
    if text in _NULL:
        return None
    if text in _BOOL:
        return _BOOL[text]
    number = _number(text) if len(text) <= _LONGEST_NUMBER else None
    if number is None:
        return text
    if not math.isfinite(number):
        _refuse(event, f"`{text}` is not a finite number; if it is text, put it in quotes")
    return number


def _number(text: str) -> int | float | None:
    if _INT.fullmatch(text):
        return int(text)
    if _OCTAL.fullmatch(text):
        return int(text[2:], 8)
    if _HEX.fullmatch(text):
        return int(text[2:], 16)
    if _FLOAT.fullmatch(text):
        return float(text)
    return math.inf if _NOT_FINITE.fullmatch(text) else None
