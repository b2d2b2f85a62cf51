"""`from` of a step: who a message comes from, when it is not the policy's sender.

Decides what the expression's value means. The surprising fact: a value
that no mail can come from counts as none, for a customer whose representative is not
known, or wrongly written, still gets the message, from the usual sender.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from engine.addresses import ascii_email
from engine.policy import Sender
from rendering.errors import ExpressionFailure, SenderSyntaxError, TemplateError
from rendering.expressions import Expression, compile_expression, quoted
from rendering.filters import FILTERS, TESTS
from rendering.grammar import Vocabulary
from rendering.plain import Fields, plain

_WORDS = Vocabulary(frozenset({"customer", "event"}), frozenset(), FILTERS, frozenset(TESTS))
_NAMED = re.compile(r"\s*(?P<name>[^<>]*?)\s*<(?P<email>[^<>]+)>\s*")


@dataclass(frozen=True)
class MessageSender:
    """A person a message comes from. `name` may be empty; `reply_to` None is the person."""

    name: str
    email: str
    reply_to: str | None = None


@dataclass(frozen=True, eq=False)
class SenderExpression:
    """A compiled `from`. Safe to share between threads."""

    text: str
    _expression: Expression

    def find(self, customer: Mapping[str, Any], event: Mapping[str, Any]) -> MessageSender | None:
        """Who it is, or None.

        Reads `{name, email, reply_to}`, `Ann <ann@acme.example>` or an address.
        """
        values = {"customer": plain(customer, "customer"), "event": plain(event, "event")}
        try:
            found = self._expression.value(values)
        except ExpressionFailure:
            return None  # a field without a value, or of another type: not known
        if isinstance(found, Fields):
            return _sender(found.get("name"), found.get("email"), found.get("reply_to"))
        if isinstance(found, str):
            named = _NAMED.fullmatch(found)
            return _sender(named["name"], named["email"]) if named else _sender("", found)
        return None


def _sender(name: object, email: object, reply_to: object = None) -> MessageSender | None:
    if not isinstance(email, str) or (address := ascii_email(email)) is None:
        return None
    answers = ascii_email(reply_to) if isinstance(reply_to, str) else None
    return MessageSender(name.strip() if isinstance(name, str) else "", address, answers)


# One for each step of each journey version in use.
@lru_cache(maxsize=1_000)
def compile_sender(text: str) -> SenderExpression:
    """What this `from` means. Raises SenderSyntaxError."""
    try:
        return SenderExpression(text, compile_expression(text, _WORDS))
    except TemplateError as error:
        raise SenderSyntaxError(f"{quoted(text)}: {error.problem}") from error


def find_sender(
    text: str | None, customer: Mapping[str, Any], event: Mapping[str, Any], usual: Sender
) -> Sender:
    """Who a step's message comes from: whom its `from` names, else the policy's sender.

    Answers to a person go to that person, not to where the policy's go.
    """
    named = None if text is None else compile_sender(text).find(customer, event)
    if named is None:
        return usual
    return Sender(name=named.name or usual.name, email=named.email, reply_to=named.reply_to)
