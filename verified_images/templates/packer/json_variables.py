"""The variables of Packer's JSON templates, with the values that they have."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from verified_images.templates.documents import fail, read_document
from verified_images.templates.fields import reveal
from verified_images.templates.model import Variable
from verified_images.templates.nearest import did_you_mean
from verified_images.templates.packer.functions import Functions
from verified_images.templates.packer.go_syntax import GoTemplateError
from verified_images.templates.packer.go_templates import GoRenderer, UnknownValueError
from verified_images.templates.packer.variable_files import read_variable_texts

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from verified_images.templates.packer.files import Folders
    from verified_images.templates.packer.findings import Findings
    from verified_images.templates.packer.inputs import Inputs
    from verified_images.templates.packer.sensitive import Secrets

_USES_VARIABLE = re.compile(r"\{\{\s*user\s*`.*`\s*\}\}")
"""How Packer's core tells that a variable is made from another one."""


class JsonVariables:
    """Gives the variables of a template their values, which may use the environment and each other."""

    def __init__(
        self, data: Mapping[str, Any], folders: Folders, inputs: Inputs, secrets: Secrets, findings: Findings
    ) -> None:
        section = data.get("variables")
        if section is not None and not isinstance(section, dict):
            findings.error(("variables",), "a mapping of names to texts is needed")
            section = None
        self._section: Mapping[str, Any] = section or {}
        self._given: dict[str, str] = {}
        for file in inputs.variable_files:
            self._given |= _read_variables(file)
        self._given |= inputs.variables
        self._sensitive = self._sensitive_names(data, findings)
        self._values: dict[str, SecretStr | str | None] = {}
        self._pending: list[str] = []
        self._unset: dict[str, str] = {}
        self._secrets = secrets
        self._findings = findings
        self._functions = Functions(
            inputs.run, folders.template.absolute(), folders.working, build={}, environment=inputs.environment
        )

    def resolve(self) -> tuple[tuple[Variable, ...], Mapping[str, SecretStr | str | None]]:
        """Return the declarations and the values; None is the value of one that is wrong."""
        for name in self.names():
            self.value(name)
        self._tell_unset()
        self._secrets.publish(value for value in self._values.values() if isinstance(value, str))
        return tuple(
            Variable(name=name, secret=name in self._sensitive, required=default is None)
            for name, default in self._section.items()
        ), self._values

    def names(self) -> tuple[str, ...]:
        """Return the names of all variables, also of those that are only given."""
        return (*self._section, *(name for name in self._given if name not in self._section))

    def value(self, name: str) -> SecretStr | str | None:
        """Return the value of a variable, which is worked out when it is first asked for."""
        if name in self._values:
            self._pass_on(name)
            return self._values[name]
        if name in self._pending:
            chain = " -> ".join((*self._pending[self._pending.index(name) :], name))
            message = f"the variables need each other: {chain}"
            self._unset.setdefault(name, message)
            self._miss(message)
            return ""
        self._pending.append(name)
        value = self._work_out(name)
        if value is not None and name in self._sensitive:
            value = SecretStr(reveal(value))
            self._secrets.add(value.get_secret_value())
        self._values[name] = value
        self._pending.pop()
        self._pass_on(name)
        return value

    def _work_out(self, name: str) -> SecretStr | str | None:
        path = ("variables", name)
        raw = self._given.get(name, self._section.get(name))
        if raw is None:
            advice = f"give it one (--vi-var {name}=...) or a default"
            self._findings.error(path, f"the variable '{name}' has no value, and none of its own; {advice}")
            return None
        if not isinstance(raw, str):
            self._findings.error(path, "the value of a variable must be text")
            return None
        if len(self._pending) > 50:  # noqa: PLR2004 - nobody nests variables so deeply
            self._findings.error(path, "the variables are nested too deeply")
            return None
        renderer = GoRenderer(_Lazy(self), self._functions, self._secrets, keep_fields=True, undeclared=self._miss)
        try:
            rendered = renderer.render(raw)
        except GoTemplateError as error:
            self._findings.error(path, str(error))
        except UnknownValueError:
            self._findings.spoil(path)
        else:
            # What was given keeps its text in Packer, which is rendered once more where it is used.
            return rendered if name in self._given or name not in self._unset else ""
        return None

    def _miss(self, message: str) -> None:
        """Note that the variable which is being worked out uses one that has no value."""
        self._unset.setdefault(self._pending[-1], message)

    def _pass_on(self, name: str) -> None:
        """Note that what uses ``name`` has no value either; one that was given is there as it is written."""
        if self._pending and name in self._unset and name not in self._given:
            self._miss(self._unset[name])

    def _tell_unset(self) -> None:
        """Tell what uses variables without a value, which Packer refuses only if nothing else uses any variable."""
        raw = {name: self._given.get(name, self._section.get(name)) for name in self._values}
        used = any(
            isinstance(text, str) and _USES_VARIABLE.search(text)
            for name, text in raw.items()
            if name not in self._unset
        )
        told: set[str] = set()
        for name, message in self._unset.items():
            path = ("variables", name)
            if used:
                what = "that part" if name in self._given else f"'{name}'"
                self._findings.warn(path, f"{what} is taken for an empty text, as in Packer: {message}")
                continue
            if message not in told:
                self._findings.error(path, message)
            told.add(message)
            self._values[name] = None

    def _sensitive_names(self, data: Mapping[str, Any], findings: Findings) -> tuple[str, ...]:
        names = data.get("sensitive-variables") or []
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            findings.error(("sensitive-variables",), "a list of the names of variables is needed")
            return ()
        for place, name in enumerate(names):
            if name not in self._section:
                hint = did_you_mean(name, self._section)
                findings.warn(("sensitive-variables", place), f"there is no variable '{name}'{hint}")
        return tuple(names)


class _Lazy(dict[str, "SecretStr | str | None"]):
    """The variables by name, each worked out when it is asked for."""

    def __init__(self, variables: JsonVariables) -> None:
        super().__init__(dict.fromkeys(variables.names()))
        self._variables = variables

    def __getitem__(self, name: str) -> SecretStr | str | None:
        return self._variables.value(name)


def _read_variables(file: Path) -> dict[str, str]:
    """Return the variables of a file, in which null means an empty text."""
    if file.suffix == ".hcl":
        return read_variable_texts(file)
    document = read_document(file)
    if not isinstance(document.data, dict):
        fail(file, "a mapping of variables to values is needed")
    for name, value in document.data.items():
        if not isinstance(value, str | None):
            document.problems.add((name,), "the value of a variable must be text")
    document.problems.raise_if_any()
    return {name: value or "" for name, value in document.data.items()}
