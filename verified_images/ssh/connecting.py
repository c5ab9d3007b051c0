"""From an address to a connection that is logged in, with the host key proven."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import paramiko

from verified_images.errors import HostKeyError, LoginError, UnreachableError
from verified_images.ssh.host_keys import HostKey, describe, read_host_keys
from verified_images.ssh.link import Link
from verified_images.ssh.probing import wait_for_greeting
from verified_images.waiting import Deadline

if TYPE_CHECKING:
    import socket

    from verified_images.ssh.address import Address
    from verified_images.ssh.keys import RunKey
    from verified_images.ssh.reach import Reach

_LOG = "verified_images.ssh.paramiko"
logging.getLogger(_LOG).addHandler(logging.NullHandler())

_HANDSHAKE_WITHIN = 30.0
# GCM first: it is twice as fast here as CTR with a MAC of its own. Nothing with CBC, SHA-1 or MD5.
_CIPHERS = ("aes128-gcm@openssh.com", "aes256-gcm@openssh.com", "aes128-ctr", "aes192-ctr", "aes256-ctr")
_MACS = (
    "hmac-sha2-256-etm@openssh.com",
    "hmac-sha2-512-etm@openssh.com",
    "hmac-sha2-256",
    "hmac-sha2-512",
)
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 8.0  # seconds between two attempts


def connect(address: Address, key: RunKey, reach: Reach, *, timeout: float, login_patience: float) -> Link:
    """Wait until the machine's SSH server answers, prove its host key, and log in.

    A machine that has just booted refuses logins until cloud-init made the user and systemd allows them: refusals
    are tried again for ``login_patience`` seconds.

    Raises:
        UnreachableError, HostKeyError, LoginError: see there.
    """
    deadline = Deadline(f"an SSH connection to {address}", timeout)
    refusals: Deadline | None = None
    pause = _FIRST_PAUSE
    while True:
        try:
            return Link(_attempt(address, key, reach, deadline), address.machine)
        except LoginError:
            refusals = refusals or Deadline("a login", login_patience)
            if min(refusals.remaining, deadline.remaining) <= pause:
                raise
        except UnreachableError:
            if deadline.own_remaining <= pause:
                raise
        deadline.sleep(pause)
        # OpenSSH 9.8 and later shut out an address that fails too often in too short a time.
        pause = min(2 * pause, _LONGEST_PAUSE)


def _attempt(address: Address, key: RunKey, reach: Reach, deadline: Deadline) -> paramiko.Transport:
    connection = wait_for_greeting(address, reach, deadline)
    transport: paramiko.Transport | None = None
    try:
        transport = _shake_hands(address, connection, deadline)
        _log_in(address, key, transport, deadline)
    except BaseException:
        if transport is not None:
            transport.close()
        connection.close()
        raise
    return transport


def _shake_hands(address: Address, connection: socket.socket, deadline: Deadline) -> paramiko.Transport:
    pinned = read_host_keys("\n".join(address.host_keys))
    if not pinned:
        raise HostKeyError(f"no host key of {address} is known: nothing could prove it", machine=address.machine)
    transport = paramiko.Transport(connection)
    transport.set_log_channel(_LOG)
    transport.banner_timeout = transport.handshake_timeout = _within(deadline)
    options = transport.get_security_options()
    options.ciphers, options.digests = _CIPHERS, _MACS
    # Only what proves a pinned key, or the server would choose a kind of key that nobody told us.
    options.key_types = tuple(dict.fromkeys(name for host_key in pinned for name in host_key.algorithms))
    try:
        transport.start_client(timeout=_within(deadline))
        shown = transport.get_remote_server_key()
    except paramiko.ssh_exception.IncompatiblePeer as error:
        raise _incompatible(address, pinned, error) from error
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise UnreachableError(
            f"the SSH server at {address} broke off the handshake: {str(error) or 'it hung up'}",
            machine=address.machine,
        ) from error
    _compare(address, pinned, HostKey(shown.get_name(), shown.asbytes()))
    return transport


def _compare(address: Address, pinned: tuple[HostKey, ...], shown: HostKey) -> None:
    if shown not in pinned:
        raise HostKeyError(
            f"{address} showed the host key {describe([shown])}, but Azure told of {describe(pinned)}: something else "
            "answers at this address, or the machine made new keys after it had told them",
            machine=address.machine,
        )


def _incompatible(
    address: Address, pinned: tuple[HostKey, ...], error: paramiko.SSHException
) -> HostKeyError | UnreachableError:
    if "host key" in str(error):
        return HostKeyError(
            f"{address} has no host key of a pinned kind ({describe(pinned)}): something else answers there",
            machine=address.machine,
        )
    return UnreachableError(f"the SSH server at {address} is too old or too new: {error}", machine=address.machine)


def _log_in(address: Address, key: RunKey, transport: paramiko.Transport, deadline: Deadline) -> None:
    transport.auth_timeout = _within(deadline)
    try:
        transport.auth_publickey(address.username, key.private)
    except paramiko.AuthenticationException as error:
        banner = (transport.get_banner() or b"").decode("utf-8", "replace").strip()
        said = f", and said {banner!r}" if banner else ""
        raise LoginError(
            f"{address} refused the run's key for user {address.username!r}{said}",
            machine=address.machine,
        ) from error
    except (paramiko.SSHException, EOFError, OSError) as error:
        raise UnreachableError(f"{address} hung up during the login: {error}", machine=address.machine) from error


def _within(deadline: Deadline) -> float:
    return max(1.0, min(_HANDSHAKE_WITHIN, deadline.remaining))
