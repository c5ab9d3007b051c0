from __future__ import annotations

import re
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.provisioners.machine import Bench
from tests.ssh.delay import DelayedLine
from tests.ssh.openssh import OpenSSHServer, open_session
from verified_images.errors import DeadlineError, ProvisionerError
from verified_images.ssh.keys import new_run_key

if TYPE_CHECKING:
    from verified_images.provisioners.attempt import Attempt
    from verified_images.ssh.session import Session


def scripts_left(bench: Bench) -> list[Path]:
    return list(Path("/tmp").glob(f"vi-{bench.run.id}-*"))  # noqa: S108 - where scripts are run from


def test_commands_run_as_one_script_that_ends_at_the_first_failure(bench: Bench) -> None:
    bench.shell(inline=["X=1", "cd /", "echo $X $(pwd)"])
    assert bench.output == "1 /\n"
    with pytest.raises(ProvisionerError):
        bench.shell(inline=["echo begun", "false", "echo not reached"])
    assert "not reached" not in bench.output


def test_a_script_runs_under_the_interpreter_of_its_first_line(bench: Bench) -> None:
    (bench.folder / "a.py").write_text("#!/usr/bin/env python3\nimport sys\nprint('python', sys.argv[1:])\n")
    (bench.folder / "b.sh").write_text("#!/bin/bash\necho ${BASH_VERSION:+bash}\n")
    (bench.folder / "none").write_text("echo no first line\n")
    bench.shell(scripts=["a.py", "b.sh", "none"])
    assert bench.output == "python []\nbash\nno first line\n"


def test_an_empty_script_does_nothing(bench: Bench) -> None:
    (bench.folder / "empty").write_text("")
    bench.shell(script="empty")
    assert bench.output == ""


def test_a_script_with_the_line_ends_of_windows_runs(bench: Bench) -> None:
    (bench.folder / "dos.sh").write_bytes(b"#!/bin/sh\r\necho dos\r\n")
    bench.shell(script="dos.sh")
    assert bench.output == "dos\n"


def test_a_script_that_carries_binary_data_stays_as_it_is(bench: Bench) -> None:
    (bench.folder / "archive.sh").write_bytes(b'#!/bin/sh\ntail -n 1 "$0" | od -An -c; exit\n\0\r\n\xff')
    bench.shell(script="archive.sh")
    assert bench.output.split() == ["377"]
    (bench.folder / "size.sh").write_bytes(b'#!/bin/sh\nwc -c <"$0"; exit\n\0\r\n\xff')
    bench.shell(script="size.sh")
    assert bench.output.split()[-1] == str((bench.folder / "size.sh").stat().st_size)


@settings(max_examples=25, deadline=None)
@given(content=st.binary(max_size=200))
def test_any_content_of_a_script_arrives(content_server: Session, content: bytes) -> None:
    folder = Path(content_server.run("mktemp -d").stdout.decode().strip())
    bench = Bench(content_server, folder / "spec")
    (bench.folder / "script").write_bytes(b"#!/bin/cat\n\0" + content)
    seen = content_server.run("cat " + str(bench.folder / "script")).stdout
    bench.shell(script="script", execute_command=f"cp {{path}} {folder}/arrived")
    assert (folder / "arrived").read_bytes() == seen == b"#!/bin/cat\n\0" + content


@pytest.fixture(scope="module")
def content_server(server: OpenSSHServer) -> object:
    with open_session(server) as session:
        yield session


def test_variables_arrive_whatever_they_hold(bench: Bench) -> None:
    value = 'it\'s "$HOME"\n`id` \\ {path} %s é'
    bench.shell(inline='printf "[%s]" "$VALUE"; echo "$PACKER_BUILD_NAME $PACKER_BUILDER_TYPE"', env={"VALUE": value})
    assert bench.output == f"[{value}]debian-nginx azure-arm\n"


def test_a_command_of_ones_own_runs_the_script(bench: Bench) -> None:
    bench.shell(inline='echo "$0 $X"', execute_command="X=own sh -e {path}; echo then")
    assert bench.output.startswith("/tmp/vi-")  # noqa: S108
    assert bench.output.endswith(" own\nthen\n")


def test_no_script_is_left_on_the_machine(bench: Bench) -> None:
    bench.shell(inline="echo ok")
    with pytest.raises(ProvisionerError):
        bench.shell(inline="exit 7")
    with pytest.raises(ProvisionerError):
        bench.shell(inline="kill -9 $$")
    with pytest.raises(ProvisionerError):
        bench.shell(inline="trap '' TERM; while :; do sleep 0.1; done", timeout="1s")
    assert scripts_left(bench) == []


def test_exit_codes_can_be_declared_valid(bench: Bench) -> None:
    bench.shell(inline="exit 3", valid_exit_codes=[0, 3])
    with pytest.raises(ProvisionerError, match="exit code 4") as caught:
        bench.shell(inline="exit 4", valid_exit_codes=[0, 3])
    assert caught.value.exit_code == 4


def test_a_failure_names_its_place_and_shows_the_last_lines(bench: Bench) -> None:
    with pytest.raises(ProvisionerError) as caught:
        bench.provision(
            {"shell": {"inline": "echo first"}},
            {"shell": {"inline": ["seq 100", "echo to stderr >&2", "sleep 0.1", "printf last", "exit 5"]}},
        )
    error = caught.value
    where = f"provisioner 2 (shell) at {bench.folder}/template.yaml:11"
    assert re.match(rf"{re.escape(where)} failed after \d+ s with exit code 5 of 'inline'", str(error))
    assert (error.kind, error.index, error.line, error.exit_code) == ("shell", 2, 11, 5)
    assert error.file == bench.folder / "template.yaml"
    assert error.tail.endswith("99\n100\nto stderr\nlast")
    assert "first" not in error.tail
    assert "\n50\n" not in str(error)


def test_secrets_show_nowhere(bench: Bench) -> None:
    with pytest.raises(ProvisionerError) as caught:
        bench.shell(
            inline=["printf hun; sleep 0.1; echo ter2; echo $S; echo $S >&2", "echo hunter2; exit 1"],
            env={"S": "hunter2"},
        )
    assert "***" in bench.output
    for text in (bench.output, str(caught.value), caught.value.tail, str(caught.value.__cause__), *bench.steps):
        assert "hunter2" not in text


def test_a_secret_shows_nowhere_when_the_time_is_up(bench: Bench) -> None:
    with pytest.raises(ProvisionerError, match="its time of 1 s was up") as caught:
        bench.shell(inline="echo hunter2; sleep 30", timeout="1s")
    assert caught.value.tail == "***"
    assert "hunter2" not in f"{caught.value} {caught.value.__cause__}"


def test_the_time_is_for_all_scripts_of_a_provisioner(bench: Bench) -> None:
    (bench.folder / "slow").write_text("sleep 0.8\n")
    with pytest.raises(ProvisionerError, match="its time of 1 s was up"):
        bench.shell(scripts=["slow", "slow", "slow"], timeout="1s")


def test_a_script_that_is_missing_is_named(bench: Bench) -> None:
    with pytest.raises(ProvisionerError, match=r"No such file.*missing\.sh"):
        bench.shell(script="missing.sh")


def test_a_lost_connection_is_told_with_what_to_do(bench: Bench) -> None:
    with pytest.raises(ProvisionerError, match="say 'expect_disconnect: true'"):
        bench.shell(inline=DROP)
    bench.shell(inline="echo connected again")
    assert bench.output.endswith("connected again\n")


# The process above the login shell is the one of sshd that serves the connection.
DROP = (
    "p=$$; while [ \"$(cat /proc/$p/comm)\" != sshd ]; do p=$(awk '{print $4}' /proc/$p/stat); done; kill $p; sleep 9"
)


def test_a_lost_connection_that_was_expected_is_made_again(bench: Bench) -> None:
    bench.shell(inline=["echo going", DROP], expect_disconnect=True)
    bench.shell(inline="echo back")
    assert bench.output == "going\nback\n"
    assert scripts_left(bench) == []


def test_a_restart_is_waited_for_until_the_boot_is_another(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("verified_images.provisioners.command.is_going_down", lambda _session: True)
    seen: list[str] = []

    def come_back(_session: Session, before: str, _attempt: Attempt) -> None:
        seen.append(before)

    monkeypatch.setattr("verified_images.provisioners.command.come_back", come_back)
    bench.shell(inline="exit 0", expect_disconnect=True)
    bench.shell(inline="kill $$", expect_disconnect=True)
    assert seen == [bench.session.boot_id()] * 2
    with pytest.raises(ProvisionerError):
        bench.shell(inline="exit 1", expect_disconnect=True)


@pytest.mark.parametrize(
    ("more", "told"),
    [({}, "within 1 s; last seen: .*refused"), ({"timeout": 2}, "its time of 2 s was up; last seen: .*refused")],
    ids=["in time", "in its own time"],
)
def test_a_machine_that_does_not_come_back_is_told_of(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, more: dict[str, Any], told: str
) -> None:
    monkeypatch.setattr("verified_images.provisioners.reboot._BACK_WITHIN", 1.0)
    monkeypatch.setattr("verified_images.provisioners.shell._CLEANED_WITHIN", 0.5)
    (tmp_path / "sshd").mkdir()
    with OpenSSHServer(tmp_path / "sshd", new_run_key()) as server, open_session(server) as session:
        bench = Bench(session, tmp_path / "spec")
        pid = (tmp_path / "sshd" / "sshd.pid").read_text().strip()
        with pytest.raises(ProvisionerError, match=told) as caught:
            bench.shell(inline=[f"kill {pid}", DROP], expect_disconnect=True, **more)
        assert isinstance(caught.value.__cause__, DeadlineError)


def test_a_folder_that_executes_nothing_is_passed_over(bench: Bench, tmp_path: Path) -> None:
    """Shown with folders of which the first does not exist and the second is full."""
    monkey = pytest.MonkeyPatch()
    folders = f"{tmp_path}/missing /dev/full {tmp_path}"
    monkey.setattr("verified_images.provisioners.shell._FOLDERS", folders)
    bench.shell(inline='echo "$0"')
    assert bench.output.startswith(f"{tmp_path}/vi-")
    monkey.setattr("verified_images.provisioners.shell._FOLDERS", f"{tmp_path}/missing")
    with pytest.raises(ProvisionerError, match="no folder allows to make and execute a file"):
        bench.shell(inline="echo")
    monkey.undo()


def test_nobody_elses_link_is_followed(bench: Bench, tmp_path: Path) -> None:
    planted = Path(f"/tmp/vi-{bench.run.id}-1-1")  # noqa: S108 - the name that the script will get
    planted.symlink_to(tmp_path / "victim")
    bench.shell(inline='echo "$0"')
    assert not (tmp_path / "victim").exists()
    assert bench.output.startswith("/var/tmp/")  # noqa: S108
    planted.unlink(missing_ok=True)


class TestRetries:
    def test_a_provisioner_is_tried_again(self, bench: Bench, tmp_path: Path) -> None:
        bench.shell(inline=f"echo try >>{tmp_path}/tries; [ $(wc -l <{tmp_path}/tries) = 3 ]", max_retries=2)
        assert (tmp_path / "tries").read_text() == "try\n" * 3
        assert [step for step in bench.steps if "trying again" in step] != []

    def test_the_last_failure_is_told(self, bench: Bench) -> None:
        with pytest.raises(ProvisionerError, match="exit code 6"):
            bench.shell(inline="exit 6", max_retries=1)

    def test_a_try_that_lost_its_connection_is_tried_again(self, bench: Bench, tmp_path: Path) -> None:
        bench.shell(inline=f"[ -e {tmp_path}/once ] && exit 0; touch {tmp_path}/once; {DROP}", max_retries=1)
        assert scripts_left(bench) == []

    def test_pauses_are_kept(self, bench: Bench) -> None:
        started = time.monotonic()
        bench.shell(inline="true", pause_before="300ms", pause_after="300ms")
        assert time.monotonic() - started > 0.6


def test_a_script_takes_at_most_two_round_trips(server: OpenSSHServer, tmp_path: Path) -> None:
    with DelayedLine(server.port, 0.01) as line, open_session(server, port=line.port) as session:
        bench = Bench(session, tmp_path / "spec")
        (bench.folder / "script").write_text("#!/usr/bin/env python3\nprint('x' * 1000)\n" + "#" * 10_000)
        before = line.round_trips
        for _ in range(10):
            bench.shell(script="script")
        assert line.round_trips - before <= 20
        before = line.round_trips
        bench.shell(inline="true", expect_disconnect=True)
        assert line.round_trips - before <= 2


def test_secrets_are_not_in_the_process_list(bench: Bench) -> None:
    bench.shell(
        inline="ps axww -o args >$SEEN 2>/dev/null || cat /proc/[0-9]*/cmdline >$SEEN; : planted-text",
        env={"SEEN": str(bench.folder / "seen"), "PLANTED": "planted-value"},
    )
    assert "planted-" not in (bench.folder / "seen").read_text()
    assert subprocess.run(["test", "-s", bench.folder / "seen"], check=False).returncode == 0
