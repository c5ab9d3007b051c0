"""What testinfra's modules ask works against a fake guest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from testinfra.backend.paramiko import ParamikoBackend
from testinfra.host import Host

if TYPE_CHECKING:
    from tests.emulator.fake.conftest import Boot, LogIn


@pytest.fixture
def host(boot: Boot, log_in: LogIn) -> Host:
    boot()
    login = log_in()
    login.output("sudo apt-get update && sudo apt-get install -y nginx && sudo systemctl enable --now nginx")
    backend = ParamikoBackend("azureuser@guest")
    # The connection is made already: testinfra's own would only warn of an unknown host key.
    backend.__dict__["client"] = login.client
    return Host(backend)


def test_packages(host: Host) -> None:
    nginx = host.package("nginx")
    assert nginx.is_installed
    assert nginx.version.startswith("1.22.1-")
    assert not host.package("apache2").is_installed


def test_services(host: Host) -> None:
    nginx = host.service("nginx")
    assert nginx.exists
    assert nginx.is_running
    assert nginx.is_enabled
    assert nginx.is_valid
    assert not nginx.is_masked
    assert nginx.systemd_properties["FragmentPath"] == "/usr/lib/systemd/system/nginx.service"
    with host.sudo():
        host.check_output("systemctl disable --now nginx")
    assert not host.service("nginx").is_running
    assert not host.service("nginx").is_enabled
    missing = host.service("missing")
    assert not missing.exists
    assert not missing.is_running
    assert not missing.is_enabled
    with host.sudo():
        host.check_output("systemctl mask nginx")
    assert host.service("nginx").is_masked


def test_files(host: Host) -> None:
    page = host.file("/var/www/html/index.nginx-debian.html")
    assert page.exists
    assert page.is_file
    assert page.contains("Welcome to nginx")
    assert "Welcome" in page.content_string
    assert (page.user, page.group, page.uid, page.gid, page.mode) == ("root", "root", 0, 0, 0o644)
    assert page.size == len(page.content)
    assert len(page.sha256sum) == 64
    assert page.mtime.year >= 2024
    assert host.file("/etc/shadow").mode == 0o640
    assert host.file("/etc/sudoers.d").mode == 0o750
    assert host.file("/var/lock").is_symlink
    assert host.file("/etc/os-release").linked_to == "/usr/lib/os-release"
    assert "index.nginx-debian.html" in host.file("/var/www/html").listdir()
    assert not host.file("/nowhere").exists
    with host.sudo():
        host.check_output("install -D -o www-data -g adm -m 0600 /dev/null /srv/data/file")
        host.check_output("ln -s /srv/data/file /srv/link && chown -h nobody /srv/link")
    assert (host.file("/srv/data/file").user, host.file("/srv/data/file").group) == ("www-data", "adm")
    assert host.file("/srv/link").user == "www-data"
    host.check_output("touch mine")
    assert host.file("/home/azureuser/mine").user == "azureuser"


def test_users_and_groups(host: Host) -> None:
    me = host.user()
    assert (me.name, me.uid, me.gid, me.group, me.home, me.shell) == (
        "azureuser",
        1000,
        1000,
        "azureuser",
        "/home/azureuser",
        "/bin/bash",
    )
    assert {"azureuser", "sudo"} <= set(me.groups)
    assert 27 in me.gids
    with host.sudo():
        assert host.user().name == "root"
        host.check_output("useradd --system --shell /usr/sbin/nologin app && groupadd -g 4000 team")
        host.check_output("usermod -aG team app")
        assert host.user("app").password == "!"
    assert host.user("app").shell == "/usr/sbin/nologin"
    assert host.user("app").groups == ["app", "team"]
    assert host.group("team").gid == 4000
    assert host.group("team").members == ["app"]
    assert not host.user("missing").exists
    assert not host.group("missing").exists


def test_sockets(host: Host) -> None:
    assert host.socket("tcp://0.0.0.0:80").is_listening
    assert host.socket("tcp://22").is_listening
    assert not host.socket("tcp://8080").is_listening
    assert "tcp://0.0.0.0:80" in host.socket.get_listening_sockets()


def test_processes(host: Host) -> None:
    assert host.process.get(pid=1).comm == "init"
    assert [process.user for process in host.process.filter(comm="sshd")] == ["root"]
    assert host.process.filter(user="azureuser")
    assert host.process.get(comm="sshd").args.endswith("/usr/sbin/sshd -D")


def test_system_information(host: Host) -> None:
    information = host.system_info
    assert (information.type, information.distribution, information.release, information.codename) == (
        "linux",
        "debian",
        "12",
        "bookworm",
    )


def test_the_rest(host: Host) -> None:
    assert host.exists("nginx") is False
    assert host.find_command("nginx") == "/sbin/nginx"
    assert host.mount_point("/").exists
    assert host.mount_point("/proc").filesystem == "proc"
    assert host.sysctl("kernel.ostype") == "Linux"
    assert host.interface("lo").exists
    # A card of its own the guest has where the machine has TAP devices.
    cards = [card for name in ("lo", "eth0") if (card := host.interface(name)).exists]
    assert "10.0.0.4" in [address for card in cards for address in card.addresses]
    assert host.environment()["USER"] == "azureuser"
    assert host.check_output("curl -s -o /dev/null -w '%{http_code}' http://localhost/") == "200"
