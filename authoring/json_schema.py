"""What editors are told of the files of a journeys folder: a JSON Schema of each.

Made from the models that read the files, so a key that is added there is known here at once;
what it means, in a line, is told in `meanings.json`, which is taken from the tables of
docs/journey-language.md. Decides how the short forms and the little texts look to a schema.
The surprising fact: a file that passes may still be refused by `check`, which knows the
whole folder; one that `check` accepts must pass.
"""

import json
import re
from collections.abc import Callable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from authoring.scenarios import ScenariosFile
from authoring.sentences import keys_of
from authoring.shapes import validate
from engine.computable import ComputedTrait
from engine.definition import AfterEvent, EndMatch, EventMatch, GoalMatch, Journey, Offer, Step
from engine.expressions import Days, Duration, TimeExpression, Unit, Window
from engine.fields import (
    TRANSITIONS,
    check_name,
    check_step_id,
    read_events,
    read_share,
    read_variants,
)
from engine.periods import CalendarPeriod, Page
from engine.policy import Policy, QuietHours, read_quiet

FILES: Mapping[str, type[BaseModel]] = {
    "journey": Journey,
    "policy": Policy,
    "scenarios": ScenariosFile,
}
MEANINGS = Path(__file__).with_name("meanings.json")

# The newest that editors know well; it has all that is said here.
_DIALECT = "http://json-schema.org/draft-07/schema#"


def _any_case(word: str) -> str:
    """A schema's patterns have no flag for it."""
    return "".join(f"[{letter.upper()}{letter}]" for letter in word)


def _one_of(words: Any) -> str:
    return f"(?:{'|'.join(words)})"


_UNITS = f"{_one_of(Unit)}s?"
_TERM = rf"[0-9]+\s*{_UNITS}"
_TIME = r"(?:[01]?[0-9]|2[0-3]):[0-5][0-9]"
_HOUR = rf"(?:{_TIME}|best\s+hour)"
_PATH = r"[^\s.+-][^\s.+]*(?:\.[^\s.+-][^\s.+]*)*"
_STEP_ID = r"[a-z][a-z0-9_-]*"
_ANCHOR = rf"(?:(?:event|customer)\.{_PATH}|(?!(?:event|customer)(?:\s|$)){_STEP_ID})"
_WEEKDAY = _one_of(
    f"{_any_case(short)}(?:{_any_case(rest)})?"
    for short, rest in (
        ("mon", "day"), ("tue", "sday"), ("wed", "nesday"), ("thu", "rsday"), ("fri", "day"),
        ("sat", "urday"), ("sun", "day"),
    )
)  # fmt: skip
_WEEKDAYS = rf"{_WEEKDAY}(?:\s*-\s*{_WEEKDAY})?"

# The values that are written as text: what the parsers of `engine` read. A test compares.
_TEXTS: Mapping[type, str] = {
    Duration: rf"^{_TERM}(?:\s+{_TERM})*$",
    TimeExpression: rf"^{_ANCHOR}(?:(?:\s*\+|\s+-)\s*{_TERM})*(?:\s+at\s+{_HOUR})?$",
    Window: rf"^{_TIME}\s*-\s*(?:{_TIME}|24:00)$",
    Days: rf"^{_WEEKDAYS}(?:\s*,\s*{_WEEKDAYS})*$",
    CalendarPeriod: rf"^{_any_case('calendar')}\s+{_one_of(map(_any_case, Page))}$",
}
_NAME = {"pattern": r"^[a-z0-9]+(?:-[a-z0-9]+)*$"}
_NAMES: Mapping[Any, str] = {
    check_name: _NAME["pattern"],
    check_step_id: rf"^(?!(?:start|event|customer)$){_STEP_ID}$",
}
_UNWRITTEN = "unwritten"
_TEXT: JsonSchemaValue = {"type": "string", "minLength": 1}


def _events(full: JsonSchemaValue) -> JsonSchemaValue:
    """A name, a mapping, or a list of these."""
    either = [_TEXT, full["items"]]
    return {"anyOf": [*either, {"type": "array", "items": {"anyOf": either}}]}


def _variants(full: JsonSchemaValue) -> JsonSchemaValue:
    return {**full, "additionalProperties": {"anyOf": [_TEXT, full["additionalProperties"]]}}


def _share(full: JsonSchemaValue) -> JsonSchemaValue:
    return {"anyOf": [full, {"type": "string", "pattern": r"^[0-9]+(?:\.[0-9]+)?%$"}]}


def _quiet(full: JsonSchemaValue) -> JsonSchemaValue:
    return {"anyOf": [{"type": "string", "pattern": _TEXTS[Window]}, full]}


# The short forms that are made whole before a model sees them.
_SHORT: Mapping[Any, Callable[[JsonSchemaValue], JsonSchemaValue]] = {
    read_events: _events,
    read_variants: _variants,
    read_share: _share,
    read_quiet: _quiet,
}

# What a model needs and a file may leave out, for it is taken from another key.
_EVENTS = (EventMatch, EndMatch, GoalMatch, AfterEvent)
_MADE_UP = {(Step, "id"), *((match, "event") for match in _EVENTS)}


def schema_of(file: str) -> dict[str, Any]:
    """The JSON Schema of one of `FILES`. TypeError if a model holds what nobody has described."""
    made = FILES[file].model_json_schema(
        ref_template="#/definitions/{model}", schema_generator=_Generator
    )
    definitions = made.pop("$defs", {})
    if unwritten := [each[_UNWRITTEN] for each in definitions.values() if _UNWRITTEN in each]:
        raise TypeError(
            f"a file holds {', '.join(unwritten)} and nobody has said how it is written: "
            "add the pattern to `_TEXTS`"
        )
    for each in definitions.values():  # names and docstrings are for who reads the code
        each.pop("title", None)
        each.pop("description", None)
    return {"$schema": _DIALECT, "title": f"{file}.yaml", **made, "definitions": definitions}


def as_text(schema: Mapping[str, Any]) -> str:
    """As it is kept in a file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


@cache
def _meanings() -> Mapping[str, Mapping[str, str]]:
    """By model, what each key means."""
    read: Mapping[str, Mapping[str, str]] = json.loads(MEANINGS.read_text(encoding="utf-8"))
    return read


class _Generator(GenerateJsonSchema):
    """pydantic's own, told what a person may write in a file."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def nullable_schema(self, schema: core_schema.NullableSchema) -> JsonSchemaValue:
        """A key without a value is refused, so there is nothing but the value itself."""
        return self.generate_inner(schema["schema"])

    def default_schema(self, schema: core_schema.WithDefaultSchema) -> JsonSchemaValue:
        """A default that says something: not that there is none."""
        made = super().default_schema(schema)
        default = schema.get("default")
        if type(default) in _TEXTS:
            return {**made, "default": str(default)}
        if default is None or not isinstance(default, str | int | float):
            made.pop("default", None)
        return made

    def dataclass_schema(self, schema: core_schema.DataclassSchema) -> JsonSchemaValue:
        """A text. What stands for no text itself (a text's parts) falls out again, unused."""
        if (pattern := _TEXTS.get(schema["cls"])) is None:
            return {_UNWRITTEN: schema["cls"].__name__}
        return {"type": "string", "pattern": pattern}

    def function_before_schema(
        self, schema: core_schema.BeforeValidatorFunctionSchema
    ) -> JsonSchemaValue:
        full = super().function_before_schema(schema)
        short = _SHORT.get(schema["function"]["function"])
        return full if short is None else short(full)

    def function_after_schema(
        self, schema: core_schema.AfterValidatorFunctionSchema
    ) -> JsonSchemaValue:
        made = super().function_after_schema(schema)
        pattern = _NAMES.get(schema["function"]["function"])
        return made if pattern is None else {**made, "pattern": pattern}

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        """Its keys and no others, each with what it means, and the rules of the whole."""
        made = super().model_schema(schema)
        model: type[BaseModel] = schema["cls"]
        if issubclass(model, EventMatch):
            made["properties"] |= {key: {"type": "string", **_NAME} for key in TRANSITIONS}
        for name, value in made["properties"].items():
            if "patternProperties" in value:
                value["additionalProperties"] = False
            if value.get("type") != "string":
                value.pop("examples", None)  # they are texts, which an editor would put in quotes
            if meaning := _meaning(model, name):
                value["description"] = meaning
        required = [key for key in made.get("required", []) if (model, key) not in _MADE_UP]
        return {
            "type": "object",
            "properties": made["properties"],
            **({"required": required} if required else {}),
            "additionalProperties": False,
            **_rules(model),
        }


def _meaning(model: type[BaseModel], key: str) -> str | None:
    known = (_meanings().get(each.__name__, {}).get(key) for each in model.__mro__)
    return next((meaning for meaning in known if meaning), None)


def _rules(model: type[BaseModel]) -> JsonSchemaValue:
    """What a model asks of its keys together, as far as a schema can say it."""
    if model is Step:
        does = _named_by(Step, {"id": "a-step", "at": "start"})
        when = _named_by(Step, {"id": "a-step", "send": "a-message"})
        names = [key for key in does if not _lacks_id({key: "a-message", "at": "start"})]
        return {"allOf": [_exactly_one(does), _exactly_one(when), _some_of(["id", *names])]}
    if issubclass(model, EventMatch):
        return _exactly_one(["event", *TRANSITIONS])
    if model is ComputedTrait:
        return _exactly_one(_named_by(ComputedTrait, {}))
    if model is Journey:
        transactional = {"properties": {"transactional": {"const": True}}}
        either = [{"required": ["topic"]}, {"required": ["transactional"], **transactional}]
        return {"oneOf": either}
    if model is Offer:
        return _exactly_one(_named_by(Offer, {"valid": "1 day"}))
    return {"minProperties": 1} if model is QuietHours else {}


def _exactly_one(keys: list[str]) -> JsonSchemaValue:
    return {"oneOf": [{"required": [key]} for key in keys]}


def _some_of(keys: list[str]) -> JsonSchemaValue:
    return {"anyOf": [{"required": [key]} for key in keys]}


def _named_by(model: type[BaseModel], data: dict[str, Any]) -> list[str]:
    """The keys of which the model asks for one, by its own words: `data` has none of them."""
    sentences = [each["msg"] for each in _errors(model, data)]
    named = [key for each in sentences for key in re.findall(r"`(\w+)[`:]", each)]
    if not named or not {*named} <= {*keys_of(model)}:
        raise TypeError(f"{model.__name__} no longer names the keys that it wants one of: {named}")
    return named


def _lacks_id(data: dict[str, Any]) -> bool:
    return any(each["loc"] == ("id",) for each in _errors(Step, data))


def _errors(model: type[BaseModel], data: dict[str, Any]) -> list[Any]:
    try:
        validate(model, data)
    except ValidationError as error:
        return error.errors(include_url=False)
    return []
