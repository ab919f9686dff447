"""What tests ask of the OpenAPI schema."""

from collections.abc import Iterator
from typing import Any, NamedTuple

from jsonschema import Draft202012Validator

METHODS = ("get", "post", "put", "patch", "delete")


class Operation(NamedTuple):
    """An operation of our part of the schema."""

    method: str
    path: str
    facts: dict[str, Any]

    @property
    def name(self) -> str:
        return self.facts["operationId"]

    def bodies(self) -> Iterator[dict[str, Any]]:
        """Yield the media types of the request and of the answers."""
        yield from self.facts.get("requestBody", {}).get("content", {}).values()
        for answer in self.facts["responses"].values():
            yield from answer.get("content", {}).values()


def operations(schema: dict[str, Any]) -> list[Operation]:
    """Return the operations of the plugin."""
    return [
        Operation(method, path, facts)
        for path, methods in schema["paths"].items()
        for method, facts in methods.items()
        if method in METHODS and "conda_" in facts["operationId"]
    ]


def problems(schema: dict[str, Any], part: dict[str, Any], value: Any) -> list[str]:
    """Return what in a value is against a part of the schema."""
    validator = Draft202012Validator({**part, "components": schema["components"]})
    return [
        f"{'.'.join(map(str, error.absolute_path))}: {error.message}"
        for error in validator.iter_errors(value)
    ]


def free_forms(schema: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the parts of our requests and answers whose form the schema leaves open, by place.

    They are values of any type, and objects whose keys the schema does not name. A place is the
    path of a property in a component, such as `CondaPromote.overrides`. `[]` is an element of a
    list, and `{}` the value of a key. Components for requests and answers have one name.
    """
    found: dict[str, dict[str, Any]] = {}
    seen = set()

    def walk(part: dict[str, Any], place: str) -> None:
        if "$ref" in part:
            name = part["$ref"].rpartition("/")[2]
            if name not in seen:
                seen.add(name)
                short = name.removeprefix("Patched").removeprefix("conda.")
                walk(schema["components"]["schemas"][name], short.removesuffix("Response"))
            return
        if _is_free(part):
            found[place] = part
        for key in ("allOf", "oneOf", "anyOf"):
            for each in part.get(key, ()):
                walk(each, place)
        if "items" in part:
            walk(part["items"], f"{place}.[]")
        for name, each in part.get("properties", {}).items():
            walk(each, f"{place}.{name}")
        if isinstance(values := part.get("additionalProperties"), dict):
            walk(values, f"{place}.{{}}")

    for operation in operations(schema):
        for body in operation.bodies():
            walk(body["schema"], operation.name)
    return found


def _is_free(part: dict[str, Any]) -> bool:
    if part.keys() & {"allOf", "oneOf", "anyOf", "enum", "const"}:
        return False
    types = part.get("type", "object")
    if "object" not in ([types] if isinstance(types, str) else types):
        return False
    return "properties" not in part or bool(part.get("additionalProperties"))


def closed(schema: dict[str, Any]) -> dict[str, Any]:
    """Return a schema in which no object has a key that the schema does not name."""
    schemas = {
        name: {"additionalProperties": False, **part} if "properties" in part else part
        for name, part in schema["components"]["schemas"].items()
    }
    return {**schema, "components": {**schema["components"], "schemas": schemas}}
