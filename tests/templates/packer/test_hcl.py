"""Packer's HCL templates: files, variables, locals, sources and builds."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.templates.packer.conftest import BUILD, SOURCE, Load, Mistakes, warnings_of
from verified_images.templates.loading import load_templates
from verified_images.templates.model import ShellProvisioner, TargetRegion, reveal

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "s3cr3t-t0ken"
TEMPLATE = SOURCE + BUILD


def build(*lines: str, sources: str = '["source.azure-arm.debian"]') -> str:
    return "build {\n  sources = " + sources + "\n" + "\n".join(lines) + "\n}\n"


def commands(provisioner: object) -> list[str]:
    assert isinstance(provisioner, ShellProvisioner)
    return [reveal(line) for line in provisioner.inline or ()]


def test_the_shortest_template_is_loaded(load: Load) -> None:
    (loaded,) = load(TEMPLATE)
    assert loaded.template.name == "debian-nginx"
    assert loaded.template.file.name == "main.pkr.hcl"
    assert loaded.template.builder.vm_size == "Standard_B2s"
    assert loaded.warnings == ()


def test_all_files_of_a_folder_are_one_template(load: Load) -> None:
    (loaded,) = load(
        {
            "a.pkr.hcl": 'variable "size" { default = "Standard_B1s" }',
            "b.pkr.hcl": BUILD,
            "c.pkr.hcl": SOURCE.replace('"Standard_B2s"', "var.size"),
            "values.auto.pkrvars.hcl": 'size = "Standard_B4ms"\n',
        }
    )
    assert loaded.template.builder.vm_size == "Standard_B4ms"
    assert loaded.template.file.name == "b.pkr.hcl"


def test_one_file_may_be_loaded_alone(load: Load, spec: Path) -> None:
    load({"nginx.pkr.hcl": TEMPLATE})
    (spec / "broken.pkr.hcl").write_text("{")
    (loaded,) = load_templates(spec / "nginx.pkr.hcl", environment={})
    assert loaded.template.name == "nginx"


def test_json_says_the_same(load: Load) -> None:
    text = """{
      "//": "a comment",
      "variable": {"size": {"type": "string", "default": "Standard_B4ms"}},
      "source": {"azure-arm": {"debian": {
        "image_publisher": "Debian", "image_offer": "debian-12", "image_sku": "12-gen2", "location": "westeurope",
        "vm_size": "${var.size}", "managed_image_name": "nginx", "managed_image_resource_group_name": "images"
      }}},
      "build": {
        "sources": ["source.azure-arm.debian"],
        "provisioner": [{"shell": {"inline": ["echo ${upper(\\"a\\")} \\\\n"]}}, {"shell": {"inline": "b"}}]
      }
    }"""
    (loaded,) = load({"main.pkr.json": text})
    assert loaded.template.builder.vm_size == "Standard_B4ms"
    assert [commands(provisioner) for provisioner in loaded.template.provisioners] == [["echo A \\n"], ["b"]]


class TestBuilds:
    OTHER = SOURCE.replace('"debian"', '"other"').replace('"nginx"', '"other"')

    def test_make_a_template_of_each_source(self, load: Load) -> None:
        sources = '["source.azure-arm.debian", "azure-arm.other"]'
        text = (
            SOURCE
            + self.OTHER
            + build(
                '  provisioner "shell" { inline = ["${source.type} ${source.name}"] }',
                '  provisioner "shell" {\n    only = ["azure-arm.other"]\n    inline = ["only"]\n  }',
                '  provisioner "shell" {\n    inline = ["a"]\n    override = { debian = { inline = ["b"] } }\n  }',
                sources=sources,
            )
        )
        found = {loaded.template.name: loaded.template for loaded in load(text)}
        assert {name: [commands(p)[0] for p in each.provisioners] for name, each in found.items()} == {
            "debian-nginx-debian": ["azure-arm debian", "b"],
            "debian-nginx-other": ["azure-arm other", "only", "a"],
        }

    def test_may_add_to_a_source(self, load: Load) -> None:
        text = SOURCE + 'build {\n  source "azure-arm.debian" {\n    name = "large"\n    os_disk_size_gb = 99\n  }\n}\n'
        (loaded,) = load(text)
        assert loaded.template.builder.os_disk_size_gb == 99

    def test_of_the_same_source_are_named_by_their_own_names(self, load: Load) -> None:
        text = SOURCE + build('  name = "one"') + build('  name = "two"')
        assert [loaded.template.name for loaded in load(text)] == ["debian-nginx-one", "debian-nginx-two"]

    def test_know_some_of_what_packer_knows(self, load: Load) -> None:
        expression = '["${build.User} ${build.ConnType} ${packer.version} ${build.name}", "{{ build `User` }}"]'
        text = SOURCE + build('  name = "b"', f'  provisioner "shell" {{ inline = {expression} }}')
        assert commands(load(text)[0].template.provisioners[0]) == ["packer ssh 1.16.0 b", "packer"]

    def test_have_post_processors_and_a_clean_up(self, load: Load) -> None:
        (loaded,) = load(
            SOURCE
            + build(
                '  error-cleanup-provisioner "shell" { inline = ["dmesg"] }',
                '  post-processor "manifest" { output = "a.json" }',
                '  post-processors {\n    post-processor "shell-local" { inline = ["x"] }',
                '    post-processor "manifest" {}\n  }',
            )
        )
        assert commands(loaded.template.error_cleanup_provisioner) == ["dmesg"]
        assert [each.shell_local is not None for each in loaded.template.post_processors] == [False, True, False]

    def test_may_have_dynamic_blocks(self, load: Load) -> None:
        dynamic = """
          shared_image_gallery_destination {
            resource_group = "r"
            gallery_name   = "g"
            image_name     = "d"
            image_version  = "1.0.0"
            dynamic "target_region" {
              for_each = { northeurope = 2, eastus = 3 }
              iterator = region
              content {
                name     = region.key
                replicas = region.value
              }
            }
          }
        }"""
        text = SOURCE.rstrip().removesuffix("}") + dynamic
        gallery = load(f"{text}\n{BUILD}")[0].template.image.gallery
        assert gallery is not None
        assert gallery.regions == ("westeurope", "eastus", "northeurope")
        assert gallery.target_regions == (
            TargetRegion(name="eastus", replicas=3),
            TargetRegion(name="northeurope", replicas=2),
        )

    def test_for_other_clouds_are_left_out_with_a_warning(self, load: Load) -> None:
        text = 'source "docker" "x" {\n  image = "y"\n}\n'
        text += SOURCE + build(sources='["source.docker.x", "source.azure-arm.debian"]')
        assert warnings_of(load(text)) == [
            ("build.sources[0]", "the source 'docker.x' is left out: docker builds no image in Azure"),
        ]

    def test_leave_out_data_sources_with_a_warning(self, load: Load) -> None:
        assert warnings_of(load(TEMPLATE + 'data "amazon-ami" "x" {}')) == [
            (
                "data.amazon-ami.x",
                "this is left out: the data source 'amazon-ami' is not supported: give what it tells as a variable",
            ),
        ]

    def test_warn_of_names_that_no_build_has(self, load: Load) -> None:
        text = SOURCE + build('  provisioner "shell" {\n    only = ["azure-arm"]\n    inline = ["a"]\n  }')
        assert warnings_of(load(text)) == [
            ("build.provisioner[0].only[0]", "there is no build 'azure-arm'; did you mean 'azure-arm.debian'?"),
        ]

    @pytest.mark.parametrize(
        ("text", "key_path", "message"),
        [
            (SOURCE, "build", "the template has no 'build' block"),
            (SOURCE + "build {}", "build", "the build names no source"),
            (
                SOURCE + build(sources='["azure-arm.debain"]'),
                "build.sources[0]",
                "there is no source 'azure-arm.debain'; did you mean 'source.azure-arm.debian'?",
            ),
            (
                SOURCE + build(sources="1"),
                "build.sources",
                'a list of sources is needed, such as ["source.azure-arm.name"]',
            ),
            (SOURCE + SOURCE + BUILD, "source.azure-arm.debian", "there is another source 'azure-arm.debian'"),
            (
                SOURCE + build("  provisoner {}"),
                "provisoner",
                "a build has no block 'provisoner' of this form; did you mean 'provisioner'?",
            ),
            (SOURCE + build("  source_s = 1"), "build.source_s", "a build has no 'source_s'; did you mean 'sources'?"),
            (
                SOURCE + build('  provisioner "shell" { inline = [build.ID] }'),
                "build.provisioner[0].inline[0]",
                (
                    "the build's ID is known only while it runs, not when the template is loaded; ask the machine for "
                    "it in a script instead"
                ),
            ),
            (TEMPLATE + "sauce {}", "sauce", "there is no block 'sauce'; did you mean 'source'?"),
            (TEMPLATE + 'source "x" {}', "source", "the block 'source' has two labels, a type and a name"),
            (
                TEMPLATE + "x = 1",
                "x",
                (
                    "a block is needed here, not a value; known: build, communicator, data, "
                    "hcp_packer_registry, local, locals, packer, source, variable, variables"
                ),
            ),
            (
                TEMPLATE.replace("location ", 'location = "westus"\n  location '),
                "location",
                "the key 'location' appears twice; the first is in line 5",
            ),
            (
                TEMPLATE.replace('"westeurope"', "var.place"),
                "source.azure-arm.debian.location",
                "there is no variable 'place'",
            ),
            (
                TEMPLATE.replace('"westeurope"', "data.x.y.z"),
                "source.azure-arm.debian.location",
                "there is no data source 'x'",
            ),
            (
                TEMPLATE.replace("  location ", '  dynamic "spot" {}\n  location '),
                "source.azure-arm.debian.spot",
                "a dynamic block needs 'for_each' and 'content'",
            ),
        ],
    )
    def test_that_are_wrong_are_told(self, mistakes: Mistakes, text: str, key_path: str, message: str) -> None:
        assert [found[1:] for found in mistakes(text)] == [(key_path, message)]


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("build {\n  x = = 1\n}", 2, "this is not HCL: '=' is not expected here (column 7)"),
        (
            'variable "a" { type = string sensitive = true }',
            1,
            "a block on one line can hold one argument alone; give each a line of its own",
        ),
        ("build {\n  x {\n  } y {\n  }\n}", 3, "each argument and each block needs a line of its own"),
        ("a { b = 1\n}", 1, "what stands in a block of several lines begins on the line after its '{'"),
        ("a {\n  b = 1 }", 2, "the '}' of a block of several lines stands on a line of its own"),
        ("a { b {} }", 1, "a block on one line can hold one argument alone; give each a line of its own"),
        ("build {\n  name = <<E\nx\nE\n} build {}", 5, "each argument and each block needs a line of its own"),
        ("build {\n", 2, "this is not HCL: 'the end of the line' is not expected here (column 1)"),
        ("a = <<EOF\nx\n", 1, "the text that begins with '<<EOF' has no end: 'EOF' on its own"),
        ("a = " + "[" * 300, None, "brackets are nested too deeply"),
        ("a = " + "x" * 300_000, None, "the file is larger than 256 KiB"),
    ],
)
def test_wrong_syntax_is_told(mistakes: Mistakes, text: str, line: int | None, message: str) -> None:
    assert mistakes(text) == [(line, "", message)]


def test_mistakes_of_several_files_are_told_with_their_lines(load: Load, mistakes: Mistakes) -> None:
    files = {"a.pkr.hcl": SOURCE.replace("vm_size", "vm_sise"), "b.pkr.hcl": "\n\n" + build('  provisioner "shel" {}')}
    assert mistakes(files) == [
        (6, "source.azure-arm.debian.vm_sise", "azure-arm has no option 'vm_sise'; did you mean 'vm_size'?"),
        (5, "build.provisioner[0]", "there is no provisioner 'shel'; did you mean 'shell'?"),
    ]
    assert load is not None


def test_what_packer_itself_is_told_is_read(load: Load) -> None:
    text = 'packer {\n  required_version = ">= 1.7.0, != 1.8.0"\n  required_plugins {\n    azure = {\n'
    text += '      source = "github.com/hashicorp/azure"\n      version = "~> 2"\n    }\n  }\n}\n'
    assert load(text + TEMPLATE)[0].warnings == ()
    assert warnings_of(load(text.replace(">= 1.7.0", ">= 2.0") + TEMPLATE)) == [
        ("packer.required_version", "the template asks for Packer 2.0; it is read as Packer 1.16.0 does"),
    ]


def test_dynamic_blocks_of_a_build_stand_for_sources_and_provisioners(load: Load) -> None:
    build = """
      build {
        dynamic "source" {
          for_each = { web = "Standard_B1s", db = "Standard_B2s" }
          iterator = each
          labels   = ["source.azure-arm.debian"]
          content {
            name      = each.key
            user_data = base64encode(each.value)
          }
        }
        dynamic "provisioner" {
          for_each = ["a", "b"]
          iterator = step
          labels   = ["shell"]
          content { inline = ["echo ${step.value} on ${source.name}"] }
        }
        provisioner "shell" { inline = ["end"] }
      }
    """
    found = [loaded.template for loaded in load(SOURCE + build)]
    assert [(each.name.rpartition("-")[2], each.builder.user_data) for each in found] == [
        ("db", "Standard_B2s"),
        ("web", "Standard_B1s"),
    ]
    commands = [
        provisioner.inline for provisioner in found[1].provisioners if isinstance(provisioner, ShellProvisioner)
    ]
    assert commands == [("echo a on web",), ("echo b on web",), ("end",)]


@pytest.mark.parametrize(
    ("block", "message"),
    [
        ('dynamic "provisioner" { for_each = [1] }', "a dynamic block needs 'for_each' and 'content'"),
        (
            'dynamic "provisioner" {\n for_each = [1]\n content {} \n}',
            "the block 'provisioner' needs one label, its type",
        ),
        ('dynamic "provisionr" {\n for_each = [1]\n content {} \n}', "a build has no block 'dynamic' of this form"),
    ],
)
def test_dynamic_blocks_of_a_build_that_are_wrong_are_told(mistakes: Mistakes, block: str, message: str) -> None:
    found = mistakes(SOURCE + BUILD.removesuffix("}\n") + block + "\n}\n")
    assert any(told.startswith(message) for _, _, told in found)


def test_a_mistake_is_not_told_again_by_what_is_missing_because_of_it(mistakes: Mistakes) -> None:
    source = SOURCE.replace('"westeurope"', '"westeurope"\n  skip_create_image = false')
    source = source.replace('managed_image_name = "nginx"', "managed_image_name = var.name")
    shell = '  provisioner "shell" {\n    inline = [var.line]\n  }\n'
    play = '  provisioner "ansible" {\n    playbook_file = var.play\n  }\n'
    assert [message for _, _, message in mistakes(source + BUILD.replace("]\n", f"]\n{shell}{play}"))] == [
        "there is no variable 'name'",
        "there is no variable 'line'",
        "there is no variable 'play'",
    ]


def test_a_group_that_is_wrong_is_told_once(mistakes: Mistakes) -> None:
    source = SOURCE.replace('location        = "westeurope"', "build_resource_group_name = var.group")
    assert [message for _, _, message in mistakes(source + BUILD)] == ["there is no variable 'group'"]


def test_an_empty_option_is_told_of_as_such(mistakes: Mistakes) -> None:
    play = '  provisioner "ansible" {\n    playbook_file = ""\n  }\n'
    assert [found[1:] for found in mistakes(SOURCE + BUILD.replace("]\n", f"]\n{play}"))] == [
        ("build.provisioner[0].playbook_file", "the option 'playbook_file' is required, and its value is empty")
    ]


def test_json_by_the_name_of_hcl_is_told_as_such(mistakes: Mistakes) -> None:
    assert mistakes({"main.pkr.hcl": ' {"builders": []}'}) == [
        (1, "", "this is JSON; name it *.json if it has 'builders', else *.pkr.json or *.pkrvars.json")
    ]
