"""What is to be said about a Packer template: errors, which end its loading, and warnings, which do not.

A Packer template may consist of several files, so that every key path has a file as well as a line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

from verified_images.errors import TemplateError, TemplateProblem
from verified_images.templates.problems import show_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path

    from verified_images.templates.problems import KeyPath

_MOST_SHOWN = 100


class Place(NamedTuple):
    """Where something stands: the file, and the line from 1 where it is known."""

    file: Path
    line: int | None


Places: TypeAlias = "Callable[[KeyPath], Place]"
"""Tells where a key path stands."""


class Section(NamedTuple):
    """A mapping of the template, and the key path that leads to it."""

    data: Mapping[str, Any]
    path: KeyPath


class Findings:
    """The errors and warnings found in a template so far."""

    def __init__(self, places: Places) -> None:
        self._places = places
        self._errors: dict[TemplateProblem, None] = {}
        self._warnings: dict[TemplateProblem, None] = {}
        self._spoilt: set[KeyPath] = set()
        self._around: set[KeyPath] = set()
        self._empty: dict[KeyPath, None] = {}

    def error(self, path: KeyPath, message: str) -> None:
        """Note that the value at ``path`` is wrong, so that nothing more is to be said of it."""
        self._errors.setdefault(self._problem(path, message))
        self.spoil(path)

    def lacks(self, path: KeyPath, message: str) -> None:
        """Note that something is missing in what stands at ``path``, which says nothing of the rest."""
        self._errors.setdefault(self._problem(path, message))

    def empty(self, path: KeyPath) -> None:
        """Say that the value at ``path`` is empty, which Packer takes for one that is not given."""
        self._empty.setdefault(path)

    def requires(self, path: KeyPath, option: str) -> None:
        """Note that what stands at ``path`` has no such option, or an empty one."""
        if (*path, option) in self._empty:
            self.lacks((*path, option), f"the option '{option}' is required, and its value is empty")
        else:
            self.lacks(path, f"the option '{option}' is required")

    def empty_in(self, path: KeyPath, options: Iterable[str]) -> str:
        """Return the end of a message that names those of the options at ``path`` whose values are empty, if any."""
        names = [option for option in options if (*path, option) in self._empty]
        return f"; empty here: {', '.join(names)}" if names else ""

    def spoil(self, path: KeyPath) -> None:
        """Say that nothing can be said of the value at ``path``, because of a problem noted elsewhere."""
        self._spoilt.add(path)
        self._around.update(path[:length] for length in range(len(path)))

    def is_spoilt(self, path: KeyPath) -> bool:
        """Tell whether there is a problem with the value at ``path`` or with what it stands in."""
        return any(path[:length] in self._spoilt for length in range(1, len(path) + 1))

    def error_at(self, place: Place, key_path: str, message: str) -> None:
        """Note a mistake that stands at ``place``."""
        self._errors.setdefault(TemplateProblem(place.file, place.line, key_path, message))

    def warn(self, path: KeyPath, message: str) -> None:
        """Note that the value at ``path`` has no effect, or another one than in Packer."""
        self._warnings.setdefault(self._problem(path, message))

    def place(self, path: KeyPath) -> Place:
        """Return where ``path`` stands."""
        return self._places(path)

    def holds_spoilt(self, path: KeyPath) -> bool:
        """Tell whether there is a problem with the value at ``path``, or with anything in or around it."""
        return path in self._around or self.is_spoilt(path)

    @property
    def failed(self) -> bool:
        """Whether there are errors."""
        return bool(self._errors)

    @property
    def warnings(self) -> tuple[TemplateProblem, ...]:
        """The warnings, in the order of the files."""
        return _sorted(self._warnings)

    def raise_if_any(self) -> None:
        """Raise a TemplateError with all errors, if there are any."""
        if self._errors:
            errors = _sorted(self._errors)
            more = len(errors) - _MOST_SHOWN
            if more > 0:
                rest = TemplateProblem(errors[0].file, None, "", f"{more} more problems are not shown")
                errors = (*errors[:_MOST_SHOWN], rest)
            raise TemplateError(errors)

    def _problem(self, path: KeyPath, message: str) -> TemplateProblem:
        place = self._places(path)
        return TemplateProblem(place.file, place.line, show_path(path), message)


def _sorted(problems: Mapping[TemplateProblem, None]) -> tuple[TemplateProblem, ...]:
    return tuple(sorted(problems, key=lambda problem: (str(problem.file), problem.line or 0)))
