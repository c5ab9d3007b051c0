from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.templates.conftest import HEAD
from tests.templates.packer.conftest import BUILD, SOURCE, template
from verified_images.cli import main

if TYPE_CHECKING:
    from pathlib import Path

    from tests.commands.conftest import Run


def test_all_errors_of_all_templates_are_told_at_once_with_file_and_line(run: Run, tmp_path: Path) -> None:
    for name in ("native", "hcl", "json", "good"):
        (tmp_path / name).mkdir()
    (tmp_path / "native" / "template.yaml").write_text(HEAD.replace("vm_size", "vm_sise") + "smok: {}\n")
    (tmp_path / "hcl" / "a.pkr.hcl").write_text(SOURCE.replace("vm_size", "vm_sise"))
    (tmp_path / "hcl" / "b.pkr.hcl").write_text(BUILD.replace("}", '  provisioner "shel" {}\n}'))
    (tmp_path / "json" / "a.json").write_text(template(vm_sise="x"))
    (tmp_path / "json" / "b.json").write_text(template(os_type="Mac"))
    (tmp_path / "good" / "template.yaml").write_text(HEAD)
    code, told, _ = run("validate", tmp_path)
    assert code == 1
    lines = told.splitlines()
    assert [line.partition(": ")[0].removeprefix(f"{tmp_path}/") for line in lines[:-1]] == [
        "hcl/a.pkr.hcl:6",
        "hcl/b.pkr.hcl:3",
        "json/a.json:14",
        "json/b.json:11",
        "native/template.yaml:3",
        "native/template.yaml:7",
    ]
    assert lines[-1] == "1 image(s) in 5 template(s), 4 with errors, 0 warning(s)"


def test_warnings_are_told_once_and_leave_the_exit_code_alone(run: Run, tmp_path: Path) -> None:
    builders = [json.loads(template(name=name, client_id="x"))["builders"][0] for name in "ab"]
    (tmp_path / "packer.json").write_text(json.dumps({"builders": builders}))
    code, told, _ = run("validate", tmp_path / "packer.json")
    assert code == 0
    *warnings, counts = told.splitlines()
    assert all(line.startswith(f"warning: {tmp_path}/packer.json:1: builders[") for line in warnings)
    assert counts == "2 image(s) in 1 template(s), 0 with errors, 2 warning(s)"


def test_variables_can_be_given(run: Run, tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text(
        HEAD.replace("Standard_B2s", "'{{ var.size }}'") + "variables: {size: null}\n"
    )
    (tmp_path / "more.pkrvars.hcl").write_text('size = "Standard_B1s"\nother = ["x"]\n')
    assert run("validate", tmp_path)[0] == 1
    assert run("validate", tmp_path, "--vi-var", "size=Standard_B1s")[0] == 0
    assert run("validate", tmp_path, "--vi-var-file", tmp_path / "more.pkrvars.hcl")[0] == 0
    with pytest.raises(SystemExit, match="2"):
        main(["validate", str(tmp_path), "--vi-var", "size"])


@pytest.mark.parametrize("name", [".", "nothing.yaml", "nothing.pkr.hcl"])
def test_nothing_to_check_is_an_error(run: Run, tmp_path: Path, name: str) -> None:
    code, told, _ = run("validate", tmp_path / name)
    assert code == 1
    assert told.startswith(str(tmp_path))


def test_what_a_preflight_would_refuse_is_told_where_it_stands(run: Run, tmp_path: Path) -> None:
    (tmp_path / "packer.json").write_text(template(communicator="winrm"))
    (tmp_path / "native").mkdir()
    (tmp_path / "native" / "template.yaml").write_text(HEAD.replace("builder:", "builder:\n  communicator: winrm"))
    code, told, _ = run("validate", tmp_path)
    assert code == 1
    message = "this option is not supported yet; remove it"
    assert told.splitlines()[:2] == [
        f"{tmp_path}/packer.json:14: builders[0].communicator: {message}",
        f"{tmp_path}/native/template.yaml:2: builder.communicator: {message}",
    ]


def test_a_template_for_windows_is_checked_with_a_warning_where_its_builds_stop(run: Run, tmp_path: Path) -> None:
    provisioner = {"type": "powershell", "inline": ["Get-Date"]}
    (tmp_path / "packer.json").write_text(template(provisioner, os_type="Windows", communicator="winrm"))
    code, told, _ = run("validate", tmp_path)
    assert code == 0
    message = "machines with Windows are read and checked, but not built: a run of this template ends in its preflight"
    assert told.splitlines() == [
        f"warning: {tmp_path}/packer.json:11: builders[0].os_type: {message}",
        "1 image(s) in 1 template(s), 0 with errors, 1 warning(s)",
    ]


def test_a_variable_that_no_template_has_is_told_with_the_nearest_name(run: Run, tmp_path: Path) -> None:
    (tmp_path / "template.yaml").write_text(HEAD + "variables: {team: a}\n")
    assert run("validate", tmp_path, "--vi-var", "team=b")[0] == 0
    code, told, _ = run("validate", tmp_path, "--vi-var", "taem=b")
    assert code == 1
    assert told.splitlines()[0] == "--vi-var taem: no template has this variable; did you mean 'team'?"
