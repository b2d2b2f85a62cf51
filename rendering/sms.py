"""Wording a text message: its text, within what one may cost, and how to be rid of them.

What a segment holds is GSM 03.38's: 160 characters of its own alphabet, 70 of any other;
joined to a longer message, 153 and 67 (3GPP TS 23.040, 9.2.3.24.1). The surprising fact: a
single character outside that alphabet more than halves what every segment holds.
"""

from collections.abc import Mapping

from rendering.errors import TemplateError
from rendering.messages import MessageContext, render_text
from rendering.sources import SMS, MessageSource, locale_chain, split

# Each is paid for, and phones show no more: what is longer is data gone wrong. Twilio, for one,
# refuses more than 1,600 characters (twilio.com/docs/api/errors/21617).
MOST_SEGMENTS = 10

_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_TWICE = frozenset("\f^{}\\[~]|€")  # each is an escape and another character


def render_sms(source: MessageSource, context: MessageContext, stop_text: Mapping[str, str]) -> str:
    """The text in the closest language, with `stop_text` of that language below it.

    Unless it says so already. Raises TemplateError, also for a text that is empty or too long.
    """
    name = source.full_name(SMS)
    text = render_text(source, SMS, context)
    if not text:
        raise TemplateError("the text message is empty", file=name)
    stop = _stop(source, context, stop_text)
    if stop is not None and stop.casefold() not in text.casefold():
        text = f"{text}\n{stop}"
    if (count := segments(text)) > MOST_SEGMENTS:
        raise TemplateError(
            f"the text message takes {count} segments, more than {MOST_SEGMENTS}", file=name
        )
    return text


def segments(text: str) -> int:
    """How many segments a text takes."""
    if all(c in _GSM or c in _GSM_TWICE for c in text):
        length = sum(2 if c in _GSM_TWICE else 1 for c in text)
        alone, joined = 160, 153
    else:
        length = len(text.encode("utf-16-be", "replace")) // 2  # an emoji counts twice
        alone, joined = 70, 67
    return 1 if length <= alone else -(-length // joined)


def _stop(source: MessageSource, context: MessageContext, texts: Mapping[str, str]) -> str | None:
    """In the language that the text is in."""
    found = source.find(SMS, context.locale)
    language = split(found)[0] if found is not None else ""
    wanted = locale_chain(language or context.default_locale)
    return next((texts[each] for each in wanted if each in texts), None)
