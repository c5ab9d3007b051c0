"""The ``verified-images`` command: the local Azure, and checks of templates. Building is ``pytest specs/``."""

from __future__ import annotations

import argparse
import shlex
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from verified_images import local_faults

if TYPE_CHECKING:
    from collections.abc import Sequence

    from verified_images.emulator import LocalCloud, RunningCloud


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command and give its exit code: 0 when all is well, 1 when not, 2 for a wrong call."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options))
    except KeyboardInterrupt:
        return 130


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="verified-images", description=__doc__)
    commands = parser.add_subparsers(title="commands", required=True)
    local = commands.add_parser("local", help="the local Azure").add_subparsers(title="commands", required=True)
    serve = local.add_parser("serve", help="serve the local Azure until it is interrupted")
    _add_state(serve)
    serve.add_argument(
        "--port", type=int, default=0, help="port of Resource Manager on 127.0.0.1 (default: a free one)"
    )
    serve.add_argument("--proxy-port", type=int, default=0, help="port of the SOCKS5 gateway (default: a free one)")
    serve.add_argument("--hypervisor", choices=("qemu", "fake"), default="qemu", help="what runs the machines")
    serve.add_argument(
        "--faults", type=Path, metavar="FILE", help="fault rules that hold from the start (YAML or JSON)"
    )
    serve.set_defaults(run=_serve)
    faults = local.add_parser("faults", help="list, set or clear what the running local Azure does wrong on purpose")
    _add_state(faults)
    local_faults.add_command(faults, _find_running)
    environment = local.add_parser("env", help="print the environment that leads Azure clients to the local Azure")
    _add_state(environment)
    environment.set_defaults(run=_print_environment)
    validate = commands.add_parser("validate", help="check templates and report all that is wrong with them")
    validate.add_argument("paths", nargs="+", type=Path, metavar="PATH", help="a template, or a folder of specs")
    validate.set_defaults(run=_validate)
    schema = commands.add_parser("schema", help="print the JSON Schema of the native template, for editors")
    schema.set_defaults(run=_print_schema)
    return parser


def _add_state(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--state", type=Path, help="folder of the local Azure (default: the user's own)")


def _state(options: argparse.Namespace) -> Path:
    from verified_images.emulator import default_state  # noqa: PLC0415 - only the commands that need it

    return Path(options.state or default_state())


def _serve(options: argparse.Namespace) -> int:
    from verified_images.emulator import (  # noqa: PLC0415 - heavy
        FaultRuleError,
        LocalCloud,
        Options,
        StateInUseError,
        load_rules,
    )

    try:
        faults = tuple(load_rules(options.faults)) if options.faults else ()
    except FaultRuleError as error:
        _tell(str(error))
        return 2
    chosen = Options(
        faults=faults,
        hypervisor=options.hypervisor,
        port=options.port,
        proxy_port=options.proxy_port,
        progress=_tell,
        announced=True,
    )
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        with LocalCloud(_state(options), chosen) as cloud:
            _describe(cloud)
            stop.wait()
            _tell("stopping the machines")
    except StateInUseError as error:
        _tell(str(error))
        return 1
    return 0


def _describe(cloud: LocalCloud) -> None:
    _tell(f"Resource Manager   {cloud.endpoint}")
    _tell(f"certificates       {cloud.ca_bundle}")
    _tell(f"gateway            {cloud.proxy}")
    _tell(f"subscription       {cloud.account.subscription_id}")
    _tell('clients            eval "$(verified-images local env)"')


def _find_running(options: argparse.Namespace) -> RunningCloud | None:
    from verified_images.emulator import find_running  # noqa: PLC0415 - only the commands that need it

    state = _state(options)
    cloud = find_running(state)
    if cloud is None:
        _tell(f"no local Azure is served on {state}; start one with `verified-images local serve`")
    return cloud


def _print_environment(options: argparse.Namespace) -> int:
    cloud = _find_running(options)
    if cloud is None:
        return 1
    for name, value in _environment(cloud).items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
    return 0


def _environment(cloud: RunningCloud) -> dict[str, str]:
    account = cloud.account
    return {
        "ARM_ENDPOINT": cloud.endpoint,
        "AZURE_AUTHORITY_HOST": cloud.endpoint,
        "AZURE_TENANT_ID": account.tenant_id,
        "AZURE_SUBSCRIPTION_ID": account.subscription_id,
        "AZURE_CLIENT_ID": account.client_id,
        "AZURE_CLIENT_SECRET": account.client_secret,
        "AZURE_CORE_INSTANCE_DISCOVERY": "false",
        "REQUESTS_CA_BUNDLE": str(cloud.ca_bundle),
        "VI_PROXY": cloud.proxy,
    }


def _validate(options: argparse.Namespace) -> int:
    from verified_images.errors import TemplateError  # noqa: PLC0415 - only the commands that need it
    from verified_images.templates.native import load_template  # noqa: PLC0415 - same

    files = [file for path in options.paths for file in _templates_under(path)]
    failed = 0
    for file in files:
        try:
            load_template(file)
        except TemplateError as error:
            failed += 1
            sys.stdout.write(f"{error}\n")
    sys.stdout.write(f"{len(files)} template(s), {failed} with errors\n")
    return 1 if failed or not files else 0


def _templates_under(path: Path) -> list[Path]:
    from verified_images.templates.native import find_template  # noqa: PLC0415 - only the commands that need it

    if path.is_file() or not path.exists():
        return [path]
    folders = (path, *sorted(folder for folder in path.rglob("*") if folder.is_dir()))
    return [template for folder in folders if (template := find_template(folder))]


def _print_schema(options: argparse.Namespace) -> int:
    import json  # noqa: PLC0415 - only the commands that need it

    from verified_images.templates.schema import json_schema  # noqa: PLC0415 - same

    del options
    sys.stdout.write(json.dumps(json_schema(), indent=2) + "\n")
    return 0


def _tell(line: str) -> None:
    sys.stderr.write(f"{line}\n")
    sys.stderr.flush()
