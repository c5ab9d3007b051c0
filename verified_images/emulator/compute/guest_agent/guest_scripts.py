"""Scripts as the guest agent's handlers run them: in a file under the agent's folder, perhaps as another user."""

from __future__ import annotations

import shlex
from dataclasses import dataclass

_AGENT = "/var/lib/waagent"


@dataclass(frozen=True, slots=True)
class GuestScript:
    """A script to be run in ``folder`` (below the agent's own) under the name ``script.sh``.

    ``arguments`` are positional, ``variables`` are exported; ``user`` is who runs it, root when it is empty.
    """

    folder: str
    text: str
    arguments: tuple[str, ...] = ()
    variables: tuple[tuple[str, str], ...] = ()
    user: str = ""

    @property
    def path(self) -> str:
        """Where the script lies while it runs."""
        return f"{_AGENT}/{self.folder}/script.sh"

    def wrapped(self) -> str:
        """Give the shell text that lays the script down, runs it in its own session, and removes it.

        The script comes base64-encoded on the agent's channel, so that no process list tells it.
        """
        folder = f"{_AGENT}/{self.folder}"
        exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in self.variables)
        command = " ".join(shlex.quote(part) for part in (self.path, *self.arguments))
        return (
            f"umask 077\nmkdir -p {shlex.quote(folder)} && cd {shlex.quote(folder)} || exit 1\n"
            f"cat >script.sh <<'{_END}'\n{self.text}\n{_END}\n"
            f"chmod 755 script.sh\n{self._give_to_user()}umask 022\n{exports}"
            f"setsid /bin/sh -c 'echo $$ >{shlex.quote(folder)}/pid; exec \"$@\"' sh {self._as_user()}{command}\n"
            f"code=$?\nrm -f script.sh pid\nexit $code\n"
        )

    def _give_to_user(self) -> str:
        if not self.user:
            return ""
        user = shlex.quote(self.user)
        return (
            f"id {user} >/dev/null 2>&1 || {{ echo 'the user '{user}' does not exist' >&2; exit 1; }}\n"
            f"chmod 711 {_AGENT} && chown {user} . script.sh\n"
        )

    def _as_user(self) -> str:
        return f"runuser -u {shlex.quote(self.user)} -- " if self.user else ""

    def killing(self) -> str:
        """Give the shell text that ends the script and what it has started; it may be just about to begin."""
        file = shlex.quote(f"{_AGENT}/{self.folder}/pid")
        return (
            f"for try in 1 2 3 4 5 6 7 8 9 10; do\n    pid=$(cat {file} 2>/dev/null)\n"
            '    if [ -n "$pid" ]; then kill -9 -"$pid"; break; fi\n    sleep 0.2\ndone\nexit 0\n'
        )


_END = "END-OF-THE-SCRIPT-8d0f6b6c"


def end_of(text: str, most: int = 4096) -> str:
    """Give the last bytes of an output, as the handlers keep them."""
    return text.encode()[-most:].decode(errors="ignore")
