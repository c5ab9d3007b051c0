"""Packer templates as specs: in folders of their own, many beside each other, and several builds in one."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.plugin.conftest import TEMPLATE, TEST_MACHINE

if TYPE_CHECKING:
    from pathlib import Path

    from tests.plugin.conftest import Specs

OPTIONS = {
    "image_publisher": "Debian",
    "image_offer": "debian-12",
    "image_sku": "12-gen2",
    "location": "westeurope",
    "vm_size": "Standard_B2s",
    "managed_image_name": "nginx",
    "managed_image_resource_group_name": "images",
}
SOURCE = "".join(f'  {name} = "{value}"\n' for name, value in OPTIONS.items())
HCL = f"""\
source "azure-arm" "web" {{
{SOURCE}}}
source "azure-arm" "db" {{
{SOURCE}}}
build {{
  sources = ["source.azure-arm.web", "source.azure-arm.db"]
}}
"""
STAGES = ["preflight", "provision", "capture", "deploy", "publish", "cleanup"]


def packer(*names: str, **more: Any) -> str:  # noqa: ANN401 - options of Packer
    """Return a JSON template with a builder for each name, or one without a name."""
    builders = [{"type": "azure-arm", **OPTIONS, **({"name": name} if name else {}), **more} for name in names or ("",)]
    return json.dumps({"builders": builders})


def add(specs: Specs, files: dict[str, str], folder: str = "specs") -> Path:
    path = specs.pytester.path / folder
    path.mkdir(parents=True)
    for name, text in {"test_machine.py": TEST_MACHINE, **files}.items():
        (path / name).write_text(text)
    return path


def collected(specs: Specs, *arguments: str) -> list[str]:
    result = specs.run("--collect-only", "-q", *arguments)
    return [line for line in result.outlines if "::" in line]


class TestOneTemplate:
    def test_of_json_is_built_verified_and_published(self, specs: Specs) -> None:
        add(specs, {"packer.json": packer()}, "specs/nginx")
        result = specs.run("specs")
        result.assert_outcomes(passed=7)
        assert "nginx: publish from ss" in specs.cloud.log
        assert collected(specs, "specs") == [
            *(f"specs/nginx/packer.json::{stage}" for stage in STAGES[:2]),
            "specs/nginx/test_machine.py::test_nginx_is_enabled[nginx]",
            *(f"specs/nginx/packer.json::{stage}" for stage in STAGES[2:]),
        ]

    def test_of_several_files_is_named_by_its_folder_and_stands_where_its_build_is(self, specs: Specs) -> None:
        source, _, build = HCL.partition("build {")
        add(
            specs, {"a.pkr.hcl": source, "b.pkr.hcl": "build {" + build.replace(', "source.azure-arm.db"', "")}, "nginx"
        )
        found = collected(specs, "nginx")
        assert found[0] == "nginx/b.pkr.hcl::preflight"
        assert found[2] == "nginx/test_machine.py::test_nginx_is_enabled[nginx]"

    def test_takes_variables_from_the_command_line_and_files(self, specs: Specs) -> None:
        hcl = HCL.replace('"Standard_B2s"', "var.size").replace('"nginx"', "var.name")
        variables = 'variable "size" { type = string }\nvariable "name" { type = string }\n'
        test = "def test_x(template):\n    print('SEES', template.builder.vm_size, template.image.managed.name)\n"
        add(
            specs,
            {"a.pkr.hcl": variables + hcl, "test_machine.py": test, "x.auto.pkrvars.hcl": 'size = "Standard_D2s"'},
        )
        specs.pytester.makefile(".pkrvars.hcl", more='name = "from-file"')
        specs.pytester.makefile(".yaml", most="name: from-yaml\n")
        file = "--vi-var-file=more.pkrvars.hcl"
        specs.run("specs", "-s", file).stdout.fnmatch_lines(["*SEES Standard_D2s from-file*"])
        result = specs.run("specs", "-s", file, "--vi-var-file=most.yaml", "--vi-var=size=Standard_E2s")
        result.stdout.fnmatch_lines(["*SEES Standard_E2s from-yaml*"])

    def test_tells_its_warnings_once_and_passes_where_warnings_are_errors(self, specs: Specs) -> None:
        add(specs, {"packer.json": packer("a", "b", async_resourcegroup_delete=True)})
        result = specs.run("specs", "-W", "error")
        result.assert_outcomes(passed=14)
        warnings = [line for line in result.outlines if line.startswith("warning: ")]
        assert len(warnings) == 2
        result.stdout.fnmatch_lines(
            ["*= templates =*", "warning: *packer.json*async_resourcegroup_delete: *no effect*"]
        )

    def test_with_a_mistake_is_an_error_of_collection_with_file_and_line(self, specs: Specs) -> None:
        add(specs, {"a.pkr.hcl": "# one\n" + HCL.replace("vm_size", "vm_sise")}, "specs/nginx")
        result = specs.run("specs")
        assert result.ret == pytest.ExitCode.INTERRUPTED
        result.assert_outcomes(errors=1)
        result.stdout.fnmatch_lines(["*specs/nginx/a.pkr.hcl:7: *vm_sise*did you mean 'vm_size'*"])
        result.stdout.no_fnmatch_line("*Traceback*")

    def test_of_other_builders_alone_makes_no_spec(self, specs: Specs) -> None:
        add(specs, {"packer.json": '{"builders": [{"type": "null"}]}', "test_machine.py": "def test_x(): ...\n"})
        assert collected(specs, "specs") == ["specs/test_machine.py::test_x"]

    def test_does_not_go_with_a_native_one(self, specs: Specs) -> None:
        add(specs, {"template.yaml": TEMPLATE, "packer.json": packer()})
        result = specs.run("specs")
        assert result.ret == pytest.ExitCode.INTERRUPTED
        result.stdout.fnmatch_lines(["*the folder has a template of Packer too, 'packer.json'; keep one kind*"])


class TestSeveralBuilds:
    def test_are_specs_of_their_own_that_share_the_tests(self, specs: Specs) -> None:
        add(specs, {"main.pkr.hcl": HCL}, "nginx")
        result = specs.run("nginx", "-v")
        result.assert_outcomes(passed=14)
        # Both are built at once, and either may be the first.
        assert sorted(line for line in specs.cloud.log if "publish" in line) == [
            "nginx-db: publish from ss",
            "nginx-web: publish from ss",
        ]
        found = collected(specs, "nginx")
        assert found[0] == "nginx/main.pkr.hcl::preflight[nginx-web]"
        assert "nginx/test_machine.py::test_nginx_is_enabled[nginx-db]" in found
        assert len(set(found)) == len(found) == 14

    def test_can_be_chosen_by_name(self, specs: Specs) -> None:
        add(specs, {"main.pkr.hcl": HCL}, "nginx")
        result = specs.run("nginx", "-k", "nginx-db")
        result.assert_outcomes(passed=7, deselected=7)
        assert "nginx-db: publish from ss" in specs.cloud.log
        assert not any(line.startswith("nginx-web") for line in specs.cloud.log)

    def test_are_gated_one_by_one(self, specs: Specs) -> None:
        test = "def test_x(template):\n    assert template.name == 'specs-b'\n"
        add(specs, {"packer.json": packer("a", "b"), "test_machine.py": test})
        result = specs.run("specs")
        result.assert_outcomes(passed=10, failed=1, skipped=3)
        assert [line for line in specs.cloud.log if "publish" in line] == ["specs-b: publish from ss"]

    def test_run_plain_tests_too_each(self, specs: Specs) -> None:
        add(specs, {"packer.json": packer("a", "b"), "test_machine.py": "def test_x(): ...\n"})
        assert [line for line in collected(specs, "specs") if "test_x" in line] == [
            "specs/test_machine.py::test_x[specs-a]",
            "specs/test_machine.py::test_x[specs-b]",
        ]

    def test_all_need_a_test_that_cannot_be_parametrized(self, specs: Specs) -> None:
        test = "import unittest\nclass TestIt(unittest.TestCase):\n    def test_x(self):\n        assert False\n"
        add(specs, {"packer.json": packer("a", "b"), "test_machine.py": test})
        specs.run("specs").assert_outcomes(passed=6, failed=1, skipped=6)
        assert not any("publish" in line for line in specs.cloud.log)


class TestManyBesideEachOther:
    @pytest.fixture
    def many(self, specs: Specs) -> Specs:
        files = {f"{name}.json": packer() for name in ("web", "web-gpu", "db")}
        add(specs, {**files, "vars.json": '{"a": "azure-arm"}'}, "templates")
        return specs

    def test_are_each_a_spec_named_by_its_file(self, many: Specs) -> None:
        many.run("templates").assert_outcomes(passed=21)
        assert sorted(line for line in many.cloud.log if "publish" in line) == [
            "db: publish from ss",
            "web-gpu: publish from ss",
            "web: publish from ss",
        ]

    def test_may_have_tests_for_some_of_them(self, many: Specs) -> None:
        test = "import pytest\npytestmark = pytest.mark.spec('web*')\ndef test_x(host): ...\n"
        (many.pytester.path / "templates" / "test_web.py").write_text(test)
        found = [line for line in collected(many, "templates") if "test_x" in line]
        assert [line.partition("[")[2] for line in found] == ["web-gpu]", "web]"]

    def test_name_the_nearest_to_a_marker_that_names_none(self, many: Specs) -> None:
        test = "import pytest\n@pytest.mark.spec('wep')\ndef test_x(host): ...\n"
        (many.pytester.path / "templates" / "test_web.py").write_text(test)
        many.run("templates").stdout.fnmatch_lines(["*the folder has no spec 'wep'; did you mean 'web'?*"])

    def test_can_be_run_one_by_one_without_publishing(self, many: Specs) -> None:
        many.run("templates/web.json").assert_outcomes(passed=5, skipped=1)
        many.run("templates", "--ignore=templates/db.json", "-k", "web").assert_outcomes(passed=14, deselected=1)

    def test_must_not_have_one_name(self, many: Specs) -> None:
        (many.pytester.path / "templates" / "web.json").write_text(packer("gpu", "x"))
        result = many.run("templates")
        result.stdout.fnmatch_lines(["*another template of the folder, 'web-gpu.json', gives a spec 'web-gpu' too*"])

    def test_let_others_run_where_one_is_broken_and_the_user_goes_on(self, many: Specs) -> None:
        (many.pytester.path / "templates" / "db.json").write_text(packer(vm_sise="x"))
        result = many.run("templates", "--continue-on-collection-errors")
        result.assert_outcomes(passed=14, errors=1, skipped=1)
