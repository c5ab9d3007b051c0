"""What a Packer template says of one build, made into a template: the end of the way for JSON and for HCL."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import ValidationError

from verified_images.naming import clean_name
from verified_images.templates.model import Template
from verified_images.templates.nearest import did_you_mean
from verified_images.templates.packer import tool_options
from verified_images.templates.packer.azure_arm import map_builder, name_option
from verified_images.templates.packer.execute_command import FIELDS
from verified_images.templates.packer.findings import Section
from verified_images.templates.packer.functions import BUILD_VALUES_LATER, Functions
from verified_images.templates.packer.go_syntax import GoTemplateError
from verified_images.templates.packer.go_templates import GoRenderer, UnknownValueError
from verified_images.templates.packer.post_processors import map_post_processor
from verified_images.templates.packer.provisioners import Entry, map_provisioner

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from pydantic import SecretStr

    from verified_images.naming import Run
    from verified_images.templates.model import PostProcessor, Provisioner, Variable
    from verified_images.templates.packer.draft import Draft
    from verified_images.templates.packer.files import Folders
    from verified_images.templates.packer.findings import Findings, Place
    from verified_images.templates.packer.sensitive import Secrets
    from verified_images.templates.problems import KeyPath

AZURE_ARM = "azure-arm"


@dataclass(frozen=True, slots=True)
class Source:
    """A Packer template as it was read: its variables, and what is needed to make templates of its builds.

    ``values`` are those that ``{{user}}`` gives; None stands for one that is wrong.
    """

    file: Path
    name: str
    folders: Folders
    run: Run
    findings: Findings
    secrets: Secrets
    declared: tuple[Variable, ...]
    values: Mapping[str, SecretStr | str | None]


class Build(NamedTuple):
    """One azure-arm build.

    ``name`` is what ``override`` calls it, ``full_name`` what ``only`` and ``except`` do; ``others`` are the full names
    of all builds of the template. With ``strict_names`` there must be a build of each name. ``group`` is the name of
    the block that the build is from, where it has one.
    """

    name: str
    full_name: str
    others: tuple[str, ...]
    strict_names: bool
    group: str
    options: Section
    provisioners: tuple[Section, ...]
    error_cleanup: Section | None
    post_processors: tuple[Section, ...]


class Made(NamedTuple):
    """A template; ``places`` tells where the values of its keys are from, and under which path of Packer's template."""

    template: Template
    places: Mapping[str, tuple[Place, str]]


def make_templates(source: Source, builds: tuple[Build, ...]) -> tuple[Made, ...]:
    """Return one template for each build; those with mistakes are left out, which are noted."""
    names = _names_of_templates(source.name, builds)
    made = [_make(source, build, name) for build, name in zip(builds, names, strict=True)]
    return tuple(found for found in made if found is not None)


def _names_of_templates(name: str, builds: tuple[Build, ...]) -> list[str]:
    """Return a name for each template: that of the whole, with as much of the build's as tells it from the others."""
    if len(builds) == 1:
        return [name]
    for ends in (
        [build.name for build in builds],
        [build.group for build in builds],
        [f"{build.group}-{build.name}" for build in builds],
        [f"{build.group}-{build.name}-{number}" for number, build in enumerate(builds, 1)],
    ):
        cleaned = [clean_name(end) for end in ends]
        if len(set(cleaned)) == len(cleaned):
            break
    return [f"{name}-{end}" for end in cleaned]


def _make(source: Source, build: Build, name: str) -> Made | None:
    renderer = _Rendering(source, {"BuildName": build.name})
    draft = map_builder(renderer.section(build.options), source.folders, source.findings)
    user = draft.get("builder.username") or "packer"
    known = _known(source, build, user)
    if draft.get("builder.os_type") == "Windows":  # which is loaded, but never runs
        known = {name: f"{{{{.{name}}}}}" for name in BUILD_VALUES_LATER} | known
    renderer = _Rendering(source, known)
    provisioners = tuple(_provisioners(source, build, renderer))
    cleanup = None
    if build.error_cleanup is not None:
        cleanup = next(_mapped(source, build, renderer, (build.error_cleanup,)), None)
    facts: dict[str, Any] = {
        "provisioners": provisioners,
        "error_cleanup_provisioner": cleanup,
        "post_processors": tuple(_post_processors(source, build, renderer)),
        "variables": source.declared,
        "secrets": source.secrets.all,
        "secret_values": {name: value for name, value in source.values.items() if _is_secret(value)},
    }
    draft.set("name", name, build.options.path)
    draft.set("file", source.file, build.options.path)
    template = _check(source, draft, facts)
    return None if template is None else Made(template, draft.places(source.findings))


def _is_secret(value: object) -> bool:
    return value is not None and not isinstance(value, str)


def _check(source: Source, draft: Draft, facts: Mapping[str, Any]) -> Template | None:
    lines = {place: provisioner.line for place, provisioner in enumerate(facts["provisioners"])}
    try:
        return Template.model_validate({**draft.data, **facts}, context={"provisioner_lines": lines})
    except ValidationError as error:
        draft.note(error, source.findings, name_option)
        return None


def _known(source: Source, build: Build, user: str) -> dict[str, str]:
    """Return what is known of the build before it runs."""
    return {
        "BuildName": build.name,
        "BuilderType": AZURE_ARM,
        "User": user,
        "ConnType": "ssh",
        "Port": "22",
        "PackerRunUUID": str(uuid.uuid5(uuid.NAMESPACE_OID, source.run.id)),
    }


def _provisioners(source: Source, build: Build, renderer: _Rendering) -> Iterator[Provisioner]:
    for place, provisioner in enumerate(_mapped(source, build, renderer, build.provisioners), 1):
        yield provisioner.placed(place, provisioner.line)


def _mapped(source: Source, build: Build, renderer: _Rendering, sections: tuple[Section, ...]) -> Iterator[Provisioner]:
    for section in sections:
        kind = section.data.get("type")
        if not isinstance(kind, str) or not kind:
            source.findings.lacks(section.path, "the option 'type' is required")
            continue
        if not _is_meant(section, build, source.findings):
            continue
        data = {name: value for name, value in section.data.items() if name not in _ABOUT}
        data |= _override(section, build, source.findings)
        fields = FIELDS if kind == "shell" else {**tool_options.FIELDS, **FIELDS}
        entry = Entry(kind, renderer.section(Section(data, section.path), fields))
        provisioner = map_provisioner(entry, source.folders, source.findings)
        if provisioner is not None:
            yield provisioner.placed(1, source.findings.place(section.path).line)


_ABOUT = ("type", "name", "only", "except", "override", "keep_input_artifact")


def _post_processors(source: Source, build: Build, renderer: _Rendering) -> Iterator[PostProcessor]:
    for section in build.post_processors:
        kind = section.data.get("type")
        if not isinstance(kind, str) or not kind:
            source.findings.lacks(section.path, "the option 'type' is required")
        elif _is_meant(section, build, source.findings):
            data = {name: value for name, value in section.data.items() if name not in _ABOUT}
            # What a checksum is of is known when it is made, which no image is here.
            fields = {"ChecksumType": "checksum"} if kind == "checksum" else {**tool_options.FIELDS, **FIELDS}
            rendered = renderer.section(Section(data, section.path), fields, everywhere=kind == "checksum")
            made = map_post_processor(kind, rendered, source.folders, source.findings)
            if made is not None:
                yield made


def _is_meant(section: Section, build: Build, findings: Findings) -> bool:
    """Tell whether ``only`` and ``except`` let a provisioner or post-processor be a part of the build."""
    only = _names(section, "only", build, findings)
    besides = _names(section, "except", build, findings)
    if only and besides:
        findings.error((*section.path, "except"), "one of 'only' and 'except' is possible, not both")
    return (not only or build.full_name in only) and build.full_name not in besides


def _names(section: Section, key: str, build: Build, findings: Findings) -> set[str]:
    given = section.data.get(key)
    if given is None:
        return set()
    if not isinstance(given, list) or not all(isinstance(name, str) for name in given):
        findings.error((*section.path, key), "a list of the names of builds is needed")
        return set()
    for place, name in enumerate(given):
        if name not in build.others:
            _note_no_build(name, (*section.path, key, place), build, findings)
    return set(given)


def _note_no_build(name: str, path: KeyPath, build: Build, findings: Findings) -> None:
    message = f"there is no build '{name}'{did_you_mean(name, build.others)}"
    if build.strict_names:
        findings.error(path, message)
    else:
        findings.warn(path, message)


def _override(section: Section, build: Build, findings: Findings) -> dict[str, Any]:
    """Return the options that a provisioner has in this build alone."""
    override = section.data.get("override")
    if override is None:
        return {}
    if not isinstance(override, dict) or not all(isinstance(options, dict) for options in override.values()):
        findings.error((*section.path, "override"), "a mapping of the names of builds to options is needed")
        return {}
    known = {name.rpartition(".")[2] for name in build.others} | set(build.others)
    for name in override:
        if name not in known:
            _note_no_build(name, (*section.path, "override", name), build, findings)
    return dict(override.get(build.name, {}))


class _Rendering:
    """Renders the Go templates in the options of one build."""

    def __init__(self, source: Source, known: Mapping[str, str]) -> None:
        functions = Functions(source.run, source.folders.template.absolute(), source.folders.working, build=known)
        self._findings = source.findings
        self._known = known
        self._fields: Mapping[str, str] = {}
        self._everywhere = False
        self._path: KeyPath = ()
        self._renderer = GoRenderer(source.values, functions, source.secrets, undeclared=self._warn)

    def section(
        self, section: Section, fields: Mapping[str, str] = MappingProxyType({}), *, everywhere: bool = False
    ) -> Section:
        """Return the section with every text in it rendered; one that cannot be is spoilt.

        Commands may use the ``fields``, and other texts too if they are said to be for ``everywhere``.
        """
        self._fields, self._everywhere = fields, everywhere
        return Section(
            {key: self._option(value, (*section.path, key)) for key, value in section.data.items()}, section.path
        )

    def _warn(self, message: str) -> None:
        self._findings.warn(self._path, f"it is taken for an empty text, as in Packer: {message}")

    def _option(self, value: Any, path: KeyPath) -> Any:  # noqa: ANN401 - what templates hold
        try:
            return self._value(value, path, command=str(path[-1]).endswith("command"))
        except UnknownValueError:
            self._findings.spoil(path)
            return None

    def _value(self, value: Any, path: KeyPath, *, command: bool) -> Any:  # noqa: ANN401 - what templates hold
        if isinstance(value, dict):
            return {name: self._value(item, (*path, name), command=command) for name, item in value.items()}
        if isinstance(value, list):
            return [self._value(item, (*path, place), command=command) for place, item in enumerate(value)]
        if not isinstance(value, str):
            return value
        self._path = path
        try:
            return self._text(value, command=command)
        except GoTemplateError as error:
            self._findings.error(path, str(error))
            raise UnknownValueError from error

    def _text(self, text: str, *, command: bool) -> SecretStr | str:
        fields = {**self._known, **self._fields} if command or self._everywhere else self._known
        text = tool_options.without_sudo(text) if command else text
        rendered = self._renderer.render(text, fields)
        if command and rendered != text and isinstance(rendered, str):  # a variable may hold the command
            return self._renderer.render(rendered, fields)
        return rendered
