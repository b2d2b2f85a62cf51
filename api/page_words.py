"""What the pages behind the links in messages say to customers, in English and in French.

Texts alone. `{topic}` is a topic's title and `{channel}` how a channel is called in a
sentence. The one surprising fact: what stands on a button or beside a box is kept in the
ledger as what the customer read, so it must say the whole of what it does.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from api.words import language_of
from engine.purposes import CLICKS, OPENS
from store.tables import Customer


@dataclass(frozen=True)
class UnsubscribeWords:
    """The page of an unsubscribe link: for its topic, and for everything (`_all`)."""

    title: str
    question: str
    question_all: str
    button: str
    button_all: str
    done: str
    done_all: str
    mistake: str
    again: str
    again_all: str
    back: str
    back_all: str


@dataclass(frozen=True)
class PreferenceWords:
    """The preference page. `tracking` has the label and the explanation of each purpose."""

    title: str
    intro: str
    channels: Mapping[str, str]
    label: str
    pending: str
    tracking_title: str
    tracking: Mapping[str, tuple[str, str]]
    save: str
    saved: str
    nothing_changed: str
    given: str
    withdrawn: str
    leave_title: str
    leave: str
    left: str


@dataclass(frozen=True)
class ConfirmWords:
    """The page that asks for a confirmation (double opt-in), and what it is called after that."""

    title: str
    after: str
    question: str
    question_by: str
    button: str
    button_by: str
    done: str
    already: str
    over: str


@dataclass(frozen=True)
class PageWords:
    """All pages in one language. `nobody` is for a customer who was erased."""

    language: str
    gone_title: str
    gone: str
    nobody: str
    choose: str
    unsubscribe: UnsubscribeWords
    preferences: PreferenceWords
    confirm: ConfirmWords


_ENGLISH = PageWords(
    language="en",
    gone_title="This link does not work",
    gone="This link is not complete. Please open it again from the message it came in.",
    nobody="You receive no messages from us, and we hold nothing to choose from.",
    choose="Choose what you receive",
    unsubscribe=UnsubscribeWords(
        title="Unsubscribe",
        question="Do you want to receive no more messages about “{topic}”?",
        question_all="Do you want to receive no more messages from us?",
        button="Unsubscribe from “{topic}”",
        button_all="Unsubscribe from everything",
        done="Done: you will receive no more messages about “{topic}”.",
        done_all="Done: you will receive no more messages from us.",
        mistake="Was that a mistake?",
        again="Subscribe me to “{topic}” again",
        again_all="Subscribe me again to what I had",
        back="Done: you will receive messages about “{topic}” again.",
        back_all="Done: you will receive what you received before.",
    ),
    preferences=PreferenceWords(
        title="What you receive",
        intro="Tick what you would like to receive from us, then save.",
        channels={"email": "By e-mail", "sms": "By text message", "post": "By post"},
        label="{topic}: {channel}",
        pending="not confirmed yet",
        tracking_title="What we may know of your reading",
        tracking={
            CLICKS: (
                "Which links you follow",
                "So that we write less of what does not interest you.",
            ),
            OPENS: (
                "Whether you open our messages",
                "By a tiny picture in the message, which tells us when it is shown.",
            ),
        },
        save="Save",
        saved="Your choice is saved",
        nothing_changed="Nothing was changed.",
        given="Yes to “{what}”",
        withdrawn="No to “{what}”",
        leave_title="No more messages at all?",
        leave="Unsubscribe from everything",
        left="You will receive no more messages from us.",
    ),
    confirm=ConfirmWords(
        title="Please confirm",
        after="Your subscription",
        question="Do you want to receive messages about “{topic}”?",
        question_by="Do you want to receive messages about “{topic}” {channel}?",
        button="Yes, subscribe me to “{topic}”",
        button_by="Yes, subscribe me to “{topic}” {channel}",
        done="Thank you: you are subscribed to “{topic}”.",
        already="You are subscribed to “{topic}”. There is nothing more to do.",
        over="This link is no longer valid, since you have chosen otherwise in the meantime. "
        "Nothing was changed.",
    ),
)

_FRENCH = PageWords(
    language="fr",
    gone_title="Ce lien ne fonctionne pas",
    gone="Ce lien est incomplet. Veuillez l’ouvrir à nouveau depuis le message reçu.",
    nobody="Vous ne recevez aucun message de notre part : il n’y a rien à choisir.",
    choose="Choisir ce que je reçois",
    unsubscribe=UnsubscribeWords(
        title="Se désabonner",
        question="Souhaitez-vous ne plus recevoir de messages sur « {topic} » ?",
        question_all="Souhaitez-vous ne plus recevoir de messages de notre part ?",
        button="Me désabonner de « {topic} »",
        button_all="Me désabonner de tout",
        done="C’est fait : vous ne recevrez plus de messages sur « {topic} ».",
        done_all="C’est fait : vous ne recevrez plus de messages de notre part.",
        mistake="C’était une erreur ?",
        again="Me réabonner à « {topic} »",
        again_all="Me réabonner à ce que je recevais",
        back="C’est fait : vous recevrez à nouveau les messages sur « {topic} ».",
        back_all="C’est fait : vous recevrez à nouveau ce que vous receviez.",
    ),
    preferences=PreferenceWords(
        title="Ce que vous recevez",
        intro="Cochez ce que vous souhaitez recevoir de notre part, puis enregistrez.",
        channels={"email": "Par e-mail", "sms": "Par SMS", "post": "Par courrier"},
        label="{topic} : {channel}",
        pending="pas encore confirmé",
        tracking_title="Ce que nous pouvons savoir de votre lecture",
        tracking={
            CLICKS: (
                "Les liens que vous suivez",
                "Pour vous écrire moins souvent sur ce qui ne vous intéresse pas.",
            ),
            OPENS: (
                "L’ouverture de nos messages",
                "Par une minuscule image dans le message, qui nous dit quand elle est affichée.",
            ),
        },
        save="Enregistrer",
        saved="Vos choix sont enregistrés",
        nothing_changed="Rien n’a été modifié.",
        given="Oui à « {what} »",
        withdrawn="Non à « {what} »",
        leave_title="Ne plus recevoir aucun message ?",
        leave="Me désabonner de tout",
        left="Vous ne recevrez plus de messages de notre part.",
    ),
    confirm=ConfirmWords(
        title="Merci de confirmer",
        after="Votre abonnement",
        question="Souhaitez-vous recevoir des messages sur « {topic} » ?",
        question_by="Souhaitez-vous recevoir des messages sur « {topic} » {channel} ?",
        button="Oui, m’abonner à « {topic} »",
        button_by="Oui, m’abonner à « {topic} » {channel}",
        done="Merci : votre abonnement à « {topic} » est confirmé.",
        already="Votre abonnement à « {topic} » est confirmé. Il n’y a rien d’autre à faire.",
        over="Ce lien n’est plus valable, car vous avez fait un autre choix entre-temps. "
        "Rien n’a été modifié.",
    ),
)

_LANGUAGES = {words.language: words for words in (_ENGLISH, _FRENCH)}


def page_words(customer: Customer | None, default: str | None) -> PageWords:
    """In the customer's language, as far as we speak it."""
    return _LANGUAGES[language_of(customer, default, _LANGUAGES)]
