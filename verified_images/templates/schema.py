"""The JSON Schema of the native template, with which editors complete and check it."""

from __future__ import annotations

from typing import Any

from pydantic.json_schema import models_json_schema

from verified_images.templates.native import Document
from verified_images.templates.provisioners import entry_models

_EXPRESSION = {"type": "string", "pattern": r"\{[{%]"}
_INCLUDE = {
    "type": "object",
    "description": "The provisioners in a file, which holds a list of them.",
    "properties": {"include": {"type": ["string", "array"], "items": {"type": "string"}}},
    "required": ["include"],
    "additionalProperties": False,
}
_REFERENCE = "#/$defs/{model}"


def json_schema() -> dict[str, Any]:
    """Return the schema (draft 2020-12) of ``template.yaml``, with every registered kind of provisioner.

    Wherever a number or a truth value is needed, text with a Jinja2 expression is allowed too.
    """
    entries = entry_models()
    models = [(model, "validation") for model in (Document, *entries)]
    references, schema = models_json_schema(models, ref_template=_REFERENCE)  # type: ignore[arg-type]
    definitions = schema["$defs"]
    document = definitions.pop("Document")
    any_provisioner = {"oneOf": [references[entry, "validation"] for entry in entries]}
    document["properties"]["provisioners"]["items"] = {"oneOf": [*any_provisioner["oneOf"], _INCLUDE]}
    # What a template lacks may be in the one that it is based on.
    document["anyOf"] = [{"required": document.pop("required")}, {"required": ["extends"]}]
    document["properties"]["error_cleanup_provisioner"] = any_provisioner | {
        "description": document["properties"]["error_cleanup_provisioner"]["description"],
    }
    definitions.pop("Provisioner", None)
    document["properties"]["variables"]["additionalProperties"] = {
        "anyOf": [{"$ref": "#/$defs/Declaration"}, {"type": ["string", "number", "boolean", "null"]}],
    }
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **_with_expressions(document),
        "$defs": _with_expressions(definitions),
    }


def _with_expressions(schema: Any) -> Any:  # noqa: ANN401 - JSON
    """Allow what the loader takes: an expression where text is not valid anyway, a bare number where text is."""
    if isinstance(schema, list):
        return [_with_expressions(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    schema = {key: value for key, value in schema.items() if key != "title" or not isinstance(value, str)}
    if "enum" in schema or schema.get("type") in ("integer", "number", "boolean"):
        described = {key: schema.pop(key) for key in ("description", "default") if key in schema}
        return {**described, "anyOf": [schema, _EXPRESSION]}
    if schema.get("type") == "string":
        return schema | {"type": ["string", "number", "boolean"]}
    return {key: _with_expressions(value) for key, value in schema.items()}
