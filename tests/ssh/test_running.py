from __future__ import annotations

import concurrent.futures
import subprocess
import threading
import time
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verified_images.errors import ConnectionLostError, DeadlineError
from verified_images.masking import Masker
from verified_images.ssh.reach import reach_directly
from verified_images.ssh.session import Session

if TYPE_CHECKING:
    from pathlib import Path

    from tests.ssh.openssh import OpenSSHServer

# The session is one on purpose: that examples follow each other on it is part of what is tested.
shared = settings(deadline=None, max_examples=60)
texts = st.text(st.characters(exclude_characters="\0", codec="utf-8"))


def processes(pattern: str) -> str:
    found = subprocess.run(["pgrep", "-af", pattern], capture_output=True, text=True, check=False).stdout
    # Where nothing reaps orphans, the dead ones stay listed, without arguments.
    return "\n".join(line for line in found.splitlines() if "pgrep" not in line)


@pytest.mark.parametrize(
    ("command", "code", "stdout", "stderr"),
    [
        ("echo out; echo err >&2", 0, b"out\n", b"err\n"),
        ("printf 'no newline'", 0, b"no newline", b""),
        ("", 0, b"", b""),
        ("exit 3", 3, b"", b""),
        ("exec false", 1, b"", b""),
        ("set -e; false; echo not reached", 1, b"", b""),
        ("kill -9 $$", 137, b"", b""),
        ("kill -TERM $$", 143, b"", b""),
        ("cat; echo at its end", 0, b"at its end\n", b""),
        ("printf 'a\\000b\\377'", 0, b"a\x00b\xff", b""),
        ("echo one\necho two", 0, b"one\ntwo\n", b""),
        ("cat <<X\nhere\nX", 0, b"here\n", b""),
        ('echo "it\'s $((1 + 1))" # a comment', 0, b"it's 2\n", b""),
        ("readlink /proc/self/fd/0", 0, b"/dev/null\n", b""),
        ("readlink /proc/self/fd/[3-9] | grep -v ^/proc", 1, b"", b""),
        ("echo $0", 0, b"sh\n", b""),
        ("echo to a file > /dev/stderr", 0, b"", b"to a file\n"),
    ],
)
def test_a_command_does_what_it_does_in_a_shell(
    session: Session, command: str, code: int, stdout: bytes, stderr: bytes
) -> None:
    result = session.run(command)
    assert (result.exit_code, result.stdout, result.stderr) == (code, stdout, stderr)


@pytest.mark.parametrize("command", ["echo 'open", 'echo "', "if true", ")", "<<", "`", "${", "esac"])
def test_broken_syntax_fails_and_harms_no_other_command(session: Session, command: str) -> None:
    assert session.run(command).exit_code != 0
    assert session.run("echo fine").stdout == b"fine\n"


def test_a_command_cannot_change_the_shell_of_the_next(session: Session) -> None:
    session.run("cd /; umask 777; X=1; f() { :; }; trap 'echo trapped' EXIT; set -u; ulimit -n 20; exec >/dev/null")
    result = session.run('pwd; umask; echo "${X-unset}"; ulimit -n')
    assert result.stdout.splitlines()[0] != b"/"
    assert b"unset" in result.stdout
    assert b"0777" not in result.stdout
    assert result.stdout.splitlines()[-1] != b"20"


def test_what_looks_like_a_mark_is_output(session: Session) -> None:
    looks = "<0123456789abcdef0123456789abcdef<\n>0123456789abcdef0123456789abcdef>0\n"
    assert session.run(f"printf '%s' '{looks}'; printf '%s' '{looks}' >&2").stdout == looks.encode()


def test_streams_large_output_and_keeps_its_end_only(session: Session) -> None:
    result = session.run("head -c 50000000 /dev/zero; printf end; echo err >&2", keep=5)
    assert result.stdout == b"\0\0end"
    assert result.stderr == b"err\n"


def test_keeps_all_of_a_large_output(session: Session) -> None:
    assert session.run("head -c 5000000 /dev/zero").stdout == bytes(5_000_000)


def test_a_large_command_arrives_whole(session: Session) -> None:
    lines = "\n".join(f": {number} {'x' * 80}" for number in range(20_000))
    assert session.run(f"{lines}\necho end").stdout == b"end\n"


def test_feeds_a_command_that_answers_while_it_reads(session: Session) -> None:
    fed = bytes(range(256)) * 20_000
    result = session.run("cat", stdin=fed)
    assert result.stdout == fed
    assert session.run("cat >/dev/null; exit 4", stdin=b"").exit_code == 4


def test_a_command_may_leave_what_it_is_fed_unread(session: Session) -> None:
    assert session.run("echo enough", stdin=bytes(8_000_000)).stdout == b"enough\n"


def test_a_program_in_the_background_neither_holds_up_nor_gets_mixed_in(session: Session) -> None:
    started = time.monotonic()
    session.run("(sleep 0.3; echo late; exec sleep 60) & echo started")
    assert time.monotonic() - started < 40
    assert session.run("sleep 0.8; echo next").stdout == b"next\n"


def test_what_a_leftover_writes_between_two_commands_is_dropped(session: Session) -> None:
    session.run("setsid sh -c 'sleep 0.2; echo late; echo late >&2' & ")
    time.sleep(0.5)
    result = session.run("echo next")
    assert (result.stdout, result.stderr) == (b"next\n", b"")
    assert session.run("echo third").stdout == b"third\n"


def test_a_command_that_kills_its_shell_gets_an_exit_code_and_a_new_shell_follows(session: Session) -> None:
    assert session.run("kill -9 $PPID; sleep 0.1").exit_code == 255
    assert session.run("echo alive").stdout == b"alive\n"


def test_live_output_comes_by_lines_in_order_and_masked(server: OpenSSHServer) -> None:
    seen: list[str] = []
    masker = Masker(["hunter2"])
    command = "printf 'a hun'; sleep 0.1; echo ter2; echo b >&2; sleep 0.1; printf 'c\\303'; sleep 0.1; printf '\\251'"
    with Session.connect(server.address(), server.key, reach_directly, timeout=20, masker=masker) as session:
        result = session.run(command, output=seen.append)
    assert seen == ["a ***\n", "b\n", "cé"]
    assert result.stdout == "a hunter2\ncé".encode()


def test_output_that_is_no_utf8_is_shown_as_well_as_can_be(session: Session) -> None:
    seen: list[str] = []
    session.run("printf 'a\\377\\nb\\303'", output=seen.append)
    assert "".join(seen) == "a\N{REPLACEMENT CHARACTER}\nb\N{REPLACEMENT CHARACTER}"


def test_a_progress_bar_is_shown_before_its_line_ends(session: Session) -> None:
    seen: list[tuple[float, str]] = []
    session.run("printf '10%%\\r'; sleep 0.5; echo done", output=lambda text: seen.append((time.monotonic(), text)))
    assert seen[0][1] == "10%\r"
    assert seen[-1][0] - seen[0][0] > 0.3


def test_time_is_up_for_a_command_and_all_that_it_started(session: Session) -> None:
    with pytest.raises(DeadlineError, match=r"the end of 'sleep 4711.*' on 'test-vm' did not happen within 1 s"):
        session.run("sleep 4711 & (sleep 4712 & sleep 4713); sleep 4714", timeout=1.0)
    assert processes("sleep 471[1-4]") == ""
    assert session.run("echo alive").stdout == b"alive\n"


def test_time_is_up_for_a_command_that_ignores_signals(session: Session) -> None:
    with pytest.raises(DeadlineError):
        session.run("trap '' TERM; while :; do sleep 0.4715; done", timeout=0.3)
    # The one that was being started while its loop was ended comes to its own end.
    time.sleep(1.0)
    assert processes("sleep 0.4715") == ""


def test_time_is_up_for_a_command_that_is_fed(session: Session) -> None:
    with pytest.raises(DeadlineError):
        session.run("cat >/dev/null; sleep 4716", stdin=b"x", timeout=0.5)
    assert processes("sleep 4716") == ""


def test_the_error_of_a_command_without_time_names_no_secret(server: OpenSSHServer) -> None:
    masker = Masker(["hunter2"])
    with (
        Session.connect(server.address(), server.key, reach_directly, timeout=20, masker=masker) as session,
        pytest.raises(DeadlineError) as caught,
    ):
        session.run("sleep 9; : hunter2", timeout=0.2)
    assert "hunter2" not in str(caught.value)


def test_neither_text_nor_environment_is_in_the_process_list(session: Session, tmp_path: Path) -> None:
    def command(name: str) -> str:
        return f"touch {tmp_path}/{name}; until [ -e {tmp_path}/go ]; do sleep 0.05; done; : planted-text"

    with concurrent.futures.ThreadPoolExecutor() as pool:
        running = [
            pool.submit(session.run, command("one"), env={"SECRET": "planted-value"}, timeout=60),
            pool.submit(session.run, command("two"), stdin=b"", env={"SECRET": "planted-value"}, timeout=60),
        ]
        while not ((tmp_path / "one").exists() and (tmp_path / "two").exists()):
            assert not any(future.done() for future in running)
            time.sleep(0.05)
        seen = processes("planted-")
        (tmp_path / "go").touch()
        assert seen == ""
        assert all(future.result().exit_code == 0 for future in running)


@shared
@given(value=texts)
def test_an_environment_variable_arrives_as_it_is(session: Session, value: str) -> None:
    assert session.run('printf "%s" "$VALUE"', env={"VALUE": value}).stdout == value.encode()


@settings(shared, max_examples=15)
@given(value=texts, fed=st.binary())
def test_text_and_input_arrive_as_they_are_where_both_are_given(session: Session, value: str, fed: bytes) -> None:
    result = session.run('cat; printf "%s" "$VALUE"', env={"VALUE": value}, stdin=fed)
    assert result.stdout == fed + value.encode()


@shared
@given(command=texts)
def test_no_text_can_break_the_shell_that_runs_it(
    session: Session, tmp_path_factory: pytest.TempPathFactory, command: str
) -> None:
    # In an empty PATH, so that a random word starts nothing; a background job is the only thing that could linger.
    text = f"cd {tmp_path_factory.getbasetemp()}\n{command.replace('&', '')}"
    session.run(text, env={"PATH": "/nonexistent"}, timeout=20)
    assert session.run("echo fine").stdout == b"fine\n"


@shared
@given(command=st.binary(max_size=40))
def test_no_bytes_can_break_the_shell_that_runs_them(
    session: Session, tmp_path_factory: pytest.TempPathFactory, command: bytes
) -> None:
    text = command.replace(b"\0", b"").replace(b"&", b"").decode("utf-8", "surrogateescape")
    session.run(f"cd {tmp_path_factory.getbasetemp()}\n{text}", env={"PATH": "/nonexistent"}, timeout=20)
    assert session.run("echo fine").stdout == b"fine\n"


@pytest.mark.parametrize(
    ("command", "env"), [("echo \0", {}), ("", {"A": "\0"}), ("", {"A=1": "x"}), ("", {"a b": "x"}), ("", {"": "x"})]
)
def test_what_no_shell_can_take_is_refused(session: Session, command: str, env: dict[str, str]) -> None:
    with pytest.raises(ValueError, match=r"NUL|name for an environment variable"):
        session.run(command, env=env)
    assert session.run("echo fine").stdout == b"fine\n"


def test_commands_of_several_threads_run_at_once(session: Session) -> None:
    def run(number: int) -> bytes:
        return session.run(f"sleep 0.3; echo {number}").stdout

    started = time.monotonic()
    with concurrent.futures.ThreadPoolExecutor(20) as pool:
        assert list(pool.map(run, range(20))) == [f"{number}\n".encode() for number in range(20)]
    assert time.monotonic() - started < 20 * 0.3


def test_closing_ends_every_thread_and_fails_what_still_runs(server: OpenSSHServer) -> None:
    before = set(threading.enumerate())
    session = Session.connect(server.address(), server.key, reach_directly, timeout=20)
    with concurrent.futures.ThreadPoolExecutor() as pool:
        running = pool.submit(session.run, "sleep 30")
        time.sleep(0.3)
        session.close()
        session.close()
        with pytest.raises(ConnectionLostError, match="test-vm"):
            running.result(timeout=10)
    with pytest.raises(ConnectionLostError):
        session.run("true")
    assert not session.alive
    for thread in set(threading.enumerate()) - before:
        thread.join(60)
        assert not thread.is_alive(), thread
