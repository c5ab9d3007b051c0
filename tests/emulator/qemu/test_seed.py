from __future__ import annotations

import json
import subprocess
from typing import TYPE_CHECKING, Any

from tests.emulator.qemu.guests import make_provisioning
from verified_images.emulator.qemu.seed import seed_files, write_seed

if TYPE_CHECKING:
    from pathlib import Path

    from verified_images.emulator.hypervisor import ProvisioningData

SECRET = "correct horse battery"


def _vendor_parts(provisioning: ProvisioningData) -> tuple[dict[str, Any], str]:
    header, _, body = seed_files(provisioning)["vendor-data"].partition(b"\n")
    assert header == b"#cloud-config-archive"
    config, script = json.loads(body)
    return json.loads(config["content"]), script["content"]


def _read(seed: Path, name: str) -> bytes:
    return subprocess.run(["mtype", "-i", str(seed), f"::{name}"], check=True, capture_output=True).stdout


def test_the_administrator_is_the_default_user_and_has_the_keys() -> None:
    provisioning = make_provisioning(username="ops")
    metadata = json.loads(seed_files(provisioning)["meta-data"])
    assert metadata == {
        "instance-id": "id-of-builder",
        "local-hostname": "builder",
        "public-keys": list(provisioning.ssh_keys),
    }
    assert _vendor_parts(provisioning)[0] == {
        "system_info": {"default_user": {"name": "ops"}},
        "ssh_pwauth": False,
    }


def test_a_password_is_given_as_a_hash() -> None:
    provisioning = make_provisioning(password=SECRET)
    assert all(SECRET.encode() not in content for content in seed_files(provisioning).values())
    config, script = _vendor_parts(provisioning)
    user = config["system_info"]["default_user"]
    assert user["lock_passwd"] is False
    _, scheme, salt, _ = user["passwd"].split("$")
    again = subprocess.run(
        ["openssl", "passwd", "-6", "-salt", salt, "-stdin"], input=SECRET, capture_output=True, text=True, check=True
    )
    assert scheme == "6"
    assert again.stdout.strip() == user["passwd"]
    assert config["ssh_pwauth"] is True
    assert "<ns1:DisableSshPasswordAuthentication>false<" in script


def test_custom_data_goes_before_user_data() -> None:
    both = make_provisioning(custom_data=b"custom", user_data=b"user")
    assert seed_files(both)["user-data"] == b"custom"
    assert seed_files(make_provisioning(user_data=b"user"))["user-data"] == b"user"
    assert seed_files(make_provisioning())["user-data"] == b""


def test_the_agent_is_told_whom_to_delete() -> None:
    _, script = _vendor_parts(make_provisioning("a&b", username="ops"))
    assert script.startswith("#!/bin/sh\n")
    assert "<ns1:UserName>ops</ns1:UserName>" in script
    assert "<ns1:HostName>a&amp;b</ns1:HostName>" in script


def test_the_disc_holds_the_files_for_its_owner_alone(tmp_path: Path) -> None:
    seed = tmp_path / "seed.img"
    provisioning = make_provisioning(custom_data=bytes(range(256)) * 256)
    write_seed(seed, provisioning)
    assert seed.stat().st_mode & 0o777 == 0o600
    assert {name: _read(seed, name) for name in seed_files(provisioning)} == seed_files(provisioning)
    label = subprocess.run(["mlabel", "-s", "-i", str(seed), "::"], check=True, capture_output=True, text=True)
    assert "CIDATA" in label.stdout
    assert [file.name for file in tmp_path.iterdir()] == ["seed.img"]


def test_a_disc_is_written_anew(tmp_path: Path) -> None:
    seed = tmp_path / "seed.img"
    write_seed(seed, make_provisioning("first"))
    write_seed(seed, make_provisioning("second"))
    assert json.loads(_read(seed, "meta-data"))["local-hostname"] == "second"
