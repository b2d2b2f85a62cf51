"""What a journey names elsewhere: topics, webhooks, messages, events, steps in conditions.

Checks step by step and key by key, so a step that is wrong in one key is still checked in
the others. Knows files only through what it is given.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from authoring.conditions import Known, check_condition, check_events
from authoring.journey_file import CheckedJourney, CheckedStep
from authoring.policy_file import PolicyNames, refuse_unknown_channel
from authoring.sentences import did_you_mean
from authoring.source import Loc, Source
from engine.definition import Offer, Step
from rendering.errors import SenderSyntaxError
from rendering.senders import compile_sender


@dataclass(frozen=True)
class Surroundings:
    """What is beside the journey file: `channels` of each message that can be read."""

    policy: PolicyNames
    channels: Mapping[str, tuple[str, ...]]
    folders: frozenset[str]  # of messages, those with mistakes too
    offering: Mapping[str, tuple[str, int]] = field(default_factory=dict)  # where they say `offer`


def check_references(checked: CheckedJourney, around: Surroundings) -> None:
    """Every mistake goes to the journey's source."""
    source, head = checked.source, checked.head.value
    if head is not None:
        if checked.head.good("topic"):
            _check_topic(head.topic, ("topic",), around.policy, source)
        for key in ("starts_on", "ends_on", "goal", "activity"):
            if checked.head.good(key):
                raw = source.data.get(key)
                check_events(getattr(head, key), raw, (key,), source, around.policy.segments)
    for step in checked.steps:
        _check_messages(step, around, source)
        if step.shape.value is not None:
            _check_step(step, step.shape.value, checked, around)
    _warn_of_unused(checked, around)


def _check_step(
    checked_step: CheckedStep, step: Step, checked: CheckedJourney, around: Surroundings
) -> None:
    source, loc, good = checked.source, checked_step.loc, checked_step.shape.good
    if good("topic"):
        _check_topic(step.topic, (*loc, "topic"), around.policy, source)
    for key in ("after_event", "unless"):
        if good(key):
            matches = getattr(step, key) or ()
            raw = checked_step.raw.get(key)
            check_events(matches, raw, (*loc, key), source, around.policy.segments)
    if good("when") and step.when is not None:
        known = Known(step_ids=checked.step_ids, segments=around.policy.segments)
        check_condition(step.when, (*loc, "when"), source, known)
    if good("unsubscribe") and step.unsubscribe is not None:
        for index, topic in enumerate(step.leaves or ()):
            _check_topic(topic, (*loc, "unsubscribe", index), around.policy, source)
    if good("call") and step.call is not None:
        _check_webhook(step.call, (*loc, "call"), around, source)
    for where, offer in _offers(checked_step, step):
        if offer.code_from is not None:
            _check_webhook(offer.code_from, (*where, "code_from"), around, source)
    if good("from") and step.sender is not None:
        try:
            compile_sender(step.sender)
        except SenderSyntaxError as error:
            source.refuse((*loc, "from"), f"`from`: {error}")
    if good("set"):
        _refuse_computed(step, loc, around, source)
    if good("channels"):
        _check_channels(checked_step, step, around, source)
    if _is_transactional(checked_step, step, checked):
        _refuse_offers(checked_step, step, around, source)


def _refuse_computed(step: Step, loc: Loc, around: Surroundings, source: Source) -> None:
    for name in step.set or ():
        if name in (around.policy.traits or ()):
            source.refuse(
                (*loc, "set", name),
                f"`{name}` is computed (`traits` in policy.yaml), so nothing that is set would "
                "ever be seen: take another name",
            )


def _refuse_offers(
    checked_step: CheckedStep, step: Step, around: Surroundings, source: Source
) -> None:
    """It is what a message says that makes it marketing, not what it is called."""
    made = list(_offers(checked_step, step))
    for where, _ in made:
        source.refuse(
            where,
            "an offer in a transactional message makes it marketing: give the step a `topic`, or "
            "remove `offer`",
        )
    if made:
        return
    for loc, name in checked_step.messages():
        if (place := around.offering.get(name)) is not None:
            file, line = place
            source.refuse(
                loc,
                f"`{file}` speaks of `offer` in line {line}, and an offer in a transactional "
                "message makes it marketing: give the step a `topic`, or take it out of the text",
            )


def _offers(checked_step: CheckedStep, step: Step) -> Iterator[tuple[Loc, Offer]]:
    """The offers that the step's messages make, with where it says so."""
    loc, good = checked_step.loc, checked_step.shape.good
    if good("offer") and step.offer is not None:
        yield (*loc, "offer"), step.offer
    for name, variant in (step.variants or {}).items() if good("variants") else ():
        if variant.offer is not None:
            yield (*loc, "variants", name, "offer"), variant.offer


def _is_transactional(checked_step: CheckedStep, step: Step, checked: CheckedJourney) -> bool:
    if not (checked_step.shape.good("transactional") and checked_step.shape.good("topic")):
        return False
    if step.topic is not None:
        return False
    if step.transactional is not None:
        return step.transactional
    head = checked.head
    return head.value is not None and head.good("transactional") and head.value.transactional


def _check_topic(topic: str | None, loc: Loc, policy: PolicyNames, source: Source) -> None:
    if topic is not None and policy.topics is not None and topic not in policy.topics:
        hint = did_you_mean(topic, policy.topics, "policy.yaml has")
        source.refuse(loc, f"unknown topic `{topic}`{hint}")


def _check_messages(step: CheckedStep, around: Surroundings, source: Source) -> None:
    for loc, name in step.messages():
        if name not in around.folders:
            hint = did_you_mean(name, sorted(around.folders), "the messages are")
            if not hint.endswith("?"):
                hint = f": make a folder `{name}/` beside journey.yaml, with its texts"
            source.refuse(loc, f"there is no message `{name}`{hint}")


def _check_webhook(name: str, loc: Loc, around: Surroundings, source: Source) -> None:
    known = around.policy.webhooks
    if known is None or name in known:
        return
    hint = did_you_mean(name, known, "policy.yaml has")
    if not hint.endswith("?"):
        hint += "; add it to `webhooks` in policy.yaml"
    source.refuse(loc, f"unknown webhook `{name}`{hint}")


def _check_channels(
    checked_step: CheckedStep, step: Step, around: Surroundings, source: Source
) -> None:
    loc = (*checked_step.loc, "channels")
    for index, channel in enumerate(step.channels or ()):
        if refuse_unknown_channel(channel, source, (*loc, index)):
            continue
        for _, name in checked_step.messages():
            has = around.channels.get(name)
            if has is not None and channel not in has:
                source.refuse(
                    (*loc, index),
                    f"the message `{name}` has no `{channel}`: its files make "
                    f"{', '.join(f'`{c}`' for c in has)}",
                )
    if step.channels == ():
        source.refuse(
            loc, "`channels` is empty: remove it, and every channel that the message has will do"
        )


def _warn_of_unused(checked: CheckedJourney, around: Surroundings) -> None:
    used = {name for step in checked.steps for _, name in step.messages()}
    for name in sorted(around.folders - used):
        checked.source.warn(
            (), f"the message `{name}` is sent by no step: add one, or remove its folder"
        )
