"""`sudo` as it is used: a stand-in notes its arguments, closes what sudo closes, and runs the rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.ssh.openssh import OpenSSHServer, open_session
from verified_images.errors import DeadlineError
from verified_images.ssh.keys import new_run_key

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_SUDO = """#!/bin/sh
printf '%s\\n' "$*" >>"$(dirname "$0")/../asked"
[ "$1 $2 $3" = "-n -H --" ] || exit 99
shift 3
exec 3>&- 4>&- 5>&- 6>&-
BECAME=root exec "$@"
"""


@pytest.fixture(scope="module")
def sudo_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[OpenSSHServer]:
    folder = tmp_path_factory.mktemp("sudo")
    for name, text in (("sudo", _SUDO), ("id", "#!/bin/sh\necho 1000\n")):
        file = folder / "bin" / name
        file.parent.mkdir(exist_ok=True)
        file.write_text(text)
        file.chmod(0o755)
    path = f"SetEnv PATH={folder}/bin:/usr/local/bin:/usr/bin:/bin"
    with OpenSSHServer(folder, new_run_key(), path) as server:
        yield server


def test_a_command_becomes_root_without_showing_its_text(sudo_server: OpenSSHServer) -> None:
    with open_session(sudo_server) as session:
        result = session.run('echo "$BECAME $PLANTED"; cat; exit 3', sudo=True, env={"PLANTED": "secret"})
        assert (result.exit_code, result.stdout, result.stderr) == (3, b"root secret\n", b"")
        assert session.run('cat; echo "$BECAME"', sudo=True, stdin=b"fed\0").stdout == b"fed\0root\n"
        assert session.run('echo "${BECAME-nobody}"').stdout == b"nobody\n"
    asked = (sudo_server.folder / "asked").read_text()
    assert asked.count("-n -H -- /bin/sh") >= 2
    assert "secret" not in asked
    assert "BECAME" not in asked


def test_files_go_and_come_as_root(sudo_server: OpenSSHServer, tmp_path: Path) -> None:
    (sudo_server.folder / "asked").write_text("")
    with open_session(sudo_server) as session:
        session.upload_bytes(b"x", str(tmp_path / "there"), sudo=True)
        session.download(str(tmp_path / "there"), tmp_path / "here", sudo=True)
    assert (tmp_path / "here").read_bytes() == b"x"
    assert (sudo_server.folder / "asked").read_text().count("\n") == 2


def test_the_end_of_a_command_of_root_is_brought_about_by_root(sudo_server: OpenSSHServer) -> None:
    (sudo_server.folder / "asked").write_text("")
    with open_session(sudo_server) as session, pytest.raises(DeadlineError):
        session.run("sleep 4720", sudo=True, timeout=0.3)
    assert (sudo_server.folder / "asked").read_text().count("\n") == 2
