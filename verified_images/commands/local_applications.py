"""``verified-images local applications``: who may log in to the running local Azure, and with which roles."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from verified_images.emulator import RunningCloud

    Finder = Callable[[argparse.Namespace], RunningCloud | None]

_PATH = "/local/applications"


def add_command(parser: argparse.ArgumentParser, find: Finder) -> None:
    """Give the command's options to its parser; ``find`` gives the local Azure that the options mean, or None."""
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument("--add", metavar="NAME", help="make an application, and print what it logs in with")
    choice.add_argument("--remove", metavar="CLIENT_ID", help="remove an application")
    parser.add_argument(
        "--role", action="append", default=[], metavar="ROLE[=SCOPE]", help="a role of the new application"
    )
    parser.add_argument("--certificate", action="append", default=[], type=Path, metavar="FILE", help="PEM file")
    parser.add_argument("--issuer", help="issuer of the assertions that log the application in (workload identity)")
    parser.add_argument("--subject", help="subject of those assertions")
    parser.add_argument("--issuer-keys", type=Path, metavar="FILE", help="the issuer's JSON Web Key Set")
    parser.set_defaults(run=lambda options: _run(options, find(options)))


def _run(options: argparse.Namespace, cloud: RunningCloud | None) -> int:
    from verified_images.emulator import RemoteCallError, call_running  # noqa: PLC0415 - only the command needs it

    if cloud is None:
        return 1
    try:
        if options.add:
            made = call_running(cloud, "POST", _PATH, _wanted(options))
            sys.stdout.write(
                f"export AZURE_CLIENT_ID={made['client_id']}\nexport AZURE_CLIENT_SECRET={made['client_secret']}\n"
            )
            return 0
        if options.remove:
            call_running(cloud, "DELETE", f"{_PATH}/{options.remove}")
        for each in call_running(cloud, "GET", _PATH)["applications"]:
            sys.stdout.write(f"{each['client_id']}  {each['name']}\n")
    except (RemoteCallError, OSError, ValueError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    return 0


def _wanted(options: argparse.Namespace) -> dict[str, Any]:
    roles = [role.partition("=") for role in options.role]
    wanted: dict[str, Any] = {
        "name": options.add,
        "roles": [{"role": name, "scope": scope} for name, _, scope in roles],
        "certificates": [file.read_text(encoding="utf-8") for file in options.certificate],
    }
    if options.issuer or options.subject:
        if not options.issuer or not options.subject:
            raise ValueError("--issuer and --subject belong together: give both")
        keys = json.loads(options.issuer_keys.read_text(encoding="utf-8")) if options.issuer_keys else None
        wanted["federated"] = [{"issuer": options.issuer, "subject": options.subject, "keys": keys}]
    return wanted
