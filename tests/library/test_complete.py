"""Whatever can be said in a journey is said in one of the library, and told in the language's page.

The lists come from the models, so that a key which is added there and shown nowhere is found.
"""

from collections.abc import Iterable, Iterator
from typing import Any, get_args

import pytest
from pydantic import BaseModel

from authoring.sentences import keys_of
from engine import computable
from engine.definition import AfterEvent, EventMatch, GoalMatch, Journey, Offer, Repeat, Step
from engine.expressions import EventAnchor, StartAnchor, StepAnchor, TimeExpression, TraitAnchor
from rendering.conditions import _WORDS, Kind
from tests.docs.pages import page
from tests.library.loaded import LIBRARY

JOURNEYS = [each.journey for each in LIBRARY.journeys.values()]
STEPS = [step for journey in JOURNEYS for step in journey.steps]
TRAITS = LIBRARY.policy.traits
NOTES = "\n".join((each.path / "README.md").read_text() for each in LIBRARY.journeys.values())


def _given(models: list[Any]) -> set[str]:
    """The keys that are written somewhere, as the file spells them."""
    fields = {(type(each), name) for each in models for name in each.model_fields_set}
    return {model.model_fields[name].alias or name for model, name in fields}


def _matches() -> Iterator[EventMatch]:
    for journey in JOURNEYS:
        yield from (*journey.starts_on, *journey.ends_on, *journey.goal, *journey.activity)
    for step in STEPS:
        yield from (*(step.after_event or ()), *step.unless)


def _conditions() -> Iterator[str]:
    for match in _matches():
        yield match.where or ""
    for step in STEPS:
        yield step.when or ""
    for segment in LIBRARY.policy.segments.values():
        yield segment.when


def _helpers() -> set[str]:
    """Those used in a condition; of those that are for audiences alone, those in a note."""
    said = "\n".join(_conditions())
    elsewhere = [kind.value.words for kind in Kind if kind is not Kind.AUDIENCE]
    in_audiences = Kind.AUDIENCE.value.words.difference(*elsewhere)
    return {
        name
        for name in _WORDS.functions
        if f"{name}('" in (NOTES if name in in_audiences else said)
    }


def _times() -> list[TimeExpression]:
    return [time for journey in JOURNEYS for time in journey.times()]


def _offers() -> list[Offer]:
    variants = [each for step in STEPS for each in (step.variants or {}).values()]
    made = [step.offer for step in STEPS] + [each.offer for each in variants]
    return [offer for offer in made if offer is not None]


def _options(model: type[BaseModel], field: str) -> set[str]:
    return set(get_args(model.model_fields[field].annotation))


def _words(repeats: Iterable[object]) -> set[str]:
    """As a file says them."""
    return {str(each).lower() for each in repeats if each is not None}


COMPUTED_KEYS = set(keys_of(computable.ComputedTrait))

# What there is, and what of it the library uses.
LISTS: dict[str, tuple[set[str], set[str]]] = {
    "journey keys": (set(keys_of(Journey)), _given(JOURNEYS)),
    "step keys": (set(keys_of(Step)) - {"wait"}, _given(STEPS)),
    "event keys": ({*keys_of(GoalMatch), *keys_of(AfterEvent)}, _given(list(_matches()))),
    "offer keys": (set(keys_of(Offer)), _given(_offers())),
    "kinds of computed traits": ({*computable.Kind}, {each.kind for each in TRAITS.values()}),
    "keys of computed traits": (COMPUTED_KEYS, _given(list(TRAITS.values()))),
    "condition helpers": (set(_WORDS.functions), _helpers()),
    "repeats": (_words(get_args(Repeat)), _words(step.repeat for step in STEPS)),
    "ways to enter again": (
        _options(Journey, "reenter"),
        {journey.reenter for journey in JOURNEYS},
    ),
}
each_list = pytest.mark.parametrize("name", LISTS)


@each_list
def test_nothing_can_be_said_that_no_journey_of_the_library_says(name: str) -> None:
    exist, used = LISTS[name]
    assert len(exist) > 1
    assert exist - used == set()


@each_list
def test_nothing_can_be_said_that_the_page_of_the_language_does_not_tell(name: str) -> None:
    told = {word.partition("(")[0] for word in page("docs/journey-language.md").code()}
    assert LISTS[name][0] - told == set()


def test_every_kind_of_anchor_is_counted_from() -> None:
    assert {type(time.anchor) for time in _times()} == {
        StartAnchor,
        EventAnchor,
        TraitAnchor,
        StepAnchor,
    }


def test_some_step_lets_the_customer_choose_the_hour() -> None:
    assert any(time.best_hour for time in _times())


def test_journeys_start_on_events_on_entering_a_segment_and_end_on_leaving_one() -> None:
    starts = {match.event for journey in JOURNEYS for match in journey.starts_on}
    ends = {match.event for journey in JOURNEYS for match in journey.ends_on}
    assert {"segment.entered", "consent.given", "order_completed"} <= starts
    assert {"segment.left", "offer.redeemed"} <= ends
