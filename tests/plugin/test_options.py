from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from pytest_plugin.options import OPTIONS, Option, Settings, read_settings, settings_key
from tests.plugin.conftest import OTHERS, PLUGIN, TEMPLATE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.plugin.conftest import Specs


def read(specs: Specs, *arguments: str) -> Settings:
    """Give the settings of a run with these arguments."""
    kept: list[Settings] = []

    class Keep:
        def pytest_unconfigure(self, config: pytest.Config) -> None:
            kept.append(config.stash[settings_key])

    specs.pytester.inline_run(*PLUGIN, *OTHERS, "--collect-only", *arguments, plugins=[Keep()])
    return kept[0]


class TestSettings:
    def test_by_default_are_those_of_the_local_cloud(self, specs: Specs, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("XDG_DATA_HOME", "/data")
        monkeypatch.setenv("XDG_CACHE_HOME", "/cache")
        settings = read(specs)
        assert (settings.cloud, settings.hypervisor) == ("local", "qemu")
        assert (settings.publish, settings.allow_skips, settings.allow_from) == (True, False, ())
        assert str(settings.state) == "/data/verified-images/local"
        assert str(settings.cache) == "/cache/verified-images"

    def test_come_from_the_ini_file(self, specs: Specs) -> None:
        specs.pytester.makeini(
            "[pytest]\nvi_cloud = azure\nvi_subscription = 1-2\nvi_azure_environment = china\nvi_no_publish = true\n"
            "vi_var =\n    a=1\n    b=2\nvi_allow_from =\n    192.0.2.0/24\n"
        )
        settings = read(specs, "--vi-var", "b=3")
        assert (settings.cloud, settings.subscription, settings.azure_environment) == ("azure", "1-2", "china")
        assert (settings.publish, settings.variables) == (False, {"a": "1", "b": "3"})
        assert settings.allow_from == ("192.0.2.0/24",)

    def test_of_the_command_line_win(self, specs: Specs) -> None:
        specs.pytester.makeini("[pytest]\nvi_cloud = azure\nvi_state = elsewhere\n")
        settings = read(specs, "--vi-cloud=local", "--vi-state=here", "--vi-hypervisor=fake")
        assert (settings.cloud, settings.hypervisor) == ("local", "fake")
        assert settings.state == specs.pytester.path / "here"

    def test_take_the_subscription_from_the_environment(self, specs: Specs, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("AZURE_SUBSCRIPTION_ID", "3-4")
        assert read(specs, "--vi-cloud=azure").subscription == "3-4"


class TestUsageError:
    @pytest.mark.parametrize(
        ("arguments", "message"),
        [
            (["--vi-cloud=local", "--vi-subscription=1"], "--vi-subscription has no meaning with --vi-cloud=local"),
            (["--vi-cloud=azure", "--vi-state=x"], "--vi-state has no meaning with --vi-cloud=azure"),
            (["--vi-cloud=azure", "--vi-hypervisor=fake"], "--vi-hypervisor has no meaning with --vi-cloud=azure"),
            (["--vi-var", "name"], "--vi-var name: must be NAME=VALUE"),
            (["--vi-var-file", "missing.yaml"], "--vi-var-file missing.yaml: there is no such file"),
            (["--vi-allow-from", "everybody"], "--vi-allow-from everybody: *"),
            (["--vi-timeout", "deplay=3m"], "--vi-timeout deplay=3m: there is no such stage; did you mean 'deploy'[?]"),
            (["--vi-timeout", "deploy"], "--vi-timeout deploy: must be deploy=TIME, as in deploy=45m, longer than 0 s"),
            (["--vi-timeout", "deploy=0"], "--vi-timeout deploy=0: must be deploy=TIME, *"),
            (["--vi-timeout", "deploy=soon"], "--vi-timeout deploy=soon: a duration is needed, *"),
            (["--vi-cleanup-timeout", "soon"], "--vi-cleanup-timeout=soon: a duration is needed, *"),
            (["-o", "vi_cloud=moon"], "vi_cloud = moon: must be one of local, azure"),
            (["--vi-kep"], "--vi-kep: there is no such option; did you mean '--vi-keep'[?]"),
            (["--vi-stop-aftre=deploy"], "--vi-stop-aftre: there is no such option; did you mean '--vi-stop-after'[?]"),
        ],
    )
    def test_tells_what_cannot_be(self, specs: Specs, arguments: list[str], message: str) -> None:
        specs.add()
        result = specs.run("specs", *arguments)
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines([f"ERROR: {message}"])
        assert specs.cloud.log == []

    def test_is_none_for_options_of_the_user_that_begin_alike(self, specs: Specs) -> None:
        specs.add()
        specs.pytester.makeconftest("def pytest_addoption(parser): parser.addoption('--vi-kep')\n")
        specs.run("specs", "--vi-kep=1").assert_outcomes(passed=9)

    def test_tells_that_azure_needs_a_subscription(self, specs: Specs, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.delenv("AZURE_SUBSCRIPTION_ID", raising=False)
        specs.add()
        result = specs.run("specs", "--vi-cloud=azure")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["ERROR: --vi-cloud=azure needs a subscription: *"])
        assert specs.cloud.log == ["closed"]

    def test_tells_of_a_variable_that_no_template_has(self, specs: Specs) -> None:
        specs.add(template=TEMPLATE + "variables: {size: {default: a}}\n")
        result = specs.run("specs", "--vi-var", "sise=b")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["ERROR: --vi-var sise: no template has this variable; did you mean 'size'?"])


SAMPLES: dict[str, tuple[str, str]] = {
    "cloud": ("azure", "moon"),
    "subscription": ("1-2", ""),
    "azure_environment": ("china", "mars"),
    "var": ("size=b", "size"),
    "var_file": ("values.yaml", "missing.yaml"),
    "state": ("here", ""),
    "cache": ("there", ""),
    "hypervisor": ("fake", "bhyve"),
    "jobs": ("3", "0"),
    "no_publish": ("true", "maybe"),
    "allow_skips": ("true", "maybe"),
    "keep": ("45m", "soon"),
    "keep_on_failure": ("3h", "soon"),
    "reuse": ("true", "maybe"),
    "stop_after": ("capture", "lunch"),
    "from": ("deploy", "provision"),
    "changed_since": ("main", ""),
    "timeout": ("provision=45m", "lunch=1h"),
    "cleanup_timeout": ("5m", "soon"),
    "layers": ("true", "maybe"),
    "no_layers": ("true", "maybe"),
    "rebuild": ("true", "maybe"),
    "allow_from": ("192.0.2.0/24", "everybody"),
}
"""A value of each option that makes sense, and one that makes none; without such a one, nothing."""
OF_AZURE = ("subscription", "azure_environment")


def as_flag(option: Option, value: str) -> str:
    return option.flag if option.ini_type == "bool" else f"{option.flag}={value}"


@pytest.mark.parametrize("option", OPTIONS, ids=lambda option: option.name)
class TestTwins:
    def test_of_command_line_and_ini_file_say_the_same(self, pytester: pytest.Pytester, option: Option) -> None:
        (pytester.path / "values.yaml").write_text("a: 1\n")
        value = SAMPLES[option.name][0]
        cloud = ["--vi-cloud=azure"] if option.name in OF_AZURE else []
        plain = read_settings(pytester.parseconfig(*PLUGIN, *OTHERS, *cloud))
        given = read_settings(pytester.parseconfig(*PLUGIN, *OTHERS, *cloud, as_flag(option, value)))
        pytester.makeini(f"[pytest]\nvi_{option.name} = {value}\n")
        written = read_settings(pytester.parseconfig(*PLUGIN, *OTHERS, *cloud))
        # Variables of an ini file are for those templates that have them.
        assert replace(written, named=given.named) == given
        assert (given != plain) is (option.name != "rebuild")

    def test_are_refused_alike(self, pytester: pytest.Pytester, option: Option) -> None:
        bad = SAMPLES[option.name][1]
        if bad and option.ini_type != "bool":
            with pytest.raises(pytest.UsageError, match=bad):
                read_settings(pytester.parseconfig(*PLUGIN, *OTHERS, as_flag(option, bad)))
        if bad:
            pytester.makeini(f"[pytest]\nvi_{option.name} = {bad}\n")
            with pytest.raises(pytest.UsageError, match=bad):
                read_settings(pytester.parseconfig(*PLUGIN, *OTHERS))


def test_paths_of_an_ini_file_begin_in_its_folder(
    specs: Specs, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    specs.pytester.makeini("[pytest]\nvi_var_file = values.yaml\nvi_state = state\nvi_cache = cache\n")
    (specs.pytester.path / "values.yaml").write_text("a: 1\n")
    monkeypatch.chdir(specs.add())
    settings = read_settings(specs.pytester.parseconfig(*PLUGIN, *OTHERS))
    assert settings.variable_files == (specs.pytester.path / "values.yaml",)
    assert (settings.state, settings.cache) == (specs.pytester.path / "state", specs.pytester.path / "cache")
    assert read_settings(specs.pytester.parseconfig(*PLUGIN, *OTHERS, f"--vi-state={tmp_path}")).state == tmp_path


def test_a_bad_value_of_an_ini_file_is_told_before_anything_exists(specs: Specs) -> None:
    specs.pytester.makeini("[pytest]\nvi_no_publish = maybe\n")
    specs.add()
    result = specs.run("specs")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines(["ERROR: */tox.ini: vi_no_publish: *'maybe'*"])
    assert specs.cloud.log == []


class TestVariables:
    WITH_SIZE = TEMPLATE.replace("Standard_B2s", "'{{ var.size }}'") + "variables: {size: {default: Standard_B1s}}\n"
    TEST = "def test_x(template):\n    print('SIZE', template.builder.vm_size)\n"

    def test_of_the_command_line_override_those_of_the_file(self, specs: Specs) -> None:
        specs.pytester.makefile(".yaml", values="size: Standard_D2s\n")
        specs.add(template=self.WITH_SIZE, test_machine=self.TEST)
        specs.run("specs", "-s", "--vi-var-file=values.yaml").stdout.fnmatch_lines(["*SIZE Standard_D2s*"])
        result = specs.run("specs", "-s", "--vi-var-file=values.yaml", "--vi-var=size=Standard_E2s")
        result.stdout.fnmatch_lines(["*SIZE Standard_E2s*"])

    @pytest.mark.parametrize("text", ["- a\n", "a: [1]\n", "a: {\n"])
    def test_file_that_is_none_is_a_usage_error(self, specs: Specs, text: str) -> None:
        specs.pytester.makefile(".yaml", values=text)
        specs.add()
        result = specs.run("specs", "--vi-var-file=values.yaml")
        assert result.ret == pytest.ExitCode.USAGE_ERROR
        result.stderr.fnmatch_lines(["ERROR: --vi-var-file *values.yaml*: *"])


class TestTimeout:
    def test_takes_the_place_of_that_of_the_template_and_of_the_ini_file(self, specs: Specs) -> None:
        specs.pytester.makeini("[pytest]\nvi_timeout =\n    stall=10m\n    capture=30m\n")
        module = (
            "def test_x(template):\n    times = template.timeouts\n"
            "    assert (times.provision, times.capture, times.deploy, times.stall) == (2700, 1800, 60, 720)\n"
        )
        specs.add(template=TEMPLATE + "timeouts: {capture: 1h, deploy: 60}\n", test_machine=module)
        specs.run("specs", "--vi-timeout=provision=45m", "--vi-timeout=stall=12m").assert_outcomes(passed=9)


class TestAllowFrom:
    def test_is_what_the_template_then_says(self, specs: Specs) -> None:
        test = "def test_x(template):\n    assert template.builder.allowed_inbound_ip_addresses == ('192.0.2.0/24',)\n"
        specs.add(test_machine=test)
        specs.run("specs", "--vi-allow-from=192.0.2.0/24").assert_outcomes(passed=9)
