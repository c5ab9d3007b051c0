"""What is registered with pytest once a session has its first spec."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_plugin.collection import Collection
from pytest_plugin.fixtures import register_fixtures
from pytest_plugin.inventory import Inventory
from pytest_plugin.loop import RunLoop
from pytest_plugin.options import settings_key
from pytest_plugin.reporting import Reporter
from pytest_plugin.session import SpecSession, session_key
from pytest_plugin.specs import SpecFolder, folder_key
from pytest_plugin.summary import SummaryWriter

if TYPE_CHECKING:
    from pathlib import Path

    import pytest


def add_folder(path: Path, node: pytest.Directory) -> None:
    """Make a folder with templates one of specs; the templates are not read yet."""
    config = node.config
    is_first = session_key not in config.stash
    if is_first:
        _activate(config)
    node.stash[folder_key] = SpecFolder(path, node, config.stash[settings_key])
    # pytest --fixtures lists them once, and cannot put those of two folders in an order.
    if is_first or not config.getoption("showfixtures", default=False):
        register_fixtures(node)


def _activate(config: pytest.Config) -> None:
    settings = config.stash[settings_key]
    inventory = Inventory(config)
    collection = Collection(settings)
    session = config.stash[session_key] = SpecSession(config, settings, inventory, collection)
    summary = SummaryWriter(session.summaries)
    for plugin in (collection, inventory, session, RunLoop(session), Reporter(session), summary):
        config.pluginmanager.register(plugin)
