from __future__ import annotations

import base64
import json
import urllib.parse

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verified_images.masking import Masker

SECRET = "p@ss \"w'ord\\1"


@pytest.mark.parametrize(
    "form",
    [
        SECRET,
        json.dumps(SECRET),
        urllib.parse.quote(SECRET, safe=""),
        base64.b64encode(SECRET.encode()).decode(),
        SECRET.replace("'", "'\"'\"'"),
    ],
)
def test_masks_the_forms_in_which_programs_print_a_secret(form: str) -> None:
    masked = Masker([SECRET])(f"before {form} after")
    assert masked.startswith("before ")
    assert masked.endswith(" after")
    assert "ord" not in masked
    assert form not in masked


def test_masks_each_line_of_a_secret_of_several_lines() -> None:
    masker = Masker(["-----BEGIN-----\nabcdefgh\n-----END-----\n"])
    assert masker("got abcdefgh here") == "got *** here"


def test_masks_the_longer_of_two_secrets_that_begin_alike() -> None:
    assert Masker(["abc", "abcdef"])("xabcdefx abc") == "x***x ***"


def test_masks_what_is_added_later() -> None:
    masker = Masker()
    assert masker("hunter2") == "hunter2"
    masker.add("hunter2", "")
    assert masker("hunter2") == "***"


def test_shows_at_once_what_cannot_be_a_secret() -> None:
    stream = Masker(["secret"]).stream()
    assert stream.feed("hello") == "hello"
    assert stream.feed(" sec") == " "
    assert stream.feed("ond") == "second"
    assert stream.flush() == ""


ALPHABET = st.text("abc", max_size=12)


@given(st.lists(st.text("abc", min_size=1, max_size=5), max_size=4), st.lists(ALPHABET, max_size=8))
def test_a_stream_masks_what_the_whole_text_masks(secrets: list[str], pieces: list[str]) -> None:
    masker = Masker(secrets)
    stream = masker.stream()
    assert "".join(map(stream.feed, pieces)) + stream.flush() == masker("".join(pieces))


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("assert 'token-3de707...30966229580' == 'x'", "assert '***...***' == 'x'"),
        ("'token-3de707...", "'***..."),
        ("...66229580", "...***"),
        ("a...b...30966229580", "a...b...***"),
        ("tok...580 is too little to tell", "tok...580 is too little to tell"),
        ("it takes a moment... token", "it takes a moment... token"),
    ],
)
def test_masks_what_is_left_of_a_secret_that_was_cut(text: str, shown: str) -> None:
    assert Masker(["token-3de7073096622958030966229580"]).mask_pieces(text) == shown
