"""What a journey needs of the policy beside it: topics, webhooks, computed traits, segments.

Decides by what its files say, not by what they mean, so a key that takes a new kind of name is
one line here. The surprising fact: it rather finds too much. A trait that is defined and never
used costs nothing; one that is used and not defined is a condition that is silently false.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

# Mappings of policy.yaml from a name to what it stands for, in the order in which they are told.
SECTIONS = ("topics", "webhooks", "traits", "segments")

# Keys whose value is such a name.
_NAMED_BY = {
    "topic": "topics", "subscribe": "topics", "unsubscribe": "topics", "confirm": "topics",
    "call": "webhooks", "code_from": "webhooks", "enters": "segments", "leaves": "segments",
}  # fmt: skip

# How conditions and templates speak of such a name.
_SPOKEN = {
    "topics": r"""subscribed\(\s*['"]{name}['"]""",
    "traits": r"""customer(\.{name}(?![\w-])|\[\s*['"]{name}['"])""",
    "segments": r"""(inside\(|event\.segment\s*==)\s*['"]{name}['"]""",
}

Sections = Mapping[str, Mapping[str, Any]]


def sections_of(policy: object) -> Sections:
    """Those mappings of a policy file; one that is missing, or not a mapping, is empty."""
    data = policy if isinstance(policy, dict) else {}
    return {
        section: found if isinstance(found := data.get(section), dict) else {}
        for section in SECTIONS
    }


def needs(data: Iterable[Any], texts: Iterable[str], defined: Sections) -> dict[str, list[str]]:
    """By section, the names among those `defined` that files name, in the order defined.

    `data` are YAML files as read, `texts` are templates. What is named may name others: a
    segment's condition speaks of traits.
    """
    found: dict[str, set[str]] = {section: set() for section in defined}
    waiting: list[tuple[list[Any], list[str]]] = [([*data], [*texts])]
    while waiting:
        for section, name in _named(*waiting.pop(), defined):
            if name not in found[section]:
                found[section].add(name)
                waiting.append(([defined[section][name]], []))
    return {
        section: [name for name in names if name in found[section]]
        for section, names in defined.items()
        if found[section]
    }


def _named(data: list[Any], texts: list[str], defined: Sections) -> Iterator[tuple[str, str]]:
    written = [(key, text) for each in data for key, text in _texts(each, "")]
    for key, text in written:
        section = _NAMED_BY.get(key)
        if section is not None and text in defined.get(section, {}):
            yield section, text
    whole = "\n".join([*(text for _, text in written), *texts])
    for section, pattern in _SPOKEN.items():
        for name in defined.get(section, {}):
            if re.search(pattern.format(name=re.escape(name)), whole):
                yield section, name


def _texts(value: Any, key: str) -> Iterator[tuple[str, str]]:
    """Every text with the key that it stands under; an item of a list stands under the list's."""
    match value:
        case str():
            yield key, value
        case dict():
            for name, each in value.items():
                yield from _texts(each, name)
        case list():
            for each in value:
                yield from _texts(each, key)
