"""Wording a text message: its text, within what one may cost, and how to be rid of them.

What a segment holds is GSM 03.38's: 160 characters of its own alphabet, 70 of any other;
joined to a longer message, 153 and 67 (3GPP TS 23.040, 9.2.3.24.1). The surprising fact: a
single character outside that alphabet more than halves what every segment holds.
"""

from activities.providers.outcome import Sms
from activities.wording.draft import Draft
from rendering.errors import TemplateError
from rendering.messages import render_text
from rendering.sources import SMS, locale_chain, split

# Each is paid for, and phones show no more: what is longer is data gone wrong. Twilio, for one,
# refuses more than 1,600 characters (twilio.com/docs/api/errors/21617).
MOST_SEGMENTS = 10

_GSM = frozenset(
    "@£$¥èéùìòÇ\nØø\rÅåΔ_ΦΓΛΩΠΨΣΘΞÆæßÉ !\"#¤%&'()*+,-./0123456789:;<=>?"
    "¡ABCDEFGHIJKLMNOPQRSTUVWXYZÄÖÑÜ§¿abcdefghijklmnopqrstuvwxyzäöñüà"
)
_GSM_TWICE = frozenset("\f^{}\\[~]|€")  # each is an escape and another character


def sms_of(draft: Draft) -> Sms:
    """Raises RenderingError."""
    text = render_text(draft.source, SMS, draft.context)
    name = draft.source.full_name(SMS)
    if not text:
        raise TemplateError("the text message is empty", file=name)
    text = _with_stop(text, _stop_text(draft))
    if (count := segments(text)) > MOST_SEGMENTS:
        raise TemplateError(
            f"the text message takes {count} segments, more than {MOST_SEGMENTS}", file=name
        )
    return Sms(
        key=draft.key,
        sender=draft.case.policy.sms.sender,
        recipient=draft.go.address,
        text=text,
        customer_id=draft.case.customer.id,
    )


def segments(text: str) -> int:
    """How many segments a text takes."""
    if all(c in _GSM or c in _GSM_TWICE for c in text):
        length = sum(2 if c in _GSM_TWICE else 1 for c in text)
        alone, joined = 160, 153
    else:
        length = len(text.encode("utf-16-be")) // 2  # an emoji counts twice
        alone, joined = 70, 67
    return 1 if length <= alone else -(-length // joined)


def _stop_text(draft: Draft) -> str | None:
    """How to be rid of them, in the language the text is in."""
    if draft.go.topic is None:
        return None
    policy = draft.case.policy
    found = draft.source.find(SMS, draft.context.locale)
    language = split(found)[0] if found is not None else ""
    wanted = locale_chain(language or policy.locale)
    texts = policy.sms.stop_text
    return next((texts[each] for each in wanted if each in texts), None)


def _with_stop(text: str, stop: str | None) -> str:
    if stop is None or stop.casefold() in text.casefold():
        return text
    return f"{text}\n{stop}"
