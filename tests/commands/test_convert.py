from __future__ import annotations

import json
from typing import TYPE_CHECKING

from tests.templates.packer.conftest import template
from verified_images.templates.native import load_template

if TYPE_CHECKING:
    from pathlib import Path

    from tests.commands.conftest import Run

UPLOAD = {"type": "file", "source": "page.html", "destination": "/x"}


def test_a_template_is_written_to_standard_output_with_what_was_left_out(run: Run, tmp_path: Path) -> None:
    (tmp_path / "packer.json").write_text(template(client_id="x" * 200))
    code, written, told = run("convert", tmp_path)
    assert (code, told) == (0, "")
    lines = written.splitlines()
    assert lines[0] == "# From packer.json. What it says beside this:"
    assert lines[1].startswith("# - line 14: builders[0].client_id: this has no effect: who signs in to Azure")
    (tmp_path / "template.yaml").write_text(written)
    assert load_template(tmp_path / "template.yaml").builder.vm_size == "Standard_B2s"


def test_a_template_is_written_elsewhere_with_paths_from_there(run: Run, tmp_path: Path) -> None:
    (tmp_path / "packer.json").write_text(template(UPLOAD))
    (tmp_path / "page.html").write_text("x")
    file = tmp_path / "specs" / "web" / "template.yaml"
    assert run("convert", tmp_path / "packer.json", "-o", file) == (0, "", f"{file}\n")
    (upload,) = load_template(file).provisioners
    assert [name for _, name in upload.named_files()] == ["../../page.html"]


def test_what_is_there_is_overwritten_by_force_alone(run: Run, tmp_path: Path) -> None:
    (tmp_path / "packer.json").write_text(template())
    file = tmp_path / "out.yaml"
    file.write_text("mine")
    code, _, told = run("convert", tmp_path / "packer.json", "-o", file)
    assert (code, file.read_text()) == (1, "mine")
    assert "--force" in told
    assert run("convert", tmp_path / "packer.json", "-o", file, "--force")[0] == 0
    assert file.read_text().startswith("builder:")


def test_several_images_get_a_folder_each(run: Run, tmp_path: Path) -> None:
    builders = [json.loads(template(name=name))["builders"][0] for name in "ab"]
    (tmp_path / "web.json").write_text(json.dumps({"builders": builders}))
    code, written, told = run("convert", tmp_path / "web.json")
    assert (code, written) == (1, "")
    assert "several images (web-a, web-b); name a folder with -o" in told
    assert run("convert", tmp_path / "web.json", "-o", tmp_path)[0] == 0
    assert load_template(tmp_path / "web-b" / "template.yaml").name == "web-b"


def test_mistakes_are_told_and_nothing_is_written(run: Run, tmp_path: Path) -> None:
    (tmp_path / "web.json").write_text(template(vm_sise="x"))
    code, written, told = run("convert", tmp_path / "web.json", "-o", tmp_path / "template.yaml")
    assert (code, written) == (1, "")
    assert "did you mean 'vm_size'?" in told
    assert not (tmp_path / "template.yaml").exists()
    assert run("convert", tmp_path / "nowhere")[0] == 1
    (tmp_path / "empty").mkdir()
    assert "there is none here" in run("convert", tmp_path / "empty")[2]
    (tmp_path / "more.json").write_text(template())
    assert "several templates" in run("convert", tmp_path)[2]


def test_a_file_that_cannot_be_written_is_told(run: Run, tmp_path: Path) -> None:
    (tmp_path / "web.json").write_text(template())
    code, _, told = run("convert", tmp_path / "web.json", "-o", tmp_path / "web.json" / "x.yaml")
    assert code == 1
    assert "cannot be written" in told
