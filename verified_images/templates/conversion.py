"""A template of any kind, written as a native one.

What a Packer template computes is written as the value that it had; secret variables become variables of the native
template, so that no secret is written.
"""

from __future__ import annotations

import io
import os
import textwrap
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pydantic import BaseModel, SecretStr
from ruamel.yaml import YAML
from ruamel.yaml.scalarstring import LiteralScalarString

from verified_images.templates.provisioners import Provisioner

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from verified_images.errors import TemplateProblem
    from verified_images.templates.model import Template

_WIDEST = 4096
_LONGEST_COMMENT = 110
_SECTIONS = ("builder", "provisioners", "error_cleanup_provisioner", "image", "smoke", "timeouts", "post_processors")


def to_native(template: Template, warnings: Iterable[TemplateProblem] = (), folder: Path | None = None) -> str:
    """Return a ``template.yaml`` that says what the template says; its secrets are variables that must be given.

    What the ``warnings`` tell of is left out and named in comments. Paths are relative to ``folder``, where the text is
    to be written to, or to the template's own.
    """
    own = template.file.absolute().parent
    writer = _Writer(template, own, own if folder is None else folder.absolute())
    sections = {name: writer.value(getattr(template, name)) for name in _SECTIONS if _is_told(template, name)}
    document = {"variables": writer.variables, **sections} if writer.variables else sections
    stream = io.StringIO()
    yaml = YAML()
    yaml.width = _WIDEST
    yaml.indent(mapping=2, sequence=4, offset=2)
    yaml.dump(document, stream)
    return "".join(f"# {line}\n" for line in _comments(template, warnings)) + stream.getvalue()


def _comments(template: Template, warnings: Iterable[TemplateProblem]) -> Iterator[str]:
    """Yield the lines that say where the template is from, and what of it is not in the text."""
    told = list(warnings)
    if told:
        yield f"From {template.file.name}. What it says beside this:"
    for warning in told:
        line = f"line {warning.line}" if warning.line else warning.file.name
        text = f"{line}: {warning.key_path}: {warning.message}" if warning.key_path else f"{line}: {warning.message}"
        yield from textwrap.wrap(text, _LONGEST_COMMENT, initial_indent="- ", subsequent_indent="  ")


def _is_told(model: BaseModel, name: str) -> bool:
    """Tell whether a field has another value than it has anyway."""
    field = type(model).model_fields[name]
    return field.is_required() or getattr(model, name) != field.get_default(call_default_factory=True)


class _Writer:
    """Makes plain data of the model's values; ``variables`` are the secret ones that were used so far."""

    def __init__(self, template: Template, own: Path, folder: Path) -> None:
        self.variables: dict[str, dict[str, Any]] = {}
        self._own, self._folder = own, folder
        described = {variable.name: variable.description for variable in template.variables}
        self._descriptions = described
        values = {name: secret.get_secret_value() for name, secret in template.secret_values.items()}
        # The longest first, so that a secret that holds another one is named as a whole.
        self._secrets = sorted(
            ((text, name) for name, text in values.items() if text), key=lambda item: len(item[0]), reverse=True
        )

    def value(self, value: Any) -> Any:  # noqa: ANN401, PLR0911 - what templates hold, kind by kind
        """Return a value as plain data."""
        match value:
            case Provisioner():
                return {value.kind: self._model(self._with_near_paths(value))}
            case BaseModel():
                return self._model(value)
            case Mapping():
                return {name: self.value(item) for name, item in value.items()}
            case tuple() | list():
                return [self.value(item) for item in value]
            case SecretStr():
                return self._secret(value.get_secret_value())
            case str():
                return _text(_literal(value))
            case datetime():
                return value.isoformat()
            case float():
                return f"{value:g}s" if value < _WIDEST else f"{value / 60:g}m"
        return value

    def _model(self, model: BaseModel) -> dict[str, Any]:
        fields = type(model).model_fields
        found = {
            field.alias or name: self.value(getattr(model, name))
            for name, field in fields.items()
            if _is_told(model, name)
        }
        if isinstance(mode := found.get("mode"), int):
            found["mode"] = f"{mode:04o}"
        if isinstance(price := getattr(model, "max_price", None), float):
            found["max_price"] = price
        return found

    def _with_near_paths(self, provisioner: Provisioner) -> Provisioner:
        """Return a provisioner whose files are named as the template's folder knows them."""
        data = dict(provisioner)
        for keys, name in provisioner.named_files():
            file = self._own / name
            if not self._is_near(file) or (self._own == self._folder and not Path(name).is_absolute()):
                continue
            near = os.path.relpath(file, self._folder) + ("/" if name.endswith("/") else "")
            if len(keys) == 1:
                data[str(keys[0])] = near
            else:
                items = list(data[str(keys[0])])
                items[int(keys[1])] = near
                data[str(keys[0])] = tuple(items)
        return provisioner.model_copy(update=data)

    def _is_near(self, file: Path) -> bool:
        """Tell whether a file is to be named from the folder: one of the template's, or below the folder itself."""
        return file.is_relative_to(self._own) or file.is_relative_to(self._folder)

    def _secret(self, text: str) -> str:
        """Return a text with the secrets in it named; one that holds none by itself becomes a variable as a whole."""
        pieces: list[str | tuple[str]] = [text]
        for secret, name in self._secrets:
            pieces = [part for piece in pieces for part in _split(piece, secret, name)]
        named = [piece[0] for piece in pieces if isinstance(piece, tuple)]
        if not named:
            named = [f"secret_{len(self.variables) + 1}"]
            pieces = [(named[0],)]
        for name in named:
            description = self._descriptions.get(name)
            self.variables.setdefault(name, {"secret": True} | ({"description": description} if description else {}))
        return _text(
            "".join(f"{{{{ var.{piece[0]} }}}}" if isinstance(piece, tuple) else _literal(piece) for piece in pieces)
        )


def _split(piece: str | tuple[str], secret: str, name: str) -> list[str | tuple[str]]:
    """Return the parts of a piece of text around a secret, for which its name stands."""
    if isinstance(piece, tuple):
        return [piece]
    parts: list[str | tuple[str]] = []
    for place, part in enumerate(piece.split(secret)):
        parts += [(name,), part] if place else [part]
    return [part for part in parts if part]


def _literal(text: str) -> str:
    """Return a text that Jinja2 leaves as it is."""
    if "{{" not in text and "{%" not in text:
        return text
    return "{% raw %}" + text.replace("{% endraw %}", "{% endraw %}{{ '{% endraw %}' }}{% raw %}") + "{% endraw %}"


def _text(text: str) -> str:
    """Return a text of several lines as one that YAML shows line by line, where it can."""
    lines = text.split("\n")
    shows = len(lines) > 1 and all(line == line.rstrip() and line.isprintable() for line in lines) and lines[0].strip()
    return LiteralScalarString(text) if shows and not text.startswith(" ") else text
