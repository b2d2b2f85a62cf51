"""A journeys folder, read as a whole: everything in it is right, or all of it is refused.

    journeys/
      policy.yaml
      layout.html                   the layout of every journey, in French `fr/layout.html`
      products.html                 a page for messages to include, in French `fr/products.html`
      trial-onboarding/
        journey.yaml
        scenarios.yaml
        layout.html                 the layout of this one instead, where it has its own
        thanks/subject.txt …        a message
      library/                      examples: a folder like this one, with the pages of this one

The surprising fact: one mistake anywhere refuses every journey, also those without one.
What runs must be what the folder says, and not a part of it.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType

from authoring.advice import advise, advise_on_computed, advise_on_topics
from authoring.journey_file import CheckedJourney, read_journey
from authoring.marketing import advise_on_caps, advise_on_marketing
from authoring.message_files import is_layout_folder, read_layouts, read_messages
from authoring.mistakes import JourneysInvalid, Mistake, in_order
from authoring.policy_file import UNKNOWN_NAMES, read_policy
from authoring.references import Surroundings, check_references
from authoring.scenarios import Scenario, read_scenarios
from authoring.source import Source, open_source
from authoring.tree import Tree
from engine.definition import Journey
from engine.policy import Policy
from rendering.checks import speaks_of
from rendering.messages import MessageSource

LIBRARY = "library"  # examples to copy from; read only if it is the folder that is asked for
_ALMOST = {"journey.yml": "journey.yaml", "policy.yml": "policy.yaml",
           "scenarios.yml": "scenarios.yaml", "scenario.yaml": "scenarios.yaml"}  # fmt: skip


@dataclass(frozen=True)
class LoadedJourney:
    """A journey with what is beside it. `path` is its folder."""

    journey: Journey
    messages: Mapping[str, MessageSource]
    scenarios: tuple[Scenario, ...]
    path: Path


@dataclass(frozen=True)
class LoadedJourneys:
    """A journeys folder without a mistake. `journeys` are by name, sorted."""

    journeys: Mapping[str, LoadedJourney]
    policy: Policy
    warnings: tuple[Mistake, ...]


def load_journeys(root: Path) -> LoadedJourneys:
    """Checks the whole folder. Raises JourneysInvalid with every mistake of every file."""
    if not root.is_dir():
        raise JourneysInvalid([Mistake(str(root), None, "there is no such folder")])
    return _Reading(Tree(root)).load()


class _Reading:
    """One pass over a folder: what was read, and what is wrong."""

    def __init__(self, tree: Tree) -> None:
        self._tree = tree
        self._sources: list[Source] = []
        self._policy: Policy | None = None
        self._policy_source: Source | None = None
        self._names = UNKNOWN_NAMES
        self._layouts: dict[str, str] = {}

    def load(self) -> LoadedJourneys:
        tree = self._tree
        self._read_policy()
        own = read_layouts(tree, tree.root, has_currency=self._has_currency)
        self._layouts = {**self._pages_above(), **own}
        self._refuse_almost(tree.root)
        folders = [
            folder
            for folder in tree.folders(tree.root)
            if folder.name != LIBRARY and not is_layout_folder(tree, folder)
        ]
        loaded = [journey for folder in folders if (journey := self._read_journey(folder))]
        if not folders:
            self._refuse(
                ".",
                "there is no journey here: make a folder such as `trial-onboarding/` "
                "with a `journey.yaml`",
            )
        mistakes = [*tree.mistakes, *(m for source in self._sources for m in source.mistakes)]
        if mistakes or self._policy is None:
            raise JourneysInvalid(mistakes)
        if self._policy_source is not None:
            named = [each.journey for each in loaded]
            advise_on_topics(self._policy, named, self._policy_source)
            advise_on_computed(self._policy, _texts(loaded), self._policy_source)
            channels = {each.journey.journey: _channels(each.messages) for each in loaded}
            by_name = {each.journey: each for each in named}
            advise_on_caps(self._policy, by_name, channels, self._policy_source)
        return LoadedJourneys(
            MappingProxyType({each.journey.journey: each for each in loaded}),
            self._policy,
            in_order([*tree.warnings, *(w for each in self._sources for w in each.warnings)]),
        )

    @property
    def _has_currency(self) -> bool:
        """False only where it is known to be missing: a policy with mistakes may have one."""
        return self._policy is None or self._policy.currency is not None

    def _pages_above(self) -> dict[str, str]:
        """The pages a library shares with the journeys folder that it lies in; else none.

        What is wrong with them stops the library too, and is told with their way from here.
        """
        root = self._tree.root
        if root.name != LIBRARY or not (root.parent / "policy.yaml").is_file():
            return {}
        above = Tree(root.parent)
        pages = read_layouts(above, above.root, has_currency=self._has_currency)
        self._tree.mistakes += (replace(m, file=f"../{m.file}") for m in above.mistakes)
        self._tree.warnings += (replace(w, file=f"../{w.file}") for w in above.warnings)
        return pages

    @property
    def _always(self) -> list[str]:
        """The traits that every customer has, as they are computed."""
        traits = {} if self._policy is None else self._policy.traits
        return [name for name, trait in traits.items() if trait.is_always_there]

    def _read_policy(self) -> None:
        path = self._tree.root / "policy.yaml"
        if not self._tree.has(path):
            self._refuse(
                "policy.yaml",
                "the file is missing: it says `sender`, `postal_address` "
                "and `topics` for all journeys",
            )
            return
        if source := self._open(path):
            self._policy_source = source
            self._policy, self._names = read_policy(source)

    def _read_journey(self, folder: Path) -> LoadedJourney | None:
        tree = self._tree
        self._refuse_almost(folder)
        path = folder / "journey.yaml"
        if not tree.has(path):
            # A link or a file of nearly that name has been told of already.
            if not path.is_symlink() and not (folder / "journey.yml").exists():
                self._refuse(
                    tree.name(folder),
                    "a folder without `journey.yaml`: write one, or "
                    f"move the folder out (only `{LIBRARY}/` is left alone)",
                )
            return None
        has_currency = self._has_currency
        layouts = {**self._layouts, **read_layouts(tree, folder, has_currency=has_currency)}
        messages, message_folders = read_messages(
            tree, folder, layouts, has_currency=has_currency, always=self._always
        )
        if (source := self._open(path)) is None:
            return None
        checked = read_journey(source)
        _check_name(checked, folder)
        channels = _channels(messages)
        offering = {
            name: place
            for name, message in messages.items()
            if (place := speaks_of(message, "offer")) is not None
        }
        check_references(checked, Surroundings(self._names, channels, message_folders, offering))
        scenarios = self._read_scenarios(folder, checked)
        if checked.journey is None or source.mistakes:
            return None
        advise(checked.journey, source, channels, self._policy)
        if self._policy is not None:
            advise_on_marketing(checked.journey, source, messages, self._policy)
        return LoadedJourney(checked.journey, MappingProxyType(messages), scenarios, folder)

    def _read_scenarios(self, folder: Path, checked: CheckedJourney) -> tuple[Scenario, ...]:
        path = folder / "scenarios.yaml"
        if not self._tree.has(path) or (source := self._open(path)) is None:
            return ()
        zone = self._policy.timezone if self._policy is not None else "UTC"
        return read_scenarios(source, checked, self._names, zone)

    def _open(self, path: Path) -> Source | None:
        text = self._tree.read(path)
        if text is None:
            return None
        source = open_source(self._tree.name(path), text)
        if isinstance(source, Mistake):
            self._tree.mistakes.append(source)
            return None
        self._sources.append(source)
        return source

    def _refuse_almost(self, folder: Path) -> None:
        for path in self._tree.files(folder):
            if path.name in _ALMOST:
                self._refuse(self._tree.name(path), f"rename it to `{_ALMOST[path.name]}`")

    def _refuse(self, file: str, message: str) -> None:
        self._tree.mistakes.append(Mistake(file, None, message))


def _texts(loaded: Iterable[LoadedJourney]) -> Iterator[str]:
    """All that journeys and their messages say."""
    for each in loaded:
        yield each.journey.pinned
        for message in each.messages.values():
            yield from (*message.files.values(), *message.layouts.values())


def _channels(messages: Mapping[str, MessageSource]) -> dict[str, tuple[str, ...]]:
    return {name: message.channels for name, message in messages.items()}


def _check_name(checked: CheckedJourney, folder: Path) -> None:
    head = checked.head.value
    if head is not None and checked.head.good("journey") and head.journey != folder.name:
        checked.source.refuse(
            ("journey",),
            f"the journey is called `{head.journey}` and its folder `{folder.name}`: they must "
            f"have the same name, so write `journey: {folder.name}` or rename the folder",
        )
