"""Reads a journeys folder's files, and nothing outside of it.

Decides which files count: hidden ones don't, links that lead out of the folder are
mistakes. Knows nothing of what the files mean. Names come in sorted order, so the same
folder gives the same answer on every machine.
"""

from collections.abc import Iterator
from pathlib import Path

from authoring.mistakes import Mistake

MAX_BYTES = 1024 * 1024  # a mail above 100 KB is clipped by Gmail already


class Tree:
    """A folder, what was found wrong while reading it, and what is probably not meant."""

    def __init__(self, root: Path) -> None:
        self._root = root.resolve()
        self.mistakes: list[Mistake] = []
        self.warnings: list[Mistake] = []

    @property
    def root(self) -> Path:
        """The folder itself, resolved."""
        return self._root

    def name(self, path: Path) -> str:
        """How mistakes call a file: relative to the folder, with `/`."""
        return path.relative_to(self._root).as_posix()

    def folders(self, folder: Path) -> Iterator[Path]:
        """The folders in a folder."""
        return (path for path in self._entries(folder) if path.is_dir())

    def files(self, folder: Path) -> Iterator[Path]:
        """The ordinary files in a folder."""
        return (path for path in self._entries(folder) if path.is_file())

    def has(self, path: Path) -> bool:
        """Whether there is a file that may be read."""
        return path.is_file() and self._is_inside(path)

    def read(self, path: Path) -> str | None:
        """The file's text; None, and a mistake, if it is no text."""
        file = self.name(path)
        try:
            if path.stat().st_size > MAX_BYTES:
                self._refuse(file, f"larger than {MAX_BYTES // 1024} KB: make it shorter")
                return None
            raw = path.read_bytes()
        except OSError as error:
            self._refuse(file, f"can't be read: {error.strerror or error}")
            return None
        try:
            # Some editors begin a file with a byte order mark, which no reader should see.
            return raw.decode("utf-8-sig").replace("\r\n", "\n")
        except UnicodeDecodeError as error:
            line = raw.count(b"\n", 0, error.start) + 1
            byte = f"0x{raw[error.start]:02x}"
            self._refuse(file, f"byte {byte} is not UTF-8: save the file as UTF-8", line)
            return None

    def _entries(self, folder: Path) -> Iterator[Path]:
        for path in sorted(folder.iterdir()):
            if path.name.startswith("."):
                continue
            if self._is_inside(path):
                yield path
            else:
                mistake = Mistake(
                    self.name(path),
                    None,
                    "a link that leads out of the journeys folder, or nowhere: put the file here",
                )
                if mistake not in self.mistakes:
                    self.mistakes.append(mistake)

    def _is_inside(self, path: Path) -> bool:
        try:
            return path.resolve(strict=True).is_relative_to(self._root)
        except (OSError, RuntimeError):  # a link to nothing, or to itself
            return False

    def _refuse(self, file: str, message: str, line: int | None = None) -> None:
        self.mistakes.append(Mistake(file, line, message))
