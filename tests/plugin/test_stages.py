from __future__ import annotations

import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING

from verified_images.errors import EvictedError

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


EVICTED_MACHINE = """\
from verified_images.errors import ConnectionLostError

def test_before(host): ...

def test_during(host):
    raise ConnectionLostError("the SSH connection to 'vm' broke", machine="vm")

def test_after(host): ...
"""


def test_a_machine_taken_back_while_it_is_tested_is_told_and_waited_for_no_more(specs: Specs) -> None:
    specs.add(test_machine=EVICTED_MACHINE)
    specs.cloud.evicted = EvictedError("Azure took the spot machine 'vm' back", machine="vm")
    result = specs.run("-v", "-rs", "--junit-xml=report.xml", "specs")
    result.assert_outcomes(passed=4, failed=1, skipped=6)
    told = "Azure took the spot machine 'vm' back"
    result.stdout.fnmatch_lines(["*- why -*", told, f"SKIPPED*: {told}"])
    cases = ET.parse(specs.pytester.path / "report.xml").iter("testcase")  # noqa: S314 - what pytest wrote
    failures = [str(failure.text) for case in cases for failure in case.iter("failure")]
    assert [told in failure for failure in failures] == [True]
    assert specs.cloud.log.count("debian: find eviction") == 1


def test_a_test_that_fails_by_itself_asks_about_no_eviction(specs: Specs) -> None:
    specs.add(test_machine="def test_it(host):\n    assert not host\n")
    specs.run("specs").assert_outcomes(passed=3, failed=1, skipped=5)
    assert "debian: find eviction" not in specs.cloud.log
