from __future__ import annotations

from importlib.metadata import entry_points
from typing import TYPE_CHECKING

import pytest

# Imported here so that pytester, which forgets what a run inside it imported, does not import it for each test.
import pytest_plugin.activation
import verified_images.pipeline
import verified_images.templates.native
from pytest_plugin.cloud import cloud_key
from tests.plugin.fakes import FakeCloud

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["pytest_plugin", "verified_images"]

INSTALLED = any(entry.name == "verified_images" for entry in entry_points(group="pytest11"))
PLUGIN = () if INSTALLED else ("-p", "pytest_plugin.plugin")
# The first two import much, and pytester makes each run import it anew; the last one collects garbage twice a run, in a
# heap that all tests share, and what it looks for the outer run finds as well.
OTHERS = ("-p", "no:hypothesispytest", "-p", "no:anyio", "-p", "no:unraisableexception")

TEMPLATE = """\
builder:
  source: {publisher: Debian, offer: debian-12, sku: 12-gen2}
  vm_size: Standard_B2s
  location: westeurope
image:
  gallery: {resource_group: images, gallery: golden, definition: debian}
smoke: {instances: 2, port: 80}
"""

TEST_MACHINE = """\
def test_nginx_is_enabled(host):
    assert host.run("echo").rc == 0
"""

TEST_SCALE_SET = """\
def test_serves_the_page(scale_set, instance):
    assert instance in scale_set.instances
"""


class CloudPlugin:
    """Puts a fake cloud into a run of pytest."""

    def __init__(self, cloud: FakeCloud) -> None:
        self.cloud = cloud

    def pytest_configure(self, config: pytest.Config) -> None:
        config.stash[cloud_key] = self.cloud


class Specs:
    """A folder of specs, and pytest runs on it with a fake cloud."""

    def __init__(self, pytester: pytest.Pytester) -> None:
        self.pytester = pytester
        self.cloud = FakeCloud()

    def add(self, name: str = "debian", template: str = TEMPLATE, **files: str) -> Path:
        """Write a spec with a machine test and a scale-set test; ``files`` replace or add to its modules."""
        folder = self.pytester.path / "specs" / name
        folder.mkdir(parents=True)
        (folder / "template.yaml").write_text(template)
        for module, text in {"test_machine": TEST_MACHINE, "test_scale_set": TEST_SCALE_SET, **files}.items():
            if text:
                (folder / f"{module}.py").write_text(text)
        return folder

    def run(self, *arguments: str) -> pytest.RunResult:
        """Run pytest in this process."""
        return self.pytester.runpytest_inprocess(
            *PLUGIN, *OTHERS, *arguments, plugins=[CloudPlugin(self.cloud)], no_reraise_ctrlc=True
        )


@pytest.fixture
def specs(pytester: pytest.Pytester) -> Specs:
    """Specs to run with a fake cloud."""
    return Specs(pytester)
