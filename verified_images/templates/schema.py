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
_BEGIN = "#/$defs/"
_PART = "Part"
"""What the name of a model ends in when parts of it may be missing."""
_MERGED = ("builder", "image", "smoke", "timeouts")
"""What a template and the one that it is based on are merged in."""
_TARGETS = ("gallery", "managed", "vhd", "skip")
_ALTERNATIVES = {
    "AnsibleLocalProvisioner": ("playbook_file", "playbook_files"),
    "FileProvisioner": ("source", "sources", "content"),
    "PostProcessor": ("manifest", "checksum", "shell_local"),
    "ShellLocal": ("inline", "script", "scripts"),
    "ShellLocalProvisioner": ("inline", "command", "script", "scripts"),
    "ShellProvisioner": ("inline", "script", "scripts"),
}
"""The keys of which one is needed, and no more."""


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
    for name, keys in _ALTERNATIVES.items():
        definitions[name]["oneOf"] = [{"required": [key]} for key in keys]
    definitions["ImageTarget"]["anyOf"] = [{"required": [key]} for key in _TARGETS]
    _let_parts_be_elsewhere(document, definitions)
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


def _let_parts_be_elsewhere(document: dict[str, Any], definitions: dict[str, Any]) -> None:
    """Ask for what is required only of a template without ``extends``: else it may be in one that it is based on."""
    whole = {key: document["properties"][key] for key in _MERGED}
    document["properties"] |= {key: _part(schema, definitions) for key, schema in whole.items()}
    document["if"] = {"not": {"required": ["extends"]}}
    document["then"] = {"required": document.pop("required"), "properties": whole}


def _part(schema: Any, definitions: dict[str, Any]) -> Any:  # noqa: ANN401 - JSON
    """Return the schema of a part of what ``schema`` describes; the models that it needs are added."""
    if isinstance(schema, list):
        return [_part(item, definitions) for item in schema]
    if not isinstance(schema, dict):
        return schema
    found = {}
    for key, value in schema.items():
        if key == "$ref":
            name = value.removeprefix(_BEGIN)
            if name + _PART not in definitions:
                definitions[name + _PART] = {}  # for models that hold themselves
                definitions[name + _PART] = _part(definitions[name], definitions)
            found[key] = value + _PART
        elif key != "required" and not (key == "anyOf" and all(item.keys() == {"required"} for item in value)):
            found[key] = _part(value, definitions)
    return found


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
    if "pattern" in schema:
        described = {key: schema.pop(key) for key in ("description", "default") if key in schema}
        return {**described, "anyOf": [schema | {"type": ["string", "number", "boolean"]}, _EXPRESSION]}
    if schema.get("type") == "string":
        return schema | {"type": ["string", "number", "boolean"]}
    return {key: _with_expressions(value) for key, value in schema.items()}
