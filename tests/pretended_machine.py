"""A folder that stands for a machine on which ./dev runs: shell and locks are real, commands note their calls."""

from __future__ import annotations

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

ALL_TESTS = "pytest -n 2 --dist loadgroup --no-loadscope-reorder --durations=25 --session-timeout=4800"
_PIP = "--disable-pip-version-check --no-input --quiet --no-deps"
AZURE_CLI = (
    "python -m venv .venv-clients",
    f"python -m pip install {_PIP} --no-compile -r .ci/clients.txt",
)
COLLECTION = (
    f"python -m pip install {_PIP} --no-compile --target .venv-clients/collection/sdk -r .ci/azcollection.txt",
    f"python -m pip download {_PIP} --dest .venv-clients/collection ansible==12.3.0",
    "python - .venv-clients/collection ansible-12.3.0-py3-none-any.whl",
)
CLIENTS = (*AZURE_CLI, *COLLECTION)
REPOSITORY = Path(__file__).parents[1]
SHELL_TOOLS = (
    "cat", "cp", "date", "dirname", "env", "flock", "mkdir", "mktemp", "mv", "readlink", "rm", "sha256sum", "sh",
    "sleep", "touch",
)  # fmt: skip
NOTE = '#!/bin/sh\nnote() { printf "%s\\n" "${0##*/} $*" >>"$MACHINE/calls"; }\n'

PYTHON = f"""{NOTE}
case $* in
    -V) echo Python 3.9.2 ;;
    '') [ ! -e "$MACHINE/python-is-old" ] && echo "$0" ;;
    -c*) [ ! -e "$MACHINE/python-is-old" ] ;;
    '-m venv .venv') note "$@" && mkdir -p .venv/bin && cp "$MACHINE/venv-python" .venv/bin/python ;;
esac
"""
VENV_PYTHON = f"""{NOTE}
case $* in
    -VV) echo Python 3.11.2 ;;
    -c*) echo True ;;
    '-m pip --version') ;;
    *) note "$@" ;;
esac
case $* in
    '-m venv .venv-clients') mkdir -p .venv-clients/bin && cp "$0" .venv-clients/bin/python ;;
esac
case $* in
    *'pip install'*)
        sleep 0.05
        [ ! -e "$MACHINE/index-is-down" ] || {{ echo 'no route to the index'; exit 1; }}
        cp "$0" .venv/bin/lint-imports ;;
    '-m ruff check'*) echo 'a line is too long'; exit 1 ;;
    '-m pytest'*) exit 5 ;;
esac
"""
APT_GET = f"""{NOTE}
note "$@"
case $* in
    *' install '*)
        [ ! -e "$MACHINE/lists-are-old" ] && [ ! -e "$MACHINE/packages-are-unknown" ] || exit 100
        cp "$MACHINE/python3" "$MACHINE/bin/python3"
        touch "$MACHINE/usr/share/OVMF/OVMF_CODE_4M.fd"
        cp "$MACHINE/bin/mmdebstrap" "$MACHINE/bin/qemu-img"
        cp "$MACHINE/bin/mmdebstrap" "$MACHINE/bin/sshd" ;;
    *update) rm -f "$MACHINE/lists-are-old" ;;
esac
"""
SUDO = f"""{NOTE}
[ "$*" != '-n true' ] || exit 0
note "$@"
FAKE_UID=0 exec "$@"
"""


@dataclass(frozen=True)
class Machine:
    """A folder that stands for a machine, with a clone of the project in a folder whose name has a space."""

    folder: Path

    @property
    def project(self) -> Path:
        return self.folder / "a project"

    def add_command(self, name: str, script: str = "#!/bin/sh\n") -> None:
        command = self.folder / "bin" / name
        command.write_text(script)
        command.chmod(0o755)

    def remove_command(self, name: str) -> None:
        (self.folder / "bin" / name).unlink()

    def set(self, condition: str) -> None:
        (self.folder / condition).touch()

    def run(
        self, *arguments: str, program: str = "dev", user: int = 0, cwd: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self.project / program, *arguments],
            cwd=cwd or self.project,
            env={"PATH": f"{self.folder}/bin", "MACHINE": str(self.folder), "FAKE_UID": str(user)},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
        )

    def take_calls(self) -> list[str]:
        """Returns what was called since the last time, questions about versions left out."""
        log = self.folder / "calls"
        calls = log.read_text().splitlines() if log.exists() else []
        log.unlink(missing_ok=True)
        return calls


def make_machine(folder: Path) -> Machine:
    """Make a machine on which everything is installed but the virtual environment."""
    machine = Machine(folder)
    for part in ("bin", "a project/.ci"):
        (folder / part).mkdir(parents=True)
    for name in ("pyproject.toml", ".ci/constraints.txt", ".ci/clients.txt", ".ci/azcollection.txt", ".ci/run"):
        shutil.copy(REPOSITORY / name, machine.project / name)
    script = (REPOSITORY / "dev").read_text()
    probed_files = re.findall(r"(?m)^[\w-]+ +(/\S+)$", script)
    for file in (*probed_files, "/usr/bin/python3", "/run/systemd/system"):
        script = script.replace(file, f"{folder}{file}")
        (folder / file[1:]).parent.mkdir(parents=True, exist_ok=True)
    script = script.replace(":/usr/local/sbin:/usr/sbin:/sbin", "")
    for file in probed_files:
        (folder / file[1:]).touch()
    (machine.project / "dev").write_text(script)
    (machine.project / "dev").chmod(0o755)
    for tool in SHELL_TOOLS:
        found = shutil.which(tool)
        assert found
        (folder / "bin" / tool).symlink_to(found)
    probed_commands = re.findall(r"(?m)^[\w-]+ +([\w-][\w.-]*)$", script)
    assert {"mmdebstrap", "qemu-img", "sshd"} <= set(probed_commands)
    for command in probed_commands:
        machine.add_command(command)
    for path, text in (("python3", PYTHON), ("venv-python", VENV_PYTHON)):
        (folder / path).write_text(text)
        (folder / path).chmod(0o755)
    machine.add_command("packer")
    machine.add_command("python3", PYTHON)
    machine.add_command("apt-get", APT_GET)
    machine.add_command("systemctl", f'{NOTE}note "$@"\n')
    machine.add_command("id", '#!/bin/sh\necho "$FAKE_UID"\n')
    return machine
