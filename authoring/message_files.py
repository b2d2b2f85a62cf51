"""Message folders and layouts, from disk to the texts that `rendering` works with.

Decides which files belong to a message: the texts in its folder, and those of its
translations one level below. What may stand in them is `rendering`'s to say. The
surprising fact: a folder such as `fr/` that holds nothing but `layout.html` is a layout's
translation and no message, so a message called `fr` is possible and nobody needs it.
"""

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path

import rendering.messages as words
from authoring.mistakes import Mistake
from authoring.tree import Tree
from rendering.messages import MessageSource, check_layouts, check_message
from rendering.sources import FILES, LAYOUT, is_locale

_TEXTS = frozenset({".txt", ".html"})
_NOTES = frozenset({".md"})  # for the people who write, not for those who read


def read_layouts(tree: Tree, folder: Path) -> dict[str, str]:
    """The layouts of a folder (`layout.html`, `fr/layout.html`); those with mistakes too."""
    layouts = {}
    for path in _layout_paths(tree, folder):
        if (text := tree.read(path)) is not None:
            layouts[path.relative_to(folder).as_posix()] = text
    tree.mistakes += _placed(check_layouts(layouts), tree, folder)
    return layouts


def is_layout_folder(tree: Tree, folder: Path) -> bool:
    """Whether it is a translation of the layout beside it."""
    return is_locale(folder.name) and [path.name for path in tree.files(folder)] == [LAYOUT]


def read_messages(
    tree: Tree, folder: Path, layouts: Mapping[str, str]
) -> tuple[dict[str, MessageSource], frozenset[str]]:
    """The messages in a journey's folder that are right, and the names of all there are."""
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
            tree.mistakes += _placed(check_message(source), tree, folder)
        if len(tree.mistakes) == before:
            right[source.name] = source
    return right, frozenset(names)


def _layout_paths(tree: Tree, folder: Path) -> Iterator[Path]:
    yield from (path for path in tree.files(folder) if path.suffix == ".html")
    for translation in tree.folders(folder):
        if is_layout_folder(tree, translation):
            yield translation / LAYOUT


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
            files = ", ".join(f"`{file}`" for file in FILES)
            problem = f"not a part of a message, which has {files}; link to pictures on the web"
            tree.mistakes.append(Mistake(tree.name(path), None, problem))
        elif (text := tree.read(path)) is not None:
            yield f"{prefix}{path.name}", text


def _placed(mistakes: Iterable[words.Mistake], tree: Tree, folder: Path) -> list[Mistake]:
    """Mistakes of `rendering`, which knows no disk, with the file's place in the tree."""
    return [Mistake(tree.name(folder / m.file), m.line, m.message) for m in mistakes]
