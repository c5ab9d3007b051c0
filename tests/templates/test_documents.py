"""Files that are not what they should be give one clear error with a line, whatever is in them."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from verified_images.errors import TemplateError
from verified_images.templates.documents import LARGEST_FILE, parse_with_libyaml, parse_with_ruamel, read_document

ANCHORS = "anchors, aliases and merge keys are not supported; put the shared value into 'variables' or repeat it"


def read_mistakes(file: Path) -> list[tuple[int | None, str]]:
    with pytest.raises(TemplateError) as caught:
        read_document(file).problems.raise_if_any()
    return [(problem.line, problem.message) for problem in caught.value.problems]


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        ("", None, "the file is empty"),
        (" \n\n", None, "the file is empty"),
        ("a: 1\nb: [1, 2\nc: 3\n", 3, "this cannot be read: expected ',' or ']', but got ':'"),
        ("a: 1\nb:\n\tc: 1\n", 3,
         ("this cannot be read: found character '\\t' that cannot start any token (a tab; YAML is indented with "
          "spaces alone)")),
        ("a: 1\nb: c: d\n", 2,
         ("this cannot be read: mapping values are not allowed here (text that holds ': ' must be in quotes, and "
          "keys must be aligned)")),
        ("a: 1\nb: @x\n", 2,
         ("this cannot be read: found character '@' that cannot start any token (text that begins with this "
          "character must be in quotes)")),
        ("a: 1\nb: 'open\n", 3, "this cannot be read: found unexpected end of stream"),
        ('a: 1\nb: "\\q"\n', 2, "this cannot be read: found unknown escape character 'q'"),
        ('a: 1\nb: "\\U00110000"\n', 2, "this cannot be read: chr() arg not in range(0x110000)"),
        ("a: 1\nb: \x01\n", 2, "this cannot be read: special characters are not allowed"),
        ("a: 1\nb: {{ var.b }}\n", 2, "a key must be text (text that begins with '{{' must be in quotes)"),
        ("a: 1\n? [b]\n: c\n", 2, "a key must be text (brackets in a key need quotes)"),
        ("a: &a\n  b: *a\n", 2, ANCHORS),
        ("a: &a 1\n", 1, ANCHORS),
        ("a: 1\n<<: {b: 2}\n", 2, ANCHORS),
        ("a: 1\nb: !!python/name:os.system x\n", 2,
         "the YAML tag 'tag:yaml.org,2002:python/name:os.system' is not supported"),
        ("a: 1\n---\nb: 2\n", 2, "the file holds several YAML documents; one is needed"),
        ("a: 1\nb: 2\na: 3\n", 3, "the key 'a' appears twice; the first is in line 1"),
        ("a: [x, {b: 1, b: 2}]\n", 1, "the key 'b' appears twice; the first is in line 1"),
        ('a: 1\nb: "\\0"\n', 2, "the text holds a NUL character"),
        ('a: 1\nb: "\\ud800"\n', 2, "the text holds half of a surrogate pair"),
        ("[" * 10_000, 1, "values are nested too deeply"),
        ("- " * 10_000, 1, "values are nested too deeply"),
        ("{a: " * 10_000, 1, "values are nested too deeply"),
        ("\n".join(" " * depth + "a:" for depth in range(1000)), 51, "values are nested too deeply"),
        (b"a: 1\nb: \xe9\n", 2, "the file is not UTF-8 text"),
        ("a: 1".encode("utf-16"), None, "the file is UTF-16; save it as UTF-8"),
        ("a: 1".encode("utf-16-be"), 1, "the file holds a NUL character, so it is not text"),
        (b"\x7fELF\x02\x01\x01\0", 1, "the file holds a NUL character, so it is not text"),
        ("a" * (LARGEST_FILE + 1), None, "the file is larger than 1024 KiB"),
    ],
)  # fmt: skip
def test_a_yaml_file_that_is_wrong(tmp_path: Path, content: str | bytes, line: int | None, message: str) -> None:
    file = tmp_path / "template.yaml"
    file.write_bytes(content.encode() if isinstance(content, str) else content)
    assert read_mistakes(file) == [(line, message)]


@pytest.mark.parametrize(
    ("content", "line", "message"),
    [
        ('{\n  "a": 1,\n  // why\n  "b": 2\n}', 3,
         "JSON has no comments; write the template as template.yaml to have them"),
        ('{\n  "a": 1,\n  # why\n}', 3, "JSON has no comments; write the template as template.yaml to have them"),
        ('{\n  "a": 1,\n  "a": 2\n}', 3, "the key 'a' appears twice; the first is in line 2"),
        ('{\n  "a": "x\ty"}', 2, "this is not JSON: Invalid control character at (column 10)"),
        ('{\n  "a": NaN}', None, "this is not JSON: NaN is not a JSON value"),
        ('{\n  "a": "\\ud83d"}', 2, "the text holds half of a surrogate pair"),
        ("{\n  'a': 1}", 2,
         "this is not JSON: Expecting property name enclosed in double quotes (column 3)"),
        ("a: 1", 1, "this is not JSON: Expecting value (column 1)"),
        ("[" * 100_000, None, "values are nested too deeply"),
        ("[" * 60 + "]" * 60, 1, "values are nested too deeply"),
    ],
)  # fmt: skip
def test_a_json_file_that_is_wrong(tmp_path: Path, content: str, line: int | None, message: str) -> None:
    file = tmp_path / "template.json"
    file.write_text(content)
    assert read_mistakes(file) == [(line, message)]


def test_what_is_no_file_is_told(tmp_path: Path) -> None:
    assert read_mistakes(tmp_path / "template.yaml") == [(None, "there is no such file")]
    assert read_mistakes(tmp_path) == [(None, "this is a folder, not a file")]
    os.mkfifo(tmp_path / "fifo.yaml")
    assert read_mistakes(tmp_path / "fifo.yaml") == [(None, "there is no such file")]


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read every file")
def test_a_file_that_may_not_be_read_is_told(tmp_path: Path) -> None:
    file = tmp_path / "template.yaml"
    file.touch(mode=0o000)
    assert read_mistakes(file) == [(None, "the file cannot be read: Permission denied")]


def as_written(value: object) -> object:
    """What a JSON value becomes: every scalar is the text that stands in the file."""
    if isinstance(value, dict):
        return {key: as_written(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_written(item) for item in value]
    return value if value is None or isinstance(value, str) else json.dumps(value)


# Category Cs: a surrogate alone cannot be in a file. A NUL is refused.
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=20)
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


@settings(deadline=None)
@given(json_values, st.booleans(), st.sampled_from([None, 1, "\t"]))
@example(["a", " : ", {'"\\': "\u2028\x85\x7f\ufeff"}], False, None)  # noqa: FBT003 - as hypothesis gives it
def test_all_json_is_read_as_the_json_module_reads_it(
    tmp_path_factory: pytest.TempPathFactory,
    value: object,
    ascii_only: bool,  # noqa: FBT001 - hypothesis gives it
    indent: str | int | None,
) -> None:
    file = tmp_path_factory.getbasetemp() / "any.json"
    separators = (",", " : ") if ascii_only else (", ", ":")
    file.write_text(json.dumps(value, ensure_ascii=ascii_only, indent=indent, separators=separators), "utf-8")
    assert read_document(file).data == as_written(value)


PIECES = (
    *"{}[]:,'\"|>&*!%@`#?-~<.\\/ab 01\n",
    "\n  ",
    ": ",
    "- ",
    "a: ",
    "b: |\n  ",
    "c: >-\n ",
    "\n---\n",
    "{{ var.a }}",
    " #",
    "\u00e9",
    "\\ud83d",
    "0x1f",
    "null",
)


@settings(max_examples=100, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=25).map("".join))
@example("a: http://x:80/y?z\nb: [c:d, {e: 'f'}]\n")
@example('a:\n- b: |2\n    c\n\n- d: "e\\\n    f"\n')
def test_what_both_parsers_take_they_read_the_same(text: str) -> None:
    quick = parse_with_libyaml(text)
    try:
        slow = parse_with_ruamel(Path("template.yaml"), text)
    except TemplateError:
        # libyaml takes some more, such as a block that begins with blanks.
        return
    if quick is not None:
        assert (quick.data, quick.lines) == (slow.data, slow.lines)


def test_libyaml_reads_what_is_in_order() -> None:
    tree = parse_with_libyaml("a: 1.10\nb:\n- 'c'\n")
    assert tree is not None
    assert tree.data == {"a": "1.10", "b": ["c"]}
    assert tree.lines == {("a",): 1, ("b",): 2, ("b", 0): 3}


def test_the_rest_of_a_file_of_mistakes_is_not_read(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    file.write_text("a: 1\nb: {}\n" + "".join(f"b{place % 200}: 1\n" for place in range(100_000)))
    with pytest.raises(TemplateError) as caught:
        read_document(file)
    assert caught.value.problems[0].line == 203
    assert len(caught.value.problems) == 101
