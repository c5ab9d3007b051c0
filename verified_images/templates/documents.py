"""YAML and JSON files as plain data, with the line of each key.

Every scalar stays text as it was written and becomes a number or a truth value only where the model asks for one, so
that the version 1.10 and the mode 0644 arrive unchanged.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Never

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError

from verified_images.errors import TemplateError, TemplateProblem
from verified_images.templates.finding import LARGEST_FILE
from verified_images.templates.problems import Problems
from verified_images.templates.reading import note_read
from verified_images.templates.trees import Tree, UnreadableError

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["LARGEST_FILE", "Document", "fail", "read_document", "read_text"]

_MOST_MISTAKES = 100
"""The rest of a file with more mistakes in its form is not read."""
_READ_DIFFERENTLY = re.compile("[\t\x85\u2028\u2029\ufeff]|^%", re.MULTILINE)
"""What libyaml takes for a blank, for the end of a line or for a directive where YAML 1.2 does not."""


@dataclass(frozen=True, slots=True)
class Document:
    """What a file says (mappings, lists, texts, None), and its ``problems`` so far."""

    data: Any
    problems: Problems


def read_document(file: Path) -> Document:
    """Read a JSON file (by its suffix) or a YAML file.

    Duplicate keys and the like are noted in the document's problems.

    Raises:
        TemplateError: it cannot be read, or its syntax is wrong.
    """
    text = read_text(file)
    if file.suffix.lower() == ".json":
        _check_json(file, text)
        text = _json_as_yaml(text)
    tree = parse_with_libyaml(text) or parse_with_ruamel(file, text)
    problems = Problems(file, tree.lines)
    for key_path, line, message in tree.mistakes:
        problems.add_to_line(line, key_path, message)
    if len(tree.mistakes) > _MOST_MISTAKES:
        problems.raise_if_any()
    return Document(tree.data, problems)


def fail(file: Path, message: str, line: int | None = None) -> Never:
    """Raise a TemplateError about the file as a whole, or about one of its lines."""
    raise TemplateError([TemplateProblem(file, line, "", message)])


def read_text(file: Path, *, allow_empty: bool = False) -> str:
    """Return the text of a UTF-8 file.

    Raises:
        TemplateError: it cannot be read, is too large, or is no text.
    """
    try:
        if not file.is_file():
            fail(file, "this is a folder, not a file" if file.is_dir() else "there is no such file")
        with file.open("rb") as stream:
            content = stream.read(LARGEST_FILE + 1)
        note_read(file)
    except (OSError, ValueError) as error:  # ValueError: a name with a NUL byte
        fail(file, f"the file cannot be read: {getattr(error, 'strerror', None) or error}")
    if len(content) > LARGEST_FILE:
        fail(file, f"the file is larger than {LARGEST_FILE // 1024} KiB")
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        fail(file, "the file is UTF-16; save it as UTF-8")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        fail(file, "the file is not UTF-8 text", content.count(b"\n", 0, error.start) + 1)
    if "\0" in text:
        fail(file, "the file holds a NUL character, so it is not text", text.count("\n", 0, text.index("\0")) + 1)
    if not allow_empty and not text.strip():
        fail(file, "the file is empty")
    return text


def _check_json(file: Path, text: str) -> None:
    try:
        json.loads(text, parse_int=str, parse_float=str, parse_constant=_refuse_constant)
    except json.JSONDecodeError as error:
        if text.startswith(("//", "/*", "#"), error.pos):
            fail(file, "JSON has no comments; write the template as template.yaml to have them", error.lineno)
        fail(file, f"this is not JSON: {error.msg} (column {error.colno})", error.lineno)
    except ValueError as error:
        fail(file, f"this is not JSON: {error}")
    except RecursionError:
        fail(file, "values are nested too deeply")


def _json_as_yaml(text: str) -> str:
    """Return correct JSON with the few things changed that YAML would read differently; lines stay as they are."""
    # Inside of its texts JSON allows neither tabs nor line ends, so these stand between the values.
    text = text.replace("\t", " ").replace("\r", " ")
    # YAML wants the colon right behind the key. Every text is matched, so that none is entered in its middle.
    text = re.sub(
        r'("(?:[^"\\]|\\.)*")(?:(\s+):)?',
        lambda match: match[1] if match[2] is None else f"{match[1]}:{match[2]}",
        text,
    )
    # YAML refuses some of these characters and takes others for line ends.
    return re.sub("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]", lambda match: f"\\u{ord(match[0]):04x}", text)


def _refuse_constant(name: str) -> Never:
    raise ValueError(f"{name} is not a JSON value")


def parse_with_ruamel(file: Path, text: str) -> Tree:
    """Return what ruamel's own parser makes of the text of a file.

    Raises:
        TemplateError: its syntax is wrong.
    """
    tree = Tree()
    try:
        for event in YAML(typ="safe", pure=True).parse(text):
            tree.feed(event)
            if len(tree.mistakes) > _MOST_MISTAKES:
                break
    except YAMLError as error:
        fail(file, _yaml_message(error), _yaml_line(error, text))
    except UnreadableError as error:
        fail(file, str(error), error.line)
    except (ValueError, OverflowError, AttributeError, IndexError, TypeError, AssertionError) as error:
        # ruamel lets these through for some malformed escapes, tags and directives.
        fail(file, f"this cannot be read: {error}", tree.last_line)
    return tree


def parse_with_libyaml(text: str) -> Tree | None:
    """Return what libyaml makes of a text that is in order; None: ruamel's own parser has to look at it.

    libyaml is several times as fast. ruamel's own parser knows YAML 1.2 and places mistakes better.
    """
    if _READ_DIFFERENTLY.search(text):
        return None
    tree = Tree()
    try:
        for event in YAML(typ="safe").parse(text):
            if getattr(event, "tag", None) is not None:
                return None
            tree.feed(event)
            if tree.mistakes:
                return None
    except (YAMLError, UnreadableError, ValueError, OverflowError, AttributeError, IndexError, TypeError):
        return None
    return tree


def _yaml_line(error: YAMLError, text: str) -> int | None:
    mark = getattr(error, "problem_mark", None) or getattr(error, "context_mark", None)
    if mark is not None:
        return int(mark.line) + 1
    position = getattr(error, "position", None)  # of a character that YAML does not allow
    return text.count("\n", 0, position) + 1 if isinstance(position, int) else None


def _yaml_message(error: YAMLError) -> str:
    problem = getattr(error, "problem", None) or getattr(error, "reason", None) or str(error).partition("\n")[0]
    hints = {
        r"character '\\t'": "a tab; YAML is indented with spaces alone",
        r"character '[%@`]'": "text that begins with this character must be in quotes",
        r"mapping values are not allowed": "text that holds ': ' must be in quotes, and keys must be aligned",
    }
    hint = next((f" ({hint})" for pattern, hint in hints.items() if re.search(pattern, problem)), "")
    return f"this cannot be read: {problem}{hint}"
