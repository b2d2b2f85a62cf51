"""What is allowed and probably not meant: warnings about a journey without mistakes."""

import re
from collections.abc import Iterable, Iterator, Mapping

from authoring.source import Source
from engine.definition import Journey, Step
from engine.events import BuiltInEvent
from engine.expressions import TraitAnchor
from engine.policy import Policy


def advise(
    journey: Journey,
    source: Source,
    channels: Mapping[str, tuple[str, ...]],
    policy: Policy | None,
) -> None:
    """Every warning goes to `source`. `channels` are those that each message has."""
    if journey.ends_at is None and (waiting := list(_may_wait_for_ever(journey))):
        steps = ", ".join(f"`{step.id}`" for step in waiting)
        source.warn(
            ("steps", journey.steps.index(waiting[0])),
            f"the journey may never end, as {steps} may wait for ever: add an `ends_at`, such as "
            "`ends_at: start + 90 days`",
        )
    for index, step in enumerate(journey.steps):
        if policy is not None and policy.post is None and _is_printed(step, channels):
            source.warn(
                ("steps", index),
                f"`{step.id}` may be printed, but nobody is named as its sender: add "
                "`post` in policy.yaml, with a `return_address`",
            )
        if step.makes_offers and not journey.goal:
            source.warn(
                ("steps", index, "offer" if step.offer is not None else "variants"),
                f"`{step.id}` makes an offer in a journey without a `goal`, so those who bought "
                "get it too, and nobody learns whether it works: add `goal`",
            )


def advise_on_topics(policy: Policy, journeys: Iterable[Journey], source: Source) -> None:
    """Warnings about the policy beside its journeys; `source` is that of the policy."""
    starts = {match.event for journey in journeys for match in journey.starts_on}
    if BuiltInEvent.CONSENT_REQUESTED in starts:
        return
    for name, topic in policy.topics.items():
        if topic.double_opt_in:
            source.warn(
                ("topics", name, "double_opt_in"),
                f"nobody who subscribes to `{name}` is asked to confirm it, as no journey starts "
                f"on `{BuiltInEvent.CONSENT_REQUESTED}`: add one that sends `links.confirm`",
            )


def advise_on_computed(policy: Policy, texts: Iterable[str], source: Source) -> None:
    """Warnings about what is computed for nobody; `texts` is all that journeys and messages say."""
    said = [*texts]
    conditions = [segment.when for segment in policy.segments.values()]
    for name in policy.traits:
        if not _is_said(rf"customer(\.|\[\\?['\"]){name}\b", [*said, *conditions]):
            source.warn(
                ("traits", name),
                f"no journey, message or segment here looks at `customer.{name}`: use it, or "
                "remove it, for it is computed at every such event",
            )
    for name in policy.segments:
        if not _is_said(rf"(inside\(\s*|event\.segment == )\\?['\"]{name}\\?['\"]", said):
            source.warn(
                ("segments", name),
                f"no journey here looks at the segment `{name}`: use it (`enters: {name}`, "
                f"`inside('{name}')`), or remove it unless you send broadcasts to it",
            )


def _is_said(pattern: str, texts: Iterable[str]) -> bool:
    return any(re.search(pattern, text) for text in texts)


def _is_printed(step: Step, channels: Mapping[str, tuple[str, ...]]) -> bool:
    has = {channel for name in step.messages for channel in channels.get(name, ())}
    return "post" in has and (step.channels is None or "post" in step.channels)


def _may_wait_for_ever(journey: Journey) -> Iterator[Step]:
    """Steps that wait for what need not come: a trait, an idle spell, an event, a repeat."""
    for step in journey.steps:
        if step.at is None or step.repeat is not None or isinstance(step.at.anchor, TraitAnchor):
            yield step
