"""Message folders and layouts, from disk to the texts that `rendering` works with.

Decides which files belong to a message: the texts in its folder, and those of its
translations one level below. What may stand in them is `rendering`'s to say. The
surprising fact: a folder such as `fr/` that holds nothing but pages (`layout.html`, what is
included) is their translation and no message, so a message called `fr` is possible and
nobody needs it.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path

import rendering.messages as words
from authoring.mistakes import Mistake
from authoring.tree import Tree
from rendering.messages import (
    MessageSource,
    advise_layouts,
    advise_message,
    check_layouts,
    check_message,
)
from rendering.sources import FILES, is_locale

_TEXTS = frozenset({".txt", ".html"})
_NOTES = frozenset({".md"})  # for the people who write, not for those who read
_PICTURES = frozenset({".png", ".jpg", ".jpeg", ".gif", ".webp", ".svg", ".avif", ".ico"})


def read_layouts(tree: Tree, folder: Path, *, has_currency: bool) -> dict[str, str]:
    """The layouts of a folder and what is included (`layout.html`, `fr/products.html`).

    Those with mistakes too.
    """
    layouts = {}
    for path in _layout_paths(tree, folder):
        if (text := tree.read(path)) is not None:
            layouts[path.relative_to(folder).as_posix()] = text
    mistakes = check_layouts(layouts, has_currency=has_currency)
    tree.mistakes += _placed(mistakes, tree, folder)
    if not mistakes:
        tree.warnings += _placed(advise_layouts(layouts), tree, folder)
    return layouts


def is_layout_folder(tree: Tree, folder: Path) -> bool:
    """Whether it is a translation of the layout beside it, or of what is included."""
    files = [path.name for path in tree.files(folder)]
    are_pages = all(name.endswith(".html") and name not in FILES for name in files)
    return is_locale(folder.name) and bool(files) and are_pages


def read_messages(
    tree: Tree,
    folder: Path,
    layouts: Mapping[str, str],
    *,
    has_currency: bool,
    always: Collection[str],
) -> tuple[dict[str, MessageSource], frozenset[str]]:
    """The messages in a journey's folder that are right, and the names of all there are.

    `always` are traits that every customer has.
    """
    right: dict[str, MessageSource] = {}
    names: set[str] = set()
    for message_folder in tree.folders(folder):
        if is_layout_folder(tree, message_folder):
            continue
        names.add(message_folder.name)
        before = len(tree.mistakes)
        files = _files(tree, message_folder)
        source = MessageSource(name=message_folder.name, files=files, layouts=layouts)
        if len(tree.mistakes) == before:  # else a file may only seem to be missing
            mistakes = check_message(source, has_currency=has_currency)
            tree.mistakes += _placed(mistakes, tree, folder)
        if len(tree.mistakes) == before:
            right[source.name] = source
            tree.warnings += _placed(advise_message(source, always), tree, folder)
    return right, frozenset(names)


def _layout_paths(tree: Tree, folder: Path) -> Iterator[Path]:
    yield from (path for path in tree.files(folder) if path.suffix == ".html")
    for translation in tree.folders(folder):
        if is_layout_folder(tree, translation):
            yield from tree.files(translation)


def _files(tree: Tree, folder: Path) -> dict[str, str]:
    """The texts of a message, by path inside its folder (`email.html`, `fr/email.html`)."""
    files = dict(_texts(tree, folder, ""))
    for translation in tree.folders(folder):
        files |= _texts(tree, translation, f"{translation.name}/")
        for deeper in tree.folders(translation):
            problem = "a folder too deep: move its files up, into a translation such as `fr/`"
            tree.mistakes.append(Mistake(tree.name(deeper), None, problem))
    return files


def _texts(tree: Tree, folder: Path, prefix: str) -> Iterator[tuple[str, str]]:
    for path in tree.files(folder):
        if path.suffix in _NOTES:
            continue
        if path.suffix not in _TEXTS:
            tree.mistakes.append(Mistake(tree.name(path), None, _not_a_text(path)))
        elif (text := tree.read(path)) is not None:
            yield f"{prefix}{path.name}", text


def _not_a_text(path: Path) -> str:
    if path.suffix.lower() in _PICTURES:
        what = "pictures are not sent along: put it on the web, and name it in `<img src=…>`"
    else:
        what = "attachments are not sent: put it on the web, and link to it"
    return f"{what} (a message has {', '.join(f'`{file}`' for file in FILES)})"


def _placed(mistakes: Iterable[words.Mistake], tree: Tree, folder: Path) -> list[Mistake]:
    """Mistakes of `rendering`, which knows no disk, with the file's place in the tree."""
    return [Mistake(tree.name(folder / m.file), m.line, m.message) for m in mistakes]
