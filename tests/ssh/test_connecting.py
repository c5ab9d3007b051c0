from __future__ import annotations

import contextlib
import socket
import threading
import time
from typing import TYPE_CHECKING

import pytest

from tests.ssh.delay import DelayedLine
from tests.ssh.openssh import OpenSSHServer, free_port, open_session
from verified_images.errors import (
    ConnectionLostError,
    DeadlineError,
    HostKeyError,
    LoginError,
    MachineError,
    UnreachableError,
)
from verified_images.ssh import probing
from verified_images.ssh.host_keys import read_host_keys
from verified_images.ssh.keys import new_run_key
from verified_images.ssh.reach import reach_directly
from verified_images.ssh.session import Session
from verified_images.waiting import Deadline

if TYPE_CHECKING:
    from pathlib import Path

    from verified_images.ssh.keys import KeyType


def fingerprint(public: str) -> str:
    return read_host_keys(public)[0].fingerprint


def test_another_host_key_is_refused_naming_both(server: OpenSSHServer) -> None:
    pinned = new_run_key().public
    with pytest.raises(HostKeyError) as caught:
        Session.connect(server.address(pinned), server.key, reach_directly, timeout=20)
    assert fingerprint(pinned) in str(caught.value)
    assert fingerprint(server.host_key()) in str(caught.value)
    assert caught.value.machine == "test-vm"


def test_the_server_is_asked_for_the_kind_of_key_that_is_pinned(server: OpenSSHServer) -> None:
    with Session.connect(server.address(server.host_key("ecdsa")), server.key, reach_directly, timeout=20) as session:
        assert session.alive


def test_a_server_without_the_pinned_kind_of_key_is_refused(server: OpenSSHServer) -> None:
    pinned = new_run_key("", "rsa").public
    with pytest.raises(HostKeyError, match="no host key of a pinned kind") as caught:
        Session.connect(server.address(pinned), server.key, reach_directly, timeout=20)
    assert fingerprint(pinned) in str(caught.value)


def test_a_machine_without_known_host_keys_is_not_logged_into(server: OpenSSHServer) -> None:
    with pytest.raises(HostKeyError, match="nothing could prove it"):
        Session.connect(server.address("not a key"), server.key, reach_directly, timeout=20)


def test_a_refused_key_is_tried_again_for_a_while_and_then_told(server: OpenSSHServer) -> None:
    started = time.monotonic()
    with pytest.raises(LoginError, match=r"refused the run's key for user"):
        Session.connect(server.address(), new_run_key(), reach_directly, timeout=20, login_patience=2.0)
    assert 1.0 <= time.monotonic() - started < 10


def test_a_login_that_is_allowed_a_moment_later_succeeds(tmp_path: Path) -> None:
    key = new_run_key()
    with OpenSSHServer(tmp_path, key) as server:
        keys = tmp_path / "authorized_keys"
        allowed = keys.read_text()
        keys.write_text("")
        timer = threading.Timer(0.5, keys.write_text, [allowed])
        timer.start()
        with open_session(server) as session:
            assert session.run("echo in").stdout == b"in\n"
        timer.join()


@pytest.mark.parametrize("kind", ["ed25519", "rsa"])
def test_logs_in_with_either_kind_of_key(tmp_path: Path, kind: KeyType) -> None:
    with OpenSSHServer(tmp_path, new_run_key("run", kind)) as server, open_session(server) as session:
        assert session.run("echo in").stdout == b"in\n"


def test_an_address_where_nothing_listens_is_unreachable_in_time(server: OpenSSHServer) -> None:
    started = time.monotonic()
    with pytest.raises(UnreachableError, match=r"'test-vm' \(127.0.0.1:\d+\) within 1 s; last seen: .*refused"):
        Session.connect(server.address(port=free_port()), server.key, reach_directly, timeout=1.0)
    assert time.monotonic() - started < 5


def test_a_silent_listener_is_unreachable_and_every_probe_is_closed(server: OpenSSHServer) -> None:
    opened: list[socket.socket] = []

    def reach(address: str, port: int, timeout: float) -> socket.socket:
        opened.append(reach_directly(address, port, timeout))
        return opened[-1]

    with (
        socket.create_server(("127.0.0.1", 0), backlog=50) as silent,
        pytest.raises(UnreachableError, match="accepted, but no SSH server greeted"),
    ):
        Session.connect(server.address(port=silent.getsockname()[1]), server.key, reach, timeout=1.0)
    assert len(opened) > 2
    assert all(probe.fileno() == -1 for probe in opened)


def test_a_busy_machine_is_given_time_to_greet(server: OpenSSHServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """Probes that are given up one after the other would keep it busy for good."""
    monkeypatch.setattr(probing, "_EVERY", 0.02)

    def reach(address: str, port: int, timeout: float) -> socket.socket:  # noqa: ARG001 - the same for all
        near, far = socket.socketpair()
        threading.Thread(target=greet_late, args=(far,), daemon=True).start()
        near.settimeout(timeout)
        return near

    def greet_late(far: socket.socket) -> None:
        with far:
            time.sleep(2)  # longer than the first probes live
            with contextlib.suppress(OSError):
                far.sendall(b"SSH-2.0-busy\r\n")

    with probing.wait_for_greeting(server.address(""), reach, Deadline("a greeting", 60)) as found:
        assert found.recv(4) == b"SSH-"


def test_a_server_of_another_kind_is_told_from_silence(server: OpenSSHServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def greet() -> None:
            with contextlib.suppress(OSError):
                while True:
                    with listener.accept()[0] as client:
                        client.sendall(b"220 mail.example ESMTP\r\n")

        thread = threading.Thread(target=greet)
        thread.start()
        with pytest.raises(UnreachableError, match="no SSH server said"):
            Session.connect(server.address(port=listener.getsockname()[1]), server.key, reach_directly, timeout=1.0)
        listener.shutdown(socket.SHUT_RDWR)
        thread.join()


def test_a_nat_that_accepts_before_the_machine_listens_is_seen_through(tmp_path: Path) -> None:
    """Connections made before the server is up stay silent for good, as those of QEMU's user network."""
    key = new_run_key()
    server = OpenSSHServer(tmp_path, key)
    silent = socket.create_server(("127.0.0.1", 0), backlog=50)
    up = threading.Event()

    def reach(address: str, port: int, timeout: float) -> socket.socket:
        return reach_directly(address, port if up.is_set() else silent.getsockname()[1], timeout)

    def start() -> None:
        time.sleep(1.0)
        server.start()
        up.set()

    starter = threading.Thread(target=start)
    starter.start()
    try:
        with open_session(server, reach) as session:
            assert session.run("echo up").stdout == b"up\n"
    finally:
        starter.join()
        server.stop()
        silent.close()


def test_a_login_shell_that_ends_at_once_is_told_of(tmp_path: Path) -> None:
    with (
        OpenSSHServer(tmp_path, new_run_key(), "ForceCommand /bin/false") as server,
        pytest.raises(MachineError, match="login shell"),
    ):
        open_session(server)


def test_noise_of_the_login_is_no_output(tmp_path: Path) -> None:
    force = "ForceCommand echo motd; echo motd >&2; printf 'no newline'; eval \"$SSH_ORIGINAL_COMMAND\""
    with OpenSSHServer(tmp_path, new_run_key(), force) as server, open_session(server) as session:
        result = session.run("echo out; echo err >&2")
        assert (result.stdout, result.stderr) == (b"out\n", b"err\n")
        assert session.run("cat", stdin=b"fed").stdout == b"fed"


def test_a_broken_connection_fails_the_command_and_can_be_made_again(server: OpenSSHServer) -> None:
    with DelayedLine(server.port, 0.0) as line, open_session(server, port=line.port) as session:
        timer = threading.Timer(0.5, line.cut)
        timer.start()
        with pytest.raises(ConnectionLostError, match=r"the SSH connection to 'test-vm' broke"):
            session.run("sleep 30")
        timer.join()
        assert not session.alive
        with pytest.raises(ConnectionLostError):
            session.run("true")
        session.reconnect(20.0)
        assert session.run("echo again").stdout == b"again\n"


def test_a_far_side_that_stops_to_answer_is_noticed(server: OpenSSHServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verified_images.ssh.link._ASK_EVERY", 0.2)
    monkeypatch.setattr("verified_images.ssh.link._ANSWER_WITHIN", 1.0)
    with DelayedLine(server.port, 0.0) as line, open_session(server, port=line.port) as session:
        assert session.run("sleep 2; echo busy, but there").exit_code == 0
        line.freeze()
        started = time.monotonic()
        with pytest.raises(ConnectionLostError):
            session.run("sleep 30")
        assert time.monotonic() - started < 10


class TestReboot:
    def test_waits_for_another_boot_id(self, server: OpenSSHServer) -> None:
        with open_session(server) as session:
            assert len(session.boot_id()) == 36
            session.wait_for_reboot("the boot before", 20.0)
            assert session.run("echo up").stdout == b"up\n"

    def test_a_machine_that_does_not_go_down_is_told_of(self, server: OpenSSHServer) -> None:
        with (
            open_session(server) as session,
            pytest.raises(DeadlineError, match=r"the reboot of 'test-vm'.*it has not gone down yet"),
        ):
            session.wait_for_reboot(session.boot_id(), 2.0)

    def test_a_machine_that_does_not_come_back_is_told_of(self, tmp_path: Path) -> None:
        with OpenSSHServer(tmp_path, new_run_key()) as server, open_session(server) as session:
            server.stop()
            with pytest.raises(DeadlineError, match=r"the reboot of 'test-vm'.*refused"):
                session.wait_for_reboot(session.boot_id(), 2.0)

    def test_a_machine_that_comes_back_as_another_is_refused(self, tmp_path: Path) -> None:
        (tmp_path / "a").mkdir()
        (tmp_path / "b").mkdir()
        key = new_run_key()
        with OpenSSHServer(tmp_path / "a", key) as server, open_session(server) as session:
            server.stop()
            with (
                OpenSSHServer(tmp_path / "b", key, port=server.port),
                pytest.raises(HostKeyError),
            ):
                session.wait_for_reboot("before", 20.0)
