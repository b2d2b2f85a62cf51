"""What an event did, or why it did nothing, in sentences for whoever wires the app.

The one surprising fact: of most events nothing is kept but the event itself, so that it did
nothing is told from who its customer is and from what is watched now.
"""

from collections.abc import Collection, Iterator
from typing import assert_never

from engine.disposition import Deed, Did, Disposition
from engine.keys import is_anonymous
from store.tables import Event, EventKind


def why_of(event: Event, told: Disposition, watched: Collection[str]) -> str:
    """What it did or why it did nothing; `watched` are the names that journeys look at."""
    return " ".join(_sentences(event, told, watched))


def deed_in_words(deed: Deed) -> str:
    """One thing it did, as a sentence."""
    match deed.did:
        case Did.ENTERED:
            return f"It began `{deed.journey}`."
        case Did.EXITED:
            return f"It ended `{deed.journey}`."
        case Did.CONVERTED:
            return f"It reached the goal of `{deed.journey}`."
        case Did.FIRED:
            steps = ", ".join(f"`{step}`" for step in deed.steps)
            return f"It fired {steps} of `{deed.journey}`."
        case Did.MOVED:
            return f"It moved times in `{deed.journey}`."
        case _:
            assert_never(deed.did)


def _sentences(event: Event, told: Disposition, watched: Collection[str]) -> Iterator[str]:
    for deed in told.did:
        yield deed_in_words(deed)
    for journey, why in told.refused.items():
        yield f"It did not start `{journey}`: {_continued(why.sentence)}"
    for condition in told.where_failed:
        yield f"The condition `{condition}` could not be evaluated for it, and so was not met."
    if not told.did and not told.refused:
        yield _nothing(event, watched)
    for flag in told.flags:
        yield flag.sentence


def _nothing(event: Event, watched: Collection[str]) -> str:
    if is_anonymous(event.customer_id):
        return "It waits until somebody is known by this anonymous id."
    match event.kind:
        case EventKind.IDENTIFY:
            return "It moved no time of a journey."
        case EventKind.GROUP:
            return "It named the customer's company, and moved no time of a journey."
        case EventKind.ALIAS:
            return "It named an id the customer had before."
        case EventKind.TRACK | EventKind.PAGE | EventKind.SCREEN | EventKind.SYSTEM:
            if event.name in watched:
                return "A journey waits for such events, but not for this one of this customer."
            return "No journey waits for it."
        case _:
            assert_never(event.kind)


def _continued(sentence: str) -> str:
    """The sentence, behind a colon."""
    return sentence[:1].lower() + sentence[1:]
