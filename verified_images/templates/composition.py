"""Native templates made of several files: ``extends`` names what one is based on, ``include`` a list of provisioners.

A template has every key of its base; where both have one, mappings are merged and anything else is the template's own.
``- include: FILE`` among the provisioners stands for the list in that file. Paths are relative to the file that they
stand in, and so are those in what is included.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Annotated, Any, NamedTuple

from pydantic import BeforeValidator, ValidationError, WithJsonSchema

from verified_images.errors import TemplateError
from verified_images.templates.documents import Document, read_document, read_text
from verified_images.templates.files import mistake_about
from verified_images.templates.problems import Problems
from verified_images.templates.provisioners import read_provisioner
from verified_images.templates.rendering import RenderError, UnknownValueError

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from verified_images.templates.problems import KeyPath
    from verified_images.templates.rendering import Renderer

_DEEPEST = 10
FileNames = Annotated[
    tuple[str, ...],
    BeforeValidator(lambda value: (value,) if isinstance(value, str) else value),
    WithJsonSchema({"type": ["string", "array"], "items": {"type": "string"}, "minItems": 1}),
]
"""The name of a file, or a list of such."""
_PROVISIONERS = "provisioners"


class Place(NamedTuple):
    """Where something stands."""

    file: Path
    line: int


class _Tree(NamedTuple):
    """Data, and the place of every key path in it."""

    data: Any
    places: dict[KeyPath, Place]

    def below(self, path: KeyPath) -> Iterator[tuple[KeyPath, Place]]:
        """Yield the paths at and below one, as seen from it, with their places."""
        for found, place in self.places.items():
            if found[: len(path)] == path:
                yield found[len(path) :], place


def read_composed(file: Path) -> Document:
    """Read a template with all that it is made of; the problems know the file and line of every key.

    Raises:
        TemplateError: one of the files cannot be read, or its syntax is wrong.
    """
    composer = _Composer()
    tree = composer.read(file, ())
    lines = {path: place.line for path, place in tree.places.items()}
    files = {path: place.file for path, place in tree.places.items()}
    problems = Problems(file, lines, files)
    for found in composer.problems:
        problems.adopt(found)
    return Document(tree.data, problems)


class _Composer:
    """Reads a file and those that it names, and collects what is wrong with them."""

    def __init__(self) -> None:
        self.problems: list[Problems] = []

    def read(self, file: Path, chain: tuple[Path, ...]) -> _Tree:
        """Return what a file says, with its bases; ``chain`` are the files that lead to it."""
        document = read_document(file)
        self.problems.append(document.problems)
        places = {path: Place(file, line) for path, line in document.problems.lines.items()}
        tree = _Tree(document.data, places)
        if not isinstance(tree.data, dict):
            return tree
        chain = (*chain, file)
        tree = self._with_included(tree, document.problems, chain)
        merged = _Tree({}, {})
        for path, name in _named(tree.data.pop("extends", None), ("extends",), document.problems):
            base = self._follow(file, path, name, document.problems, chain)
            if base is not None and isinstance(base.data, dict):
                merged = _merge(merged, base)
            elif base is not None:
                document.problems.add(path, f"'{name}' must hold a mapping, as a template does")
        return _merge(merged, tree)

    def _with_included(self, tree: _Tree, problems: Problems, chain: tuple[Path, ...]) -> _Tree:
        """Return a tree whose provisioners have those in place of each ``include``."""
        entries = tree.data.get(_PROVISIONERS)
        if not isinstance(entries, list):
            return tree
        places = {path: place for path, place in tree.places.items() if path[:1] != (_PROVISIONERS,) or len(path) == 1}
        found: list[Any] = []
        for place, entry in enumerate(entries):
            path: KeyPath = (_PROVISIONERS, place)
            pieces = [_Tree(entry, dict(tree.below(path)))]
            if isinstance(entry, dict) and list(entry) == ["include"]:
                pieces = list(self._included(entry["include"], (*path, "include"), problems, chain))
            for piece in pieces:
                places |= {(_PROVISIONERS, len(found), *rest): at for rest, at in piece.places.items()}
                found.append(piece.data)
        return _Tree(tree.data | {_PROVISIONERS: found}, places)

    def _included(self, value: object, path: KeyPath, problems: Problems, chain: tuple[Path, ...]) -> Iterator[_Tree]:
        for name_path, name in _named(value, path, problems):
            included = self._follow(chain[-1], name_path, name, problems, chain)
            if included is None:
                continue
            if not isinstance(included.data, list):
                problems.add(name_path, f"'{name}' must hold a list of provisioners")
                continue
            # The list may hold further includes, which are relative to its own file.
            file = chain[-1].parent / name
            nested = _Tree(
                {_PROVISIONERS: included.data}, {(_PROVISIONERS, *rest): at for rest, at in included.places.items()}
            )
            nested = self._with_included(nested, self.problems[-1], (*chain, file))
            for place, entry in enumerate(nested.data[_PROVISIONERS]):
                yield _Tree(entry, dict(nested.below((_PROVISIONERS, place))))

    def _follow(
        self, file: Path, path: KeyPath, name: str, problems: Problems, chain: tuple[Path, ...]
    ) -> _Tree | None:
        """Return what a file that is named at ``path`` of another says, or None if it cannot be had."""
        other = file.parent / name
        if (mistake := mistake_about(file.parent, name)) is not None:
            problems.add(path, mistake)
        elif any(other.resolve() == before.resolve() for before in chain):
            problems.add(path, f"the files need each other: {' -> '.join(each.name for each in (*chain, other))}")
        elif len(chain) > _DEEPEST:
            problems.add(path, "the files are nested too deeply")
        else:
            try:
                return self.read(other, chain)
            except TemplateError as error:
                for problem in error.problems:
                    problems.adopt_problem(problem)
        return None


def read_data(section: object, renderer: Renderer, problems: Problems) -> dict[str, Any]:
    """Return what is in the files of a template's ``data``, by name: data of YAML and JSON, else text.

    An unknown value (None) stands for a file that cannot be read, which is noted.
    """
    if section is None:
        return {}
    if not isinstance(section, dict):
        problems.add(("data",), "a mapping of names to files is needed")
        return {}
    return {name: _read_data(("data", name), value, renderer, problems) for name, value in section.items()}


def _read_data(path: KeyPath, value: object, renderer: Renderer, problems: Problems) -> Any:  # noqa: ANN401 - data
    folder = problems.file_of(path).parent
    try:
        name = renderer.render(value) if isinstance(value, str) and value else None
        if not isinstance(name, str):
            problems.add(path, "the path of a file is needed")
            return None
        if (mistake := mistake_about(folder, name)) is not None:
            problems.add(path, mistake)
            return None
        if not name.endswith((".yaml", ".yml", ".json")):
            return read_text(folder / name)
        found = read_document(folder / name)
    except RenderError as error:
        problems.add(path, str(error))
    except UnknownValueError:
        problems.spoil(path)
    except TemplateError as error:
        for problem in error.problems:
            problems.adopt_problem(problem)
    else:
        problems.adopt(found.problems)
        return found.data
    return None


def bring_near(rendered: dict[str, Any], file: Path, problems: Problems) -> None:
    """Name the files of provisioners that are from another folder as the folder of ``file`` knows them."""
    entries = rendered.get(_PROVISIONERS)
    for place, entry in enumerate(entries if isinstance(entries, list) else ()):
        home = problems.file_of((_PROVISIONERS, place)).parent
        if home == file.parent:
            continue
        try:
            provisioner = read_provisioner(entry)
        except ValidationError:
            continue
        for keys, name in provisioner.named_files():
            if not name.startswith("/"):
                near = os.path.relpath(home / name, file.parent) + ("/" if name.endswith("/") else "")
                data = entry[provisioner.kind]
                for key in keys[:-1]:
                    data = data[key]
                data[keys[-1]] = near


def _named(value: object, path: KeyPath, problems: Problems) -> list[tuple[KeyPath, str]]:
    """Return the names of files that a value gives, one or a list of them."""
    several = isinstance(value, list)
    names = value if isinstance(value, list) else [] if value is None else [value]
    found: list[tuple[KeyPath, str]] = []
    for place, name in enumerate(names):
        at = (*path, place) if several else path
        if not isinstance(name, str) or not name or "{{" in name:
            problems.add(at, "the path of a file is needed, without {{ }}")
        else:
            found.append((at, name))
    return found


def _merge(base: _Tree, own: _Tree) -> _Tree:
    """Return what ``own`` says over ``base``."""
    data, replaced = _merged(base.data, own.data, ())
    places = {path: place for path, place in base.places.items() if not any(path[: len(r)] == r for r in replaced)}
    return _Tree(data, places | own.places)


def _merged(base: Mapping[str, Any], own: Mapping[str, Any], path: KeyPath) -> tuple[dict[str, Any], list[KeyPath]]:
    data = dict(base)
    replaced: list[KeyPath] = []
    for key, value in own.items():
        before = base.get(key)
        if isinstance(before, dict) and isinstance(value, dict):
            data[key], inner = _merged(before, value, (*path, key))
            replaced += inner
        else:
            data[key] = value
            replaced.append((*path, key))
    return data, replaced
