"""What is said about being written to, what it comes to, and what else may be agreed to."""

from datetime import timedelta

import pytest

from engine.calls import ChangeConsent
from engine.consent import ConsentState, Spoken, agrees_to, event_of, spoken, state_of, understood
from engine.events import BuiltInEvent
from engine.policy import Policy, Topic, in_language
from engine.purposes import CLICKS, OPENS, may_track_clicks, may_track_opens
from tests.engine.enrolled import HOUR, START

YES, ASKED, NO = ConsentState.SUBSCRIBED, ConsentState.PENDING, ConsentState.UNSUBSCRIBED
TOPICS = {
    "news": Topic(title="News", subscribed=False, double_opt_in=True),
    "tips": Topic(title="Tips", subscribed=False),
}


def word(
    state: ConsentState,
    topic: str | None = "news",
    channel: str | None = None,
    after: timedelta = timedelta(0),
) -> Spoken:
    return Spoken(START + after, channel, topic, state)


def subscribes(
    topic: str | None = "news",
    channel: str | None = None,
    *,
    subscribed: bool = True,
    confirmed: bool = False,
) -> ChangeConsent:
    return ChangeConsent(
        customer_id="ana",
        at=START + HOUR,
        message_id="m1",
        topic=topic,
        channel=channel,
        subscribed=subscribed,
        confirmed=confirmed,
    )


def comes_to(call: ChangeConsent, *said: Spoken) -> list[tuple[str | None, ConsentState]]:
    return [(each.topic, spoken(each).state) for each in understood(call, TOPICS, said)]


def test_who_subscribes_where_it_must_be_confirmed_is_asked() -> None:
    assert comes_to(subscribes()) == [("news", ASKED)]
    assert comes_to(subscribes("tips")) == [("tips", YES)]
    assert comes_to(subscribes("no-such-topic")) == [("no-such-topic", YES)]


def test_who_confirmed_is_asked_nothing() -> None:
    assert comes_to(subscribes(confirmed=True), word(ASKED)) == [("news", YES)]


def test_who_is_asked_already_is_asked_again() -> None:
    assert comes_to(subscribes(), word(ASKED)) == [("news", ASKED)]


def test_who_is_subscribed_stays_so() -> None:
    assert comes_to(subscribes(), word(YES)) == [("news", YES)]
    assert comes_to(subscribes(), word(YES, None)) == [("news", YES)]


def test_a_subscription_by_one_channel_is_none_by_the_others() -> None:
    by_mail = word(YES, channel="email")
    assert comes_to(subscribes(channel="email"), by_mail) == [("news", YES)]
    assert comes_to(subscribes(channel="sms"), by_mail) == [("news", ASKED)]
    assert comes_to(subscribes(), by_mail) == [("news", ASKED)]
    left_sms = word(NO, channel="sms", after=HOUR / 2)
    assert comes_to(subscribes(), word(YES), left_sms) == [("news", ASKED)]


def test_everything_is_no_way_around_being_asked() -> None:
    assert comes_to(subscribes(None)) == [(None, YES), ("news", ASKED)]
    assert comes_to(subscribes(None), word(YES)) == [(None, YES)]
    every, asked = understood(subscribes(None), TOPICS, ())
    assert state_of([spoken(every), spoken(asked)], "email", "news") is ASKED
    assert every.message_id != asked.message_id


def test_who_leaves_needs_to_confirm_nothing() -> None:
    assert comes_to(subscribes(subscribed=False)) == [("news", NO)]


def test_what_is_said_later_does_not_bear_on_what_was_said_before() -> None:
    assert comes_to(subscribes(), word(YES, after=2 * HOUR)) == [("news", ASKED)]


@pytest.mark.parametrize(
    ("call", "event"),
    [
        (subscribes(), BuiltInEvent.CONSENT_REQUESTED),
        (subscribes("tips"), BuiltInEvent.CONSENT_GIVEN),
        (subscribes(confirmed=True), BuiltInEvent.CONSENT_GIVEN),
        (subscribes(subscribed=False), BuiltInEvent.CONSENT_WITHDRAWN),
    ],
)
def test_given_is_said_only_when_it_is(call: ChangeConsent, event: BuiltInEvent) -> None:
    (found,) = understood(call, TOPICS, ())
    assert event_of(found) is event


def test_a_topic_with_double_opt_in_subscribes_nobody_by_default() -> None:
    with pytest.raises(ValueError, match="`subscribed: false`"):
        Topic(title="News", subscribed=True, double_opt_in=True)


# --- Being observed -----------------------------------------------------------------------


def _policy(clicks: bool = True, opens: bool = True, topic: bool = True) -> Policy:
    return Policy.model_validate(
        {
            "sender": {"name": "Acme", "email": "hello@acme.example"},
            "postal_address": "1 Main Street",
            "tracking": {"clicks": clicks, "opens": opens},
            "topics": {"news": {"title": "News", "subscribed": True, "tracking": topic}},
        }
    )


def test_clicks_are_kept_unless_somebody_said_no() -> None:
    assert may_track_clicks(_policy(), "news", [])
    assert may_track_clicks(_policy(), None, [])
    assert not may_track_clicks(_policy(clicks=False), "news", [])
    assert not may_track_clicks(_policy(topic=False), "news", [])
    assert not may_track_clicks(_policy(), "news", [word(NO, CLICKS)])
    assert may_track_clicks(_policy(), "news", [word(NO, CLICKS), word(YES, CLICKS)])


def test_openings_are_kept_only_of_who_said_yes_to_it() -> None:
    yes = [word(YES, OPENS)]
    assert may_track_opens(_policy(), "news", yes)
    assert not may_track_opens(_policy(), "news", [])
    assert not may_track_opens(_policy(), "news", [word(YES, None)])
    assert not may_track_opens(_policy(), "news", [word(ASKED, OPENS)])
    assert not may_track_opens(_policy(opens=False), "news", yes)
    assert not may_track_opens(_policy(topic=False), "news", yes)
    assert not may_track_opens(_policy(), "news", [*yes, word(NO, OPENS)])


def test_no_policy_watches_who_opens_unless_it_says_so() -> None:
    assert not Policy.model_validate(_policy().model_dump(exclude={"tracking"})).tracking.opens


def test_who_leaves_everything_is_observed_no_more() -> None:
    left = [word(YES, OPENS), word(YES, CLICKS), word(NO, None)]
    assert not may_track_opens(_policy(), None, left)
    assert not may_track_clicks(_policy(), None, left)
    assert agrees_to([word(YES, OPENS), word(NO, None, channel="sms")], OPENS)


# --- In the reader's language -------------------------------------------------------------


@pytest.mark.parametrize(
    ("locales", "text"),
    [
        (("fr-CA",), "Nouveautés"),
        (("fr_FR", "en"), "Nouveautés"),
        (("de", "en"), "News"),
        ((None,), "News"),
        (("pt-BR",), "Novidades"),
        (("pt", "fr"), "Nouveautés"),
    ],
)
def test_a_title_is_in_the_closest_language(locales: tuple[str | None, ...], text: str) -> None:
    titles = {"en": "News", "fr": "Nouveautés", "pt-BR": "Novidades"}
    assert in_language(titles, *locales) == text
    assert in_language("News", *locales) == "News"
