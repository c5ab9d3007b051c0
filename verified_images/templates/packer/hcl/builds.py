"""The ``source`` and ``build`` blocks of a Packer HCL template: one build for each source that a build names."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from verified_images.templates.nearest import did_you_mean
from verified_images.templates.packer.build import AZURE_ARM, Build
from verified_images.templates.packer.findings import Place, Section
from verified_images.templates.packer.functions import BUILD_VALUES_LATER
from verified_images.templates.packer.hcl.bodies import plain_texts
from verified_images.templates.packer.hcl.scope import names_of
from verified_images.templates.packer.hcl.syntax import Block, Body

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from verified_images.templates.packer.hcl.bodies import BodyReader
    from verified_images.templates.packer.hcl.scope import Scope
    from verified_images.templates.problems import KeyPath

_KEYS = ("name", "description", "sources")
_BLOCKS = {
    "source": 1,
    "provisioner": 1,
    "error-cleanup-provisioner": 1,
    "post-processor": 1,
    "post-processors": 0,
    "hcp_packer_registry": 0,
}
"""The blocks of a build, and how many labels each has."""
_CHOICE = ("only", "except")
_KNOWN_LATER = (*BUILD_VALUES_LATER, "User", "ConnType", "Port", "PackerRunUUID", "BuildName", "BuilderType")


class _Use(NamedTuple):
    """A source that a build names; ``body`` is what the build adds to it."""

    type: str
    name: str
    local_name: str
    body: Body | None
    path: KeyPath
    file: Path
    scope: Scope

    @property
    def full_name(self) -> str:
        """The name by which provisioners speak of the build."""
        return f"{self.type}.{self.local_name}"


class _BuildBlock(NamedTuple):
    body: Body
    path: KeyPath
    file: Path
    line: int


class HclBuilds:
    """The sources and builds; ``file`` is that of the first build."""

    def __init__(self, reader: BodyReader) -> None:
        self._reader = reader
        self._sources: dict[tuple[str, str], tuple[Block, Path]] = {}
        self._builds: list[_BuildBlock] = []

    @property
    def file(self) -> Path | None:
        """The file that holds the first build."""
        return self._builds[0].file if self._builds else None

    def declare_source(self, block: Block, file: Path) -> None:
        """Take a ``source`` block."""
        kind, name = block.labels
        if (kind, name) in self._sources:
            place = Place(file, block.line)
            message = f"there is another source '{kind}.{name}'"
            self._reader.findings.error_at(place, f"source.{kind}.{name}", message)
        self._reader.places.note(("source", kind, name), file, block.line)
        self._sources.setdefault((kind, name), (block, file))

    def declare_build(self, block: Block, file: Path) -> None:
        """Take a ``build`` block."""
        path: KeyPath = ("build", len(self._builds)) if self._builds else ("build",)
        self._reader.places.note(path, file, block.line)
        self._builds.append(_BuildBlock(block.body, path, file, block.line))

    def read(self, scope: Scope) -> tuple[Build, ...]:
        """Return the azure-arm builds."""
        if not self._builds:
            self._reader.findings.error(("build",), "the template has no 'build' block")
        uses = [(build, use) for build in self._builds for use in self._uses(build, scope)]
        found = [
            self._build(build, use, [other for of, other in uses if of is build])
            for build, use in uses
            if use.type == AZURE_ARM
        ]
        if uses and not found:
            self._reader.findings.error(self._builds[0].path, f"none of the sources is of the type {AZURE_ARM}")
        return tuple(found)

    def _uses(self, build: _BuildBlock, scope: Scope) -> Iterator[_Use]:
        """Yield the sources of a build; those of other builders are left out, which is noted."""
        body, path, findings = build.body, build.path, self._reader.findings
        self._reader.note(body, path, build.file)
        for key in body.attributes:
            if key not in _KEYS:
                findings.error((*path, key), f"a build has no '{key}'{did_you_mean(key, (*_KEYS, *_BLOCKS))}")
        named = []
        if (sources := body.attributes.get("sources")) is not None:
            value = self._reader.value(sources.expression, (*path, "sources"), scope)
            texts = plain_texts(value)
            if texts is None and value is not None:
                findings.error((*path, "sources"), 'a list of sources is needed, such as ["source.azure-arm.name"]')
            named = [(reference, None, (*path, "sources", place)) for place, reference in enumerate(texts or ())]
        inner: list[tuple[str, tuple[Block, Scope] | None, KeyPath]] = [*named]
        for place, (block, around) in enumerate(self._blocks(build, "source", scope)):
            where = (*path, "source", place)
            self._reader.places.note(where, build.file, block.line)
            if len(block.labels) == 1:
                inner.append((block.labels[0], (block, around), where))
        if not inner and not findings.is_spoilt((*path, "sources")):
            findings.error(path, "the build names no source")
        for reference, used, where in inner:
            found, around = used or (None, scope)
            use = self._use(reference, found, where, build.file, around)
            if use is not None:
                yield use

    def _use(self, reference: str, block: Block | None, path: KeyPath, file: Path, scope: Scope) -> _Use | None:
        # Packer takes any word before the type for "source".
        parts = reference.split(".")
        kind, name = (*(parts[1:] if len(parts) > 2 else parts), "", "")[:2]  # noqa: PLR2004 - a type and a name
        findings = self._reader.findings
        if (kind, name) not in self._sources:
            known = [f"source.{'.'.join(source)}" for source in self._sources]
            findings.error(path, f"there is no source '{reference}'{did_you_mean(reference, known)}")
            return None
        if kind != AZURE_ARM:
            findings.warn(path, f"the source '{kind}.{name}' is left out: {kind} builds no image in Azure")
        local_name, body = name, None
        if block is not None:
            given = block.body.attributes.get("name")
            rest = {key: attribute for key, attribute in block.body.attributes.items() if key != "name"}
            body = Body(rest, block.body.blocks, block.body.repeated)
            value = None if given is None else self._reader.value(given.expression, (*path, "name"), scope)
            local_name = value if isinstance(value, str) else name
        return _Use(kind, name, local_name, body, path, file, scope)

    def _build(self, build: _BuildBlock, use: _Use, others: list[_Use]) -> Build:
        inner = self._scope(build, use, use.scope)
        block, file = self._sources[use.type, use.name]
        path: KeyPath = ("source", use.type, use.name)
        options = self._reader.section(block.body, path, file, inner)
        if use.body is not None:
            added = self._reader.section(use.body, use.path, use.file, inner)
            for key in added.data:
                if key in options.data:
                    place = self._reader.places((*use.path, key))
                    message = f"the source sets '{key}' already, in {file.name}:{self._line(path, key)}"
                    self._reader.findings.error_at(place, key, message)
            options = Section({**options.data, **added.data}, path)
        cleanup = list(self._inner(build, "error-cleanup-provisioner", inner, use))
        for section in cleanup[1:]:
            self._reader.findings.error(section.path, "one 'error-cleanup-provisioner' is possible, not several")
        return Build(
            name=use.local_name,
            full_name=use.full_name,
            others=tuple(other.full_name for other in others),
            strict_names=False,
            group=self._name(build, use.scope),
            options=options,
            provisioners=tuple(self._inner(build, "provisioner", inner, use)),
            error_cleanup=cleanup[0] if cleanup else None,
            post_processors=tuple(self._post_processors(build, inner, use)),
        )

    def _line(self, path: KeyPath, key: str) -> Any:  # noqa: ANN401 - a number, if it is known
        return self._reader.places((*path, key)).line

    def _scope(self, build: _BuildBlock, use: _Use, scope: Scope) -> Scope:
        """Return what the expressions of a build may use; what is known later stands there as a Go template."""
        name = self._name(build, scope)
        later = {key: f"{{{{ build `{key}` }}}}" for key in _KNOWN_LATER}
        return scope.inner(
            {
                "source": names_of("source", {"type": use.type, "name": use.local_name}),
                "build": names_of("build", {**later, "name": name}),
            }
        )

    def _name(self, build: _BuildBlock, scope: Scope) -> str:
        given = build.body.attributes.get("name")
        name = None if given is None else self._reader.value(given.expression, (*build.path, "name"), scope)
        return name if isinstance(name, str) else ""

    def _inner(self, build: _BuildBlock, kind: str, scope: Scope, use: _Use) -> Iterator[Section]:
        """Yield the provisioners of a build."""
        for place, (block, inner) in enumerate(self._blocks(build, kind, scope)):
            path = (*build.path, kind, place)
            self._reader.places.note(path, build.file, block.line)
            yield from self._labelled(block, path, inner, use)

    def _blocks(self, build: _BuildBlock, kind: str, scope: Scope) -> Iterator[tuple[Block, Scope]]:
        """Yield the blocks of a kind, also those that a ``dynamic`` block stands for, and what each may use."""
        for block in build.body.blocks:
            if block.type == kind:
                yield block, scope
            elif block.type == "dynamic" and block.labels == (kind,):
                path = (*build.path, "dynamic", kind)
                for body, where, inner in self._reader.rounds(block, path, build.file, scope):
                    given = block.body.attributes.get("labels")
                    value = [] if given is None else self._reader.value(given.expression, (*where, "labels"), inner)
                    yield Block(kind, tuple(plain_texts(value) or ()), body, block.line), inner

    def _post_processors(self, build: _BuildBlock, scope: Scope, use: _Use) -> Iterator[Section]:
        place = 0
        for block in build.body.blocks:
            if not _is_known(block):
                where = Place(build.file, block.line)
                message = f"a build has no block '{block.type}' of this form{did_you_mean(block.type, _BLOCKS)}"
                self._reader.findings.error_at(where, block.type, message)
            if block.type == "hcp_packer_registry":
                self._reader.places.note((*build.path, block.type), build.file, block.line)
                reason = "images go to Azure alone"
                self._reader.findings.warn((*build.path, block.type), f"'{block.type}' has no effect: {reason}")
            chain = _BuildBlock(Body(blocks=[block]), build.path, build.file, block.line)
            if block.type == "post-processors":
                chain = chain._replace(body=block.body)
            for inner, around in self._blocks(chain, "post-processor", scope):
                path = (*build.path, "post-processor", place)
                self._reader.places.note(path, build.file, inner.line)
                yield from self._labelled(inner, path, around, use)
                place += 1

    def _labelled(self, block: Block, path: KeyPath, scope: Scope, use: _Use) -> Iterator[Section]:
        """Yield the section of a block whose only label is its type; of one that is not for this build, only that."""
        file = self._reader.places(path).file
        if len(block.labels) != 1:
            if block.type != "dynamic" and not self._reader.findings.holds_spoilt(path):
                self._reader.findings.lacks(path, f"the block '{block.type}' needs one label, its type")
            return
        choice = {name: block.body.attributes[name] for name in _CHOICE if name in block.body.attributes}
        section = self._reader.section(Body(choice), path, file, scope)
        only, besides = (section.data.get(name) for name in _CHOICE)
        meant = not isinstance(only, list) or use.full_name in only
        if meant and not (isinstance(besides, list) and use.full_name in besides):
            section = self._reader.section(block.body, path, file, scope)
        yield Section({**section.data, "type": block.labels[0]}, path)


def _is_known(block: Block) -> bool:
    """Tell whether a build may have a block of this form."""
    if block.type == "dynamic":
        return len(block.labels) == 1 and block.labels[0] in _BLOCKS
    return block.type in _BLOCKS and len(block.labels) == _BLOCKS[block.type]
