"""`policy.yaml`: what is true for all journeys, checked.

The surprising fact: its names (topics, webhooks) are known even where the file has other
mistakes, so a mistake here does not make every journey look wrong too.
"""

from collections.abc import Iterable
from dataclasses import dataclass

from authoring.computed import check_computed
from authoring.sentences import did_you_mean
from authoring.shapes import read_shape
from authoring.source import Source
from engine.policy import Policy
from rendering.formats import find_locale, is_currency

CHANNELS = ("email", "sms", "post", "webhook")

_STAND_INS = {
    "sender": {"name": "stand-in", "email": "stand@in"},
    "postal_address": "stand-in",
    "topics": {"stand-in": {"title": "stand-in", "subscribed": True}},
}


@dataclass(frozen=True)
class PolicyNames:
    """What journeys may refer to; None where the file does not let it be known."""

    topics: tuple[str, ...] | None
    webhooks: tuple[str, ...] | None
    segments: tuple[str, ...] | None = ()
    traits: tuple[str, ...] | None = ()


UNKNOWN_NAMES = PolicyNames(None, None, None, None)


def read_policy(source: Source) -> tuple[Policy | None, PolicyNames]:
    """The policy, None if anything in it is wrong; every mistake goes to `source`."""
    data = source.data
    if not isinstance(data, dict):
        source.refuse((), "expected the keys of a policy, such as `sender` and `topics`")
        return None, UNKNOWN_NAMES
    names = PolicyNames(
        _names(data.get("topics")),
        _names(data.get("webhooks", {})),
        _names(data.get("segments", {})),
        _names(data.get("traits", {})),
    )
    # Caps that name no topic are found below, each with its line; the model tells of one only.
    caps = data.get("caps")
    known = {"caps": [_of_known(cap, names) for cap in caps]} if isinstance(caps, list) else {}
    shape = read_shape(Policy, data | known, source, (), _STAND_INS)
    _check_caps(data, names, source)
    _check_channels(data, source)
    _check_manner(data, source)
    check_computed(data, source)
    if source.mistakes or shape.value is None:
        return None, names
    return Policy.model_validate(data, extra="forbid"), names


def _names(mapping: object) -> tuple[str, ...] | None:
    return tuple(map(str, mapping)) if isinstance(mapping, dict) else None


def _of_known(cap: object, names: PolicyNames) -> object:
    """The cap, without its topic if there is no such one."""
    topic = cap.get("topic") if isinstance(cap, dict) else None
    if isinstance(cap, dict) and isinstance(topic, str) and topic not in (names.topics or ()):
        return {key: value for key, value in cap.items() if key != "topic"}
    return cap


def _check_caps(data: dict[str, object], names: PolicyNames, source: Source) -> None:
    caps = data.get("caps")
    for index, cap in enumerate(caps if isinstance(caps, list) else ()):
        topic = cap.get("topic") if isinstance(cap, dict) else None
        if isinstance(topic, str) and names.topics is not None and topic not in names.topics:
            source.refuse(
                ("caps", index, "topic"),
                f"unknown topic `{topic}`{did_you_mean(topic, names.topics, 'the topics are')}",
            )


def _check_manner(data: dict[str, object], source: Source) -> None:
    currency, locale = data.get("currency"), data.get("locale")
    if isinstance(currency, str) and not is_currency(currency):
        problem = f"`{currency}` is not the code of a currency such as `EUR`"
        source.refuse(("currency",), problem)
    if isinstance(locale, str) and find_locale(locale) is None:
        source.refuse(("locale",), f"`{locale}` is not a language such as `fr` or `fr-CA`")


def _check_channels(data: dict[str, object], source: Source) -> None:
    caps, quiet = data.get("caps"), data.get("quiet_hours")
    named: list[tuple[tuple[str | int, ...], object]] = [
        (("caps", index, "channel"), cap.get("channel"))
        for index, cap in enumerate(caps if isinstance(caps, list) else ())
        if isinstance(cap, dict)
    ]
    named += [(("quiet_hours", name), name) for name in (quiet if isinstance(quiet, dict) else ())]
    for loc, channel in named:
        refuse_unknown_channel(channel, source, loc)


def refuse_unknown_channel(channel: object, source: Source, loc: Iterable[str | int]) -> bool:
    """Whether it is text and no channel we know; if so, it is reported."""
    if not isinstance(channel, str) or channel in CHANNELS:
        return False
    hint = did_you_mean(channel, CHANNELS, "the channels are")
    source.refuse([*loc], f"unknown channel `{channel}`{hint}")
    return True
