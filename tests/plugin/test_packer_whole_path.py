"""Packer templates through pytest on the local cloud: built, verified and published, with nothing replaced."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

# What a run imports has to be there before: pytester forgets it after the run, but not the SDK's caches.
import azure.identity
import azure.mgmt.compute
import azure.mgmt.network
import azure.mgmt.resource.resources

import pytest_plugin.local_targets
import verified_images.emulator.fake.hypervisor
from tests.plugin.conftest import OTHERS, PLUGIN
from tests.templates.packer.conftest import BUILDER

if TYPE_CHECKING:
    import pytest

__all__ = ["azure", "pytest_plugin", "verified_images"]

EXECUTE = "chmod +x {{ .Path }}; {{ .Vars }} sudo -E sh '{{ .Path }}'"
JSON = {
    "variables": {"greeting": None, "token": "s3cr3t-t0ken"},
    "sensitive-variables": ["token"],
    "builders": [
        BUILDER | {"name": "web", "client_id": "x", "managed_image_name": "web-{{timestamp}}"},
        {key: value for key, value in BUILDER.items() if not key.startswith("managed_")}
        | {
            "name": "db",
            "resource_group_name": "vhds",
            "storage_account": "goldenvhds",
            "capture_container_name": "images",
            "capture_name_prefix": "db-{{isotime `20060102`}}",
        },
    ],
    "post-processors": ["manifest"],
    "provisioners": [
        {
            "type": "shell",
            "execute_command": EXECUTE,
            "environment_vars": ["GREETING={{user `greeting`}}", "TOKEN={{user `token`}}", "WHO={{build_name}}"],
            "inline": ['test -n "$TOKEN"', 'echo "$GREETING from $WHO" > /etc/motd'],
            "override": {"db": {"pause_before": "10ms"}},
        },
        {"type": "file", "only": ["web"], "source": "{{template_dir}}/page.html", "destination": "page.html"},
        {
            "type": "shell",
            "execute_command": EXECUTE,
            "inline": ["/usr/sbin/waagent -force -deprovision+user && export HISTSIZE=0 && sync"],
        },
    ],
}
TEST_JSON = """\
import pytest

def test_greets(host, template):
    assert host.file("/etc/motd").content_string == f"hello from {template.name.rpartition('-')[2]}\\n"

@pytest.mark.spec("*-web")
def test_has_the_page(host):
    assert host.file("/home/packer/page.html").exists

def test_boots(instance):
    assert instance.session.run("true").exit_code == 0
"""
HCL = """\
packer {
  required_plugins {
    azure = { source = "github.com/hashicorp/azure", version = "~> 2" }
  }
}
variable "lines" {
  type    = list(string)
  default = ["one", "two"]
}
locals {
  commands = [for place, line in var.lines : "echo ${place}:${upper(line)} >> /etc/motd"]
}
source "azure-arm" "debian" {
  image_publisher = "Debian"
  image_offer     = "debian-12"
  image_sku       = "12-gen2"
  location        = "westeurope"
  vm_size         = "Standard_B2s"
  azure_tags      = { team = "web" }
  azure_tag {
    name  = "tier"
    value = "front"
  }
  disk_caching_type        = "ReadOnly"
  disk_additional_size     = [4, 8]
  pause_before_connecting  = "10ms"
  shared_image_gallery_replica_count               = 2
  shared_gallery_image_version_exclude_from_latest = true
  shared_image_gallery_destination {
    resource_group      = "images"
    gallery_name        = "golden"
    image_name          = "hcl"
    image_version       = "2.0.0"
    replication_regions = ["westeurope"]
  }
}
build {
  sources = ["source.azure-arm.debian"]
  dynamic "provisioner" {
    labels   = ["shell"]
    for_each = [1]
    content {
      execute_command = "sudo sh -c '{{ .Vars }} {{ .Path }}'"
      inline          = concat(["> /etc/motd"], local.commands)
    }
  }
}
"""
TEST_HCL = """\
def test_motd(host):
    assert host.file("/etc/motd").content_string == "0:ONE\\n1:TWO\\n"
"""


def verify(pytester: pytest.Pytester, *arguments: str) -> pytest.RunResult:
    cloud = ("--vi-hypervisor=fake", f"--vi-state={pytester.path / 'state'}", f"--vi-cache={pytester.path / 'cache'}")
    return pytester.runpytest_inprocess(*PLUGIN, *OTHERS, "-W", "error", *cloud, *arguments)


def test_each_builder_of_json_is_built_verified_and_published(pytester: pytest.Pytester) -> None:
    folder = pytester.mkdir("nginx")
    (folder / "packer.json").write_text(json.dumps(JSON, indent=2))
    (folder / "page.html").write_text("x")
    (folder / "test_image.py").write_text(TEST_JSON)
    result = verify(pytester, "nginx", "--vi-var", "greeting=hello")
    result.assert_outcomes(passed=19)
    result.stdout.fnmatch_lines(
        [
            "warning: *packer.json:*client_id: this has no effect: *",
            "warning: *packer.json:*provisioners[[]2].inline: this step is left out: *deprovisioned*",
        ]
    )
    result.stdout.re_match_lines(
        [r"nginx-web: published .*/images/web-\d{10} ", r"nginx-db: published https://.*/images/db-\d{8}-osDisk\."]
    )
    manifest = json.loads((folder / "packer-manifest.json").read_text())
    (vhd,) = [build["artifact_id"] for build in manifest["builds"] if build["name"].endswith("db")]
    assert re.fullmatch(r"https://127\.0\.0\.1:\d+/goldenvhds/images/db-\d{8}-osDisk\.[0-9a-f-]{36}\.vhd", vhd)
    result.stdout.no_fnmatch_line("*s3cr3t*")


def test_hcl_is_built_verified_and_published(pytester: pytest.Pytester) -> None:
    folder = pytester.mkdir("hcl")
    (folder / "main.pkr.hcl").write_text(HCL)
    (folder / "test_image.py").write_text(TEST_HCL)
    result = verify(pytester, "hcl")
    result.assert_outcomes(passed=7)
    result.stdout.fnmatch_lines(["hcl: published */images/hcl/versions/2.0.0, version 2.0.0 in westeurope*"])
