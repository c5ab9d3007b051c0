from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from verified_images.emulator.vhd import FOOTER_SIZE, MEBIBYTE, VhdError, make_footer, read_size, read_size_of_file

if TYPE_CHECKING:
    from pathlib import Path


@given(st.integers(1, 32 * 1024 * 1024))
def test_a_footer_tells_the_size_that_it_was_made_for(mebibytes: int) -> None:
    footer = make_footer(mebibytes * MEBIBYTE)
    assert len(footer) == FOOTER_SIZE
    assert read_size(footer) == mebibytes * MEBIBYTE


@given(st.integers(0, FOOTER_SIZE - 1), st.integers(1, 255))
def test_a_damaged_footer_is_refused(position: int, change: int) -> None:
    footer = bytearray(make_footer(30 * 1024 * MEBIBYTE))
    footer[position] ^= change
    with pytest.raises(VhdError):
        read_size(bytes(footer))


@given(st.binary(max_size=2 * FOOTER_SIZE))
def test_what_is_no_footer_is_refused(content: bytes) -> None:
    with pytest.raises(VhdError, match="cookie value 'conectix'"):
        read_size(content)


def test_a_disk_of_odd_size_is_refused() -> None:
    with pytest.raises(VhdError, match="unsupported virtual size of 1049088 bytes"):
        read_size(make_footer(MEBIBYTE + 512))


def test_a_file_is_as_long_as_its_footer_says(tmp_path: Path) -> None:
    vhd = tmp_path / "disk.vhd"
    vhd.write_bytes(bytes(MEBIBYTE) + make_footer(MEBIBYTE))
    assert read_size_of_file(vhd) == MEBIBYTE
    vhd.write_bytes(bytes(512) + vhd.read_bytes())
    with pytest.raises(VhdError, match="tells of 1048576 bytes, but 1049088 bytes precede it"):
        read_size_of_file(vhd)
    vhd.write_bytes(b"")
    with pytest.raises(VhdError, match="cookie"):
        read_size_of_file(vhd)
