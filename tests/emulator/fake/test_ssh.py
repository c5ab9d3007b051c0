"""The SSH server of a guest, as a client sees it."""

from __future__ import annotations

import socket
import threading
from typing import TYPE_CHECKING

import paramiko
import pytest

from verified_images.emulator.fake.ssh_server import SshServer

if TYPE_CHECKING:
    from tests.emulator.fake.conftest import Boot, LogIn
    from verified_images.emulator.fake.hypervisor import FakeHypervisor


def test_output_errors_and_exit_code_stay_apart(boot: Boot, log_in: LogIn) -> None:
    boot()
    result = log_in().run("echo out; echo err >&2; exit 7")
    assert (result.code, result.stdout, result.stderr) == (7, "out\n", "err\n")


def test_standard_input_and_binary_output_pass_unchanged(boot: Boot, log_in: LogIn) -> None:
    boot()
    content = bytes(range(256)) * 20_000
    channel = log_in().session()
    channel.exec_command("cat")

    def feed() -> None:
        channel.sendall(content)
        channel.shutdown_write()

    feeder = threading.Thread(target=feed)
    feeder.start()
    assert channel.makefile("rb").read() == content
    feeder.join()
    assert channel.recv_exit_status() == 0


def test_a_shell_serves_one_command_after_another(boot: Boot, log_in: LogIn) -> None:
    boot()
    channel = log_in().session()
    channel.invoke_shell()
    lines = channel.makefile("rb")
    for number in range(3):
        channel.sendall(f"echo {number}; pwd\n".encode())
        assert [lines.readline(), lines.readline()] == [f"{number}\n".encode(), b"/home/azureuser\n"]
    channel.sendall(b"exit 5\n")
    assert channel.recv_exit_status() == 5


def test_a_terminal_is_given_on_request(boot: Boot, log_in: LogIn) -> None:
    boot()
    channel = log_in().session()
    channel.get_pty("xterm", 132, 43)
    channel.exec_command("test -t 0 && test -t 1 && echo terminal $TERM; stty size; read line; echo got $line; exit 4")
    lines = channel.makefile("rb")
    assert [lines.readline(), lines.readline()] == [b"terminal xterm\r\n", b"43 132\r\n"]
    channel.sendall(b"typed\n")
    assert lines.read().split() == [b"typed", b"got", b"typed"]
    assert channel.recv_exit_status() == 4


def test_commands_run_at_the_same_time(boot: Boot, log_in: LogIn) -> None:
    boot()
    login = log_in()
    waiting = login.session()
    waiting.exec_command("mkfifo /tmp/gate; cat /tmp/gate")
    login.output("until [ -p /tmp/gate ]; do sleep 0.01; done; echo through >/tmp/gate")
    assert waiting.makefile("rb").read() == b"through\n"


def test_commands_run_as_the_user_who_logged_in(boot: Boot, log_in: LogIn) -> None:
    boot()
    login = log_in()
    assert login.output("id -un; id -u; whoami; echo $USER $HOME; pwd; env -i /usr/bin/id -un") == (
        "azureuser\n1000\nazureuser\nazureuser /home/azureuser\n/home/azureuser\nazureuser"
    )
    assert login.output("sudo -n id -un; sudo sh -c 'echo $HOME $SUDO_USER'; sudo -u www-data id -u") == (
        "root\n/root azureuser\n33"
    )
    login.output("sudo rm /etc/sudoers.d/90-cloud-init-users")
    refused = login.run("sudo -n true")
    assert (refused.code, refused.stderr) == (1, "sudo: a password is required\n")


def test_strangers_are_refused(boot: Boot, log_in: LogIn) -> None:
    boot()
    for user, options in (
        ("nobody-here", {}),
        ("root", {}),
        ("azureuser", {"pkey": paramiko.ECDSAKey.generate()}),
        ("azureuser", {"pkey": None, "password": "guessed"}),
    ):
        with pytest.raises(paramiko.AuthenticationException):
            log_in(user=user, **options)


def test_a_key_is_good_as_long_as_it_is_authorized(boot: Boot, log_in: LogIn) -> None:
    boot()
    log_in().output(": >~/.ssh/authorized_keys")
    with pytest.raises(paramiko.AuthenticationException):
        log_in()


def test_nobody_gets_in_after_the_host_keys_are_gone(boot: Boot, log_in: LogIn) -> None:
    boot()
    login = log_in()
    login.output("sudo rm /etc/ssh/ssh_host_*")
    assert login.output("echo still here") == "still here"
    with pytest.raises((paramiko.SSHException, OSError)):
        log_in()


def test_a_stopped_ssh_service_is_a_closed_port(boot: Boot, log_in: LogIn, hypervisor: FakeHypervisor) -> None:
    boot()
    log_in().output("sudo systemctl stop ssh")
    _assert_closed(hypervisor.forward("vm", 22))
    hypervisor.run_command("vm", "systemctl start ssh", 20)
    assert log_in().output("systemctl is-active sshd") == "active"


def test_a_tunnel_leads_to_the_guests_own_services(boot: Boot, log_in: LogIn) -> None:
    boot()
    login = log_in()
    login.output("nc -ll -p 8080 -e /bin/cat </dev/null >/dev/null 2>&1 & /usr/lib/stand-in/await-port 8080")
    transport = login.client.get_transport()
    assert transport is not None
    for host in ("10.0.0.4", "localhost"):
        tunnel = transport.open_channel("direct-tcpip", (host, 8080), ("127.0.0.1", 1))
        tunnel.settimeout(20)
        tunnel.sendall(b"there and back")
        tunnel.shutdown_write()
        assert tunnel.makefile("rb").read() == b"there and back"
    for host, port in (("10.0.0.4", 8081), ("10.0.0.5", 8080)):
        with pytest.raises(paramiko.ChannelException):
            transport.open_channel("direct-tcpip", (host, port), ("127.0.0.1", 1))


def test_stopping_the_guest_ends_its_connections(boot: Boot, log_in: LogIn, hypervisor: FakeHypervisor) -> None:
    boot()
    login = log_in()
    channel = login.session()
    channel.exec_command("sleep 300")
    hypervisor.stop("vm", graceful=False)
    transport = login.client.get_transport()
    assert transport is not None
    transport.join(10)
    assert not transport.is_active()


def test_the_ports_of_a_guest_are_closed_unless_it_listens(
    boot: Boot, log_in: LogIn, hypervisor: FakeHypervisor
) -> None:
    spec = boot()
    address = hypervisor.forward("vm", 8080)
    assert hypervisor.forward("vm", 8080) == address
    _assert_closed(address)
    serve = "nc -ll -p 8080 -e /bin/cat </dev/null >/dev/null 2>&1 & /usr/lib/stand-in/await-port 8080"
    log_in().output(serve)
    with socket.create_connection(address, timeout=20) as probe:
        probe.sendall(b"echo")
        probe.shutdown(socket.SHUT_WR)
        assert _read_all(probe) == b"echo"
    hypervisor.stop("vm", graceful=True)
    _assert_closed(address)
    hypervisor.start(spec)
    assert hypervisor.forward("vm", 8080) == address
    hypervisor.forget("vm")
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(address, timeout=20)


def test_a_probe_that_says_nothing_disturbs_nobody(boot: Boot, log_in: LogIn, hypervisor: FakeHypervisor) -> None:
    boot()
    with socket.create_connection(hypervisor.forward("vm", 22), timeout=20) as probe:
        assert probe.recv(4) == b"SSH-"
    assert log_in().output("echo fine") == "fine"


def test_a_connection_that_is_made_while_the_guest_ends_is_closed(
    boot: Boot, hypervisor: FakeHypervisor, monkeypatch: pytest.MonkeyPatch
) -> None:
    boot()
    read_keys = SshServer._host_keys

    def read_and_end(server: SshServer) -> list[paramiko.PKey]:
        keys = read_keys(server)
        hypervisor.stop("vm", graceful=False)
        return keys

    monkeypatch.setattr(SshServer, "_host_keys", read_and_end)
    _assert_closed(hypervisor.forward("vm", 22))


def _assert_closed(address: tuple[str, int]) -> None:
    # The reset may come while the client still connects.
    with pytest.raises(ConnectionResetError), socket.create_connection(address, timeout=20) as probe:
        _read_all(probe)


def _read_all(connection: socket.socket) -> bytes:
    content = b""
    while chunk := connection.recv(4096):
        content += chunk
    return content
