"""The ``execute_command`` of a Packer shell provisioner, made into what our own means by ``sudo`` and a command.

Here environment variables are exported before a script runs, as root too, so that none stands on a command line where
any process of the machine could read it. The usual commands become one without ``{{.Vars}}``; the rest are kept.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from pydantic import SecretStr

if TYPE_CHECKING:
    from collections.abc import Mapping

PATH, VARS, ENV_FILE = "\x01PATH\x01", "\x01VARS\x01", "\x01FILE\x01"
"""What ``{{.Path}}``, ``{{.Vars}}`` and ``{{.EnvVarFile}}`` stand for while a command is looked at."""

FIELDS = {"Path": PATH, "Vars": VARS, "EnvVarFile": ENV_FILE}
"""The fields that an execute_command may use."""

_QUOTED_PATH = rf"(?:'{PATH}'|\"{PATH}\"|{PATH})"
_CHMOD = re.compile(rf"chmod\s+\S+\s+{_QUOTED_PATH}\s*(?:;|&&)\s*")
_SOURCE_FILE = re.compile(rf"(?:\.|source)\s+['\"]?{ENV_FILE}['\"]?\s*(?:;|&&)\s*")
_PASSWORD = re.compile(r"(?:echo|printf)\s+(?:'[^'|]*'|\"[^\"|]*\"|[^\s|'\"]+)\s*\|\s*(?=(?:\x01VARS\x01\s*)?sudo\s)")
_VARS = re.compile(rf"(?:(?:/usr/bin/)?env\s+)?{VARS}\s*")
_SUDO = re.compile(
    r"(?:/usr/bin/)?sudo((?:\s+(?:-[ESHnk]+|--(?:preserve-env|stdin|set-home|non-interactive|)(?=\s)))*)\s+"
)
_INNER = re.compile(r"(?:/usr)?(?:/bin/)?(?:ba|da|)sh\s+-c\s+(?:'([^']*)'|\"([^\"$`\\]*)\")")
_INTERPRETER = re.compile(
    rf"((?:/\S+/)?(?:env\s+)?(?:bash|dash|sh|zsh|ksh|python3?|perl|pwsh)(?:\s+-[A-Za-z]+|\s+--[a-z-]+)*)\s+{_QUOTED_PATH}"
)


class Command(NamedTuple):
    """How a script is run: as root or not, by a ``command`` in which ``{path}`` stands for it, or (None) by itself.

    ``kept`` says that the command is the one in the template, with all that is in it.
    """

    sudo: bool
    command: str | None
    kept: bool = False


class SecretOnCommandLineError(Exception):
    """The command would put a secret where any process of the machine can read it."""


def read_command(text: str, environment: Mapping[str, SecretStr | str]) -> Command:
    """Return what a command means, in which PATH, VARS and ENV_FILE stand for its fields.

    Raises:
        SecretOnCommandLineError: it needs ``{{.Vars}}`` to stay, and ``environment`` holds a secret.
    """
    rest = _strip(text.strip())
    sudo = False
    if match := _SUDO.match(rest):
        sudo = True
        rest = _strip(rest[match.end() :])
    if match := _INNER.fullmatch(rest):
        rest = _strip(match[1] or match[2] or "")
    if re.fullmatch(_QUOTED_PATH, rest):
        return Command(sudo, None)
    if match := _INTERPRETER.fullmatch(rest):
        return Command(sudo, f"{match[1]} {{path}}")
    return Command(sudo=False, command=_kept(text, environment), kept=True)


def _strip(text: str) -> str:
    """Take away what has no effect here: making the script executable, a password, the variables."""
    before = None
    while before != text:
        before = text
        for pattern in (_CHMOD, _SOURCE_FILE, _PASSWORD, _VARS):
            text = pattern.sub("", text, count=1) if pattern.match(text) else text
    return text


def _kept(text: str, environment: Mapping[str, SecretStr | str]) -> str:
    if VARS in text and any(isinstance(value, SecretStr) for value in environment.values()):
        raise SecretOnCommandLineError
    assignments = "".join(f"{name}='{_quoted(str(value))}' " for name, value in environment.items())
    text = re.sub(rf"{_SOURCE_FILE.pattern}", "", text).replace(VARS, assignments)
    return "".join(_with_path_outside_of_quotes(text))


def _quoted(value: str) -> str:
    return value.replace("'", "'\"'\"'")


def _with_path_outside_of_quotes(text: str) -> list[str]:
    """Return the command in pieces: our {path} is a shell word, which must not stand in the middle of quotes."""
    pieces: list[str] = []
    quote = ""
    for piece in re.split(rf"({PATH}|\\.|['\"])", text):
        if piece == PATH:
            pieces.append(f"{quote}{{path}}{quote}")
            continue
        if piece in {"'", '"'} and quote in {"", piece}:
            quote = "" if quote else piece
        pieces.append(piece)
    return pieces
