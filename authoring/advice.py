"""What is allowed and probably not meant: warnings about a journey without mistakes."""

from collections.abc import Iterable, Iterator

from authoring.source import Source
from engine.definition import Journey, Step
from engine.events import BuiltInEvent
from engine.expressions import TraitAnchor
from engine.policy import Policy


def advise(journey: Journey, source: Source) -> None:
    """Every warning goes to `source`."""
    if journey.ends_at is None and (waiting := list(_may_wait_for_ever(journey))):
        steps = ", ".join(f"`{step.id}`" for step in waiting)
        source.warn(
            ("steps", journey.steps.index(waiting[0])),
            f"the journey may never end, as {steps} may wait for ever: add an `ends_at`, such as "
            "`ends_at: start + 90 days`",
        )
    for index, step in enumerate(journey.steps):
        if carried := _not_carried_yet(step):
            source.warn(
                ("steps", index),
                f"`{step.id}`: {carried} is understood and simulated, but nothing carries it yet: "
                "in production the step ends as `provider_down` after its grace",
            )
        if step.offer is not None and not journey.goal:
            source.warn(
                ("steps", index, "offer"),
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


def _not_carried_yet(step: Step) -> str | None:
    """What this version only decides; the adapters for it come with the other channels."""
    if step.call is not None:
        return "`call`"
    if step.set is not None:
        return "`set`"
    if step.channels is not None and "email" not in step.channels:
        return f"sending by {' or '.join(step.channels)}"
    return None


def _may_wait_for_ever(journey: Journey) -> Iterator[Step]:
    """Steps that wait for what need not come: a trait, an idle spell, an event, a repeat."""
    for step in journey.steps:
        if step.at is None or step.repeat is not None or isinstance(step.at.anchor, TraitAnchor):
            yield step
