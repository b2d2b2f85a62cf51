"""What is true for all journeys: `journeys/policy.yaml`, checked and frozen."""

import re
from enum import StrEnum
from typing import Annotated, Self
from zoneinfo import available_timezones

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainSerializer,
    model_validator,
)

from engine.computable import SegmentDefinitions, TraitDefinitions
from engine.expressions import parse_window
from engine.fields import DaysText, PeriodText, Share, WindowText
from engine.postal import PostalAddress


def _check_zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError(f"`{value}` is not an IANA time zone such as `Europe/Paris`")
    return value


def _read_by_locale(value: object) -> object:
    texts = list(value.values()) if isinstance(value, dict) else [value]
    if not texts or not all(isinstance(text, str) and text.strip() for text in texts):
        raise ValueError(
            f"expected a text, or one by language such as `{{en: News, fr: Nouveautés}}`, found "
            f"`{value}`"
        )
    for locale in value if isinstance(value, dict) else ():
        if not (isinstance(locale, str) and _LOCALE.fullmatch(locale)):
            raise ValueError(f"`{locale}` is not a language such as `fr` or `fr-CA`")
    return value


_LOCALE = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")  # as translations' folders are called


def in_language(text: str | dict[str, str], *locales: str | None) -> str:
    """The text for the first of these languages that there is one in (`fr-CA`, else `fr`).

    The first of all if there is none in any.
    """
    if isinstance(text, str):
        return text
    known = {locale.lower(): each for locale, each in text.items()}
    for locale in locales:
        parts = (locale or "").replace("_", "-").lower().split("-")
        for length in range(len(parts), 0, -1):
            if (found := known.get("-".join(parts[:length]))) is not None:
                return found
    return next(iter(text.values()))


# A text for all readers, or one for each language: `{en: News, fr: Actualités}`.
ByLocale = Annotated[str | dict[str, str], BeforeValidator(_read_by_locale)]


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)


class Sender(_Frozen):
    """Who a message comes from, unless a step says otherwise."""

    name: str = Field(min_length=1)
    email: str = Field(min_length=3)
    reply_to: str | None = None


class Topic(_Frozen):
    """What a customer subscribes to. `subscribed` is the state of those who never said.

    `title` and `description` are what customers read: a text, or one by language.
    `double_opt_in`: who subscribes is asked to confirm it first. `tracking`: whether it may
    be kept who followed a link in its messages.
    """

    title: ByLocale = Field(examples=["Product news"])
    description: ByLocale | None = Field(default=None, examples=["What is new, once a month"])
    subscribed: bool
    double_opt_in: bool = False
    tracking: bool = Field(default=True, examples=["false"])

    @model_validator(mode="after")
    def _has_something_to_confirm(self) -> Self:
        if self.double_opt_in and self.subscribed:
            raise ValueError(
                "`double_opt_in` asks customers to confirm that they subscribe, and with "
                "`subscribed: true` they are subscribed without: write `subscribed: false`"
            )
        return self


class PolicyTracking(_Frozen):
    """What of their reading may be kept at all; `engine.purposes` says of whom."""

    clicks: bool = True
    opens: bool = False


class Cap(_Frozen):
    """At most `max` messages in any `per`, of one channel or topic where given.

    Transactional messages are never held, and count only with `counts_transactional`.
    """

    max: int = Field(ge=1)
    per: PeriodText
    channel: str | None = None
    topic: str | None = None
    counts_transactional: bool = False

    @model_validator(mode="after")
    def _counts_what_it_names(self) -> Self:
        if self.topic is not None and self.counts_transactional:
            raise ValueError(
                "`counts_transactional` has nothing to count in a cap on a `topic`: "
                "transactional messages have none, so remove one of the two"
            )
        return self


class QuietHours(_Frozen):
    """When a channel leaves customers in peace, by their local time; each key adds to the others.

    `days` and `holidays` are whole days. Transactional messages are not held.
    """

    hours: WindowText | None = Field(default=None, examples=["22:00-08:00"])
    days: DaysText | None = Field(default=None, examples=["sun"])
    holidays: bool = False

    @model_validator(mode="after")
    def _is_quiet_at_times(self) -> Self:
        if self.hours is None and self.days is None and not self.holidays:
            raise ValueError(f"says not when it is quiet: write for example `{_QUIET}`")
        if self.days is not None and len(self.days.weekdays) == 7:
            raise ValueError(
                "a channel that is quiet on all days never sends: name fewer `days`, or take the "
                "channel out of the journeys"
            )
        return self


_QUIET = "{hours: 22:00-08:00, days: sun, holidays: true}"


def _read_quiet(value: object) -> object:
    """A window alone is quiet hours without quiet days."""
    if isinstance(value, str):
        return {"hours": parse_window(value)}
    if not isinstance(value, dict | QuietHours):
        raise ValueError(
            f"expected a window such as `21:00-08:00`, or keys such as `{_QUIET}`, found `{value}`"
        )
    return value


def _as_written(quiet: QuietHours) -> object:
    if quiet.hours is not None and quiet.days is None and not quiet.holidays:
        return str(quiet.hours)
    return quiet.model_dump(mode="json", exclude_defaults=True)


Quiet = Annotated[QuietHours, BeforeValidator(_read_quiet), PlainSerializer(_as_written)]


class Webhook(_Frozen):
    """Where a `call:` step goes. The secret comes from settings, never from this file."""

    url: str = Field(pattern=r"^https?://")


# E.164, a short code, up to 11 letters and digits, or a Twilio messaging service.
_SMS_SENDER = r"^(\+[1-9][0-9]{6,14}|[A-Za-z0-9 ]{2,11}|MG[0-9a-f]{32})$"


class LetterKind(StrEnum):
    """What `card.html` is printed as."""

    LETTER = "letter"
    POSTCARD = "postcard"


class PostPolicy(_Frozen):
    """How printed messages go out: as what, and who is named as their sender."""

    kind: LetterKind = LetterKind.LETTER
    return_address: PostalAddress


class SmsPolicy(_Frozen):
    """How text messages go out, where that is not as their provider has it.

    `stop_text` is put below every marketing message that does not have it already; by
    language, where it is a mapping.
    """

    sender: str | None = Field(default=None, pattern=_SMS_SENDER, examples=["+33700000000"])
    stop_text: dict[str, str] = {}


class Policy(_Frozen):
    """Sender, topics, caps, quiet hours and defaults. See design.md, "A journey is data"."""

    sender: Sender
    postal_address: str = Field(min_length=1)
    timezone: Annotated[str, AfterValidator(_check_zone)] = "UTC"
    locale: str = "en"
    currency: str | None = None
    topics: dict[str, Topic] = Field(min_length=1)
    caps: tuple[Cap, ...] = ()
    quiet_hours: dict[str, Quiet] = {}
    holdout: Share = 0.0
    tracking: PolicyTracking = Field(
        default=PolicyTracking(), examples=["{clicks: true, opens: false}"]
    )
    webhooks: dict[str, Webhook] = {}
    traits: TraitDefinitions = {}
    segments: SegmentDefinitions = {}
    sms: SmsPolicy = SmsPolicy()
    post: PostPolicy | None = None

    @model_validator(mode="after")
    def _topics_have_no_dots(self) -> Self:
        for name in self.topics:
            if "." in name:
                raise ValueError(
                    f"`topics` has `{name}`: names with a dot are ours, so write "
                    f"`{name.replace('.', '-')}`"
                )
        return self

    @model_validator(mode="after")
    def _caps_name_topics(self) -> Self:
        for cap in self.caps:
            if cap.topic is not None and cap.topic not in self.topics:
                raise ValueError(
                    f"a cap names the topic `{cap.topic}`, which `topics` does not have"
                )
        return self
