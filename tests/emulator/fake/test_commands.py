"""The commands that image building uses, where the stand-ins have to behave as the real ones."""

from __future__ import annotations

import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.emulator.fake.conftest import Boot, LogIn, Login
    from verified_images.emulator.fake.hypervisor import FakeHypervisor


@pytest.fixture
def login(boot: Boot, log_in: LogIn) -> Login:
    boot()
    return log_in()


def test_packages_are_unknown_before_the_lists_are_fetched(login: Login) -> None:
    result = login.run("sudo apt-get install -y nginx")
    assert (result.code, result.stderr) == (100, "E: Unable to locate package nginx\n")
    assert login.run("apt-get update").code == 100
    login.output("sudo apt-get update -qq && sudo DEBIAN_FRONTEND=noninteractive apt-get -y -o X=Y install jq htop")
    assert login.output("jq --version") == "jq 1.6-2.1 (stand-in)"
    assert login.run("sudo apt-get install -y no-such-package").code == 100
    assert login.output("dpkg -s jq | grep Status; dpkg -S /usr/bin/jq; dpkg -L jq") == (
        "Status: install ok installed\njq: /usr/bin/jq\n/usr/bin/jq"
    )
    login.output("sudo apt-get purge -y jq")
    assert login.run("dpkg-query -W jq").code == 1
    assert login.run("command -v jq").code == 1
    assert login.output("sudo rm -rf /var/lib/apt/lists/*; sudo apt-get clean; dpkg --print-architecture") == "amd64"


def test_a_web_server_serves_what_is_in_its_root(login: Login, hypervisor: FakeHypervisor) -> None:
    login.output("sudo apt-get update && sudo apt-get install -y nginx")
    host, port = hypervisor.forward("vm", 80)
    url = f"http://{host}:{port}"
    assert "Welcome to nginx" in _get(url)
    login.output("echo own page | sudo tee /var/www/html/index.html")
    assert _get(f"{url}/") == "own page\n"
    with pytest.raises(urllib.error.HTTPError, match="404"):
        _get(f"{url}/missing")
    hypervisor.restart("vm")
    hypervisor.wait_until_provisioned("vm", 20)
    assert _get(url) == "own page\n"
    hypervisor.run_command("vm", "systemctl stop nginx", 20)
    with pytest.raises(OSError, match="reset"):
        _get(url)


def test_a_configuration_that_is_wrong_fails_the_service(login: Login) -> None:
    login.output("sudo apt-get update && sudo apt-get install -y nginx")
    login.output("echo 'server { listen 81; root /srv' | sudo tee /etc/nginx/conf.d/broken.conf")
    assert login.run("sudo nginx -t").code == 1
    result = login.run("sudo systemctl restart nginx")
    assert result.code == 1
    assert "Job for nginx.service failed" in result.stderr
    assert login.output("systemctl is-active nginx || true; systemctl is-system-running || true") == "failed\ndegraded"
    login.output("printf ';}\\n' | sudo tee -a /etc/nginx/conf.d/broken.conf && sudo mkdir -p /srv")
    login.output("echo other | sudo tee /srv/index.html; sudo systemctl restart nginx")
    assert login.output("curl -sf http://localhost:81/") == "other"


_UNIT = r"""[Unit]
Description=Own service

[Service]
Environment="GREETING=hello you" PORT=9000
ExecStart=/bin/sh -c 'echo "$GREETING $PORT" >/tmp/said; \
    exec sleep 300'
User=www-data
WorkingDirectory=/srv
Restart=always

[Install]
WantedBy=multi-user.target
"""


def test_a_service_of_ones_own_runs_as_its_unit_says(login: Login, hypervisor: FakeHypervisor) -> None:
    result = login.run("sudo tee /etc/systemd/system/own.service >/dev/null", _UNIT.encode())
    assert result.code == 0, result
    login.output("sudo systemctl daemon-reload && sudo systemctl enable --now own")
    login.output("until [ -s /tmp/said ]; do sleep 0.01; done")
    assert login.output("cat /tmp/said; systemctl is-active own; ps -C sleep -o user=") == (
        "hello you 9000\nactive\nwww-data"
    )
    hypervisor.restart("vm")
    hypervisor.wait_until_provisioned("vm", 20)
    assert hypervisor.run_command("vm", "systemctl is-active own", 20).stdout == "active\n"
    assert hypervisor.run_command("vm", "systemctl disable --now own; pgrep sleep", 20).exit_code == 1


def test_deprovisioning_removes_what_the_real_agent_removes(login: Login, hypervisor: FakeHypervisor) -> None:
    login.output("sudo sh -c 'echo secret >/root/.bash_history'")
    result = login.run("sudo waagent -deprovision+user -force")
    assert result.code == 0
    assert "WARNING! azureuser account and entire home directory will be deleted." in result.stdout
    gone = "/home/azureuser /var/lib/waagent /root/.bash_history /etc/resolv.conf /etc/ssh/ssh_host_ed25519_key"
    kept = "/etc/machine-id /var/lib/cloud/data/instance-id /etc/sudoers.d/90-cloud-init-users"
    script = f"ls -d {gone} 2>/dev/null; ls {kept} | wc -l; cat /etc/hostname; getent passwd azureuser"
    outcome = hypervisor.run_command("vm", script, 20)
    assert (outcome.exit_code, outcome.stdout) == (2, "3\nlocalhost.localdomain\n")
    assert login.run("true").code == 1


def test_deprovisioning_twice_leaves_the_user_and_succeeds(login: Login, hypervisor: FakeHypervisor) -> None:
    login.output("sudo waagent -deprovision -force")
    again = hypervisor.run_command("vm", "waagent -deprovision+user -force", 20)
    assert again.exit_code == 0
    assert "WARNING! Skip delete user." in again.stdout
    assert hypervisor.run_command("vm", "id azureuser", 20).exit_code == 0


def test_cloud_init_clean_removes_what_it_is_told_to(login: Login) -> None:
    login.output("sudo mkdir -p /var/lib/cloud/seed/x; sudo cloud-init clean")
    assert login.output("ls /var/lib/cloud; ls /var/log/cloud-init.log") == "seed\n/var/log/cloud-init.log"
    login.output("sudo cloud-init clean --logs --seed --machine-id --configs all")
    assert login.output("ls /var/lib/cloud; cat /etc/machine-id") == "uninitialized"
    assert login.run("ls /var/log/cloud-init.log").code != 0
    assert login.run("cloud-init clean").code == 1


def test_a_command_that_is_detached_goes_on_after_the_connection(login: Login, log_in: LogIn) -> None:
    login.output("sudo systemd-run --unit=later sh -c 'sleep 0.2; touch /tmp/done'")
    login.output("setsid nohup sh -c 'sleep 0.2; touch /tmp/too' >/dev/null 2>&1 </dev/null &")
    login.client.close()
    log_in().output("until [ -e /tmp/done ] && [ -e /tmp/too ]; do sleep 0.01; done")


def test_owners_are_told_as_they_were_set(login: Login) -> None:
    login.output("sudo mkdir -p /srv/a/b; sudo touch /srv/a/b/file; sudo chown -R www-data:adm /srv/a")
    assert login.output("stat -c '%U %G %u %g %a' /srv/a/b/file") == "www-data adm 33 4 644"
    login.output("sudo chgrp users /srv/a/b/file; sudo chown root /srv/a")
    assert login.output("stat -c %U:%G /srv/a/b/file /srv/a /srv/a/b") == "www-data:users\nroot:adm\nwww-data:adm"
    refused = login.run("chown root /srv/a/b/file")
    assert (refused.code, "Operation not permitted" in refused.stderr) == (1, True)
    assert login.run("sudo chown nobody-here /srv/a").stderr == "chown: invalid user: 'nobody-here'\n"


def test_accounts_are_made_changed_and_removed(login: Login) -> None:
    login.output("sudo useradd -m -s /bin/bash -G adm,www-data -c 'Build user' -u 2000 builder")
    assert login.output("id builder") == "uid=2000(builder) gid=2000(builder) groups=2000(builder),4(adm),33(www-data)"
    assert login.output("getent passwd builder | cut -d: -f5-") == "Build user:/home/builder:/bin/bash"
    assert login.run("sudo useradd builder").code == 9
    login.output("echo builder:secret | sudo chpasswd; sudo usermod -G sudo -s /bin/sh builder")
    assert login.output("id -Gn builder; sudo passwd -S builder | cut -d' ' -f2") == "builder sudo\nP"
    assert login.output("sudo passwd -l builder; sudo passwd -S builder | cut -d' ' -f2; sudo su - builder -c pwd") == (
        "L\n/home/builder"
    )
    login.output("sudo userdel -r builder")
    assert login.run("ls -d /home/builder; getent group builder").stdout == ""


def _get(url: str) -> str:
    with urllib.request.urlopen(url, timeout=20) as answer:  # noqa: S310 - a loopback address
        content: bytes = answer.read()
    return content.decode()
