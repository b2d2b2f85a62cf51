"""A message as its files: what it can say, by which channels, in which languages.

Decides which file serves which locale; knows neither disks nor templates, so a message
read from a folder and one kept in a database are the same value. The surprising fact: a
layout is looked for in the language of the file that extends it, not in the customer's,
so an English mail never gets a French footer.
"""

import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

SUBJECT, HTML, TEXT, SMS, CARD = "subject.txt", "email.html", "email.txt", "sms.txt", "card.html"
LAYOUT = "layout.html"
FILES = (SUBJECT, HTML, TEXT, SMS, CARD)

# BCP 47 as far as folders need it: a language, then script or region.
_LOCALE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")


def is_locale(folder: str) -> bool:
    """Whether a folder's name says a language: `fr`, `fr-CA`."""
    return _LOCALE.fullmatch(folder) is not None


def locale_chain(locale: str) -> Iterator[str]:
    """From the most specific to the default, which is "": `fr-CA`, `fr`, ``."""
    parts = [part for part in locale.replace("_", "-").split("-") if part]
    for length in range(len(parts), 0, -1):
        yield "-".join(parts[:length])
    yield ""


def place(locale: str, file: str) -> str:
    """The path of a file in a language's folder, or in the root for the default."""
    return f"{locale}/{file}" if locale else file


def split(path: str) -> tuple[str, str]:
    """The other way round: (locale or "", file)."""
    folder, _, file = path.rpartition("/")
    return folder, file


@dataclass(frozen=True)
class MessageSource:
    """The text of every file of a message folder, and of the layouts it may extend.

    `files` and `layouts` map paths relative to the folder ("subject.txt",
    "fr/email.html") to text. Of layouts of one path, the caller gives the closest.
    """

    name: str
    files: Mapping[str, str]
    layouts: Mapping[str, str]

    @cached_property
    def channels(self) -> tuple[str, ...]:
        """How it can go, in order of preference: what the files in the root say."""
        has = self.files.keys()
        return tuple(
            channel
            for channel, needed in (("email", {SUBJECT, HTML}), ("sms", {SMS}), ("post", {CARD}))
            if needed <= has
        )

    @cached_property
    def locales(self) -> tuple[str, ...]:
        """The languages it is translated into, sorted; the root's own is not among them."""
        return tuple(sorted({folder for path in self.files if (folder := split(path)[0])}))

    @cached_property
    def content_hash(self) -> str:
        """Twelve hex digits over everything it says; kept with each message that went out."""
        # Sorted, since the order of a folder's files means nothing.
        content = json.dumps([self.name, dict(self.files), dict(self.layouts)], sort_keys=True)
        return hashlib.sha256(content.encode()).hexdigest()[:12]

    def __hash__(self) -> int:
        return hash(self.content_hash)

    def find(self, file: str, locale: str) -> str | None:
        """The path of that file in the closest language, or None."""
        return _closest(self.files, file, locale)

    def find_layout(self, file: str, locale: str, *, shared: bool = False) -> str | None:
        """The full name of a layout in the closest language, own before shared, or None."""
        for each in locale_chain(locale):
            if not shared and (path := _in_language(self.files, file, each)) is not None:
                return self.full_name(path)
            if (path := _in_language(self.layouts, file, each)) is not None:
                return path
        return None

    def full_name(self, path: str) -> str:
        """What a file of this folder is called in errors; a layout goes by its bare path."""
        return f"{self.name}/{path}"

    def to_dict(self) -> dict[str, Any]:
        """As JSON values."""
        return {"name": self.name, "files": dict(self.files), "layouts": dict(self.layouts)}

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """What `to_dict` gave."""
        return cls(data["name"], dict(data["files"]), dict(data["layouts"]))


def _closest(texts: Mapping[str, str], file: str, locale: str) -> str | None:
    paths = (_in_language(texts, file, each) for each in locale_chain(locale))
    return next((path for path in paths if path is not None), None)


def _in_language(texts: Mapping[str, str], file: str, locale: str) -> str | None:
    """Locale tags are equal whatever their case (RFC 5646, 2.1.1)."""
    wanted = place(locale, file)
    if wanted in texts:
        return wanted
    lowered = place(locale.lower(), file)
    return next(
        (path for path in texts if path.lower() == lowered and split(path)[1] == file), None
    )
