"""As much of JSON Schema as the project's own schemas use; an unknown keyword is a fault."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

KINDS: dict[str, tuple[type, ...]] = {
    "object": (dict,),
    "array": (list,),
    "string": (str,),
    "number": (int, float),
    "integer": (int,),
    "boolean": (bool,),
    "null": (type(None),),
}
KEYWORDS = {
    *("$schema", "title", "description", "type", "required", "properties"),
    *("additionalProperties", "items", "minItems", "maxItems", "enum", "const"),
}


def faults(value: Any, schema: Any, place: str = "$") -> Iterator[str]:
    """What in `value` breaks `schema`, each with its place."""
    if schema is False:
        yield f"{place}: must not be there"
        return
    if schema is True:
        return
    unknown = set(schema) - KEYWORDS
    assert not unknown, f"{place}: keywords that are not checked: {unknown}"
    if "const" in schema and value != schema["const"]:
        yield f"{place}: {value!r} is not {schema['const']!r}"
    if "enum" in schema and value not in schema["enum"]:
        yield f"{place}: {value!r} is none of {schema['enum']}"
    if "type" in schema and not any(_is(value, kind) for kind in _kinds(schema)):
        yield f"{place}: {value!r} is no {schema['type']}"
    elif isinstance(value, dict):
        yield from _of_object(value, schema, place)
    elif isinstance(value, list):
        yield from _of_array(value, schema, place)


def _kinds(schema: dict[str, Any]) -> list[str]:
    kinds = schema["type"]
    return kinds if isinstance(kinds, list) else [kinds]


def _is(value: Any, kind: str) -> bool:
    return isinstance(value, KINDS[kind]) and (kind == "boolean" or not isinstance(value, bool))


def _of_object(value: dict[str, Any], schema: dict[str, Any], place: str) -> Iterator[str]:
    properties = schema.get("properties", {})
    for name in schema.get("required", []):
        if name not in value:
            yield f"{place}.{name}: is missing"
    for name, item in value.items():
        rest = schema.get("additionalProperties", True)
        yield from faults(item, properties.get(name, rest), f"{place}.{name}")


def _of_array(value: list[Any], schema: dict[str, Any], place: str) -> Iterator[str]:
    least, most = schema.get("minItems", 0), schema.get("maxItems", len(value))
    if not least <= len(value) <= most:
        yield f"{place}: {len(value)} items"
    for number, item in enumerate(value):
        yield from faults(item, schema.get("items", True), f"{place}[{number}]")
