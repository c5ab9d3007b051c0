"""Where packages come from while a disk is built."""

from __future__ import annotations

import re
from importlib import resources
from pathlib import Path

_GUESTS_OWN = "root/etc/apt/sources.list.d/debian.sources"


def apt_sources(suite: str, etc: Path = Path("/etc")) -> str:
    """Give the apt sources for ``suite``: the host's own where it runs that Debian, else Debian's public ones.

    A mirror that the host uses is thus used here too. The host's entries for other archives are left out, since they
    sign with keys of their own.
    """
    if _runs(suite, etc):
        stanzas = [
            stanza.strip()
            for file in sorted((etc / "apt/sources.list.d").glob("*.sources"))
            for stanza in re.split(r"\n\s*\n", file.read_text(encoding="utf-8"))
            if _is_debian_stanza(stanza, suite)
        ]
        if stanzas:
            return "\n\n".join(stanzas) + "\n"
        lines = [line for line in _read_lines(etc / "apt/sources.list") if _is_debian_line(line, suite)]
        if lines:
            return "\n".join(lines) + "\n"
    return (resources.files(__package__) / _GUESTS_OWN).read_text(encoding="utf-8")


def _runs(suite: str, etc: Path) -> bool:
    lines = _read_lines(etc / "os-release")
    return "ID=debian" in lines and f"VERSION_CODENAME={suite}" in lines


def _read_lines(file: Path) -> list[str]:
    return file.read_text(encoding="utf-8").splitlines() if file.exists() else []


def _is_debian_stanza(stanza: str, suite: str) -> bool:
    fields = dict(re.findall(r"^([A-Za-z-]+):[ \t]*(.*)$", stanza, re.MULTILINE))
    ours = all(re.fullmatch(rf"{suite}(-\w+)*", name) for name in fields.get("Suites", "-").split())
    keyring = fields.get("Signed-By", "")
    enabled = fields.get("Enabled", "yes") != "no" and "deb" in fields.get("Types", "").split()
    return ours and enabled and (not keyring or "debian-archive" in keyring)


def _is_debian_line(line: str, suite: str) -> bool:
    return re.match(rf"deb\s+(\[[^\]]*debian-archive[^\]]*\]\s+)?\S+\s+{suite}(-\w+)*\s", line) is not None
