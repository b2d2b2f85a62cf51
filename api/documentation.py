"""The API's own description: how a key is shown, and how the page `/docs` arranges it all.

FastAPI's page loads its script from a network that may not be there; this one is made of
the same description, on the server, and runs nothing.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_METHODS = ("get", "post", "put", "patch", "delete", "head")

# A schema inside a schema inside …: deep enough for what we answer, and no circle is endless.
_DEEPEST = 6


# Not FastAPI's own helpers: they also check, and refuse what some SDKs send.
_SCHEMES = {
    "bearer": {"type": "http", "scheme": "bearer", "description": "The key."},
    "basic": {
        "type": "http",
        "scheme": "basic",
        "description": "The key as the user name, without a password.",
    },
}


# Under `/v1` and without a key: what a page asks for before it sends anything.
_OPEN = ("/v1/projects/{key}/settings",)


def _needs_key(path: str) -> bool:
    return path == "/metrics" or (path.startswith("/v1/") and path not in _OPEN)


def described(schema: dict[str, Any]) -> dict[str, Any]:
    """FastAPI's description, made true: what needs a key, and no 422, which we answer as 400."""
    components = schema.setdefault("components", {})
    components["securitySchemes"] = _SCHEMES
    for path, methods in schema["paths"].items():
        for method in methods.values():
            method["responses"].pop("422", None)
            if _needs_key(path):
                method["security"] = [{name: []} for name in _SCHEMES]
    for unused in ("HTTPValidationError", "ValidationError"):
        components.get("schemas", {}).pop(unused, None)
    return schema


@dataclass(frozen=True)
class Parameter:
    """Something in the address."""

    name: str
    place: str
    type: str
    is_required: bool
    description: str


@dataclass(frozen=True)
class Operation:
    """One thing that can be asked. `body` and `answer` are examples, as JSON text."""

    method: str
    path: str
    description: str
    parameters: tuple[Parameter, ...]
    body: str | None
    answer: str | None
    statuses: tuple[tuple[str, str], ...]


def operations(schema: Mapping[str, Any]) -> dict[str, list[Operation]]:
    """Every operation, by its first tag, in the order of the routes."""
    groups: dict[str, list[Operation]] = {}
    for path, methods in schema["paths"].items():
        for method in _METHODS:
            if method in methods:
                tag = (methods[method].get("tags") or ["Others"])[0]
                groups.setdefault(tag, []).append(_operation(schema, path, method, methods[method]))
    return groups


def _operation(
    schema: Mapping[str, Any], path: str, method: str, told: Mapping[str, Any]
) -> Operation:
    responses = told.get("responses", {})
    return Operation(
        method=method.upper(),
        path=path,
        description=told.get("description", told.get("summary", "")),
        parameters=tuple(_parameters(schema, told)),
        body=_json_of(schema, told.get("requestBody", {})),
        answer=_json_of(schema, responses.get("200", {})),
        statuses=tuple((code, each.get("description", "")) for code, each in responses.items()),
    )


def _parameters(schema: Mapping[str, Any], told: Mapping[str, Any]) -> Iterator[Parameter]:
    for each in told.get("parameters", []):
        kind = _example(schema, each.get("schema", {}), 0)
        yield Parameter(
            name=each["name"],
            place=each["in"],
            type=kind if isinstance(kind, str) else json.dumps(kind),
            is_required=each.get("required", False),
            description=each.get("description", ""),
        )


def _json_of(schema: Mapping[str, Any], holder: Mapping[str, Any]) -> str | None:
    content = holder.get("content", {}).get("application/json", {}).get("schema")
    if not content:
        return None
    return json.dumps(_example(schema, content, 0), indent=2, ensure_ascii=False)


def _example(schema: Mapping[str, Any], part: Mapping[str, Any], depth: int) -> Any:
    """What a value of this schema looks like: its example, else its type in words."""
    if depth > _DEEPEST:
        return "…"
    if "$ref" in part:
        name = part["$ref"].rpartition("/")[2]
        return _example(schema, schema["components"]["schemas"][name], depth)
    for known in ("example", "const", "default"):
        if part.get(known) is not None:
            return part[known]
    if "enum" in part:
        return " | ".join(str(each) for each in part["enum"])
    if "anyOf" in part:
        found = [_example(schema, each, depth + 1) for each in part["anyOf"]]
        plain = [each for each in found if isinstance(each, str)]
        return " | ".join(plain) if len(plain) == len(found) else found[0]
    match part.get("type"):
        case "object":
            properties = part.get("properties", {})
            return {name: _example(schema, each, depth + 1) for name, each in properties.items()}
        case "array":
            return [_example(schema, part.get("items", {}), depth + 1)]
        case str(kind):
            return part.get("format", kind)
        case _:
            return "anything"
