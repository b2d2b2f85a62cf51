"""What somebody means who answers a text message with one word.

Twilio's own words (twilio.com/docs/glossary/what-is-a-stop-keyword…, CTIA's list), and those
of the languages that our customers' countries speak. The surprising fact: only a message
that is nothing but the word counts, for "don't stop" means the opposite.
"""

import re
import unicodedata
from enum import StrEnum


class Reply(StrEnum):
    """What a one-word answer asks for."""

    STOP = "stop"
    START = "start"
    HELP = "help"


_WORDS: dict[Reply, str] = {
    Reply.STOP: """
        stop stopall unsubscribe cancel end quit revoke optout
        arret arreter desabonner desabonnement desinscrire desinscription
        stopp abmelden abbestellen ende
        alto baja parar cancelar detener
        ferma basta disiscrivi annulla cancella
        pare sair
        afmelden stoppen
        avsluta
        """,
    Reply.START: """
        start unstop subscribe
        reprendre reabonner
        anmelden
        alta empezar iniciar
        inizia iscrivi
        comecar
        aanmelden
        """,
    Reply.HELP: "help info aide hilfe ayuda aiuto ajuda hulp hjalp",
}
_MEANS = {word: reply for reply, words in _WORDS.items() for word in words.split()}
_NOT_LETTERS = re.compile(r"[^a-z]+")

# Longer than any of the words with what people put around them.
_LONGEST = 40


def meaning_of(text: str) -> Reply | None:
    """What the message asks for; None if it is no such word, alone."""
    if len(text) > _LONGEST:
        return None
    # `ARRÊT` and `arret` are one word; so are `STOP!` and `opt-out`.
    plain = unicodedata.normalize("NFKD", text.casefold())
    bare = "".join(each for each in plain if not unicodedata.combining(each)).strip()
    if len(bare.split()) > 1:
        return None
    return _MEANS.get(_NOT_LETTERS.sub("", bare))
