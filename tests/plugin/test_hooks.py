from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.plugin.conftest import Specs

CONFTEST = """\
def pytest_verified_images_machine_ready(vm, host):
    print("HOOK machine", vm.name, host.backend.get_pytest_id())

def pytest_verified_images_image_captured(image):
    print("HOOK image", image.id)

def pytest_verified_images_scale_set_ready(scale_set):
    print("HOOK scale set", len(scale_set.instances))

def pytest_verified_images_published(image):
    print("HOOK published", image.version)
"""


class TestHooks:
    def test_are_called_once_a_spec_when_what_they_name_is_there(self, specs: Specs) -> None:
        folder = specs.add("debian")
        specs.add("ubuntu")
        (folder / "conftest.py").write_text(CONFTEST)
        result = specs.run("specs", "-s")
        assert [line.partition("HOOK ")[2] for line in result.outlines if "HOOK" in line] == [
            "machine vm verified-images://vm",
            "image /golden/versions/1.0.0",
            "scale set 2",
            "published 1.0.0",
        ]

    def test_of_a_folder_above_are_called_for_each_spec(self, specs: Specs) -> None:
        specs.add("debian")
        specs.add("ubuntu")
        (specs.pytester.path / "specs" / "conftest.py").write_text(CONFTEST)
        assert specs.run("specs", "-s").stdout.str().count("HOOK machine") == 2

    def test_that_raise_fail_their_stage(self, specs: Specs) -> None:
        folder = specs.add()
        (folder / "conftest.py").write_text(
            "def pytest_verified_images_image_captured(image):\n    raise OSError('no')\n"
        )
        result = specs.run("specs", "-rf")
        result.assert_outcomes(passed=4, failed=1, skipped=4)
        result.stdout.fnmatch_lines(["FAILED *::capture - OSError: no"])
        assert "debian: deploy" not in specs.cloud.log

    def test_that_are_misspelt_are_refused_with_the_nearest_name(self, specs: Specs) -> None:
        folder = specs.add()
        conftest = folder / "conftest.py"
        for place, ret in ((conftest, 2), (specs.pytester.path / "conftest.py", 4)):
            place.write_text("def pytest_verified_images_publishd(image): ...\n")
            result = specs.run()
            assert result.ret == ret
            lines = pytest.LineMatcher([*result.outlines, *result.errlines])
            lines.fnmatch_lines([f"*{place}: there is no hook *; did you mean '*_published'[?]"])
            place.unlink()
        conftest.write_text(
            "import pytest\n@pytest.hookimpl(optionalhook=True)\ndef pytest_verified_images_later(image): ...\n"
        )
        specs.run().assert_outcomes(passed=9)
