"""A journey, copied with all that it needs: made aside, checked there, and only then moved.

Decides which files change and how; prints nothing. The one surprising fact: the policy is
written before the journey appears. Should the machine stop between the two, the policy has
names that nobody uses, and not a journey without its names.
"""

import os
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from authoring.folder import LIBRARY, LoadedJourneys, load_journeys
from authoring.mistakes import JourneysInvalid, Mistake
from authoring.needs import Sections, needs, sections_of
from authoring.yaml_lines import NotYaml, read_yaml
from authoring.yaml_text import NotChanged, entry_text, with_entry, with_value
from cli.errors import TroubleError, WrongInputError
from cli.scenarios import differences

_JOURNEY, _SCENARIOS, _POLICY = "journey.yaml", "scenarios.yaml", "policy.yaml"
_TEXTS = frozenset({".txt", ".html"})

# Where one name means another thing, a journey does too: of a topic what decides who gets it, of
# a computed trait or a segment all of it. A webhook is the app's own, and so are titles.
_DECISIVE: Mapping[str, tuple[str, ...] | None] = {
    "topics": ("subscribed", "double_opt_in"),
    "traits": None,
    "segments": None,
}

# What a file says of places outside of its journey, told from where it lies: the line by which
# an editor finds its schema, and the links of notes.
_PLACES = {
    ".yaml": re.compile(r"^(# yaml-language-server: \$schema=)(\.\./\S+)()$", re.MULTILINE),
    ".md": re.compile(r"(\]\()(\.\./[^)\s]+)(\))"),
}


@dataclass(frozen=True)
class Copyable:
    """A journey that may be copied: its folder, and that of the policy it goes by."""

    name: str
    title: str
    path: Path
    policy: Path


@dataclass(frozen=True)
class Copied:
    """What came of it. `added` and `differing` are names of the policy, by section."""

    name: str
    added: dict[str, list[str]]
    differing: dict[str, list[str]]
    loaded: LoadedJourneys


class NotCopied(JourneysInvalid):
    """The folder would not be right with the copy. `differing` as in `Copied`: it may be why."""

    def __init__(self, mistakes: Iterable[Mistake], differing: dict[str, list[str]]) -> None:
        super().__init__(mistakes)
        self.differing = differing


def copyable(folder: Path) -> dict[str, Copyable]:
    """By name, those of the library first; then those beside it, unless of the same name."""
    found: dict[str, Copyable] = {}
    for root in (folder / LIBRARY, folder):
        for path in sorted(root.glob(f"*/{_JOURNEY}")):
            name = path.parent.name
            if name not in found and not name.startswith("."):
                found[name] = Copyable(name, _title(path), path.parent, root / _POLICY)
    return found


def copy_journey(
    folder: Path, chosen: Copyable, name: str, *, with_scenarios: bool = True
) -> Copied:
    """The copy in the journeys folder, which is right; else nothing, and NotCopied."""
    try:
        with TemporaryDirectory(prefix=".parcours-new-", dir=folder) as made:
            aside = Path(made) / "journeys"
            shutil.copytree(folder, aside, symlinks=True, ignore=_left_out(folder))
            _copy(chosen, aside / name, folder / name, with_scenarios)
            added, differing = _complete(aside, chosen, name)
            loaded = _checked(aside, differing)
            _move(aside, folder, name, with_policy=bool(added))
    except OSError as error:
        raise TroubleError(f"`{folder}` can't be written: {error}") from error
    return Copied(name, added, differing, loaded)


def _checked(folder: Path, differing: dict[str, list[str]]) -> LoadedJourneys:
    try:
        loaded = load_journeys(folder)
    except JourneysInvalid as invalid:
        raise NotCopied(invalid.mistakes, differing) from None
    if wrong := differences(loaded):
        raise NotCopied(wrong, differing)
    return loaded


def _title(path: Path) -> str:
    try:
        data = read_yaml(path.read_text(encoding="utf-8")).data
    except (OSError, UnicodeDecodeError, NotYaml):
        data = None
    title = data.get("title") if isinstance(data, dict) else None
    return title if isinstance(title, str) else "(its journey.yaml can't be read)"


def _left_out(folder: Path) -> Any:
    """What a reader of journeys leaves out too: hidden files, and examples."""

    def ignored(inside: str, names: list[str]) -> set[str]:
        hidden = {name for name in names if name.startswith(".")}
        return hidden | ({LIBRARY} & {*names} if Path(inside) == folder else set())

    return ignored


def _copy(chosen: Copyable, aside: Path, target: Path, with_scenarios: bool) -> None:
    """The journey's folder, with its new name wherever it says the old one."""
    left_out = shutil.ignore_patterns(".*", *(() if with_scenarios else (_SCENARIOS,)))
    shutil.copytree(chosen.path, aside, symlinks=True, ignore=left_out)
    for path in aside.iterdir():
        if path.suffix not in _PLACES or not path.is_file():
            continue
        text = _read(path)
        if path.name == _JOURNEY:
            text = _renamed(text, chosen, target.name)
        if path.suffix == ".yaml":
            text = _naming_itself(text, chosen.name, target.name)
        path.write_text(_from_there(text, path.suffix, chosen.path, target), encoding="utf-8")


def _renamed(text: str, chosen: Copyable, name: str) -> str:
    try:
        return with_value(text, "journey", name)
    except NotChanged as error:
        raise WrongInputError(f"`{chosen.path / _JOURNEY}` can't be copied: {error}") from error


def _naming_itself(text: str, old: str, new: str) -> str:
    """Where it says the journey's name: `journey: …` of an event, or a condition on that."""
    said = rf"(\bjourney\s*(?::|==)\s*)(['\"]?){re.escape(old)}\2(?![\w-])"
    return re.sub(said, rf"\g<1>\g<2>{new}\g<2>", text)


def _from_there(text: str, suffix: str, old: Path, new: Path) -> str:
    def moved(found: re.Match[str]) -> str:
        place = Path(os.path.relpath(old / found[2], new)).as_posix()
        return f"{found[1]}{place}{found[3]}"

    return _PLACES[suffix].sub(moved, text)


def _complete(
    aside: Path, chosen: Copyable, name: str
) -> tuple[dict[str, list[str]], dict[str, list[str]]]:
    """Adds to the policy what it lacks; what was added, and what it has otherwise."""
    policy = aside / _POLICY
    if not policy.is_file() or not chosen.policy.is_file():
        return {}, {}
    ours, theirs = _read(policy), _read(chosen.policy)
    has, defined = _sections(ours, policy.name), _sections(theirs, str(chosen.policy))
    wanted = needs(*_said(aside / name), defined)
    missing = {s: [n for n in names if n not in has[s]] for s, names in wanted.items()}
    for section, names in missing.items():
        for each in names:
            written = entry_text(theirs, section, each)
            try:
                ours = with_entry(ours, section, each, defined[section][each], written)
            except NotChanged as error:
                raise WrongInputError(
                    f"policy.yaml: {error}: add `{each}` to `{section}` by hand, as "
                    f"`{chosen.policy}` has it, and try again"
                ) from error
    policy.write_text(ours, encoding="utf-8")
    differing = {
        s: [n for n in wanted.get(s, ()) if n in has[s] and _differ(has[s][n], defined[s][n], keys)]
        for s, keys in _DECISIVE.items()
    }
    return _filled(missing), _filled(differing)


def _differ(ours: Any, theirs: Any, keys: tuple[str, ...] | None) -> bool:
    if keys is None or not (isinstance(ours, dict) and isinstance(theirs, dict)):
        return bool(ours != theirs)
    return any(ours.get(key, False) != theirs.get(key, False) for key in keys)


def _filled(by_section: dict[str, list[str]]) -> dict[str, list[str]]:
    return {section: names for section, names in by_section.items() if names}


def _sections(text: str, file: str) -> Sections:
    try:
        return sections_of(read_yaml(text).data)
    except NotYaml as error:
        raise WrongInputError(f"{file}:{error.line or 1}: {error.message}") from error


def _said(journey: Path) -> tuple[list[Any], list[str]]:
    """What the files of a journey say: the YAML as read, the texts as they are."""
    return [*_yaml(journey)], [*_templates(journey)]


def _yaml(journey: Path) -> Iterator[Any]:
    for file in (_JOURNEY, _SCENARIOS):
        if (path := journey / file).is_file():
            try:
                yield read_yaml(_read(path)).data
            except NotYaml:
                continue  # the check tells, with its line


def _templates(journey: Path) -> Iterable[str]:
    paths = (path for path in sorted(journey.rglob("*")) if path.suffix in _TEXTS)
    return (_read(path) for path in paths if path.is_file())


def _read(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8-sig").replace("\r\n", "\n")
    except UnicodeDecodeError as error:
        raise WrongInputError(f"`{path}` is not UTF-8: save it as UTF-8") from error


def _move(aside: Path, folder: Path, name: str, *, with_policy: bool) -> None:
    target = (folder / _POLICY).resolve()  # a link stays one
    before = target.read_bytes()
    if with_policy:
        _replace(target, (aside / _POLICY).read_bytes())
    try:
        os.rename(aside / name, folder / name)
    except OSError:
        if with_policy:
            _replace(target, before)
        raise


def _replace(target: Path, content: bytes) -> None:
    """In one stroke: nobody reads half a policy."""
    fresh = target.with_name(f".{target.name}.new")
    fresh.write_bytes(content)
    shutil.copymode(target, fresh)
    os.replace(fresh, target)
