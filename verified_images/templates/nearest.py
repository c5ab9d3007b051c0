"""The name that a misspelt one was most likely meant to be."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

# Beyond this, a list of all valid names helps nobody.
_MOST_LISTED = 20


def nearest(name: str, valid: Iterable[str]) -> str | None:
    """Return the valid name that is most like ``name``, or None if none is like it."""
    by_folded = {_folded(candidate): candidate for candidate in valid}
    # difflib takes time in the square of the length; no valid name is this long.
    found = difflib.get_close_matches(_folded(name[:100]), by_folded, n=1, cutoff=0.6)
    return by_folded[found[0]] if found else None


def did_you_mean(name: str, valid: Iterable[str]) -> str:
    """Return the end of a message about ``name``: "; did you mean 'x'?", or the valid names, or nothing."""
    names = sorted(valid)
    found = nearest(name, names)
    if found is not None:
        return f"; did you mean '{found}'?"
    return f"; known: {', '.join(names)}" if 0 < len(names) <= _MOST_LISTED else ""


def _folded(name: str) -> str:
    return name.lower().replace("-", "_")
