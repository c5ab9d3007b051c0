"""The mistakes of one file, collected so that a user sees all of them at once, in the order of the file."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, TypeAlias

from pydantic import SecretStr

from verified_images.errors import TemplateError, TemplateProblem

if TYPE_CHECKING:
    from pathlib import Path

    from pydantic import ValidationError
    from pydantic_core import ErrorDetails

KeyPath: TypeAlias = tuple[str | int, ...]
"""The keys and list places (from 0) that lead to a value."""

_LONGEST_SHOWN = 60
_MOST_SHOWN = 100


class Problems:
    """The mistakes found in ``file``; ``lines`` tells the line (from 1) of every key path, in file order.

    ``files`` names the file of key paths that are from others.
    """

    def __init__(
        self, file: Path, lines: Mapping[KeyPath, int] | None = None, files: Mapping[KeyPath, Path] | None = None
    ) -> None:
        self.file = file
        self._lines = lines or {}
        self._files = files or {}
        self._adopted: dict[TemplateProblem, None] = {}
        self._found: dict[tuple[KeyPath, str], int | None] = {}
        self._spoilt: set[KeyPath] = set()

    def add(self, key_path: KeyPath, message: str) -> None:
        """Note that the value at ``key_path`` is wrong, so that nothing more is to be said of it."""
        self._found.setdefault((key_path, message), None)
        self._spoilt.add(key_path)

    def add_to_line(self, line: int, key_path: KeyPath, message: str) -> None:
        """Note a mistake in the form of the file, which leaves the value at ``key_path`` usable."""
        self._found.setdefault((key_path, message), line)

    def spoil(self, key_path: KeyPath) -> None:
        """Say that nothing can be said of the value at ``key_path``, because of a problem noted elsewhere."""
        self._spoilt.add(key_path)

    def add_validation(self, error: ValidationError, data: object) -> None:
        """Note what pydantic found in ``data``, except in values that were wrong before."""
        for key_path, message in validation_problems(error, data):
            if not any(key_path[:length] in self._spoilt for length in range(1, len(key_path) + 1)):
                self._found.setdefault((key_path, message), None)

    @property
    def lines(self) -> Mapping[KeyPath, int]:
        """The line of every key path."""
        return self._lines

    def adopt(self, others: Problems) -> None:
        """Take over what was found in another file."""
        for problem in others.sorted():
            self.adopt_problem(problem)

    def adopt_problem(self, problem: TemplateProblem) -> None:
        """Take over one problem of another file."""
        self._adopted.setdefault(problem)

    def file_of(self, key_path: KeyPath) -> Path:
        """Return the file that ``key_path`` stands in."""
        return next((self._files[path] for path in _upwards(key_path) if path in self._files), self.file)

    def line_of(self, key_path: KeyPath) -> int | None:
        """Return the line of ``key_path``, or of the nearest key around it that has one."""
        return next((self._lines[path] for path in _upwards(key_path) if path in self._lines), None)

    def raise_if_any(self) -> None:
        """Raise a TemplateError with all problems, if there are any."""
        if self._found or self._adopted:
            problems = self.sorted()
            more = len(problems) - _MOST_SHOWN
            if more > 0:
                problems[_MOST_SHOWN:] = [TemplateProblem(self.file, None, "", f"{more} more problems are not shown")]
            raise TemplateError(problems)

    def sorted(self) -> list[TemplateProblem]:
        """Return the problems in the order of the file, and behind them those of the others."""
        order = {path: place for place, path in enumerate(self._lines)}

        def place(found: tuple[KeyPath, TemplateProblem]) -> tuple[bool, str, int, int]:
            nearest = next((order[path] for path in _upwards(found[0]) if path in order), -1)
            return found[1].file != self.file, str(found[1].file), found[1].line or 0, nearest

        problems: list[tuple[KeyPath, TemplateProblem]] = [
            (
                path,
                TemplateProblem(
                    self.file if line else self.file_of(path), line or self.line_of(path), show_path(path), message
                ),
            )
            for (path, message), line in self._found.items()
        ]
        problems += [((), problem) for problem in self._adopted]
        return [problem for _, problem in sorted(problems, key=place)]


def validation_problems(error: ValidationError, data: object) -> Iterator[tuple[KeyPath, str]]:
    """Yield the key path in ``data`` and the sentence of each thing that pydantic found in it."""
    details = error.errors(include_url=False)
    for detail in details:
        # A list whose entries are wrong is not one without entries, as pydantic has it.
        inner = (other["loc"][: len(detail["loc"])] for other in details if len(other["loc"]) > len(detail["loc"]))
        if detail["type"] != "too_short" or detail["loc"] not in inner:
            yield _key_path(detail, data), _message(detail)


def show_path(key_path: KeyPath) -> str:
    """Return a key path as a user reads it, such as ``provisioners[0].shell.inline``; places count from 0."""
    shown = ""
    for step in key_path:
        shown += f"[{step}]" if isinstance(step, int) else f".{step}"
    return shown.removeprefix(".")


def _upwards(key_path: KeyPath) -> list[KeyPath]:
    return [key_path[:length] for length in range(len(key_path), -1, -1)]


def _key_path(detail: ErrorDetails, data: object) -> KeyPath:
    """Return the keys that stand in ``data``: pydantic's location also names members of unions."""
    path: list[str | int] = []
    for step in detail["loc"]:
        if isinstance(data, Mapping) and step in data:
            data = data[step]
        elif isinstance(step, int) and isinstance(data, Sequence) and not isinstance(data, str):
            data = data[step] if step < len(data) else None
        elif detail["type"] != "missing" or step != detail["loc"][-1]:
            continue
        path.append(step)
    return tuple(path)


def _message(detail: ErrorDetails) -> str:  # noqa: PLR0911 - a table of sentences
    kind, value, facts = detail["type"], detail["input"], detail.get("ctx", {})
    if kind == "wrong":
        return str(facts["message"])
    if isinstance(value, SecretStr):
        return "a secret may not be used here: whoever sees the resource could read it"
    match kind:
        case "missing":
            return "this key is required"
        case "literal_error":
            return f"{facts['expected']} is needed, not {_shown(value)}"
        case "greater_than_equal":
            return f"{_shown(value)} is too small; the least is {facts['ge']}"
        case "less_than_equal":
            return f"{_shown(value)} is too large; the most is {facts['le']}"
        case "too_short":
            return "at least one entry is needed"
    if needed := _NEEDED.get(kind):
        return f"{needed} is needed, not {_shown(value)}"
    return str(detail["msg"])


_NEEDED = {
    "string_type": "text",
    "int_type": "a whole number",
    "int_parsing": "a whole number",
    "int_parsing_size": "a smaller whole number",
    "int_from_float": "a whole number",
    "bool_type": "true or false",
    "bool_parsing": "true or false",
    "tuple_type": "a list",
    "model_type": "a mapping (key: value)",
    "model_attributes_type": "a mapping (key: value)",
    "dict_type": "a mapping (key: value)",
    "mapping_type": "a mapping (key: value)",
}


def _shown(value: object) -> str:
    match value:
        case None:
            return "nothing"
        case str():
            return repr(value if len(value) <= _LONGEST_SHOWN else f"{value[:_LONGEST_SHOWN]}...")
        case Mapping():
            return "a mapping"
        case Sequence():
            return "a list"
        case _:
            return repr(value)
