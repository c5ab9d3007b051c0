"""Misspelt options: the nearest name, where pytest would say no more than that there is no such option."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_plugin.options import OPTIONS

if TYPE_CHECKING:
    from collections.abc import Sequence

_KNOWN = frozenset(option.flag for option in OPTIONS)


def refuse_misspelt(parser: pytest.Parser, arguments: Sequence[str]) -> None:
    """Refuse an option that looks like one of ours and that nobody has declared, with the nearest name.

    Raises:
        pytest.UsageError: there is such an option among the arguments.
    """
    if not any(_is_strange(argument) for argument in arguments):
        return
    from verified_images.templates.nearest import did_you_mean  # noqa: PLC0415 - runs without a mistake need not pay for it

    # A conftest.py or another plugin may have declared options that begin alike.
    unknown = parser.parse_known_and_unknown_args(list(arguments))[1]
    for argument in filter(_is_strange, unknown):
        name = argument.partition("=")[0]
        raise pytest.UsageError(f"{name}: there is no such option{did_you_mean(name, _KNOWN)}")


def _is_strange(argument: str) -> bool:
    return argument.startswith("--vi-") and argument.partition("=")[0] not in _KNOWN
