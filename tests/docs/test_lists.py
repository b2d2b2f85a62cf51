"""Every key, name, reason and setting in the docs exists, and every one that exists is there."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import get_args

import pytest
from pydantic import BaseModel
from temporalio import workflow

from api.importing import consents
from api.importing.rows import RowCode
from api.metrics import Metrics
from authoring.policy_file import CHANNELS
from authoring.scenario_lines import _Get, _Happening
from authoring.scenarios import _Story
from authoring.sentences import keys_of
from engine.computable import ComputedTrait, Segment
from engine.computable import Kind as ComputedKind
from engine.definition import AfterEvent, GoalMatch, Journey, Offer, Repeat, Step, Variant
from engine.effects import NotEnrolled
from engine.events import BUILT_IN_EVENTS
from engine.expressions import Unit
from engine.fields import TRANSITIONS
from engine.policy import Cap, Policy, PostPolicy, QuietHours, Sender, SmsPolicy, Topic, Webhook
from engine.postal import PostalAddress
from engine.reasons import Decision, Ending, Language, Reason
from rendering.conditions import _WORDS as CONDITION_WORDS
from rendering.filters import FILTERS, TESTS
from rendering.sources import FILES, LAYOUT
from rendering.templates import WORDS
from settings import Settings, variable
from tests.docs.pages import Page, page, words
from tests.lint.checkout import ROOMS
from workflows.enrollment import Enrollment

LANGUAGE, REASONS, SETTINGS = "docs/journey-language.md", "docs/reasons.md", "docs/settings.md"
GOING_LIVE = "docs/going-live.md"


def _first(word: str) -> str:
    """`count('name')` is `count`."""
    return word.partition("(")[0].rstrip("/")


def updates() -> Iterable[str]:
    """The Updates that an enrollment takes, as Temporal knows them."""
    definition = workflow._Definition.from_class(Enrollment)
    assert definition is not None
    return (name for name in definition.updates if name is not None)


def metrics() -> Iterable[str]:
    """Everything that is counted, as Prometheus names it."""
    for family in Metrics().families():
        yield f"{family.name}_total" if family.type == "counter" else family.name


@dataclass(frozen=True)
class Listing:
    """A table whose first column must have just these words."""

    page: str
    heading: str
    header: str
    exist: frozenset[str]
    read: Callable[[str], str] = _first


def _listing(page: str, heading: str, header: str, exist: Iterable[str]) -> Listing:
    return Listing(page, heading, header, frozenset(map(str, exist)))


def _keys(heading: str, *models: type[BaseModel]) -> Listing:
    return _listing(LANGUAGE, heading, "key", (key for model in models for key in keys_of(model)))


MODELS: dict[str, type[BaseModel]] = {
    "Journey keys": Journey,
    "Step keys": Step,
    "Variants": Variant,
    "Offers": Offer,
    "Policy keys": Policy,
    "Sender keys": Sender,
    "Text message keys": SmsPolicy,
    "Post keys": PostPolicy,
    "Postal address keys": PostalAddress,
    "Topic keys": Topic,
    "Cap keys": Cap,
    "Quiet hours": QuietHours,
    "Webhook keys": Webhook,
    "Segments": Segment,
    "Scenario keys": _Story,
}

LISTINGS = [
    *(_keys(heading, model) for heading, model in MODELS.items()),
    _listing(LANGUAGE, "Events", "key", {*keys_of(GoalMatch), *keys_of(AfterEvent), *TRANSITIONS}),
    _keys("What happens", _Happening),
    _keys("What they get", _Get),
    _listing(LANGUAGE, "Computed traits", "kind", ComputedKind),
    _listing(LANGUAGE, "Computed traits", "key", {*keys_of(ComputedTrait)} - {*ComputedKind}),
    _listing(LANGUAGE, "Events", "event", BUILT_IN_EVENTS),
    _listing(
        LANGUAGE, "Time expressions", "unit", (f"{unit}{end}" for unit in Unit for end in ("", "s"))
    ),
    _listing(LANGUAGE, "Repeats", "`repeat`", (str(each).lower() for each in get_args(Repeat))),
    _listing(LANGUAGE, "Conditions", "name", CONDITION_WORDS.names | CONDITION_WORDS.functions),
    _listing(LANGUAGE, "Messages", "file", (*FILES, LAYOUT)),
    _listing(LANGUAGE, "Messages", "name", WORDS.names),
    _listing(LANGUAGE, "Filters", "filter", FILTERS),
    _listing(REASONS, "Why she did not get it", "reason", Reason),
    _listing(REASONS, "In French", "reason", Reason),
    _listing(REASONS, "Decisions", "decision", Decision),
    _listing(REASONS, "How an enrollment ends", "ending", Ending),
    _listing(REASONS, "Why she was not enrolled", "reason", NotEnrolled),
    _listing(GOING_LIVE, "Consents", "column", consents.COLUMNS),
    _listing(GOING_LIVE, "What is refused", "code", RowCode),
    _listing(SETTINGS, "Settings", "variable", map(variable, Settings.model_fields)),
    _listing("docs/operations.md", "Steering it", "update", updates()),
    _listing("docs/operations.md", "Metrics", "metric", metrics()),
    _listing(
        "CONTRIBUTING.md", "The rooms, and who may import whom", "room", {*ROOMS} - {"benchmarks"}
    ),
    _listing("README.md", "Where things are", "room", {*ROOMS, "journeys"} - {"benchmarks"}),
]
by_name = pytest.mark.parametrize(
    "listing", LISTINGS, ids=lambda each: f"{each.page}:{each.heading}:{each.header}"
)


def differences(listing: Listing, told: Page) -> list[str]:
    rows = told.table(listing.heading, listing.header)
    listed = {listing.read(word) for row in rows for word in words(row[0])}
    invented = [f"`{word}` does not exist" for word in sorted(listed - listing.exist)]
    return [*invented, *(f"`{word}` is missing" for word in sorted(listing.exist - listed))]


@by_name
def test_what_is_listed_exists_and_what_exists_is_listed(listing: Listing) -> None:
    assert differences(listing, page(listing.page)) == []


@by_name
def test_a_row_that_is_missing_and_one_that_is_invented_are_both_found(listing: Listing) -> None:
    told = page(listing.page)
    row = told.table(listing.heading, listing.header)[-1]
    start = told.text.index(f"| {row[0]} |", told.text.index(f" {listing.heading}\n"))
    line = told.text[start : told.text.index("\n", start)]
    wrong = told.text[:start] + "| `no-such-word` | |" + told.text[start + len(line) :]
    found = differences(listing, page(listing.page, wrong))
    assert "`no-such-word` does not exist" in found
    assert f"`{_first(words(row[0])[0])}` is missing" in found


def wrong_defaults(model: type[BaseModel], heading: str, told: Page) -> list[str]:
    """Keys that the table calls required and aren't, or the other way, or whose default differs."""
    fields = {field.alias or name: field for name, field in model.model_fields.items()}
    # The step's id is needed by the model and has a default in the file.
    required = {key for key, field in fields.items() if field.is_required()} - {"id"}
    wrong = []
    for key_cell, _, said in told.table(heading, "key"):
        (key,) = words(key_cell)
        if (said == "required") != (key in required):
            wrong.append(f"`{key}`: required?")
        default = [_text(fields[key].default)]
        if said.startswith("`") and words(said) == [said.strip("`")] and words(said) != default:
            wrong.append(f"`{key}`: {said}, not {default}")
    return wrong


def _text(default: object) -> str:
    if isinstance(default, bool):
        return str(default).lower()
    return f"{default:g}" if isinstance(default, float) else str(default)


@pytest.mark.parametrize("heading", MODELS)
def test_the_defaults_in_the_docs_are_those_of_the_code(heading: str) -> None:
    assert wrong_defaults(MODELS[heading], heading, page(LANGUAGE)) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("does not enroll (`too_old`) | `1 day` |", "does not enroll (`too_old`) | `2 days` |"),
        ("what people call it | required |", "what people call it | none |"),
        ("count as conversion, and end it at once | none |", "count as conversion | required |"),
    ],
)
def test_a_wrong_default_is_found(right: str, wrong: str) -> None:
    text = page(LANGUAGE).text
    assert right in text
    told = page(LANGUAGE, text.replace(right, wrong))
    assert len(wrong_defaults(Journey, "Journey keys", told)) == 1


def groups(told: Page) -> set[str]:
    """The fields of message groups that the table tells: `offer.code`."""
    known = {name for name, _ in WORDS.closed}
    cells = (row[1] for row in told.table("Messages", "name"))
    return {w for cell in cells for w in words(cell) if w.partition(".")[0] in known and "." in w}


def test_every_field_that_messages_are_given_is_listed() -> None:
    exist = {f"{name}.{field}" for name, fields in WORDS.closed for field in fields}
    assert groups(page(LANGUAGE)) == exist
    assert groups(page(LANGUAGE, page(LANGUAGE).text.replace("`offer.code`", ""))) != exist


def test_every_test_of_the_templates_is_listed() -> None:
    (line,) = [each for each in page(LANGUAGE).text.splitlines() if each.startswith("Tests, after")]
    assert set(words(line)) - {"is"} == set(TESTS)


def test_every_channel_is_listed() -> None:
    (line,) = [each for each in page(LANGUAGE).text.splitlines() if each.startswith("Channels are")]
    assert tuple(words(line.partition(".")[0])) == CHANNELS


SENTENCES: dict[str, Language] = {"Why she did not get it": "en", "In French": "fr"}


def wrong_sentences(told: Page, heading: str = "Why she did not get it") -> list[Reason]:
    said = {words(row[0])[0]: row[1] for row in told.table(heading, "reason")}
    language = SENTENCES[heading]
    return [reason for reason in Reason if said.get(reason) != reason.sentence_in(language)]


def test_the_french_sentences_come_in_the_same_order_and_are_those_of_the_code() -> None:
    told = page(REASONS)
    assert [words(row[0])[0] for row in told.table("In French", "reason")] == list(Reason)
    assert wrong_sentences(told, "In French") == []
    altered = replace(told, text=told.text.replace("Le client s’est désabonné.", "Désabonné."))
    assert wrong_sentences(altered, "In French") == [Reason.UNSUBSCRIBED]


def test_reasons_come_in_order_of_precedence_with_the_sentence_of_the_code() -> None:
    told = page(REASONS)
    rows = told.table("Why she did not get it", "reason")
    assert [words(row[0])[0] for row in rows] == list(Reason)
    assert all(row[2] for row in rows)
    assert wrong_sentences(told) == []
    altered = replace(told, text=told.text.replace("A person skipped it.", "Somebody did."))
    assert wrong_sentences(altered) == [Reason.SKIPPED]


def wrong_settings(told: Page) -> list[str]:
    """Variables whose default in the table is not that of the code."""
    wrong = []
    said = {words(row[0])[0]: row[1] for row in told.table("Settings", "variable")}
    for name, field in Settings.model_fields.items():
        default = field.get_default()
        if field.is_required() or default in (None, ()):
            text = "none"
        elif hasattr(default, "total_seconds"):
            text = f"`{default.total_seconds():g}`"
        else:
            text = f"`{_text(default)}`"
        if said.get(variable(name)) != text:
            wrong.append(variable(name))
    return wrong


def test_the_defaults_of_settings_are_those_of_the_code() -> None:
    told = page(SETTINGS)
    assert wrong_settings(told) == []
    altered = replace(told, text=told.text.replace("| `8080` |", "| `8081` |"))
    assert wrong_settings(altered) == ["PARCOURS_API_PORT"]
