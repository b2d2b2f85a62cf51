"""What the API says to people in words: reasons as sentences, and the unsubscribe page.

The one surprising fact: the unsubscribe page and answers to text messages are for customers,
so they speak their language; everything else is for the team, and speaks English.
"""

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


@dataclass(frozen=True)
class UnsubscribeWords:
    """The texts of the unsubscribe page; `{topic}` is the topic's title."""

    language: str
    title: str
    question: str
    question_all: str
    button: str
    button_all: str
    done: str
    done_all: str
    gone: str


_ENGLISH = UnsubscribeWords(
    language="en",
    title="Unsubscribe",
    question="Do you want to receive no more messages about “{topic}”?",
    question_all="Do you want to receive no more messages from us?",
    button="Unsubscribe from “{topic}”",
    button_all="Unsubscribe from everything",
    done="Done: you will receive no more messages about “{topic}”.",
    done_all="Done: you will receive no more messages from us.",
    gone="This link is not complete. Please open it again from the message it came in.",
)

_FRENCH = UnsubscribeWords(
    language="fr",
    title="Se désabonner",
    question="Souhaitez-vous ne plus recevoir de messages sur « {topic} » ?",
    question_all="Souhaitez-vous ne plus recevoir de messages de notre part ?",
    button="Me désabonner de « {topic} »",
    button_all="Me désabonner de tout",
    done="C’est fait : vous ne recevrez plus de messages sur « {topic} ».",
    done_all="C’est fait : vous ne recevrez plus de messages de notre part.",
    gone="Ce lien est incomplet. Veuillez l’ouvrir à nouveau depuis le message reçu.",
)

_LANGUAGES = {words.language: words for words in (_ENGLISH, _FRENCH)}


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


def unsubscribe_words(customer: Customer | None, default: str | None) -> UnsubscribeWords:
    """In the customer's language, as far as we speak it."""
    return _LANGUAGES[_language(customer, default)]


def reply_words(customer: Customer | None, default: str | None) -> ReplyWords:
    """In the customer's language, as far as we speak it."""
    return _REPLIES[_language(customer, default)]


def _language(customer: Customer | None, default: str | None) -> str:
    """That of their `locale` trait, else what their app said, else ours."""
    trait = customer.traits.get("locale") if customer is not None else None
    context = customer.context_locale if customer is not None else None
    for locale in (trait, context, default):
        if isinstance(locale, str) and locale:
            language = locale.replace("_", "-").partition("-")[0].lower()
            if language in _LANGUAGES:
                return language
    return _ENGLISH.language
