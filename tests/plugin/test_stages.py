from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.plugin.conftest import Specs


class TestPassingSpec:
    def test_runs_the_stages_and_the_tests_in_order(self, specs: Specs) -> None:
        specs.add()
        result = specs.run("-v", "specs")
        result.assert_outcomes(passed=9)
        result.stdout.fnmatch_lines(
            [
                "specs/debian/template.yaml::preflight PASSED*",
                "specs/debian/template.yaml::provision PASSED*",
                "specs/debian/test_machine.py::test_nginx_is_enabled[[]debian[]] PASSED*",
                "specs/debian/template.yaml::capture PASSED*",
                "specs/debian/template.yaml::deploy PASSED*",
                "specs/debian/test_scale_set.py::test_serves_the_page[[]debian-0[]] PASSED*",
                "specs/debian/test_scale_set.py::test_serves_the_page[[]debian-1[]] PASSED*",
                "specs/debian/template.yaml::publish PASSED*",
                "specs/debian/template.yaml::cleanup PASSED*",
            ]
        )
        assert specs.cloud.log == [
            "debian: preflight",
            "debian: provision",
            "debian: capture",
            "debian: deploy",
            "debian: publish from ss",
            "debian: cleanup",
            "closed",
        ]


def test_post_processors_come_once_the_image_is_published(specs: Specs) -> None:
    specs.add()
    specs.run("specs").assert_outcomes(passed=9)
    assert specs.cloud.post_processed == [("/golden/versions/1.0.0",)]
