"""Masking: secrets never reach a log, a report or the text of an error.

A secret is hidden in the forms in which programs print it: as it is, line by line, quoted for a shell, escaped for
JSON or a URL, and in Base64.
"""

from __future__ import annotations

import base64
import json
import re
import shlex
import threading
import urllib.parse
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MASK = "***"
_CUT = "..."
_SHORTEST_PIECE = 4  # characters of a secret that show enough of it to be hidden
_SHORTEST_DERIVED = 4  # the Base64 form or a single line of less than this is everyday text, not a secret


class Masker:
    """Replaces every secret in a text by ``***``; secrets may be added at any time, from any thread."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._lock = threading.Lock()
        self._forms: tuple[str, ...] = ()
        self._pattern: re.Pattern[str] | None = None
        self.add(*secrets)

    def add(self, *secrets: str) -> None:
        """Mask these from now on too; empty ones are ignored."""
        with self._lock:
            forms = {*self._forms, *(form for secret in secrets for form in _forms(secret))}
            # The longest first, so that a secret that holds another one is hidden whole.
            self._forms = tuple(sorted(forms, key=lambda form: (-len(form), form)))
            self._pattern = re.compile("|".join(map(re.escape, self._forms))) if self._forms else None

    def __call__(self, text: str) -> str:
        """Return ``text`` without the secrets."""
        pattern = self._pattern
        return text if pattern is None else pattern.sub(MASK, text)

    def mask_pieces(self, text: str) -> str:
        """Return ``text`` without what is left of a secret that was cut, with dots for its middle or its end."""
        first, *others = text.split(_CUT)
        if not others:
            return text
        *middle, last = others
        ends = [self._without_end(first), *(self._without_end(self._without_start(part)) for part in middle)]
        return _CUT.join([*ends, self._without_start(last)])

    def _without_end(self, text: str) -> str:
        """Return a text without the beginning of a secret at its end."""
        sizes = (_overlap_size(text, form) for form in self._forms)
        size = max(sizes, default=0)
        return text if size < _SHORTEST_PIECE else text[:-size] + MASK

    def _without_start(self, text: str) -> str:
        """Return a text without the end of a secret at its beginning."""
        sizes = (_overlap_size(text[: len(form)][::-1], form[::-1]) for form in self._forms)
        size = max(sizes, default=0)
        return text if size < _SHORTEST_PIECE else MASK + text[size:]

    def stream(self) -> MaskedStream:
        """Return a filter for text that comes in pieces, which may cut a secret in two."""
        return MaskedStream(self)

    def settled(self, text: str) -> int:
        """Return how many characters of ``text`` can be shown whatever comes next.

        The rest is a secret, or its beginning, of which more may come.
        """
        shown = min((_overlap(text, form) for form in self._forms), default=len(text))
        for match in self._pattern.finditer(text) if self._pattern else ():
            if match.start() < shown < match.end():
                return match.start()
        return shown


class MaskedStream:
    """Masks text that comes in pieces: holds back what may be the beginning of a secret until it is known."""

    def __init__(self, masker: Masker) -> None:
        self._masker = masker
        self._pending = ""

    def feed(self, text: str) -> str:
        """Return what can be shown after ``text`` has come."""
        text = self._pending + text
        shown = self._masker.settled(text)
        self._pending = text[shown:]
        return self._masker(text[:shown])

    def flush(self) -> str:
        """Return the rest, at the end of the text."""
        rest, self._pending = self._masker(self._pending), ""
        return rest


def _overlap_size(text: str, form: str) -> int:
    """Return how many characters of ``form`` the text ends with: of its beginning, and not all of them."""
    return len(text) - _overlap(text, form)


def _overlap(text: str, form: str) -> int:
    """Return where the longest end of ``text`` starts that is a proper beginning of ``form``."""
    start = text.find(form[0], max(0, len(text) - len(form) + 1))
    while start != -1 and not form.startswith(text[start:]):
        start = text.find(form[0], start + 1)
    return len(text) if start == -1 else start


def _forms(secret: str) -> Iterator[str]:
    if not secret:
        return
    yield secret
    derived = [secret.strip(), *(line.strip() for line in secret.splitlines())]
    derived += [shlex.quote(secret)[1:-1], json.dumps(secret)[1:-1], json.dumps(secret, ensure_ascii=False)[1:-1]]
    derived += [urllib.parse.quote(secret, safe=""), urllib.parse.quote_plus(secret)]
    derived.append(base64.b64encode(secret.encode(errors="surrogateescape")).decode().rstrip("="))
    yield from (form for form in derived if len(form) >= _SHORTEST_DERIVED)
