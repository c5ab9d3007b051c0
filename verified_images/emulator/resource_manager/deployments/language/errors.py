"""What is wrong with a template, in Azure's words."""

from __future__ import annotations


class TemplateError(Exception):
    """A template cannot be read or evaluated; the message is the sentence that Azure gives."""


def describe_type(value: object) -> str:
    """Give the name of a JSON value's type as Azure's messages spell it."""
    if value is None:
        return "Null"
    for kind, name in ((bool, "Boolean"), (int, "Integer"), (float, "Float"), (str, "String"), (list, "Array")):
        if isinstance(value, kind):
            return name
    return "Object"
