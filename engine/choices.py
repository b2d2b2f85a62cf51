"""What a customer may choose on the pages behind the links in messages, and what a choice changes.

Decides which boxes the preference page has, and what becomes of it when they are ticked or
not; what a confirmation confirms; what "that was a mistake" gives back. The surprising fact: a
page may have lain open for a month, so a box that was ticked when it was shown subscribes to
nothing when the page is saved. A page that was forgotten must not undo an unsubscribe.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from engine.consent import ConsentState, Word, state_of
from engine.policy import Policy
from engine.purposes import CLICKS, OPENS, may_track_clicks, may_track_opens

# By which channels people are reached, in the order in which they are offered.
CHANNELS = ("email", "sms", "post")


@dataclass(frozen=True)
class Choice:
    """A box: a topic by a channel, or a purpose (`engine.purposes`), which has none.

    `pending`: they asked for it and have not confirmed it.
    """

    topic: str
    channel: str | None
    chosen: bool
    pending: bool = False

    @property
    def id(self) -> str:
        """What a form calls it; a channel has no slash."""
        return f"{self.channel or ''}/{self.topic}"


@dataclass(frozen=True)
class Form:
    """A page as it came back: the ids of the boxes on it, those ticked then, those ticked now."""

    shown: frozenset[str]
    was: frozenset[str]
    ticked: frozenset[str]


@dataclass(frozen=True)
class Change:
    """One word about consent, to be written down. None means all, as in the ledger."""

    topic: str | None
    channel: str | None
    subscribed: bool


@dataclass(frozen=True)
class Asked:
    """The subscription that a customer is asked to confirm."""

    topic: str
    channel: str | None


def topic_choices(policy: Policy, said: Sequence[Word], channels: Sequence[str]) -> list[Choice]:
    """A box for each topic by each of these channels. `said` is all they said, oldest first."""
    found: list[Choice] = []
    for topic in policy.topics:
        for channel in channels:
            state = state_of(said, channel, topic)
            chosen = _is_subscribed(policy, state, topic)
            found.append(Choice(topic, channel, chosen, state is ConsentState.PENDING))
    return found


def tracking_choices(policy: Policy, said: Sequence[Word]) -> list[Choice]:
    """A box for each thing that is observed at all."""
    found: list[Choice] = []
    if policy.tracking.clicks:
        found.append(Choice(CLICKS, None, may_track_clicks(policy, None, said)))
    if policy.tracking.opens:
        found.append(Choice(OPENS, None, may_track_opens(policy, None, said)))
    return found


def changes(now: Sequence[Choice], form: Form) -> list[Change]:
    """What saving a page changes of what holds now; nothing for boxes that were not on it.

    Whoever gives up the last channel of a topic leaves the topic, by channels to come as well.
    """
    found: list[Change] = []
    for topic in dict.fromkeys(each.topic for each in now):
        boxes = [each for each in now if each.topic == topic]
        given_up = [each for each in boxes if each.chosen and _is_unticked(each, form)]
        wanted = [each for each in boxes if not each.chosen and _is_newly_ticked(each, form)]
        stays = any(each.chosen and each not in given_up for each in boxes)
        if given_up and not wanted and not stays:
            found.append(Change(topic, None, subscribed=False))
            continue
        found += [Change(topic, each.channel, subscribed=False) for each in given_up]
        found += [Change(topic, each.channel, subscribed=True) for each in wanted]
    return found


def newest_word(said: Sequence[Word], asked: Asked) -> ConsentState | None:
    """The last they said of this topic by this channel, or by any if it is about all of them."""
    for each in reversed(said):
        of_channel = asked.channel is None or each.channel in (None, asked.channel)
        if of_channel and each.topic in (None, asked.topic):
            return each.state
    return None


def to_give_back(policy: Policy, said: Sequence[Word], left: str | None) -> list[Change]:
    """What they had until they just left a topic, or with None everything."""
    before = list(said)
    while before and _is_leaving(before[-1], left):
        before.pop()
    if len(before) == len(said):
        return []
    found: list[Change] = []
    for topic in policy.topics if left is None else (left,):
        had = [
            channel
            for channel in CHANNELS
            if _is_subscribed(policy, state_of(before, channel, topic), topic)
        ]
        by: Sequence[str | None] = (None,) if len(had) == len(CHANNELS) else had
        found += [Change(topic, channel, subscribed=True) for channel in by]
    return found


def asked_to_confirm(policy: Policy, *events: Mapping[str, Any]) -> Asked | None:
    """Which subscription the first of these events is about that is about one.

    Each is an event's properties, as those of `consent.requested`.
    """
    for properties in events:
        topic, channel = properties.get("topic"), properties.get("channel")
        if isinstance(topic, str) and topic in policy.topics and channel in (None, *CHANNELS):
            return Asked(topic, channel)
    return None


def _is_subscribed(policy: Policy, state: ConsentState | None, topic: str) -> bool:
    if state is not None:
        return state is ConsentState.SUBSCRIBED
    known = policy.topics.get(topic)
    return known is not None and known.subscribed


def _is_unticked(choice: Choice, form: Form) -> bool:
    return choice.id in form.shown and choice.id not in form.ticked


def _is_newly_ticked(choice: Choice, form: Form) -> bool:
    return choice.id in form.shown and choice.id in form.ticked - form.was


def _is_leaving(word: Word, left: str | None) -> bool:
    return (word.topic, word.channel, word.state) == (left, None, ConsentState.UNSUBSCRIBED)
