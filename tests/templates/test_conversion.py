"""A template of any kind can be written as a native one that says the same."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.templates.packer.conftest import BUILD, SOURCE, template
from verified_images.templates.conversion import to_native
from verified_images.templates.loading import load_templates
from verified_images.templates.native import load_template

if TYPE_CHECKING:
    from pathlib import Path

    from verified_images.templates.model import Template

SECRET = "s3cr3t-t0ken"


def facts(found: Template) -> dict[str, Any]:
    parts = found.model_dump(include={"builder", "image", "smoke", "post_processors"})
    return parts | {"provisioners": [(each.kind, each.model_dump()) for each in found.provisioners]}


def converted(folder: Path, name: str, text: str, **variables: str) -> tuple[Template, str, Template]:
    (folder / name).write_text(text)
    (loaded,) = load_templates(folder / name, environment={})
    written = to_native(loaded.template)
    (folder / "template.yaml").write_text(written)
    return loaded.template, written, load_template(folder / "template.yaml", variables=variables, environment={})


def test_a_packer_template_says_the_same_as_a_native_one(tmp_path: Path) -> None:
    (tmp_path / "page.html").write_text("x")
    text = template(
        {"type": "shell", "inline": ["echo '{% raw %}'", "a\nb\n"], "pause_before": "90m", "timeout": "90s"},
        {"type": "file", "source": "page.html", "destination": "/x"},
        {"type": "shell", "inline": ["{{`{{.Names}}`}}"], "environment_vars": ["A=1.0", "B=null", "C= x"]},
        spot={"eviction_policy": "Deallocate", "max_price": 0.25},
        azure_tags={"version": "1.10", "team": "web"},
        disk_additional_size=[5],
        shared_image_gallery_destination={
            "resource_group": "r",
            "gallery_name": "g",
            "image_name": "d",
            "image_version": "1.2.3",
        },
        shared_gallery_image_version_end_of_life_date="2027-01-02T15:04:05.99Z",
    )
    document = json.loads(text) | {"post-processors": ["manifest", {"type": "shell-local", "inline": ["x"]}]}
    found, written, again = converted(tmp_path, "packer.json", json.dumps(document))
    assert facts(again) == facts(found)
    assert "variables" not in written


def test_a_vhd_as_target_and_as_source_is_kept(tmp_path: Path) -> None:
    text = template(
        image_publisher=None,
        image_offer=None,
        image_sku=None,
        managed_image_name=None,
        managed_image_resource_group_name=None,
        image_url="https://golden.blob.core.windows.net/vhds/base.vhd",
        storage_account="golden",
        resource_group_name="r",
        capture_container_name="images",
        capture_name_prefix="web",
        sas_token_duration="48h",
    )
    found, written, again = converted(tmp_path, "packer.json", text)
    assert facts(again) == facts(found)
    assert "container: images" in written
    assert "uri: https://golden.blob.core.windows.net/vhds/base.vhd" in written


def test_secrets_become_variables(tmp_path: Path) -> None:
    text = f'variable "token" {{\n  sensitive = true\n  default = "{SECRET}"\n  description = "d"\n}}\n' + SOURCE
    text += BUILD.replace("]\n", ']\n  provisioner "shell" {\n    inline = ["login ${var.token} {{`{{`}}"]\n  }\n')
    found, written, again = converted(tmp_path, "main.pkr.hcl", text, token=SECRET)
    assert SECRET not in written
    assert "{{ var.token }}" in written
    assert again.variables[0].model_dump() == {"name": "token", "secret": True, "required": True, "description": "d"}
    assert [each.model_dump_json() for each in again.provisioners] == [
        each.model_dump_json() for each in found.provisioners
    ]


def test_a_secret_that_was_computed_becomes_a_variable_as_a_whole(tmp_path: Path) -> None:
    text = f'variable "token" {{\n  sensitive = true\n  default = "{SECRET}"\n}}\n' + SOURCE
    text += BUILD.replace("]\n", ']\n  provisioner "shell" {\n    inline = [sha256(var.token)]\n  }\n')
    _, written, again = converted(tmp_path, "main.pkr.hcl", text, secret_1="x")
    assert "{{ var.secret_1 }}" in written
    assert again.variables[0].name == "secret_1"


def test_files_are_named_as_the_template_knows_them(tmp_path: Path) -> None:
    (tmp_path / "install.sh").write_text("x")
    text = SOURCE + BUILD.replace("]\n", ']\n  provisioner "shell" { script = "${path.root}/install.sh" }\n')
    _, written, _ = converted(tmp_path, "main.pkr.hcl", text)
    assert "script: install.sh\n" in written
