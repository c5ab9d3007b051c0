"""Packer's HCL templates: all ``*.pkr.hcl`` and ``*.pkr.json`` of a folder, or one file, are one template.

``*.auto.pkrvars.hcl`` and ``*.auto.pkrvars.json`` beside them give variables values, before files that are named.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.templates.documents import fail
from verified_images.templates.nearest import did_you_mean
from verified_images.templates.packer.build import Source, make_templates
from verified_images.templates.packer.files import Folders
from verified_images.templates.packer.findings import Findings, Place
from verified_images.templates.packer.functions import PACKER_VERSION
from verified_images.templates.packer.hcl.bodies import BodyReader, PlaceMap
from verified_images.templates.packer.hcl.builds import HclBuilds
from verified_images.templates.packer.hcl.data_sources import HclDataSources
from verified_images.templates.packer.hcl.evaluator import Evaluator
from verified_images.templates.packer.hcl.functions import FunctionTable
from verified_images.templates.packer.hcl.json import read_hcl_json
from verified_images.templates.packer.hcl.locals import HclLocals
from verified_images.templates.packer.hcl.scope import Scope, names_of
from verified_images.templates.packer.hcl.syntax import read_hcl
from verified_images.templates.packer.hcl.variables import HclVariables
from verified_images.templates.packer.sensitive import Secrets
from verified_images.templates.packer.versions import check_version

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from pydantic import SecretStr

    from verified_images.errors import TemplateProblem
    from verified_images.templates.model import Variable
    from verified_images.templates.packer.build import Made
    from verified_images.templates.packer.hcl.syntax import Block
    from verified_images.templates.packer.inputs import Inputs

_ENDINGS = (".pkr.hcl", ".pkr.json")
_AUTOMATIC = (".auto.pkrvars.hcl", ".auto.pkrvars.json")
_LABELS = {
    "packer": 0,
    "variable": 1,
    "variables": 0,
    "local": 1,
    "locals": 0,
    "source": 2,
    "build": 0,
    "data": 2,
    "hcp_packer_registry": 0,
    "communicator": 2,
}
"""The blocks of a file, and how many labels each has."""
_LABEL_NAMES = {0: "no label", 1: "one label, a name", 2: "two labels, a type and a name"}


def load_packer_hcl(path: Path, name: str, inputs: Inputs) -> tuple[tuple[Made, ...], tuple[TemplateProblem, ...]]:
    """Return a template named ``name`` (with that of the source, if there are several) for each source, and warnings.

    Raises:
        TemplateError: with every problem of the files.
    """
    files = _files(path, _ENDINGS)
    if not files:
        fail(path, "there is no *.pkr.hcl or *.pkr.json in the folder")
    return _Loader(files, inputs).load(path, name)


class _Loader:
    """Reads the files of one template."""

    def __init__(self, files: tuple[Path, ...], inputs: Inputs) -> None:
        folders = Folders(files[0].parent, inputs.working_folder)
        self._files = files
        self._folders = folders
        self._inputs = inputs
        self._places = PlaceMap(files[0])
        self._findings = Findings(self._places)
        self._secrets = Secrets()
        evaluator = Evaluator(FunctionTable(folders, inputs.run, self._secrets))
        self._reader = BodyReader(evaluator, self._findings, self._places, self._secrets)
        self._variables = HclVariables(self._reader, inputs)
        self._locals = HclLocals(self._reader)
        self._data = HclDataSources(self._reader)
        self._builds = HclBuilds(self._reader)

    def load(self, path: Path, name: str) -> tuple[tuple[Made, ...], tuple[TemplateProblem, ...]]:
        blocks = [(block, file) for file in self._files for block in self._blocks(file)]
        for block, file in blocks:
            self._take_declaration(block, file)
        automatic = _files(path, _AUTOMATIC) if path.is_dir() else ()
        declared = self._variables.resolve(automatic)
        scope = self._scope()
        self._locals.scope = self._data.scope = scope
        self._locals.work_out()
        for block, file in blocks:
            self._take_build(block, file)
        builds = self._builds.read(scope)
        templates = make_templates(self._source(name, declared), builds)
        self._findings.raise_if_any()
        return templates, self._findings.warnings

    def _blocks(self, file: Path) -> list[Block]:
        """Return the blocks of a file that have the right form; the others are noted."""
        body = read_hcl_json(file) if file.suffix == ".json" else read_hcl(file)
        for name, attribute in body.attributes.items():
            message = f"a block is needed here, not a value{did_you_mean(name, _LABELS)}"
            self._findings.error_at(Place(file, attribute.line), name, message)
        found = []
        for block in body.blocks:
            wanted = _LABELS.get(block.type)
            place = Place(file, block.line)
            if wanted is None:
                message = f"there is no block '{block.type}'{did_you_mean(block.type, _LABELS)}"
                self._findings.error_at(place, block.type, message)
            elif len(block.labels) != wanted:
                self._findings.error_at(place, block.type, f"the block '{block.type}' has {_LABEL_NAMES[wanted]}")
            else:
                found.append(block)
        return found

    def _take_declaration(self, block: Block, file: Path) -> None:
        match block.type:
            case "variable":
                self._variables.declare(block, file)
            case "variables":
                self._variables.declare_all(block, file)
            case "local":
                self._locals.declare(block, file)
            case "locals":
                self._locals.declare_all(block, file)
            case "data":
                self._data.declare(block, file)
            case "packer":
                self._check_packer(block, file)

    def _take_build(self, block: Block, file: Path) -> None:
        match block.type:
            case "source":
                self._builds.declare_source(block, file)
            case "build":
                self._builds.declare_build(block, file)
            case "hcp_packer_registry" | "communicator":
                self._places.note((block.type,), file, block.line)
                self._findings.warn((block.type,), f"'{block.type}' has no effect: images go to Azure alone")

    def _check_packer(self, block: Block, file: Path) -> None:
        self._reader.note(block.body, ("packer",), file)
        version = block.body.attributes.get("required_version")
        if version is not None:
            path = ("packer", "required_version")
            value = self._reader.value(version.expression, path, Scope({}))
            if isinstance(value, str):
                check_version(value, path, self._findings)

    def _scope(self) -> Scope:
        """Return what the expressions of all blocks may use."""
        folders = {
            "root": str(self._folders.template.absolute()),
            "cwd": str(self._folders.working),
        }
        return Scope(
            {
                "var": self._variables.names(),
                "local": self._locals.names(),
                "data": self._data.names(),
                "path": names_of("path", folders),
                "packer": names_of("packer", {"version": PACKER_VERSION}),
            }
        )

    def _source(self, name: str, declared: tuple[Variable, ...]) -> Source:
        values: Mapping[str, SecretStr | str | None] = self._variables.plain_values()
        self._secrets.publish(value for value in values.values() if isinstance(value, str))
        file = self._builds.file or self._files[0]
        return Source(file, name, self._folders, self._inputs.run, self._findings, self._secrets, declared, values)


def _files(path: Path, endings: tuple[str, ...]) -> tuple[Path, ...]:
    """Return the files of a folder that end so, in the order of their names; a file stands for itself."""
    if not path.is_dir():
        return (path,)
    found: list[Any] = [file for file in path.iterdir() if file.name.endswith(endings) and file.is_file()]
    return tuple(sorted(found))
