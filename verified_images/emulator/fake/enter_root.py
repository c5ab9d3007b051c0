"""The first process of new namespaces: mounts a guest's root, gives the machine's away, and becomes the guest's init.

Run as a script by `verified_images.emulator.fake.sandbox`, with the overlay's options and work folder, the mount point,
and the guest's network card: the number of the socket by which its TAP device is given away, its hardware address, and
its IPv4 address and subnet. Where the machine has no TAP devices the guest has its address all the same.

No program is started before the machine is out of sight, as a guest may have replaced any of its own. Says ``up`` and
the process' number outside of the namespaces when all is done.
"""

from __future__ import annotations

import ctypes
import fcntl
import os
import shutil
import socket
import struct
import sys
from dataclasses import dataclass
from ipaddress import IPv4Network
from pathlib import Path

# The numbers are those of mount(2), umount2(2), prctl(2), capabilities(7) and netdevice(7).
_NOSUID, _NODEV, _NOEXEC, _REMOUNT, _BIND, _READ_ONLY = 2, 4, 8, 32, 4096, 1
_DETACH = 2
_DROP_FROM_BOUNDING_SET, _SYS_ADMIN = 24, 21
_SET_ADDRESS, _SET_NETMASK, _GET_FLAGS, _SET_FLAGS, _UP = 0x8916, 0x891C, 0x8913, 0x8914, 1
_SET_HARDWARE_ADDRESS, _ETHERNET, _ADD_ROUTE, _USE_GATEWAY = 0x8924, 1, 0x890B, 2
_SET_TUN, _TAP_WITHOUT_INFORMATION = 0x400454CA, 0x1002
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


@dataclass(frozen=True)
class Card:
    """The guest's network card; ``giving`` is a socket's number."""

    giving: int
    mac: str
    address: str
    subnet: str


def enter_root(options: str, work: Path, root: Path, card: Card) -> None:
    """Do all of it; returns only if there is no init.

    Raises:
        OSError: the kernel refused a step.
    """
    tap = _open_tap()
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
    _bring_up_network(card, tap)
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


def _open_tap() -> int | None:
    try:
        return os.open("/dev/net/tun", os.O_RDWR)
    except OSError:
        return None


def _bring_up_network(card: Card, tap: int | None) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as control:
        _bring_up(control, b"lo")
        if tap is None:
            _set_address(control, b"lo:1", card.address, "255.255.255.255")
        else:
            _bring_up_card(control, card, tap)
    with socket.socket(fileno=card.giving) as giving:
        socket.send_fds(giving, [b"tap"], [] if tap is None else [tap])
    if tap is not None:
        os.close(tap)


def _bring_up_card(control: socket.socket, card: Card, tap: int) -> None:
    fcntl.ioctl(tap, _SET_TUN, struct.pack("16sH22x", b"eth0", _TAP_WITHOUT_INFORMATION))
    mac = bytes.fromhex(card.mac.replace(":", "").replace("-", ""))
    fcntl.ioctl(control, _SET_HARDWARE_ADDRESS, struct.pack("16sH6s16x", b"eth0", _ETHERNET, mac))
    subnet = IPv4Network(card.subnet)
    _set_address(control, b"eth0", card.address, str(subnet.netmask))
    _bring_up(control, b"eth0")
    # A struct rtentry, see route(7): the way to everywhere leads over the first address of the subnet.
    everywhere, gateway = struct.pack("H14x", socket.AF_INET), _inet(str(subnet.network_address + 1))
    route = struct.pack("@L16s16s16sH", 0, everywhere, gateway, everywhere, _UP | _USE_GATEWAY)
    fcntl.ioctl(control, _ADD_ROUTE, route.ljust(120, b"\0"))


def _bring_up(control: socket.socket, name: bytes) -> None:
    flags = struct.unpack("16sh14x", fcntl.ioctl(control, _GET_FLAGS, struct.pack("16sh14x", name, 0)))[1]
    fcntl.ioctl(control, _SET_FLAGS, struct.pack("16sh14x", name, flags | _UP))


def _set_address(control: socket.socket, name: bytes, address: str, mask: str) -> None:
    for step, value in ((_SET_ADDRESS, address), (_SET_NETMASK, mask)):
        fcntl.ioctl(control, step, struct.pack("16s16s", name, _inet(value)))


def _inet(address: str) -> bytes:
    return struct.pack("HH4s8x", socket.AF_INET, 0, socket.inet_aton(address))


def _mount(source: str, target: Path, *, kind: str = "", flags: int = 0, data: str = "") -> None:
    result = _libc.mount(source.encode(), os.fsencode(target), kind.encode(), ctypes.c_ulong(flags), data.encode())
    _check(result, f"mount {kind or source or target.name}")


def _check(result: int, what: str) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), f"{what}: {os.strerror(ctypes.get_errno())}")


if __name__ == "__main__":
    try:
        enter_root(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), Card(int(sys.argv[4]), *sys.argv[5:]))
    except OSError as error:
        sys.exit(error.strerror)
    sys.exit("the disk has no init: nothing can be booted")
