"""Packer's JSON templates: one file with ``builders``, made into one template for each azure-arm builder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from verified_images.templates.documents import fail, read_document
from verified_images.templates.fields import reveal
from verified_images.templates.model import Template, Variable
from verified_images.templates.nearest import did_you_mean
from verified_images.templates.packer.build import AZURE_ARM, Build, Source, make_templates
from verified_images.templates.packer.files import Folders
from verified_images.templates.packer.findings import Findings, Place, Section
from verified_images.templates.packer.functions import Functions
from verified_images.templates.packer.go_syntax import GoTemplateError
from verified_images.templates.packer.go_templates import GoRenderer, UnknownValueError
from verified_images.templates.packer.sensitive import Secrets
from verified_images.templates.packer.variable_files import read_variable_texts
from verified_images.templates.packer.versions import check_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from verified_images.errors import TemplateProblem
    from verified_images.templates.packer.inputs import Inputs

_KEYS = (
    "builders",
    "description",
    "error-cleanup-provisioner",
    "min_packer_version",
    "post-processors",
    "provisioners",
    "push",
    "sensitive-variables",
    "variables",
)


def load_packer_json(file: Path, name: str, inputs: Inputs) -> tuple[tuple[Template, ...], tuple[TemplateProblem, ...]]:
    """Return a template named ``name`` (with that of the builder, if there are several) for each builder, and warnings.

    Raises:
        TemplateError: with every problem of the file.
    """
    document = read_document(file)
    if not isinstance(document.data, dict):
        fail(file, "a mapping is needed, with the keys builders and provisioners")
    findings = Findings(lambda path: Place(file, document.problems.line_of(path)))
    for problem in document.problems.sorted():
        findings.error_at(Place(file, problem.line), problem.key_path, problem.message)
    _check_keys(document.data, findings)
    folders = Folders(file.parent, inputs.working_folder)
    secrets = Secrets()
    declared, values = _Variables(document.data, folders, inputs, secrets, findings).resolve()
    source = Source(file, name, folders, inputs.run, findings, secrets, declared, values)
    templates = make_templates(source, tuple(_builds(document.data, source)))
    findings.raise_if_any()
    return templates, findings.warnings


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


def _check_keys(data: Mapping[str, Any], findings: Findings) -> None:
    for key in data:
        if key not in _KEYS and not key.startswith("_"):
            findings.error((key,), f"unknown key '{key}'{did_you_mean(key, _KEYS)}")
    if "push" in data:
        findings.warn(("push",), "this has no effect: Packer has removed it")
    if isinstance(version := data.get("min_packer_version"), str):
        check_version(f">= {version}", ("min_packer_version",), findings)


class _Variables:
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
        self._secrets = secrets
        self._findings = findings
        functions = Functions(
            inputs.run, folders.template.absolute(), folders.working, build={}, environment=inputs.environment
        )
        self._renderer = GoRenderer(_Lazy(self), functions, secrets, keep_fields=True)
        self._functions = functions

    def resolve(self) -> tuple[tuple[Variable, ...], Mapping[str, SecretStr | str | None]]:
        """Return the declarations and the values; None is the value of one that is wrong."""
        for name in self.names():
            self.value(name)
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
            return self._values[name]
        if name in self._pending:
            chain = " -> ".join((*self._pending, name))
            self._findings.error(("variables", name), f"the variables need each other: {chain}")
            return None
        self._pending.append(name)
        value = self._work_out(name)
        if value is not None and name in self._sensitive:
            value = SecretStr(reveal(value))
            self._secrets.add(value.get_secret_value())
        self._values[name] = value
        self._pending.pop()
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
        renderer = GoRenderer(_Lazy(self), self._functions, self._secrets, keep_fields=True)
        try:
            return renderer.render(raw)
        except GoTemplateError as error:
            self._findings.error(path, str(error))
        except UnknownValueError:
            self._findings.spoil(path)
        return None

    def _sensitive_names(self, data: Mapping[str, Any], findings: Findings) -> tuple[str, ...]:
        names = data.get("sensitive-variables") or []
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            findings.error(("sensitive-variables",), "a list of the names of variables is needed")
            return ()
        for place, name in enumerate(names):
            if name not in self._section:
                hint = did_you_mean(name, self._section)
                findings.error(("sensitive-variables", place), f"there is no variable '{name}'{hint}")
        return tuple(names)


class _Lazy(dict[str, "SecretStr | str | None"]):
    """The variables by name, each worked out when it is asked for."""

    def __init__(self, variables: _Variables) -> None:
        super().__init__(dict.fromkeys(variables.names()))
        self._variables = variables

    def __getitem__(self, name: str) -> SecretStr | str | None:
        return self._variables.value(name)


def _builds(data: Mapping[str, Any], source: Source) -> Iterator[Build]:
    """Yield the azure-arm builds; what is not a list of mappings is noted."""
    findings = source.findings
    builders = tuple(_sections(data, "builders", findings))
    if not builders and not findings.failed:
        findings.error(("builders",), "the template has no builders")
    names = [_name(section, source) for section in builders]
    for place, name in enumerate(names):
        if name in names[:place]:
            findings.error(
                (*builders[place].path, "name"), f"there is another builder '{name}'; give each its own name"
            )
    cleanup = data.get("error-cleanup-provisioner")
    if cleanup is not None and not isinstance(cleanup, dict):
        findings.error(("error-cleanup-provisioner",), "a mapping is needed")
    found = False
    for section, name in zip(builders, names, strict=True):
        kind = section.data.get("type")
        if kind != AZURE_ARM:
            if isinstance(kind, str) and kind:
                findings.warn(section.path, f"the builder '{name}' is left out: {kind} builds no image in Azure")
            else:
                findings.lacks(section.path, "the option 'type' is required")
            continue
        found = True
        yield Build(
            name=name,
            full_name=name,
            others=tuple(names),
            strict_names=True,
            group="",
            options=Section({key: value for key, value in section.data.items() if key not in _ABOUT}, section.path),
            provisioners=tuple(_sections(data, "provisioners", findings)),
            error_cleanup=Section(cleanup, ("error-cleanup-provisioner",)) if isinstance(cleanup, dict) else None,
            post_processors=tuple(_post_processors(data, findings)),
        )
    if builders and not found:
        findings.error(("builders",), f"none of the builders is of the type {AZURE_ARM}")


_ABOUT = ("type", "name")


def _name(section: Section, source: Source) -> str:
    name, kind = section.data.get("name"), section.data.get("type")
    if not isinstance(name, str) or not name:
        return kind if isinstance(kind, str) else ""
    functions = Functions(source.run, source.folders.template, source.folders.working, build={})
    try:
        return reveal(GoRenderer(source.values, functions, source.secrets).render(name))
    except GoTemplateError as error:
        source.findings.error((*section.path, "name"), str(error))
    except UnknownValueError:
        source.findings.spoil((*section.path, "name"))
    return name


def _sections(data: Mapping[str, Any], key: str, findings: Findings) -> Iterator[Section]:
    entries = data.get(key)
    if entries is not None and not isinstance(entries, list):
        findings.error((key,), "a list is needed")
        return
    for place, entry in enumerate(entries or ()):
        if isinstance(entry, dict):
            yield Section(entry, (key, place))
        else:
            findings.error((key, place), "a mapping is needed")


def _post_processors(data: Mapping[str, Any], findings: Findings) -> Iterator[Section]:
    """Yield the post-processors: each entry is one, be it only its type, or a list of them."""
    key = "post-processors"
    entries = data.get(key)
    if entries is not None and not isinstance(entries, list):
        findings.error((key,), "a list is needed")
        return
    for place, entry in enumerate(entries or ()):
        inner = [((key, place), entry)]
        if isinstance(entry, list):
            inner = [((key, place, number), item) for number, item in enumerate(entry)]  # type: ignore[misc]
        for path, item in inner:
            if isinstance(item, str):
                yield Section({"type": item}, path)
            elif isinstance(item, dict):
                yield Section(item, path)
            else:
                findings.error(path, "a mapping or the name of a type is needed")
