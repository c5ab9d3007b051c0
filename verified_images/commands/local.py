"""``verified-images local``: the local Azure, served until it is interrupted, and what leads clients to it."""

from __future__ import annotations

import json
import shlex
import signal
import sys
import threading
from pathlib import Path
from typing import TYPE_CHECKING

from verified_images.commands import local_applications, local_connect, local_faults
from verified_images.commands.terminal import add_state, state_folder, tell

if TYPE_CHECKING:
    import argparse

    from verified_images.emulator import LocalCloud, RunningCloud


def add(commands: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Declare the command."""
    local = commands.add_parser("local", help="the local Azure").add_subparsers(title="commands", required=True)
    serve = local.add_parser("serve", help="serve the local Azure until it is interrupted")
    add_state(serve)
    serve.add_argument(
        "--port", type=int, default=0, help="port of Resource Manager on 127.0.0.1 (default: a free one)"
    )
    serve.add_argument("--proxy-port", type=int, default=0, help="port of the SOCKS5 gateway (default: a free one)")
    serve.add_argument("--hypervisor", choices=("qemu", "fake"), default="qemu", help="what runs the machines")
    serve.add_argument(
        "--faults", type=Path, metavar="FILE", help="fault rules that hold from the start (YAML or JSON)"
    )
    serve.add_argument("--timing", choices=("instant", "typical"), default="instant", help="how long operations take")
    serve.add_argument("--scale", type=float, default=1.0, help="factor of all durations of the timing (default: 1)")
    serve.add_argument(
        "--retry-after", type=int, metavar="SECONDS", help="how long clients are told to wait (default: as on Azure)"
    )
    serve.add_argument(
        "--token-lifetime", type=int, default=3599, metavar="SECONDS", help="how long an access token is good"
    )
    serve.set_defaults(run=_serve)
    faults = local.add_parser("faults", help="list, set or clear what the running local Azure does wrong on purpose")
    add_state(faults)
    local_faults.add_command(faults, _find_running)
    applications = local.add_parser("applications", help="list, make or remove who may log in to the local Azure")
    add_state(applications)
    local_applications.add_command(applications, _find_running)
    connect = local.add_parser("connect", help="connect standard input and output to a machine, for ssh's ProxyCommand")
    add_state(connect)
    local_connect.add_command(connect, _find_running)
    statistics = local.add_parser(
        "statistics", help="count the calls to the local Azure, and polls that came too early"
    )
    add_state(statistics)
    statistics.set_defaults(run=_print_statistics)
    environment = local.add_parser("env", help="print the environment that leads Azure clients to the local Azure")
    add_state(environment)
    environment.add_argument(
        "--as-azure",
        action="store_true",
        help="for clients that know no other Azure: a proxy leads Azure's own hosts, and no others, to the local Azure",
    )
    environment.set_defaults(run=_print_environment)


def _serve(options: argparse.Namespace) -> int:
    from verified_images.emulator import (  # noqa: PLC0415 - heavy
        FaultRuleError,
        LocalCloud,
        Options,
        StateInUseError,
        load_rules,
        load_timing,
    )

    try:
        faults = tuple(load_rules(options.faults)) if options.faults else ()
        timing = load_timing(options.timing, options.scale, options.retry_after)
    except (FaultRuleError, ValueError) as error:
        tell(str(error))
        return 2
    chosen = Options(
        faults=faults,
        timing=timing,
        token_lifetime=options.token_lifetime,
        hypervisor=options.hypervisor,
        port=options.port,
        proxy_port=options.proxy_port,
        progress=tell,
        announced=True,
    )
    stop = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stop.set())
    try:
        with LocalCloud(state_folder(options), chosen) as cloud:
            _describe(cloud)
            stop.wait()
            tell("stopping the machines")
    except StateInUseError as error:
        tell(str(error))
        return 1
    return 0


def _describe(cloud: LocalCloud) -> None:
    tell(f"Resource Manager   {cloud.endpoint}")
    tell(f"certificates       {cloud.ca_bundle}")
    tell(f"gateway            {cloud.proxy}")
    tell(f"subscription       {cloud.account.subscription_id}")
    tell('clients            eval "$(verified-images local env)"')


def _find_running(options: argparse.Namespace) -> RunningCloud | None:
    from verified_images.emulator import find_running  # noqa: PLC0415 - only the commands that need it

    state = state_folder(options)
    cloud = find_running(state)
    if cloud is None:
        tell(f"no local Azure is served on {state}; start one with `verified-images local serve`")
    return cloud


def _print_statistics(options: argparse.Namespace) -> int:
    from verified_images.emulator import RemoteCallError, call_running  # noqa: PLC0415 - only the command needs it

    cloud = _find_running(options)
    if cloud is None:
        return 1
    try:
        counted = call_running(cloud, "GET", "/local/statistics")
    except RemoteCallError as error:
        tell(str(error))
        return 1
    sys.stdout.write(json.dumps(counted, indent=2) + "\n")
    return 0


def _print_environment(options: argparse.Namespace) -> int:
    cloud = _find_running(options)
    if cloud is None:
        return 1
    for name, value in clients_environment(cloud, as_azure=options.as_azure).items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
    return 0


def clients_environment(cloud: RunningCloud, *, as_azure: bool) -> dict[str, str]:
    """Give the variables that lead clients to a local Azure; ``as_azure`` those that know Azure's own hosts alone."""
    return {**_login(cloud), **(_way_as_azure(cloud) if as_azure else _way(cloud))}


def _login(cloud: RunningCloud) -> dict[str, str]:
    """Give who logs in, under the names of the SDKs, of Terraform, Packer and their like, and of Ansible."""
    account = cloud.account
    values = {
        "TENANT_ID": account.tenant_id,
        "SUBSCRIPTION_ID": account.subscription_id,
        "CLIENT_ID": account.client_id,
        "CLIENT_SECRET": account.client_secret,
    }
    return {
        **{f"{prefix}_{name}": value for prefix in ("AZURE", "ARM") for name, value in values.items()},
        "AZURE_TENANT": account.tenant_id,
        "AZURE_SECRET": account.client_secret,
    }


def _way(cloud: RunningCloud) -> dict[str, str]:
    """Give what leads clients of custom clouds to the local Azure."""
    return {
        "ARM_ENDPOINT": cloud.endpoint,
        "AZURE_AUTHORITY_HOST": cloud.endpoint,
        "AZURE_CORE_INSTANCE_DISCOVERY": "false",
        "ARM_METADATA_HOSTNAME": cloud.endpoint.removeprefix("https://"),
        "ARM_METADATA_URL": cloud.endpoint,
        **_trust(cloud),
    }


def _way_as_azure(cloud: RunningCloud) -> dict[str, str]:
    """Give what leads clients to the local Azure that call Azure's own hosts."""
    return {"HTTPS_PROXY": cloud.proxy.replace("socks5://", "http://"), **_trust(cloud)}


def _trust(cloud: RunningCloud) -> dict[str, str]:
    """Give the certificates under the names of Python's clients, of Go's and OpenSSL's, and of Node's."""
    variables = ("REQUESTS_CA_BUNDLE", "SSL_CERT_FILE", "NODE_EXTRA_CA_CERTS")
    return {**dict.fromkeys(variables, str(cloud.ca_bundle)), "VI_PROXY": cloud.proxy}
