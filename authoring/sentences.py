"""What pydantic found wrong, as a sentence that says what to write instead.

Knows the models only through their fields, and no file. The surprising fact: an unknown
key is worded here with a guess at the key that was meant, and `shapes` relies on the guess
to not report that key as missing as well.
"""

from collections.abc import Sequence
from difflib import get_close_matches
from types import UnionType
from typing import Any, Union, get_args, get_origin

from pydantic import BaseModel
from pydantic.fields import FieldInfo
from pydantic_core import ErrorDetails

# Where pydantic puts what is wrong with a name that the file's author chose.
A_KEY = "[key]"

# What people write from habit (of other tools, or of YAML 1.1) and letters can't lead to.
_KEY_HABITS = {
    "on": ("after_event",), "if": ("when",), "condition": ("when", "where"),
    "name": ("journey", "id", "scenario"), "delay": ("at",), "after": ("at",),
    "exit_on": ("ends_on",), "trigger": ("starts_on",), "email": ("send",), "message": ("send",),
    "template": ("send",), "webhook": ("call",), "sender": ("from",),
}  # fmt: skip

# One good value for each key, to show when the one in the file is not.
_EXAMPLES = {
    "journey": "trial-onboarding", "title": "From trial to first purchase",
    "starts_on": "trial_started", "ends_on": "[trial_cancelled]", "goal": "subscription_purchased",
    "unless": "[demo_booked]", "activity": "[report_opened]", "after_event": "report_opened",
    "event": "trial_started", "where": "event.total > 50", "when": "customer.plan == 'trial'",
    "at": "start + 1 day", "ends_at": "customer.trial_ends_at", "after_idle": "10 days",
    "wait": "2 hours", "grace": "1 day", "fresh": "1 day", "within": "30 days", "valid": "5 days",
    "per": "7 days", "max": "3", "between": "09:00-18:00", "days": "mon-fri",
    "channels": "[email, sms]", "send": "thanks", "call": "crm", "id": "thanks",
    "set": "{plan: trial}", "unsubscribe": "[news]", "topic": "onboarding",
    "variants": "{a: thanks-a, b: thanks-b}",
    "transactional": "true", "holdout": "10%", "key": "cart_id", "weight": "2", "percent": "20",
    "amount": "15", "free_shipping": "true",
    "offer": "{percent: 20, valid: 5 days}", "from": "customer.representative",
    "value": "total", "url": "https://example.com/hook", "subscribed": "true",
    "timezone": "Europe/Paris", "locale": "en", "currency": "EUR",
    "postal_address": "1 High Street, Paris",
    "sender": "{name: Ada, email: ada@example.com}", "email": "hello@example.com",
    "name": "Ada", "reply_to": "help@example.com", "quiet_hours": "{sms: 21:00-08:00}",
    "caps": "[{max: 3, per: 7 days}]", "topics": "{news: {title: News, subscribed: true}}",
    "sms": "{stop_text: {en: Reply STOP to end}}", "stop_text": "{en: Reply STOP to end}",
    "post": "{return_address: {name: Ada, street: 1 High Street, city: Lyon, country: FR}}",
    "return_address": "{name: Ada, street: 1 High Street, city: Lyon, country: FR}",
    "kind": "letter", "street": "1 High Street", "city": "Lyon", "region": "CA",
    "postcode": "69005", "country": "FR",
    "priority": "10", "double_opt_in": "true", "counts_transactional": "true",
    "traits": "{orders: {count: order_completed}}",
    "segments": "{loyal: {when: customer.orders > 5}}", "of": "total", "count": "order_completed",
    "webhooks": "{crm: {url: https://example.com/hook}}", "hours": "22:00-08:00",
    "holidays": "true", "newest_only": "true",
}  # fmt: skip

_EXPECTED = {
    "string_type": "text", "tuple_type": "a list", "list_type": "a list",
    "dict_type": "keys with values", "model_type": "keys with values",
    "model_attributes_type": "keys with values", "bool_type": "`true` or `false`",
    "bool_parsing": "`true` or `false`", "int_type": "a whole number",
    "int_parsing": "a whole number", "int_from_float": "a whole number",
    "float_type": "a number", "float_parsing": "a number", "decimal_type": "a number",
    "decimal_parsing": "a number",
}  # fmt: skip


def sentence(error: ErrorDetails, model: type[BaseModel]) -> str:
    """What is wrong, where `error` came out of validating `model`."""
    kind, key = error["type"], key_of(error)
    example = _example(key, model_at(model, error["loc"][:-1]))
    ctx = error.get("ctx", {})
    match kind:
        case "extra_forbidden":
            return _unknown_key(key, model_at(model, error["loc"][:-1]))
        case "missing":
            return f"the key `{key}` is missing{example}"
        case "value_error":
            text = str(ctx["error"])
            if "expected text" in text:
                return f"`{key}`: {text}{example}"
            return f"`{key}`: {text}" if error["loc"] else text
        case "literal_error":
            choices = _choices(str(ctx["expected"]))
            return f"`{key}: {shown(error['input'])}` is not known: write {choices}"
        case "string_too_short" | "too_short":
            return f"`{key}` is empty{example}"
        case "greater_than" | "greater_than_equal" | "less_than" | "less_than_equal":
            return f"`{key}: {shown(error['input'])}` is out of range: {_lower(error['msg'])}"
        case "string_pattern_mismatch":
            return f"`{key}: {shown(error['input'])}` can't be used{example}"
        case _ if kind in _EXPECTED:
            quotes = ""
            if kind == "string_type" and isinstance(error["input"], int | float):
                quotes = f"; if it is meant as text, put it in quotes: `'{shown(error['input'])}'`"
            found = f"expected {_EXPECTED[kind]}, found `{shown(error['input'])}`"
            return f"`{key}`: {found}{quotes or example}"
        case _:
            problem = f"{_lower(error['msg'])}, found `{shown(error['input'])}`"
            return f"`{key}`: {problem}{example}"


def guess(key: str, known: Sequence[str]) -> str | None:
    """The key that was probably meant."""
    for habit in _KEY_HABITS.get(key, ()):
        if habit in known:
            return habit
    close = get_close_matches(key.lower(), known, n=1, cutoff=0.6)
    return close[0] if close else None


def did_you_mean(word: str, known: Sequence[str], otherwise: str) -> str:
    """`, did you mean …?`, or what there is: to be appended to `unknown X`."""
    if close := get_close_matches(word, known, n=1):
        return f", did you mean `{close[0]}`?"
    return f": {otherwise} {_list(known)}" if known else ""


def key_of(error: ErrorDetails) -> str:
    """The key that the error is about; empty for an error about the whole."""
    parts = (part for part in reversed(error["loc"]) if part != A_KEY)
    return next((part for part in parts if isinstance(part, str)), "")


def keys_of(model: type[BaseModel]) -> tuple[str, ...]:
    """The keys of a model as files write them."""
    return tuple(field.alias or name for name, field in model.model_fields.items())


def model_at(model: type[BaseModel], loc: Sequence[int | str]) -> type[BaseModel]:
    """The model that a path inside `model` leads to; list places and free keys lead nowhere."""
    for part in loc:
        for name, field in model.model_fields.items():
            if part == (field.alias or name) and (inner := _model_in(field)):
                model = inner
                break
    return model


def shown(value: object) -> str:
    """A value of the file, as the file would say it, cut short."""
    match value:
        case None:
            text = "null"
        case bool():
            text = str(value).lower()
        case dict():
            text = "{" + ", ".join(f"{k}: {shown(v)}" for k, v in value.items()) + "}"
        case list() | tuple():
            text = "[" + ", ".join(map(shown, value)) + "]"
        case _:
            text = " ".join(str(value).split())
    return text if len(text) <= 60 else f"{text[:57]}…"


def _model_in(field: FieldInfo) -> type[BaseModel] | None:
    return _find_model(field.annotation)


def _find_model(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    if get_origin(annotation) in (Union, UnionType, tuple, list, dict) or get_args(annotation):
        return next(filter(None, map(_find_model, get_args(annotation))), None)
    return None


def _unknown_key(key: str, model: type[BaseModel]) -> str:
    known = keys_of(model)
    if meant := guess(key, known):
        return f"unknown key `{key}`, did you mean `{meant}`?"
    return f"unknown key `{key}`: the keys here are {_list(known)}"


def _example(key: str, model: type[BaseModel]) -> str:
    """What a good value looks like: as the model says, else as journeys and policies have it."""
    for name, field in model.model_fields.items():
        if key == (field.alias or name) and field.examples:
            return f": write for example `{key}: {field.examples[0]}`"
    return f": write for example `{key}: {_EXAMPLES[key]}`" if key in _EXAMPLES else ""


def _choices(expected: str) -> str:
    """pydantic's `True, 'daily' or 'weekly'` as a file would say it."""
    words = expected.replace(" or ", ", ").replace("'", "").split(", ")
    return f"one of {_list([w.lower() for w in words])}"


def _list(words: Sequence[str]) -> str:
    return ", ".join(f"`{word}`" for word in words)


def _lower(message: str) -> str:
    message = message.replace("Input should", "it should")
    return message[:1].lower() + message[1:]
