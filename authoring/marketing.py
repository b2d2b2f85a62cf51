"""Warnings about marketing: messages nobody can get rid of, or that will never get out.

Knows what a step may send and what the policy lets through, and no customer. What is legal
but odd is told once, where it can be mended.
"""

from collections.abc import Iterator, Mapping

from authoring.quiet_times import longest_hold, minutes
from authoring.rivals import Channels, find_rivals
from authoring.source import Loc, Source
from engine.caps import channels_of, may_concern
from engine.definition import Journey, Step
from engine.policy import Cap, Policy
from rendering.leaving import mails_without_a_way_out, texts_without_a_way_out
from rendering.messages import MessageSource

_DAY = 24 * 60
_LINK = '`<a href="{{ links.unsubscribe }}">Unsubscribe</a>`'


def advise_on_marketing(
    journey: Journey, source: Source, messages: Mapping[str, MessageSource], policy: Policy
) -> None:
    """Every warning goes to `source`, the journey's."""
    channels = {name: message.channels for name, message in messages.items()}
    told: set[str] = set()
    for index, step in enumerate(journey.steps):
        topic = journey.topic_of(step)
        if topic is None or not step.messages:
            continue
        reached = channels_of(step, channels)
        for loc, name in _sent(step, index):
            if name in messages and name not in told:
                told.add(name)
                _advise_on_leaving(messages[name], topic, reached, policy, source, loc)
        _advise_on_quiet_hours(step, reached, policy, source, ("steps", index))
        if _is_restless(step) and not any(may_concern(c, topic, reached) for c in policy.caps):
            source.warn(
                ("steps", index, "after_idle"),
                f"`{step.id}` goes out after every `{step.after_idle}` without activity, several "
                "times a day: write `after_idle: 1 day` or more, remove `repeat`, or add a cap "
                "to policy.yaml, such as `caps: [{max: 1, per: 1 day}]`",
            )


def advise_on_caps(
    policy: Policy,
    journeys: Mapping[str, Journey],
    channels: Mapping[str, Channels],
    source: Source,
) -> None:
    """Warnings about caps that journeys will compete for; `source` is that of the policy."""
    for index, cap in enumerate(policy.caps):
        found = find_rivals(cap, journeys, channels)
        if not found:
            continue
        names = list(dict.fromkeys(name for each in found for name in each.names))
        both = " and ".join(f"`{name}`" for name in names[:2])
        which = both if len(names) == 2 else f"two of {', '.join(f'`{name}`' for name in names)}"
        want = max(each.want for each in found)
        source.warn(
            ("caps", index),
            f"{which} may both have a message due on one day, and want {want} in a stretch in "
            f"which {_in_words(cap)} lets {cap.max} out; whichever comes first goes first, "
            "whatever it is: give the journey that matters more a `priority`, such as "
            "`priority: 10`",
        )


def _in_words(cap: Cap) -> str:
    about = [f"on {what} `{name}`" for what, name in
             (("the channel", cap.channel), ("the topic", cap.topic)) if name]  # fmt: skip
    return " ".join(["this cap", *about])


def _sent(step: Step, index: int) -> Iterator[tuple[Loc, str]]:
    if step.variants is None:
        yield ("steps", index, "send"), step.messages[0]
        return
    for key, variant in step.variants.items():
        yield ("steps", index, "variants", key), variant.send


def _advise_on_leaving(
    message: MessageSource,
    topic: str,
    reached: tuple[str, ...],
    policy: Policy,
    source: Source,
    loc: Loc,
) -> None:
    said = f"is marketing (topic `{topic}`) and does not say how to be rid of it"
    if "email" in reached:
        for path in mails_without_a_way_out(message)[:1]:
            source.warn(loc, f"`{message.full_name(path)}` {said}: add {_LINK} to it, or to its "
                             "layout")  # fmt: skip
    if "sms" in reached:
        stop_text = policy.sms.stop_text
        for path in texts_without_a_way_out(message, stop_text, policy.locale)[:1]:
            source.warn(
                loc,
                f"`{message.full_name(path)}` {said}: add `sms: {{stop_text: {{{policy.locale}: "
                "Reply STOP to end}}` to policy.yaml, in every language that you write in",
            )


def _advise_on_quiet_hours(
    step: Step, reached: tuple[str, ...], policy: Policy, source: Source, loc: Loc
) -> None:
    """Only where it is quiet on every way that the step may go."""
    if not reached or not {*reached} <= policy.quiet_hours.keys():
        return
    held, channel = min((longest_hold(step, policy.quiet_hours[each]), each) for each in reached)
    if held > minutes(step.grace):
        hours = -(-held // 60)
        source.warn(
            (*loc, "grace"),
            f"`{step.id}` may be held up for {hours} hours by the quiet hours of `{channel}`, and "
            f"its `grace` is `{step.grace}`: what comes up when they begin is never sent "
            f"(`quiet_hours`). Write `grace: {hours} hours` or more, or a `between` outside of "
            "them",
        )


def _is_restless(step: Step) -> bool:
    return step.after_idle is not None and bool(step.repeat) and minutes(step.after_idle) < _DAY
