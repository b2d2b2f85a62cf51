"""What is true for all journeys: `journeys/policy.yaml`, checked and frozen."""

from typing import Annotated, Self
from zoneinfo import available_timezones

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from engine.fields import DurationText, Share, WindowText


def _check_zone(value: str) -> str:
    if value not in available_timezones():
        raise ValueError(f"`{value}` is not an IANA time zone such as `Europe/Paris`")
    return value


class _Frozen(BaseModel):
    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)


class Sender(_Frozen):
    """Who a message comes from, unless a step says otherwise."""

    name: str = Field(min_length=1)
    email: str = Field(min_length=3)
    reply_to: str | None = None


class Topic(_Frozen):
    """What a customer subscribes to. `subscribed` is the state of those who never said."""

    title: str = Field(min_length=1)
    subscribed: bool


class Cap(_Frozen):
    """At most `max` messages in any rolling `per`, of one channel or topic where given.

    Transactional messages neither count nor are held.
    """

    max: int = Field(ge=1)
    per: DurationText
    channel: str | None = None
    topic: str | None = None


class Webhook(_Frozen):
    """Where a `call:` step goes. The secret comes from settings, never from this file."""

    url: str = Field(pattern=r"^https?://")


class Policy(_Frozen):
    """Sender, topics, caps, quiet hours and defaults. See design.md, "A journey is data"."""

    sender: Sender
    postal_address: str = Field(min_length=1)
    timezone: Annotated[str, AfterValidator(_check_zone)] = "UTC"
    locale: str = "en"
    currency: str | None = None
    topics: dict[str, Topic] = Field(min_length=1)
    caps: tuple[Cap, ...] = ()
    quiet_hours: dict[str, WindowText] = {}
    holdout: Share = 0.0
    webhooks: dict[str, Webhook] = {}

    @model_validator(mode="after")
    def _caps_name_topics(self) -> Self:
        for cap in self.caps:
            if cap.topic is not None and cap.topic not in self.topics:
                raise ValueError(
                    f"a cap names the topic `{cap.topic}`, which `topics` does not have"
                )
        return self
