"""The file system of the Marketplace's Debian 12: what lies below ``rootfs/``, a shell, and busybox for the rest."""

from __future__ import annotations

import hashlib
import shutil
from pathlib import Path

from verified_images.emulator.fake.programs import find_program, list_applets, shared_libraries

_ROOTFS = Path(__file__).with_name("rootfs")
_MERGED = ("bin", "sbin", "lib", "lib64")  # links into usr, as on Debian since 12
_FOLDERS = {
    **dict.fromkeys((f"etc/rc{level}.d" for level in "0123456S"), 0o755),
    "boot": 0o755, "dev": 0o755, "etc/skel": 0o755, "etc/sudoers.d": 0o750, "etc/systemd/system": 0o755,
    "home": 0o755, "mnt": 0o755, "opt": 0o755, "proc": 0o555, "root": 0o700, "run": 0o755, "srv": 0o755,
    "sys": 0o555, "tmp": 0o1777, "usr/lib64": 0o755, "usr/local/bin": 0o755, "usr/local/sbin": 0o755,
    "usr/share": 0o755, "var/cache/apt/archives": 0o755, "var/lib/apt/lists": 0o755, "var/lib/cloud/seed": 0o755,
    "var/lib/dpkg/info": 0o755, "var/log": 0o755, "var/mail": 0o755, "var/spool": 0o755, "var/tmp": 0o1777,
}  # fmt: skip
_PRIVATE = {"etc/shadow": 0o640, "etc/sudoers": 0o440}
# Applets that Debian's image has no command for, and that a caller would draw wrong conclusions from.
_NOT_ON_DEBIAN = frozenset({"ash", "hush", "init", "linuxrc", "rpm", "rpm2cpio", "dpkg-deb", "crond", "syslogd", "su"})


_WHERE_PRESENT = ("bash", "scp")
"""Programs of this machine that guests have only if it has them; Packer uploads with scp."""


def build_root(root: Path) -> None:
    """Lay the file system down in the empty folder ``root``.

    Raises:
        HypervisorError: a program that is copied from this machine is missing.
    """
    shell, setpriv = _shell(), find_program("setpriv")
    programs = {"busybox": find_program("busybox"), "sh": shell, shell.name: shell, "setpriv": setpriv}
    for name in _WHERE_PRESENT:
        if found := shutil.which(name):
            programs[name] = Path(found)
    for name in _MERGED:
        (root / "usr" / name).mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(f"usr/{name}")
    for folder, mode in _FOLDERS.items():
        (root / folder).mkdir(parents=True, exist_ok=True)
        (root / folder).chmod(mode)
    _copy_files(root)
    for name, program in programs.items():
        _copy_program(program, root / "usr/bin" / name, root)
    _link_applets(root, programs["busybox"])


def root_fingerprint() -> str:
    """Give a short text that changes when `build_root` would make something else."""
    digest = hashlib.sha256()
    for file in (Path(__file__), *_stand_ins(), find_program("busybox"), _shell(), find_program("setpriv")):
        digest.update(f"{file.name}\0".encode() + file.read_bytes())
    return digest.hexdigest()[:12]


def _shell() -> Path:
    # Debian's /bin/sh. Where there is none, bash called by the name of sh keeps to POSIX well enough.
    return find_program("dash" if shutil.which("dash") else "bash").resolve()


def _stand_ins() -> list[Path]:
    return sorted(path for path in _ROOTFS.rglob("*") if path.is_file())


def _copy_files(root: Path) -> None:
    for source in _stand_ins():
        name = source.relative_to(_ROOTFS)
        target = root / name
        target.parent.mkdir(parents=True, exist_ok=True)
        content = source.read_bytes()
        target.write_bytes(content)
        # By content and not by the source's mode, which an archive or a check-out may have dropped.
        target.chmod(_PRIVATE.get(str(name), 0o755 if content.startswith(b"#!") else 0o644))
    for line in (root / "usr/lib/stand-in/links").read_text(encoding="ascii").splitlines():
        link, aim = line.split()
        (root / link).parent.mkdir(parents=True, exist_ok=True)
        (root / link).symlink_to(aim)


def _copy_program(program: Path, target: Path, root: Path) -> None:
    shutil.copyfile(program, target)
    target.chmod(0o755)
    for library in shared_libraries(program):
        copy = root / library.relative_to("/")
        if not copy.exists():
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(library, copy)
            copy.chmod(0o755)


def _link_applets(root: Path, busybox: Path) -> None:
    present = {path.name for folder in ("usr/bin", "usr/sbin") for path in (root / folder).iterdir()}
    for applet in set(list_applets(busybox)) - present - _NOT_ON_DEBIAN:
        (root / "usr/bin" / applet).symlink_to("busybox")
