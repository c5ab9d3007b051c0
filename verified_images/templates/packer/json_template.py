"""Packer's JSON templates: one file with ``builders``, made into one template for each azure-arm builder."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.templates.documents import fail, read_document
from verified_images.templates.fields import reveal
from verified_images.templates.nearest import did_you_mean
from verified_images.templates.packer.build import AZURE_ARM, Build, Source, make_templates
from verified_images.templates.packer.files import Folders
from verified_images.templates.packer.findings import Findings, Place, Section
from verified_images.templates.packer.functions import Functions
from verified_images.templates.packer.go_syntax import GoTemplateError
from verified_images.templates.packer.go_templates import GoRenderer, UnknownValueError
from verified_images.templates.packer.json_variables import JsonVariables
from verified_images.templates.packer.sensitive import Secrets
from verified_images.templates.packer.versions import check_version

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from verified_images.errors import TemplateProblem
    from verified_images.templates.packer.build import Made
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


def load_packer_json(file: Path, name: str, inputs: Inputs) -> tuple[tuple[Made, ...], tuple[TemplateProblem, ...]]:
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
    declared, values = JsonVariables(document.data, folders, inputs, secrets, findings).resolve()
    source = Source(file, name, folders, inputs.run, findings, secrets, declared, values)
    templates = make_templates(source, tuple(_builds(document.data, source)))
    findings.raise_if_any()
    return templates, findings.warnings


def _check_keys(data: Mapping[str, Any], findings: Findings) -> None:
    for key in data:
        if key not in _KEYS and not key.startswith("_"):
            findings.error((key,), f"unknown key '{key}'{did_you_mean(key, _KEYS)}")
    if "push" in data:
        findings.warn(("push",), "this has no effect: Packer has removed it")
    if isinstance(version := data.get("min_packer_version"), str):
        check_version(f">= {version}", ("min_packer_version",), findings)


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
