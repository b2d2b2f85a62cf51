"""Everything that is wrong with a message folder, found without rendering it.

Decides by files' names and templates' syntax trees; knows no customer, so whether a trait is
missing is not its business, only whether something stands in for it. The surprising fact: it
refuses text outside the blocks of a file that extends a layout, which Jinja2 would silently
drop.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from difflib import get_close_matches

from jinja2 import nodes

from rendering.errors import TemplateError
from rendering.fallbacks import bare_traits
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


# By which trait a customer is reached: nobody without it is sent the file.
_REACHED_BY = {SUBJECT: "email", HTML: "email", TEXT: "email", SMS: "phone", CARD: "address"}


@dataclass(frozen=True)
class Mistake:
    """`file` begins with the message's name, or is a layout's path; `line` counts from 1."""

    file: str
    line: int | None
    message: str


def check_message(source: MessageSource, *, has_currency: bool = True) -> list[Mistake]:
    """Every mistake in the message's own files; its layouts are `check_layouts`' matter.

    `has_currency` is whether the policy has one, for amounts that don't say theirs.
    """
    mistakes = [*_file_mistakes(source)]
    sandbox = compiled(source)
    for path in sorted(source.files):
        if split(path)[1] in (*FILES, LAYOUT):
            mistakes += _template_mistakes(source, sandbox, path, has_currency)
    return mistakes


def speaks_of(source: MessageSource, name: str) -> tuple[str, int] | None:
    """The first file and line where the message uses this word; None if nowhere.

    Its own files count, and the pages they include. A layout does not: what it says of some
    of its messages it need not say of this one.
    """
    sandbox = compiled(source)
    texts = {source.full_name(path): text for path, text in sorted(source.files.items())}
    waiting = list(texts)
    while waiting:
        file = waiting.pop(0)
        try:
            tree = sandbox.tree(texts[file], file)
        except TemplateError:
            continue  # a mistake, which `check_message` tells
        lines = [each.lineno for each in tree.find_all(nodes.Name) if each.name == name]
        if lines:
            return file, min(lines)
        included = {_named(each) for each in tree.find_all(nodes.Include)}
        for path, text in sorted(source.layouts.items()):
            if split(path)[1] in included and path not in texts:
                texts[path] = text
                waiting.append(path)
    return None


def check_layouts(layouts: Mapping[str, str], *, has_currency: bool = True) -> list[Mistake]:
    """Every mistake in shared layouts and the pages they include, by themselves."""
    sandbox = compiled(MessageSource("", {}, layouts))
    mistakes = []
    for path in sorted(layouts):
        folder, file = split(path)
        if file in FILES or (folder and not is_locale(folder)):
            problem = f"a layout is called `{LAYOUT}` or `fr/{LAYOUT}`"
            mistakes.append(Mistake(path, None, problem))
        if refused := _refused(sandbox, path, layouts[path]):
            mistakes += refused
            continue
        tree = sandbox.tree(layouts[path], path)
        mistakes += _unsaid(tree, path, has_currency)
        mistakes += _include_mistakes(tree, path, layouts)
        if (extends := _extends(tree)) is not None and file != LAYOUT:
            problem = f"only `{LAYOUT}` and a message's own files can extend a layout"
            mistakes.append(Mistake(path, extends.lineno, problem))
        elif extends is not None and _named(extends) == file:
            mistakes.append(Mistake(path, extends.lineno, f"`{file}` can't extend itself"))
    return mistakes


def advise_message(source: MessageSource, always: Iterable[str] = ()) -> list[Mistake]:
    """What is allowed in a message without mistakes and probably not meant.

    `always` are traits that everybody has.
    """
    traits = tuple(always)
    sandbox = compiled(source)
    return [
        warning
        for path, text in sorted(source.files.items())
        for warning in _bare(sandbox, source.full_name(path), text, traits)
    ]


def advise_layouts(layouts: Mapping[str, str]) -> list[Mistake]:
    """The same of layouts and the pages they include, without mistakes too."""
    sandbox = compiled(MessageSource("", {}, layouts))
    return [
        warning for path, text in sorted(layouts.items()) for warning in _bare(sandbox, path, text)
    ]


def _bare(
    sandbox: Sandbox, name: str, text: str, always: tuple[str, ...] = ()
) -> Iterator[Mistake]:
    reached_by = _REACHED_BY.get(split(name)[1])
    known = always if reached_by is None else (*always, reached_by)
    for bare in bare_traits(sandbox.tree(text, name), known):
        yield Mistake(
            name,
            bare.line,
            f"nothing stands in for `{bare.trait}` where it is missing, and then the message "
            f"does not go out: write `{bare.trait} | default(…)`, or ask with "
            f"`{{% if {bare.trait} %}}`",
        )


def _unsaid(tree: nodes.Template, name: str, has_currency: bool) -> Iterator[Mistake]:
    """Amounts of money that nobody says the currency of."""
    for each in tree.find_all(nodes.Filter):
        said = each.args or any(keyword.key == "currency" for keyword in each.kwargs)
        if each.name == "money" and not said and not has_currency:
            yield Mistake(
                name,
                each.lineno,
                "`money` needs a currency: write `money('EUR')`, or `currency: EUR` in "
                "`policy.yaml`",
            )


def _include_mistakes(
    tree: nodes.Template, name: str, layouts: Mapping[str, str]
) -> Iterator[Mistake]:
    shared = {split(path)[1] for path in layouts} - {LAYOUT}
    for each in tree.find_all(nodes.Include):
        if not (wanted := _named(each)):
            continue  # refused already
        if not name.endswith(".html"):
            yield Mistake(name, each.lineno, "`include` is for pages: a text has no HTML in it")
        elif wanted == split(name)[1]:
            yield Mistake(name, each.lineno, f"`{wanted}` can't include itself")
        elif wanted not in shared:
            hint = _meant(wanted, shared) or f": put it beside `{LAYOUT}`"
            yield Mistake(name, each.lineno, f"there is no page `{wanted}` to include{hint}")


def _extends(tree: nodes.Template) -> nodes.Extends | None:
    """The layout that is named; none if what stands there is refused anyway."""
    extends = tree.find(nodes.Extends)
    return extends if extends is not None and isinstance(extends.template, nodes.Const) else None


def _named(node: nodes.Extends | nodes.Include) -> str:
    return str(node.template.value) if isinstance(node.template, nodes.Const) else ""


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


def _template_mistakes(
    source: MessageSource, sandbox: Sandbox, path: str, has_currency: bool
) -> Iterator[Mistake]:
    name = source.full_name(path)
    yield from _refused(sandbox, name, source.files[path])
    try:
        tree = sandbox.tree(source.files[path], name)
    except TemplateError:
        return  # told already, and nothing more can be said
    yield from _unsaid(tree, name, has_currency)
    yield from _include_mistakes(tree, name, source.layouts)
    if (extends := _extends(tree)) is None:
        return
    wanted = _named(extends)
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
        if (extends := _extends(tree)) is None:
            break
        name = sandbox.join_path(_named(extends), name)
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
        elif isinstance(node, nodes.If | nodes.For | nodes.Include):
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
