"""The entry point: each hook calls the module that knows.

A session without specs gets the options and one look into each folder; everything else is registered when the
first spec is found.
"""

from __future__ import annotations

from copy import copy
from typing import TYPE_CHECKING

import pytest

from pytest_plugin import hookspecs
from pytest_plugin.options import add_options, complete_arguments, read_settings, settings_key

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

MARKERS = (
    "stage(name, ...): when a test of a spec runs: machine, image or scale_set; once in each that is named",
    "spec(name, ...): which of the specs of its folder a test is for; names may be patterns such as web-*",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Declare the options."""
    add_options(parser)


# Before the initial conftest.py files are looked for in the folders that are named.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_load_initial_conftests(
    early_config: pytest.Config, parser: pytest.Parser, args: list[str]
) -> Generator[None, object, object]:
    """Tell the times of options from the arguments that follow them, and name the nearest of a misspelt option."""
    if complete_arguments(args):
        early_config.known_args_namespace = parser.parse_known_args(args, namespace=copy(early_config.option))
    result = yield
    if any(argument.startswith("--vi-") for argument in args):
        from pytest_plugin.spelling import refuse_misspelt  # noqa: PLC0415 - only runs with options of ours pay for it

        refuse_misspelt(parser, args)
    return result


def pytest_addhooks(pluginmanager: pytest.PytestPluginManager) -> None:
    """Declare the hooks that users can implement."""
    pluginmanager.add_hookspecs(hookspecs)


def pytest_plugin_registered(plugin: object, manager: pytest.PytestPluginManager) -> None:
    """Name the nearest of a misspelt hook of ours in a conftest.py: pytest ends with an internal error for it."""
    if any(name.startswith(hookspecs.PREFIX) for name in getattr(plugin, "__dict__", ())):
        from pytest_plugin.spelling import refuse_misspelt_hooks  # noqa: PLC0415 - only runs with hooks of ours pay for it

        refuse_misspelt_hooks(plugin, manager)


def pytest_configure(config: pytest.Config) -> None:
    """Read the options."""
    config.stash[settings_key] = read_settings(config)
    for marker in MARKERS:
        config.addinivalue_line("markers", marker)
    # Both options are pytest-xdist's, which has made one of the other before this hook.
    if config.getoption("dist", "no") != "no" and config.getoption("tx", None):
        from pytest_plugin.controller import distribute  # noqa: PLC0415 - only runs with xdist pay for it

        distribute(config)
    if groups := getattr(config, "workerinput", {}).get("verified_images_groups"):
        from pytest_plugin.worker import GroupsTeller  # noqa: PLC0415 - same

        config.pluginmanager.register(GroupsTeller(groups))


@pytest.hookimpl(wrapper=True)
def pytest_collect_directory(
    path: Path,
) -> Generator[None, pytest.Collector | None, pytest.Collector | None]:
    """Look whether the folder holds templates."""
    node = yield
    if isinstance(node, pytest.Directory):
        from verified_images.templates.finding import holds_templates  # noqa: PLC0415 - only runs that collect pay for it

        if holds_templates(path):
            from pytest_plugin.activation import add_folder  # noqa: PLC0415 - only runs with specs pay for it

            add_folder(path, node)
    return node
