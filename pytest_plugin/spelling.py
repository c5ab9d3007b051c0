"""Misspelt options and hooks: the nearest name, where pytest would say no more than that there is none."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_plugin import hookspecs
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


def refuse_misspelt_hooks(plugin: object, manager: pytest.PytestPluginManager) -> None:
    """Refuse a hook of a plugin, such as a conftest.py, that begins like ours and is none.

    Raises:
        pytest.UsageError: the plugin has one.
        pytest.Collector.CollectError: the same, while a folder is collected whose conftest.py it is.
    """
    from verified_images.templates.nearest import did_you_mean  # noqa: PLC0415 - runs without a mistake need not pay for it

    ours = [name for name in vars(hookspecs) if name.startswith(hookspecs.PREFIX)]
    for name, hook in vars(plugin).items():
        is_optional = getattr(hook, "pytest_impl", {}).get("optionalhook", False)
        if name.startswith(hookspecs.PREFIX) and name not in ours and not is_optional:
            where = getattr(plugin, "__file__", None) or plugin
            message = f"{where}: there is no hook {name}{did_you_mean(name, ours)}"
            if not manager.has_plugin("session"):
                raise pytest.UsageError(message)
            # Else pytest ends with an internal error once it has collected, and shows nothing else.
            for implementation in getattr(manager.hook, name).get_hookimpls():
                implementation.optionalhook = True
            raise pytest.Collector.CollectError(message)


def _is_strange(argument: str) -> bool:
    return argument.startswith("--vi-") and argument.partition("=")[0] not in _KNOWN
