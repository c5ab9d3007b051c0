from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verified_images.emulator.relaxed_json import read_json

VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)


@given(VALUES)
def test_json_is_read_as_it_is(value: object) -> None:
    assert read_json(json.dumps(value)) == value


@given(VALUES)
def test_a_comment_before_it_changes_nothing(value: object) -> None:
    assert read_json(f"// 'it' \"is\"\n{json.dumps(value)} /* so */") == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{template:{"a": 1}}', {"template": {"a": 1}}),
        ("{'a': 'it is \"b\"'}", {"a": 'it is "b"'}),
        ("[1, 2, // three\n]", [1, 2]),
        ('{"a": "http://x", "b": true,}', {"a": "http://x", "b": True}),
        ('{"a": "two\nlines"}', {"a": "two\nlines"}),
        ("{$a_1: null}", {"$a_1": None}),
    ],
)
def test_what_azure_reads_beyond_json_is_read(text: str, value: object) -> None:
    assert read_json(text) == value
    assert read_json(text.encode()) == value


@pytest.mark.parametrize("text", ["", "{", "[1 2]", "{'a'}", "{a: b}", "'", "/* open", ",", "[,1]"])
def test_what_is_no_json_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="line 1"):
        read_json(text)


@given(st.text(alphabet="{}[]:,'\"/*a1 \n\\"))
def test_any_text_is_read_or_refused(text: str) -> None:
    try:
        read_json(text)
    except (ValueError, RecursionError):
        return
