"""What the API says to people in words: reasons as sentences, and answers to text messages.

The one surprising fact: answers to text messages, like the pages behind links
(`api.page_words`), are for customers, so they speak their language; everything else is for
the team, and speaks English.
"""

from collections.abc import Collection
from dataclasses import dataclass

from engine.reasons import Decision, Reason
from store.tables import Customer


def reason_in_words(reason: Reason) -> str:
    """Why a step was not sent, as a sentence."""
    return reason.sentence


def decision_in_words(decision: Decision | None, reason: Reason | None) -> str:
    """What was decided, as a sentence."""
    match decision:
        case None:
            return "It is on its way."
        case Decision.SENT:
            return "It was sent."
        case Decision.UNKNOWN:
            return "It may have been sent: the provider did not answer. A person must decide."
        case Decision.NOT_SENT:
            return "It was not sent." if reason is None else reason_in_words(reason)


# Of those who told us no language that we speak.
DEFAULT_LANGUAGE = "en"


@dataclass(frozen=True)
class ReplyWords:
    """What is answered to STOP, START and HELP; `{name}` is the sender, `{reach}` its address."""

    stopped: str
    started: str
    help: str


_REPLIES = {
    "en": ReplyWords(
        stopped="{name}: you get no more text messages from us. Reply START to get them again.",
        started="{name}: you will get our text messages again. Reply STOP to get no more.",
        help="{name}: reply STOP to get no more text messages. You reach us at {reach}.",
    ),
    "fr": ReplyWords(
        stopped="{name} : vous ne recevrez plus de SMS de notre part. Pour en recevoir à "
        "nouveau, répondez START.",
        started="{name} : vous recevrez à nouveau nos SMS. Pour ne plus en recevoir, "
        "répondez STOP.",
        help="{name} : répondez STOP pour ne plus recevoir de SMS. Pour nous joindre : {reach}.",
    ),
}


def reply_words(customer: Customer | None, default: str | None) -> ReplyWords:
    """In the customer's language, as far as we speak it."""
    return _REPLIES[language_of(customer, default, _REPLIES)]


def language_of(customer: Customer | None, default: str | None, spoken: Collection[str]) -> str:
    """Of those spoken, that of their `locale` trait, else what their app said, else ours."""
    for locale in (*locales_of(customer), default):
        if locale and (language := language_in(locale)) in spoken:
            return language
    return DEFAULT_LANGUAGE


def locales_of(customer: Customer | None) -> list[str]:
    """The locales that they have, such as `fr-CA`; the one that counts first."""
    if customer is None:
        return []
    said = (customer.traits.get("locale"), customer.context_locale)
    return [each for each in said if isinstance(each, str) and each]


def language_in(locale: str) -> str:
    """`fr` of `fr-CA` or `fr_CA`."""
    return locale.replace("_", "-").partition("-")[0].lower()
