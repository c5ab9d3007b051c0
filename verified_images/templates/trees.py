"""Plain data made from YAML's events, without recursion, refusing what only YAML experts would understand."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from ruamel.yaml.events import (
    AliasEvent,
    DocumentStartEvent,
    MappingEndEvent,
    MappingStartEvent,
    ScalarEvent,
    SequenceEndEvent,
    SequenceStartEvent,
)

if TYPE_CHECKING:
    from ruamel.yaml.events import Event

    from verified_images.templates.problems import KeyPath

_DEEPEST = 50
_NULLS = ("", "~", "null", "Null", "NULL")
_NO_ANCHORS = "anchors, aliases and merge keys are not supported; put the shared value into 'variables' or repeat it"


class UnreadableError(Exception):
    """The rest of the file cannot be understood, because of what stands in ``line``."""

    def __init__(self, message: str, line: int) -> None:
        self.line = line
        super().__init__(message)


@dataclass(slots=True)
class _Collection:
    """A mapping or list that is being filled; ``key`` is the one that waits for its value."""

    data: dict[str, Any] | list[Any]
    path: KeyPath
    key: str | None = None


class Tree:
    """Data built by feeding it YAML events; ``lines`` has the line of every key path, in file order."""

    def __init__(self) -> None:
        self.data: Any = None
        self.lines: dict[KeyPath, int] = {}
        self.mistakes: list[tuple[KeyPath, int, str]] = []
        self.last_line = 1
        self._open: list[_Collection] = []
        self._documents = 0

    def feed(self, event: Event) -> None:
        """Take the parser's next event."""
        line = self.last_line = event.start_mark.line + 1
        match event:
            case ScalarEvent():
                self._check(event, line)
                self._add_scalar(event, line)
            case MappingStartEvent():
                self._check(event, line)
                self._begin({}, line)
            case SequenceStartEvent():
                self._check(event, line)
                self._begin([], line)
            case MappingEndEvent() | SequenceEndEvent():
                self._open.pop()
            case AliasEvent():
                raise UnreadableError(_NO_ANCHORS, line)
            case DocumentStartEvent():
                self._documents += 1
                if self._documents == 2:  # noqa: PLR2004 - the second one
                    self._complain(line, "the file holds several YAML documents; one is needed")

    def _check(self, event: ScalarEvent | MappingStartEvent | SequenceStartEvent, line: int) -> None:
        if event.anchor is not None:
            self._complain(line, _NO_ANCHORS)
        if event.tag is not None and event.tag != "!":
            self._complain(line, f"the YAML tag '{event.tag}' is not supported")

    def _add_scalar(self, event: ScalarEvent, line: int) -> None:
        plain = event.implicit[0]
        text = self._joined_surrogates(event.value, line)
        parent = self._open[-1] if self._open else None
        if parent is None or isinstance(parent.data, list) or parent.key is not None:
            self._add(None if plain and text in _NULLS else text, line)
            return
        path = (*parent.path, text)
        if plain and text == "<<":
            self._complain(line, _NO_ANCHORS)
        if text in parent.data:
            message = f"the key '{text}' appears twice; the first is in line {self.lines[path]}"
            self.mistakes.append((path, line, message))
        self.lines.setdefault(path, line)
        parent.key = text

    def _begin(self, data: dict[str, Any] | list[Any], line: int) -> None:
        parent = self._open[-1] if self._open else None
        if parent is not None and isinstance(parent.data, dict) and parent.key is None:
            # An unquoted {{ var.name }} is, to YAML, a mapping with a mapping as its key.
            hint = "text that begins with '{{' must be in quotes" if data == {} else "brackets in a key need quotes"
            raise UnreadableError(f"a key must be text ({hint})", line)
        if len(self._open) >= _DEEPEST:
            raise UnreadableError("values are nested too deeply", line)
        self._open.append(_Collection(data, self._add(data, line)))

    def _add(self, value: Any, line: int) -> KeyPath:  # noqa: ANN401 - data is what it is
        """Put the value in its place and return the path to it."""
        if not self._open:
            self.data = value if self._documents == 1 else self.data
            return ()
        parent = self._open[-1]
        if isinstance(parent.data, list):
            path = (*parent.path, len(parent.data))
            parent.data.append(value)
            self.lines.setdefault(path, line)
            return path
        key = parent.key or ""
        parent.data.setdefault(key, value)
        parent.key = None
        return (*parent.path, key)

    def _joined_surrogates(self, text: str, line: int) -> str:
        r"""Return the text with JSON's pairs such as \\ud83d\\ude00 made one character; halves are complained of."""
        if text.isascii() or not any("\ud800" <= character <= "\udfff" for character in text):
            if "\0" in text:
                self._complain(line, "the text holds a NUL character")
            return text
        try:
            return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le")
        except UnicodeDecodeError:
            self._complain(line, "the text holds half of a surrogate pair")
            return text.encode(errors="replace").decode()

    def _complain(self, line: int, message: str) -> None:
        path = self._open[-1].path if self._open else ()
        self.mistakes.append((path, line, message))
