from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.plugin.conftest import Specs


def ids(result: pytest.RunResult) -> list[str]:
    """Give the names of the tests that ran, in their order, without the stages."""
    lines = [line.split()[0] for line in result.outlines if "::" in line and "%]" in line]
    return [line.split("::", 1)[1] for line in lines if "template.yaml" not in line]


class TestStageOfATest:
    MODULE = """\
def test_both(host, scale_set): ...
def test_once_a_scale_set(scale_set): ...
def test_each(instance): ...
def test_image(image): ...
def test_image_on_instances(image, host): ...
def test_vm(vm): ...
def test_template(template): ...
def test_plain(): ...
"""

    def test_follows_from_its_fixtures(self, specs: Specs) -> None:
        specs.add(test_machine=self.MODULE, test_scale_set="")
        result = specs.run("specs", "-v")
        assert result.ret == pytest.ExitCode.OK
        lines = [line.split("::", 1)[1].split()[0] for line in result.outlines if " PASSED" in line]
        assert lines == [
            "preflight",
            "provision",
            "test_vm[debian]",
            "test_template[debian]",
            "test_plain",
            "capture",
            "test_image[debian]",
            "deploy",
            "test_both[debian-0]",
            "test_each[debian-0]",
            "test_image_on_instances[debian-0]",
            "test_both[debian-1]",
            "test_each[debian-1]",
            "test_image_on_instances[debian-1]",
            "test_once_a_scale_set[debian]",
            "publish",
            "cleanup",
        ]

    def test_follows_from_what_its_own_fixtures_ask_for(self, specs: Specs) -> None:
        module = (
            "import pytest\n@pytest.fixture\ndef page(instance):\n    return instance.index\ndef test_page(page): ...\n"
        )
        specs.add(test_machine=module, test_scale_set="")
        assert ids(specs.run("specs", "-v")) == ["test_page[debian-0]", "test_page[debian-1]"]

    def test_may_be_asked_for_without_an_argument(self, specs: Specs) -> None:
        module = "def test_host(request):\n    assert request.getfixturevalue('host').run('x').rc == 0\n"
        specs.add(test_machine=module, test_scale_set="")
        specs.run("specs").assert_outcomes(passed=7)

    def test_asks_nothing_of_the_cloud_where_the_test_asks_for_nothing(self, specs: Specs) -> None:
        specs.add(test_plain="def test_plain():\n    pass\n")
        specs.run("specs/debian/test_plain.py").assert_outcomes(passed=1)
        assert specs.cloud.log == ["closed"]


class TestStageMarker:
    def test_says_when_a_test_runs(self, specs: Specs) -> None:
        module = (
            "import pytest\n@pytest.mark.stage('scale_set')\n"
            "def test_x(host):\n    assert host.backend.hostname != 'vm'\n"
        )
        specs.add(test_machine=module, test_scale_set="")
        assert ids(specs.run("specs", "-v")) == ["test_x[debian-0]", "test_x[debian-1]"]

    def test_with_two_stages_runs_a_test_on_the_vm_and_on_every_instance(self, specs: Specs) -> None:
        module = "import pytest\n@pytest.mark.stage('machine', 'scale_set')\ndef test_x(host):\n    print(host)\n"
        specs.add(test_machine=module, test_scale_set="")
        result = specs.run("specs", "-v", "-s")
        result.stdout.fnmatch_lines(
            [
                "*template.yaml::provision*",
                "*test_x?debian?*<testinfra.host.Host verified-images://vm>*",
                "*template.yaml::capture*",
                "*test_x?debian-0?*<testinfra.host.Host verified-images://ss_0>*",
                "*test_x?debian-1?*<testinfra.host.Host verified-images://ss_1>*",
            ]
        )

    def test_reaches_the_stage_for_a_test_that_asks_for_nothing(self, specs: Specs) -> None:
        module = "import pytest\n@pytest.mark.stage('scale_set')\ndef test_x(): ...\n"
        specs.add(test_machine=module, test_scale_set="")
        specs.run("specs/debian/test_machine.py").assert_outcomes(passed=1)
        assert "debian: deploy" in specs.cloud.log

    @pytest.mark.parametrize(
        ("mark", "fixture", "message"),
        [
            ("'maschine'", "host", "there is no stage 'maschine'; did you mean 'machine'?"),
            ("'x'", "host", "there is no stage 'x'; there are machine, image, scale_set"),
            ("", "host", "@pytest.mark.stage names no stage"),
            ("'machine'", "instance", "the fixture 'instance' is not there in the stage 'machine' of its marker"),
            ("'image'", "host", "the fixture 'host' is not there in the stage 'image' of its marker"),
        ],
    )
    def test_that_cannot_be_is_an_error_of_collection(
        self, specs: Specs, mark: str, fixture: str, message: str
    ) -> None:
        specs.add(test_machine=f"import pytest\n@pytest.mark.stage({mark})\ndef test_x({fixture}): ...\n")
        result = specs.run("specs")
        assert result.ret == pytest.ExitCode.INTERRUPTED
        result.stdout.fnmatch_lines([f"*test_machine.py:2: test_x: *{message}"])
        assert specs.cloud.log == ["closed"]


class TestOtherPytestFeatures:
    def test_parametrized_tests(self, specs: Specs) -> None:
        module = "import pytest\n@pytest.mark.parametrize('port', [80, 443])\ndef test_x(instance, port): ...\n"
        specs.add(test_machine=module, test_scale_set="")
        assert ids(specs.run("specs", "-v")) == [
            "test_x[debian-0-80]",
            "test_x[debian-0-443]",
            "test_x[debian-1-80]",
            "test_x[debian-1-443]",
        ]

    def test_classes(self, specs: Specs) -> None:
        specs.add(test_machine="class TestNginx:\n    def test_x(self, host): ...\n", test_scale_set="")
        assert ids(specs.run("specs", "-v")) == ["TestNginx::test_x[debian]"]

    def test_unittest_classes(self, specs: Specs) -> None:
        module = (
            "import unittest, pytest\nclass TestNginx(unittest.TestCase):\n"
            "    @pytest.fixture(autouse=True)\n    def take(self, host):\n        self.host = host\n"
            "    def test_x(self):\n        self.assertEqual(self.host.run('a').rc, 0)\n"
        )
        specs.add(test_machine=module, test_scale_set="")
        specs.run("specs").assert_outcomes(passed=7)

    def test_module_fixtures_are_set_up_once_a_machine(self, specs: Specs) -> None:
        module = (
            "import pytest\n@pytest.fixture(scope='module')\n"
            "def page(host):\n    print('SETUP', host.backend.hostname)\n"
            "def test_a(page, scale_set): ...\ndef test_b(page, scale_set): ...\n"
        )
        specs.add(test_machine=module, test_scale_set="")
        result = specs.run("specs", "-s")
        assert [line.split("SETUP ")[1] for line in result.outlines if "SETUP" in line] == ["ss_0", "ss_1"]

    def test_fixtures_of_a_conftest_in_the_spec_override_ours(self, specs: Specs) -> None:
        folder = specs.add(test_machine="def test_x(host):\n    assert host == 'mine verified-images://vm'\n")
        (folder / "conftest.py").write_text(
            "import pytest\n@pytest.fixture\ndef host(host):\n    return 'mine ' + host.backend.get_pytest_id()\n"
        )
        specs.run("specs").assert_outcomes(passed=9)

    def test_our_fixtures_are_listed_with_what_they_give(self, specs: Specs) -> None:
        specs.add()
        specs.run("specs", "--fixtures").stdout.fnmatch_lines(["scale_set*", "    The scale set booted from *"])


class TestOutsideSpecs:
    def test_fixtures_of_the_same_names_are_untouched(self, specs: Specs) -> None:
        specs.add()
        specs.pytester.makepyfile(
            """
            import pytest

            testinfra_hosts = ["local://"]

            @pytest.fixture
            def image():
                return "mine"

            def test_host(host, image):
                assert host.backend.get_pytest_id() == "local" and image == "mine"

            def test_vm(request):
                with pytest.raises(pytest.FixtureLookupError):
                    request.getfixturevalue("vm")
            """
        )
        result = specs.run("-v")
        result.assert_outcomes(passed=11)
        result.stdout.fnmatch_lines(["*::test_host[[]local[]] PASSED*"])

    @pytest.mark.parametrize(
        "text", ["AWSTemplateFormatVersion: '2010-09-09'\nResources: {}\n", '{"$schema": "x", "resources": []}']
    )
    def test_templates_of_other_tools_are_left_alone(self, specs: Specs, text: str) -> None:
        specs.add(template=text, test_machine="def test_plain(): ...\n", test_scale_set="")
        specs.run("specs").assert_outcomes(passed=1)
        assert specs.cloud.log == []

    def test_without_the_plugin_specs_have_no_fixtures(self, specs: Specs) -> None:
        specs.add(test_machine="def test_x(vm): ...\n", test_scale_set="")
        result = specs.pytester.runpytest_inprocess("-p", "no:verified_images", "specs")
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(["*fixture 'vm' not found"])


class TestHost:
    def test_runs_each_command_in_one_round_trip(self, specs: Specs) -> None:
        specs.add(test_machine="def test_x(host):\n    assert host.check_output('echo %s', 'a b') == \"echo 'a b'\"\n")
        specs.run("specs").assert_outcomes(passed=9)
        assert specs.cloud.sessions["vm"].commands == ["echo 'a b'"]

    def test_has_sudo(self, specs: Specs) -> None:
        specs.add(
            test_machine="def test_x(host):\n    with host.sudo('www'):\n        host.run('id')\n    host.run('id')\n"
        )
        specs.run("specs").assert_outcomes(passed=9)
        assert specs.cloud.sessions["vm"].commands == ["sudo -u www /bin/sh -c id", "id"]

    def test_decodes_utf8_without_asking_the_machine(self, specs: Specs) -> None:
        specs.add(test_machine="def test_x(host):\n    assert host.run('echo ü').stdout == 'echo ü'\n")
        specs.run("specs").assert_outcomes(passed=9)
        assert specs.cloud.sessions["vm"].commands == ["echo ü"]

    def test_waits_for_a_machine_that_a_test_has_restarted(self, specs: Specs) -> None:
        specs.add(test_machine="def test_x(host):\n    host.run('reboot')\n    assert host.run('uptime').rc == 0\n")
        specs.run("specs").assert_outcomes(passed=9)
        assert specs.cloud.sessions["vm"].commands == ["reboot", "reconnect within 600 s", "uptime"]

    def test_of_another_machine_is_another_host(self, specs: Specs) -> None:
        specs.add(
            test_machine="def test_x(host):\n    host.has_command_v\n",
            test_scale_set="def test_x(host, scale_set):\n    host.has_command_v\n",
        )
        specs.run("specs").assert_outcomes(passed=9)
        assert specs.cloud.sessions["ss_0"].commands == specs.cloud.sessions["ss_1"].commands == ["command -v command"]
