"""Deprovisioning: the machine forgets who built it, what it is called, and that it was ever booted."""

from __future__ import annotations

import shlex
from importlib.resources import files
from typing import TYPE_CHECKING

from verified_images.errors import CommandError

if TYPE_CHECKING:
    from verified_images.stages.context import BuildContext
    from verified_images.stages.machine import Machine

DEPROVISION_SECONDS = 10 * 60.0
"""How long the machine may take to clean itself."""

# Memory, never the disk: nothing of this may be in the image.
_FOLDER = "/run/verified-images"
_TAIL = 2000

# The script removes the account of the session that started it, so it runs in a session of its own that would
# outlive a broken connection. This one follows what it prints until the file with its exit code is there.
_RUN_DETACHED = """\
: >{folder}/report; cd / && setsid sh -c 'sh {folder}/deprovision.sh {user} >{folder}/report 2>&1 </dev/null
echo $? >{folder}/result.part && mv {folder}/result.part {folder}/result' </dev/null >/dev/null 2>&1 &
shown=0
while :; do
  ended=$(test -e {folder}/result && echo yes)
  size=$(wc -c <{folder}/report 2>/dev/null || echo 0)
  if [ "$size" -gt "$shown" ]; then
    tail -c +$((shown + 1)) {folder}/report | head -c $((size - shown))
    shown=$size
  fi
  [ -n "$ended" ] && exit "$(cat {folder}/result)"
  sleep 0.2 2>/dev/null || sleep 1
done"""


def deprovision(context: BuildContext, machine: Machine) -> None:
    """Take from the machine whatever must not be in an image, the user that is logged in last; close the session.

    Raises:
        CommandError: something is still there that must not be; the error tells what.
    """
    script = files("verified_images.stages").joinpath("deprovision.sh").read_bytes()
    user = context.template.builder.username
    machine.session.upload_bytes(script, f"{_FOLDER}/deprovision.sh", sudo=True, mode=0o700)
    result = machine.session.run(
        _RUN_DETACHED.format(folder=_FOLDER, user=shlex.quote(user)),
        sudo=True,
        timeout=DEPROVISION_SECONDS,
        output=context.output.text,
    )
    machine.session.close()
    if result.exit_code != 0:
        told = (result.stdout + result.stderr).decode(errors="replace")
        failures = [line for line in told.splitlines() if line.startswith("FAILED: ")]
        raise CommandError(
            f"'{machine.name}' could not be deprovisioned: {'; '.join(failures) or told[-_TAIL:].strip()}",
            machine=machine.name,
            exit_code=result.exit_code,
            tail=told[-_TAIL:],
        )
