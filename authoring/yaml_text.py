"""Changes a YAML file as a person would: a few lines of it, and not a letter of the others.

Knows no key's meaning. The surprising fact: nothing is dumped. ruamel tells where each value
begins and ends, the text is cut there, and the result is read again: a file that is laid out
in a way nobody foresaw is refused, never spoilt.
"""

import json
from collections.abc import Sequence
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.nodes import CollectionNode, MappingNode, Node, ScalarNode

from authoring.yaml_lines import NotYaml, read_yaml


class NotChanged(ValueError):  # noqa: N818 - read as a sentence where it is caught
    """The file can't be changed so; it is to be done by hand."""


def with_value(text: str, key: str, value: str) -> str:
    """The file with another plain value of a key at its top. NotChanged if it has no such key."""
    found = _entry(_root(text), key)
    if found is None or not isinstance(found[1], ScalarNode):
        raise NotChanged(f"there is no `{key}` with one value")
    node = found[1]
    changed = f"{text[: node.start_mark.index]}{value}{text[node.end_mark.index :]}"
    return _checked(changed, read_yaml(text).data | {key: value})


def entry_text(text: str, section: str, name: str) -> str | None:
    """The lines of one entry of a mapping at the top, with the comment above them, unindented.

    None if they can't be cut out, as in a mapping in braces.
    """
    mapping = _section(_root(text), section)
    found = None if mapping is None else _entry(mapping, name)
    if mapping is None or found is None or mapping.flow_style:
        return None
    lines = _lines(text)
    key, value = found
    first, indent = key.start_mark.line, key.start_mark.column
    while first > 0 and lines[first - 1].startswith(f"{' ' * indent}#"):
        first -= 1
    cut = lines[first : _last_line(value, lines) + 1]
    return "\n".join(line[indent:] if line[:indent].isspace() else line for line in cut)


def with_entry(text: str, section: str, name: str, value: Any, written: str | None) -> str:
    """The file with one more entry in a mapping at its top, the last one there.

    `written` is how it is to look, if that is known (`entry_text`), and `value` what it must
    be read as. A mapping that is missing is begun at the end of the file.
    """
    mapping = _section(_root(text), section)
    before = read_yaml(text).data
    expected = before | {section: before.get(section, {}) | {name: value}}
    in_braces = f"{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}"
    lines = _lines(text)
    if mapping is None:
        more = ["", f"{section}:", *_indented(written or in_braces, 2)]
        return _checked("\n".join([*lines, *more]) + "\n", expected)
    if mapping.flow_style:
        end = mapping.end_mark.index - 1
        comma = ", " if mapping.value else ""
        return _checked(f"{text[:end].rstrip()}{comma}{in_braces}{text[end:]}", expected)
    last_key, last_value = mapping.value[-1]
    place = _last_line(last_value, lines) + 1
    more = _indented(written or in_braces, last_key.start_mark.column)
    return _checked("\n".join([*lines[:place], *more, *lines[place:]]) + "\n", expected)


def _indented(text: str, indent: int) -> list[str]:
    return [f"{' ' * indent}{line}" if line else line for line in _lines(text)]


def _lines(text: str) -> list[str]:
    """As YAML counts them: `splitlines` also cuts at signs that are text here."""
    return text.removesuffix("\n").split("\n")


def _checked(text: str, expected: object) -> str:
    try:
        read = read_yaml(text).data
    except NotYaml as error:
        raise NotChanged(error.message) from error
    if read != expected:
        raise NotChanged("its layout does not let it be changed")
    return text


def _root(text: str) -> MappingNode:
    root = YAML(typ="safe", pure=True).compose(text)
    if not isinstance(root, MappingNode):
        raise NotChanged("it has no keys")
    return root


def _section(root: MappingNode, key: str) -> MappingNode | None:
    found = _entry(root, key)
    if found is None:
        return None
    if not isinstance(found[1], MappingNode):
        raise NotChanged(f"`{key}` holds no names")
    return found[1]


def _entry(mapping: MappingNode, key: str) -> tuple[Node, Node] | None:
    pairs: Sequence[tuple[Node, Node]] = mapping.value
    return next((pair for pair in pairs if pair[0].value == key), None)


def _last_line(node: Node, lines: list[str]) -> int:
    """The last line that a value has something on: its end may lie beyond comments."""
    if not isinstance(node, CollectionNode) or node.flow_style or not node.value:
        last = node.end_mark.line if node.end_mark.column else node.end_mark.line - 1
        while not lines[last].strip():
            last -= 1
        return int(last)
    deepest = node.value[-1]
    return _last_line(deepest[1] if isinstance(node, MappingNode) else deepest, lines)
