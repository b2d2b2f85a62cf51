"""Why a step was not sent: the one closed list that code, tables, API and console share.

The order of `Reason` is the order of precedence (design, "Time", rule 11): where several
hold at once, the first one is told. Each has one sentence for people in each language of
support, which everything that shows a reason takes from here; docs/reasons.md says what to do
about it.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import Literal

# The languages that support reads.
Language = Literal["en", "fr"]


class Reason(StrEnum):
    """Why a step was settled without a message going out."""

    ANCHOR_NOT_SENT = "anchor_not_sent"
    ANCHOR_MISSING = "anchor_missing"
    EXPIRED = "expired"
    UNLESS = "unless"
    CONDITION = "condition"
    HOLDOUT = "holdout"
    NO_CONSENT = "no_consent"
    UNSUBSCRIBED = "unsubscribed"
    SUPPRESSED = "suppressed"
    NO_ADDRESS = "no_address"
    INVALID_ADDRESS = "invalid_address"
    NOT_ALLOWED = "not_allowed"
    QUIET_HOURS = "quiet_hours"
    CAPPED = "capped"
    PROVIDER_REFUSED = "provider_refused"
    SKIPPED = "skipped"
    STOPPED = "stopped"
    TEMPLATE_ERROR = "template_error"
    PROVIDER_DOWN = "provider_down"

    @property
    def sentence(self) -> str:
        """Why she did not get it, for people who read no code. In English."""
        return _ENGLISH[self]

    def sentence_in(self, language: Language) -> str:
        """The same, in a language of support."""
        return _SENTENCES[language][self]


_ENGLISH: Mapping[Reason, str] = {
    Reason.ANCHOR_NOT_SENT: "The step it counts from was not sent.",
    Reason.ANCHOR_MISSING: "The date it counts from is missing or can't be read.",
    Reason.EXPIRED: "When it came up, its time had passed by more than its grace.",
    Reason.UNLESS: "An event that calls it off had happened.",
    Reason.CONDITION: "Its condition did not hold.",
    Reason.HOLDOUT: "The customer is in the holdout, who get nothing but are measured.",
    Reason.NO_CONSENT: "The customer never agreed to this topic.",
    Reason.UNSUBSCRIBED: "The customer has unsubscribed.",
    Reason.SUPPRESSED: "Nothing is sent to this address: it was refused, bounced or complained.",
    Reason.NO_ADDRESS: "There is no address to send it to.",
    Reason.INVALID_ADDRESS: "Mail can't be sent to an address like this one.",
    Reason.NOT_ALLOWED: "Outside production, the recipient is not on the allow-list.",
    Reason.QUIET_HOURS: "Quiet hours lasted beyond its grace.",
    Reason.CAPPED: "The customer had as many messages as the caps allow, until its grace was over.",
    Reason.PROVIDER_REFUSED: "The provider refused it for good.",
    Reason.SKIPPED: "A person skipped it.",
    Reason.STOPPED: "A person had stopped it, until its grace was over.",
    Reason.TEMPLATE_ERROR: "Its text or its condition was broken until its grace was over.",
    Reason.PROVIDER_DOWN: "No provider took it until its grace was over.",
}

# "Il" is the message.
_FRENCH: Mapping[Reason, str] = {
    Reason.ANCHOR_NOT_SENT: "L’étape à partir de laquelle il se compte n’a pas été envoyée.",
    Reason.ANCHOR_MISSING: "La date à partir de laquelle il se compte manque ou est illisible.",
    Reason.EXPIRED: "Quand son tour est venu, son délai de grâce était dépassé.",
    Reason.UNLESS: "Un événement qui l’annule s’était produit.",
    Reason.CONDITION: "Sa condition n’était pas remplie.",
    Reason.HOLDOUT: "Le client fait partie du groupe témoin, qui ne reçoit rien mais est mesuré.",
    Reason.NO_CONSENT: "Le client n’a jamais donné son accord pour ce sujet.",
    Reason.UNSUBSCRIBED: "Le client s’est désabonné.",
    Reason.SUPPRESSED: "Rien n’est envoyé à cette adresse : refus, rejet ou plainte.",
    Reason.NO_ADDRESS: "Il n’y a pas d’adresse à laquelle l’envoyer.",
    Reason.INVALID_ADDRESS: "Aucun courrier ne peut être envoyé à une telle adresse.",
    Reason.NOT_ALLOWED: "Hors production, le destinataire n’est pas sur la liste autorisée.",
    Reason.QUIET_HOURS: "Les heures calmes ont duré au-delà de son délai de grâce.",
    Reason.CAPPED: "Le client avait atteint les plafonds de messages, jusqu’à la fin du délai.",
    Reason.PROVIDER_REFUSED: "Le prestataire d’envoi l’a refusé définitivement.",
    Reason.SKIPPED: "Quelqu’un de l’équipe l’a sauté.",
    Reason.STOPPED: "Quelqu’un de l’équipe l’avait arrêté, jusqu’à la fin du délai.",
    Reason.TEMPLATE_ERROR: "Son texte ou sa condition est resté fautif jusqu’à la fin du délai.",
    Reason.PROVIDER_DOWN: "Aucun prestataire ne l’a pris avant la fin du délai de grâce.",
}

_SENTENCES: Mapping[Language, Mapping[Reason, str]] = {"en": _ENGLISH, "fr": _FRENCH}


class Decision(StrEnum):
    """How a step was settled. `unknown` counts as sent for anchors, caps and `sent()`."""

    SENT = "sent"
    NOT_SENT = "not_sent"
    UNKNOWN = "unknown"


class Ending(StrEnum):
    """How an enrollment's life ended."""

    COMPLETED = "completed"
    EXITED = "exited"
    CONVERTED = "converted"
    CANCELLED = "cancelled"
