"""Everything that is wrong with a message folder, found without rendering it.

Decides by files' names and templates' syntax trees; knows no customer, so a missing trait
is not its business. The surprising fact: it refuses text outside the blocks of a file that
extends a layout, which Jinja2 would silently drop.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from jinja2 import nodes

from rendering.errors import TemplateError
from rendering.sandbox import Sandbox
from rendering.sources import (
    CARD,
    FILES,
    HTML,
    LAYOUT,
    SMS,
    SUBJECT,
    TEXT,
    MessageSource,
    is_locale,
    place,
    split,
)
from rendering.templates import compiled

# A translation of a file needs one of these in the root: all who read other languages get those.
_UNTRANSLATED = {
    SUBJECT: frozenset({SUBJECT, HTML}),  # if one of the two is missing, that is told anyway
    HTML: frozenset({SUBJECT, HTML}),
    SMS: frozenset({SMS}),
    CARD: frozenset({CARD}),
}


@dataclass(frozen=True)
class Mistake:
    """`file` begins with the message's name, or is a layout's path; `line` counts from 1."""

    file: str
    line: int | None
    message: str


def check_message(source: MessageSource) -> list[Mistake]:
    """Every mistake in the message's own files; its layouts are `check_layouts`' matter."""
    mistakes = [*_file_mistakes(source)]
    sandbox = compiled(source)
    for path in sorted(source.files):
        if split(path)[1] in (*FILES, LAYOUT):
            mistakes += _template_mistakes(source, sandbox, path)
    return mistakes


def speaks_of(source: MessageSource, name: str) -> tuple[str, int] | None:
    """The first file and line of the message's own where it uses this word; None if nowhere.

    A layout that others share does not count: it speaks of what some of its messages have.
    """
    sandbox = compiled(source)
    for path in sorted(source.files):
        try:
            tree = sandbox.tree(source.files[path], source.full_name(path))
        except TemplateError:
            continue  # a mistake, which `check_message` tells
        lines = [each.lineno for each in tree.find_all(nodes.Name) if each.name == name]
        if lines:
            return source.full_name(path), min(lines)
    return None


def check_layouts(layouts: Mapping[str, str]) -> list[Mistake]:
    """Every mistake in shared layouts, by themselves."""
    sandbox = compiled(MessageSource("", {}, layouts))
    mistakes = []
    for path in sorted(layouts):
        folder, file = split(path)
        if file != LAYOUT or (folder and not is_locale(folder)):
            mistakes.append(Mistake(path, None, f"a layout is called `{LAYOUT}` or `fr/{LAYOUT}`"))
        refused = _refused(sandbox, path, layouts[path])
        mistakes += refused
        if not refused and (line := _extends_itself(sandbox.tree(layouts[path], path), file)):
            mistakes.append(Mistake(path, line, f"`{file}` can't extend itself"))
    return mistakes


def _extends_itself(tree: nodes.Template, file: str) -> int | None:
    extends = tree.find(nodes.Extends)
    if extends is None or not isinstance(extends.template, nodes.Const):
        return None
    return extends.lineno if extends.template.value == file else None


def _file_mistakes(source: MessageSource) -> Iterator[Mistake]:
    for path in sorted(source.files):
        folder, file = split(path)
        name = source.full_name(path)
        if folder and not is_locale(folder):
            yield Mistake(name, None, f"`{folder}` is not a language such as `fr` or `fr-CA`")
        elif file not in (*FILES, LAYOUT):
            yield Mistake(name, None, f"unknown file{_meant(file, (*FILES, LAYOUT))}")
        elif folder and file in _UNTRANSLATED and _UNTRANSLATED[file].isdisjoint(source.files):
            yield Mistake(
                name, None, f"there is no `{file}` for those who read other languages: add it"
            )
    for folder in ("", *filter(is_locale, source.locales)):
        yield from _incomplete(source, folder)
    if not any(file in source.files for file in FILES):
        yield Mistake(source.name, None, f"says nothing: add `{SUBJECT}` and `{HTML}`, or `{SMS}`")


def _incomplete(source: MessageSource, folder: str) -> Iterator[Mistake]:
    """An e-mail is both subject and HTML, and both in the same language."""
    has = {file for file in (SUBJECT, HTML, TEXT) if place(folder, file) in source.files}
    for needed, given in ((HTML, has & {SUBJECT, TEXT}), (SUBJECT, has & {HTML})):
        if given and needed not in has:
            name = source.full_name(place(folder, max(given)))  # the text part only if alone
            yield Mistake(name, None, f"`{needed}` is missing beside it: an e-mail needs both")


def _template_mistakes(source: MessageSource, sandbox: Sandbox, path: str) -> Iterator[Mistake]:
    name = source.full_name(path)
    yield from _refused(sandbox, name, source.files[path])
    try:
        tree = sandbox.tree(source.files[path], name)
    except TemplateError:
        return  # told already, and nothing more can be said
    extends = tree.find(nodes.Extends)
    if extends is None or not isinstance(extends.template, nodes.Const):
        return
    wanted = extends.template.value
    try:
        blocks = _blocks(sandbox, sandbox.join_path(wanted, name))
    except LookupError:
        hint = _meant(wanted, [split(layout)[1] for layout in source.layouts])
        yield Mistake(name, extends.lineno, f"there is no layout `{wanted}`{hint}")
        return
    except TemplateError:
        return  # told where the layout is checked
    for block in _nested(tree):
        if block.name not in blocks:
            message = f"`{wanted}` has no block `{block.name}`{_meant(block.name, sorted(blocks))}"
            yield Mistake(name, block.lineno, message)
    for line in _lost(tree):
        yield Mistake(name, line, "text outside the blocks is not shown: move it into one")


def _refused(sandbox: Sandbox, name: str, text: str) -> list[Mistake]:
    return [Mistake(name, line, problem) for line, problem in sandbox.refusals(text, name)]


def _blocks(sandbox: Sandbox, name: str) -> set[str]:
    """The blocks of a layout and of what it extends itself. Raises LookupError."""
    found: set[str] = set()
    seen: set[str] = set()
    while name not in seen:
        seen.add(name)
        tree = sandbox.tree(sandbox.source(name), name)
        found |= {block.name for block in tree.find_all(nodes.Block)}
        extends = tree.find(nodes.Extends)
        if extends is None or not isinstance(extends.template, nodes.Const):
            break
        name = sandbox.join_path(extends.template.value, name)
    return found


def _nested(tree: nodes.Template) -> list[nodes.Block]:
    """The blocks that fill a layout's; a block inside a block may be new."""
    return [node for node in tree.body if isinstance(node, nodes.Block)]


def _lost(tree: nodes.Template) -> Iterator[int]:
    for node in tree.body:
        if isinstance(node, nodes.Output):
            for part in node.nodes:
                if not (isinstance(part, nodes.TemplateData) and not part.data.strip()):
                    yield _first_text_line(part)
                    break
        elif isinstance(node, nodes.If | nodes.For):
            yield node.lineno


def _first_text_line(node: nodes.Node) -> int:
    if not isinstance(node, nodes.TemplateData):
        return node.lineno
    before = node.data[: len(node.data) - len(node.data.lstrip())]
    return node.lineno + before.count("\n")


def _meant(word: str, known: Iterable[str]) -> str:
    names = sorted(set(known))
    close = get_close_matches(word, names, n=1)
    if close:
        return f", did you mean `{close[0]}`?"
    return f": known are {', '.join(f'`{name}`' for name in names)}" if names else ""
