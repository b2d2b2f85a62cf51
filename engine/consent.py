"""What customers said about being written to, and what a word of theirs comes to.

Decides which of the things said holds, and when a subscription has to be confirmed first
(double opt-in); knows no defaults, which are the policy's. The one surprising fact: to
subscribe to everything is one word for the topics that need no confirmation and one more for
each that does, so that "everything" is no way around being asked.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from engine.calls import ChangeConsent
from engine.events import BuiltInEvent
from engine.policy import Topic


class ConsentState(StrEnum):
    """What the customer said. Who never said anything has none."""

    SUBSCRIBED = "subscribed"
    PENDING = "pending"  # asked to subscribe; not yet confirmed (double opt-in)
    UNSUBSCRIBED = "unsubscribed"


class Word(Protocol):
    """One thing said, wherever it is kept. `channel` or `topic` None means all."""

    @property
    def at(self) -> datetime: ...
    @property
    def channel(self) -> str | None: ...
    @property
    def topic(self) -> str | None: ...
    @property
    def state(self) -> ConsentState: ...


@dataclass(frozen=True)
class Spoken:
    """A word as the gate wants it, and as the simulator keeps it."""

    at: datetime
    channel: str | None
    topic: str | None
    state: ConsentState


def state_of(said: Sequence[Word], channel: str, topic: str) -> ConsentState | None:
    """What holds for this channel and topic, given everything said, oldest first.

    The newest that speaks of both, or of all: leaving everything covers each topic, until the
    customer subscribes to one again. None: they never spoke of it.
    """
    for each in reversed(said):
        if each.channel in (None, channel) and each.topic in (None, topic):
            return each.state
    return None


def agrees_to(said: Sequence[Word], purpose: str) -> bool | None:
    """What holds for a purpose (`engine.purposes`); None if the customer never spoke of it.

    To subscribe to everything is not to agree to it; to leave everything is to refuse it.
    """
    for each in reversed(said):
        of_all = each.topic is None and each.channel is None
        if each.topic == purpose or (of_all and each.state is ConsentState.UNSUBSCRIBED):
            return each.state is ConsentState.SUBSCRIBED
    return None


def withdrawal(
    customer_id: str, at: datetime, message_id: str, topics: Iterable[str] | None
) -> tuple[ChangeConsent, ...]:
    """The words by which a journey's step takes a customer off these topics; None: off all."""
    each = [(None, message_id)] if topics is None else [(t, f"{message_id}:{t}") for t in topics]
    return tuple(
        ChangeConsent(
            customer_id=customer_id,
            at=at,
            message_id=known_by,
            topic=topic,
            channel=None,
            subscribed=False,
        )
        for topic, known_by in each
    )


def spoken(call: ChangeConsent) -> Spoken:
    """What a call says, as it is kept."""
    state = ConsentState.SUBSCRIBED if call.subscribed else ConsentState.UNSUBSCRIBED
    state = ConsentState.PENDING if call.pending else state
    return Spoken(at=call.at, channel=call.channel, topic=call.topic, state=state)


def event_of(call: ChangeConsent) -> BuiltInEvent:
    """The event by which journeys hear of it."""
    if call.pending:
        return BuiltInEvent.CONSENT_REQUESTED
    return BuiltInEvent.CONSENT_GIVEN if call.subscribed else BuiltInEvent.CONSENT_WITHDRAWN


def understood(
    call: ChangeConsent, topics: Mapping[str, Topic], said: Iterable[Word]
) -> tuple[ChangeConsent, ...]:
    """What a call comes to: itself, or first a question to the customer.

    `said` is everything said so far, oldest first; what was said after the call does not
    bear on it. Whoever is subscribed already stays so; whoever is asked already is asked again.
    """
    if not call.subscribed or call.confirmed or call.pending:
        return (call,)
    asks = [name for name, topic in topics.items() if topic.double_opt_in]
    before = [each for each in said if each.at <= call.at]
    if call.topic is not None:
        must_ask = call.topic in asks and not _is_subscribed(before, call.channel, call.topic)
        return (replace(call, pending=must_ask),)
    asked = (
        replace(call, topic=name, message_id=f"{call.message_id}:{name}", pending=True)
        for name in asks
        if not _is_subscribed(before, call.channel, name)
    )
    return (call, *asked)


def _is_subscribed(said: Sequence[Word], channel: str | None, topic: str) -> bool:
    """Whether they are, by this channel; by every one of them if none is named."""
    if channel is not None:
        return state_of(said, channel, topic) is ConsentState.SUBSCRIBED
    mine = [each for each in said if each.topic in (None, topic)]
    named = {each.channel for each in mine if each.channel is not None}
    states = [state_of(mine, each, topic) for each in sorted(named)]
    of_all = next((each.state for each in reversed(mine) if each.channel is None), None)
    return all(state is ConsentState.SUBSCRIBED for state in (of_all, *states))
