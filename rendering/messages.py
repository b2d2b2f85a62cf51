"""Wording a message for one customer: subject, HTML, text part, SMS, card.

Decides which file is taken, in which language, and what it may refer to (`CONTEXT`).
Knows no channel's limits and no provider. The surprising fact: dates follow the language
of the file that was found, in the customer's region where the language is theirs: an
untranslated mail to a Frenchwoman says "30 November", not "30 novembre".
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from babel import Locale
from css_inline import CSSInliner, InlineError

from engine.localtime import zone
from engine.policy import Policy, Sender
from rendering.checks import (
    Mistake,
    advise_layouts,
    advise_message,
    check_layouts,
    check_message,
)
from rendering.errors import TemplateError
from rendering.formats import Manner, find_locale
from rendering.plain import plain
from rendering.sources import HTML, SUBJECT, TEXT, MessageSource, split
from rendering.templates import WORDS, compiled
from rendering.text_part import text_of

__all__ = [
    "MessageContext",
    "MessageSource",
    "Mistake",
    "RenderedEmail",
    "advise_layouts",
    "advise_message",
    "check_layouts",
    "check_message",
    "render_email",
    "render_text",
    "spoken_policy",
    "spoken_sender",
]

# Two lines of a desktop inbox; more is never shown, and only a customer's data makes it so long.
_MAX_SUBJECT = 200
_SPACES = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+")
_INLINER = CSSInliner(
    keep_at_rules=True,  # media queries can't be inlined, and phones need them
    load_remote_stylesheets=False,
)


@dataclass(frozen=True, kw_only=True)
class MessageContext:
    """What a message may speak of. Each field but the last two is a name in templates.

    `locale` is a tag such as `fr-CA`, `default_locale` the language of untranslated files
    (the policy's), `timezone` an IANA name. In templates, `locale` is the language of the
    file itself, fit for `<html lang="{{ locale }}">`.
    """

    customer: Mapping[str, Any]
    event: Mapping[str, Any]  # what the step comes from: the event that fired it, else the start
    start_event: Mapping[str, Any]
    journey: str
    step: str
    sender: Mapping[str, str | None]  # name, email, reply_to
    policy: Mapping[str, str | None]  # postal_address, currency
    links: Mapping[str, str | None]  # unsubscribe, preferences, confirm
    now: datetime
    offer: Mapping[str, Any] | None = None  # code, percent, amount, free_shipping, expires_at
    locale: str = "en"
    default_locale: str = "en"
    timezone: str = "UTC"


def spoken_sender(sender: Sender) -> Mapping[str, str | None]:
    """`sender` of a context."""
    return {"name": sender.name, "email": sender.email, "reply_to": sender.reply_to}


def spoken_policy(policy: Policy) -> Mapping[str, str | None]:
    """`policy` of a context."""
    return {"postal_address": policy.postal_address, "currency": policy.currency}


@dataclass(frozen=True)
class RenderedEmail:
    """A worded e-mail. `locale` is the language it is in."""

    subject: str
    html: str
    text: str
    locale: str


def render_email(
    source: MessageSource, context: MessageContext, locale: str | None = None
) -> RenderedEmail:
    """The e-mail in the closest language (by default, of the context). Raises TemplateError.

    The text part is `email.txt` of the same language as the HTML, else made from the HTML:
    a French mail never carries an English text part.
    """
    locale = locale or context.locale
    html_path = _found(source, HTML, locale)
    language = split(html_path)[0]
    subject = _one_line(_render(source, _found(source, SUBJECT, locale), context, locale))
    if not subject:
        raise TemplateError("the subject is empty", file=source.full_name(SUBJECT))
    html = _inlined(_render(source, html_path, context, locale), source.full_name(html_path))
    text_path = source.find(TEXT, locale)
    if text_path is not None and split(text_path)[0] == language:
        text = _render(source, text_path, context, locale).strip() + "\n"
    else:
        text = text_of(html)
    return RenderedEmail(subject, html, text, language or context.default_locale)


def render_text(
    source: MessageSource, file: str, context: MessageContext, locale: str | None = None
) -> str:
    """One file (`sms.txt`, `card.html`) in the closest language. Raises TemplateError."""
    locale = locale or context.locale
    return _render(source, _found(source, file, locale), context, locale).strip()


def _found(source: MessageSource, file: str, locale: str) -> str:
    path = source.find(file, locale)
    if path is None:
        raise TemplateError("the message does not have this file", file=source.full_name(file))
    return path


def _render(source: MessageSource, path: str, context: MessageContext, locale: str) -> str:
    language = split(path)[0] or context.default_locale
    spoken = locale if _language(locale) == _language(language) else language
    customers_zone = zone(context.timezone) or zone("UTC")
    assert customers_zone is not None  # tzdata has UTC
    manner = Manner(
        find_locale(spoken) or Locale("en"),
        customers_zone,
        context.policy.get("currency"),
        context.now,
    )
    values = {name: plain(getattr(context, name), name) for name in sorted(WORDS.names)}
    values["locale"] = language
    return compiled(source).render(source.full_name(path), values, manner)


def _language(locale: str) -> str:
    return re.split("[-_]", locale.lower())[0]


def _one_line(text: str) -> str:
    subject = _SPACES.sub(" ", text).strip()
    return subject if len(subject) <= _MAX_SUBJECT else subject[: _MAX_SUBJECT - 1] + "…"


def _inlined(html: str, name: str) -> str:
    """Styles moved into the elements, since Gmail's apps drop what is in the head."""
    try:
        return _INLINER.inline(html)
    except InlineError as error:
        raise TemplateError("the style sheet can't be read", file=name) from error
