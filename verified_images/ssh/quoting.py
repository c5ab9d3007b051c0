"""Shell text that means exactly what it was given, whatever bytes that holds."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_PLAIN = frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789 _./:,=+@")


def encode(text: str) -> bytes:
    """Return ``text`` as the far side is to get it (bytes that are not UTF-8 travel as surrogate escapes).

    Raises:
        ValueError: the text holds a NUL, which no shell can take.
    """
    if "\0" in text:
        raise ValueError("a command or a variable for a remote shell cannot hold a NUL character")
    return text.encode("utf-8", "surrogateescape")


def quote(text: bytes) -> bytes:
    """Return ``text`` as one word of a POSIX shell."""
    return b"'" + text.replace(b"'", b"'\\''") + b"'"


def quote_text(text: str) -> str:
    """Return ``text`` as one word of a POSIX shell, always in quotes."""
    return "'" + text.replace("'", "'\\''") + "'"


def quote_words(words: Iterable[str]) -> str:
    """Return ``words`` as those of a POSIX shell, each in quotes."""
    return " ".join(map(quote_text, words))


def exports(env: Mapping[str, str]) -> str:
    """Return the statement that exports ``env``; "" when it is empty.

    Raises:
        ValueError: a name is not one that a shell can export.
    """
    for name in env:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is not a name for an environment variable")
    words = " ".join(f"{name}={quote_text(value)}" for name, value in env.items())
    return f"export {words}; " if words else ""


def print_bytes(content: bytes) -> str:
    """Return a statement that prints ``content``, NULs included, on one line and in ASCII."""
    return f"printf '{octal(content)}'"


def octal(content: bytes) -> str:
    """Return ``content`` as a printf format of ASCII characters that stands between single quotes."""
    return "".join(_OCTAL[byte] for byte in content)


_OCTAL = tuple(chr(byte) if byte in _PLAIN else f"\\{byte:03o}" for byte in range(256))
