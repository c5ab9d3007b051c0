"""The first process of new namespaces: mounts a guest's root, gives the machine's away, and becomes the guest's init.

Run as a script by `verified_images.emulator.fake.sandbox`, with the overlay's options and work folder, the mount point
and the guest's address. No program is started before the machine is out of sight, as a guest may have replaced any of
its own. Says ``up`` and the process' number outside of the namespaces when all is done.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import socket
import struct
import sys
from pathlib import Path

# The numbers are those of mount(2), umount2(2), prctl(2), capabilities(7) and netdevice(7).
_NOSUID, _NODEV, _NOEXEC, _REMOUNT, _BIND, _READ_ONLY = 2, 4, 8, 32, 4096, 1
_DETACH = 2
_DROP_FROM_BOUNDING_SET, _SYS_ADMIN = 24, 21
_SET_ADDRESS, _SET_NETMASK, _GET_FLAGS, _SET_FLAGS, _UP = 0x8916, 0x891C, 0x8913, 0x8914, 1
_DEVICES = ("null", "zero", "full", "random", "urandom", "tty")
_LINKS = {
    "fd": "/proc/self/fd",
    "stdin": "/proc/self/fd/0",
    "stdout": "/proc/self/fd/1",
    "stderr": "/proc/self/fd/2",
    "console": "/proc/1/fd/2",
    "ttyS0": "console",
}
_COMMAND_LINE = (
    "BOOT_IMAGE=/boot/vmlinuz root=/dev/root ro console=tty0 console=ttyS0,115200 earlyprintk=ttyS0,115200\n"
)
_INIT = "/usr/sbin/init"
_libc = ctypes.CDLL(None, use_errno=True)


def enter_root(options: str, work: Path, root: Path, address: str) -> None:
    """Do all of it; returns only if there is no init.

    Raises:
        OSError: the kernel refused a step.
    """
    # Still the machine's /proc, which knows this process by its outer number.
    number = Path("/proc/self").readlink()
    # Else a volatile overlay is not mounted a second time.
    shutil.rmtree(work)
    work.mkdir()
    _mount("overlay", root, kind="overlay", data=options)
    _mount("proc", root / "proc", kind="proc", flags=_NOSUID | _NODEV | _NOEXEC)
    _mount("tmpfs", root / "run", kind="tmpfs", flags=_NOSUID | _NODEV, data="mode=755")
    _mount("tmpfs", root / "dev", kind="tmpfs", flags=_NOSUID, data="mode=755")
    _fill_dev(root / "dev")
    _replace_kernel_facts(root)
    os.chdir(root)
    _check(_libc.pivot_root(b".", b"."), "pivot_root")
    # The machine's root now lies on top of the guest's.
    _check(_libc.umount2(b".", _DETACH), "umount2")
    os.chdir("/")
    _bring_up_loopback(address)
    _check(_libc.prctl(_DROP_FROM_BOUNDING_SET, _SYS_ADMIN, 0, 0, 0), "prctl")
    if os.access(_INIT, os.X_OK) and os.access("/bin/sh", os.X_OK):
        os.write(1, f"up {number}\n".encode())
        os.dup2(1, 2)
        os.execve(_INIT, ["init"], {})  # noqa: S606 - no shell is wanted


def _fill_dev(folder: Path) -> None:
    for name in _DEVICES:
        if Path("/dev", name).exists():
            (folder / name).touch()
            _mount(f"/dev/{name}", folder / name, flags=_BIND)
    for name, aim in _LINKS.items():
        (folder / name).symlink_to(aim)
    (folder / "shm").mkdir()
    (folder / "shm").chmod(0o1777)


def _replace_kernel_facts(root: Path) -> None:
    facts = root / "run/kernel"
    facts.mkdir()
    # Each boot has its own id, though the kernel beneath is not booted.
    (facts / "boot_id").write_bytes(Path("/proc/sys/kernel/random/uuid").read_bytes())
    (facts / "cmdline").write_text(_COMMAND_LINE, encoding="ascii")
    _mount(str(facts / "boot_id"), root / "proc/sys/kernel/random/boot_id", flags=_BIND)
    _mount(str(facts / "cmdline"), root / "proc/cmdline", flags=_BIND)
    # /proc/sys and the like are the machine's: whoever owns them may write them, wherever they are mounted.
    _mount("", root / "proc", flags=_REMOUNT | _BIND | _READ_ONLY | _NOSUID | _NODEV | _NOEXEC)


def _bring_up_loopback(address: str) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        request = struct.pack("16sh14x", b"lo", 0)
        flags = struct.unpack("16sh14x", fcntl.ioctl(control, _GET_FLAGS, request))[1]
        fcntl.ioctl(control, _SET_FLAGS, struct.pack("16sh14x", b"lo", flags | _UP))
        for step, value in ((_SET_ADDRESS, address), (_SET_NETMASK, "255.255.255.255")):
            inet = struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(value))
            fcntl.ioctl(control, step, struct.pack("16s16s", b"lo:1", inet))


def _mount(source: str, target: Path, *, kind: str = "", flags: int = 0, data: str = "") -> None:
    result = _libc.mount(source.encode(), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), data.encode())
    _check(result, f"mount {kind or source or target.name}")


def _check(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


if __name__ == "__main__":
    try:
        enter_root(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), sys.argv[4])
    except OSError as error:
        sys.exit(error.strerror)
    sys.exit("the disk has no init: nothing can be booted")
