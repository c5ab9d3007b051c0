"""``verified-images init``: a spec folder to begin with, which passes on the local cloud."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from verified_images.commands.convert import load_one
from verified_images.commands.variables import add_variables
from verified_images.errors import TemplateError
from verified_images.naming import clean_name

if TYPE_CHECKING:
    import argparse
    from collections.abc import Mapping


_TEMPLATE = """\
# An image of Debian 12. `verified-images schema` tells an editor all keys.

builder:
  source: {{publisher: Debian, offer: debian-12, sku: 12-gen2}}
  vm_size: Standard_B2s
  location: westeurope

provisioners:
  - shell:
      inline: ["echo 'Built with verified-images' > /etc/motd"]
      sudo: true

image:
  gallery: {{resource_group: images, gallery: golden, definition: {name}, regions: [westeurope]}}

smoke: {{instances: 2}}
"""
_TEST_MACHINE = '''\
"""The build VM after provisioning, before it is captured."""


def test_greets_who_logs_in(host):
    assert "verified-images" in host.file("/etc/motd").content_string
'''
_TEST_ANY_MACHINE = '''\
"""The build VM after provisioning, before it is captured."""


def test_runs_commands(host):
    assert host.run("uname -s").stdout.strip() == "Linux"
'''
_TEST_SCALE_SET = '''\
"""The throwaway scale set that is booted from the image."""


def test_each_instance_boots_and_answers(host, instance):
    assert host.run("true").rc == 0, instance.name


def test_instances_differ_in_their_identity(scale_set):
    answers = [instance.session.run("cat /etc/machine-id") for instance in scale_set.instances]
    assert len({answer.stdout for answer in answers}) == len(scale_set.instances)
'''


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    init = commands.add_parser("init", help="make a spec folder: a template, and tests to begin with")
    init.add_argument("folder", type=Path, metavar="DIR", help="the folder to make; its name is that of the image")
    init.add_argument(
        "--from", dest="template", type=Path, metavar="PATH", help="the Packer template to make the template from"
    )
    add_variables(init)
    init.set_defaults(run=_init)


def _init(options: argparse.Namespace) -> int:
    try:
        files = _files(options)
        _write(options.folder, files)
    except TemplateError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except FileExistsError as error:
        sys.stderr.write(f"{error.filename} is there already; name a new folder\n")
        return 1
    except OSError as error:
        sys.stderr.write(f"{options.folder} cannot be made: {error.strerror}\n")
        return 1
    for name in files:
        sys.stderr.write(f"{options.folder / name}\n")
    sys.stderr.write(f"try it in seconds: pytest {options.folder} --vi-hypervisor=fake\n")
    return 0


def _files(options: argparse.Namespace) -> Mapping[str, str]:
    """Return the text of each file by its name."""
    if options.template is None:
        name = clean_name(options.folder.absolute().name)
        return {
            "template.yaml": _TEMPLATE.format(name=name),
            "test_machine.py": _TEST_MACHINE,
            "test_scale_set.py": _TEST_SCALE_SET,
        }
    from verified_images.templates.conversion import to_native  # noqa: PLC0415 - only this way needs it
    from verified_images.templates.documents import fail  # noqa: PLC0415 - same

    loaded = load_one(options.template, options)
    if len(loaded) > 1:
        names = ", ".join(item.template.name for item in loaded)
        fail(options.template, f"the template gives several images ({names}); use `verified-images convert -o DIR`")
    return {
        "template.yaml": to_native(loaded[0].template, loaded[0].warnings, options.folder),
        "test_machine.py": _TEST_ANY_MACHINE,
        "test_scale_set.py": _TEST_SCALE_SET,
    }


def _write(folder: Path, files: Mapping[str, str]) -> None:
    """Write the files, none over one that is there; what is there is looked at before anything is made."""
    for name in files:
        if (folder / name).exists():
            raise FileExistsError(17, "is there already", str(folder / name))
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in files.items():
        (folder / name).write_text(text, "utf-8")
