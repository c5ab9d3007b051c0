"""``verified-images local faults``: what the running local Azure does wrong on purpose."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import argparse
    from collections.abc import Callable

    from verified_images.emulator import RunningCloud


def add_command(parser: argparse.ArgumentParser, find: Callable[[argparse.Namespace], RunningCloud | None]) -> None:
    """Give the command's options to its parser; ``find`` gives the local Azure that the options mean, or None."""
    choice = parser.add_mutually_exclusive_group()
    choice.add_argument(
        "--set", type=Path, metavar="FILE", help="let the rules of a YAML or JSON file be all that hold"
    )
    choice.add_argument("--add", metavar="RULE", help="add one rule, as key=value,key=value")
    choice.add_argument("--remove", metavar="NAME", help="remove one rule")
    choice.add_argument("--clear", action="store_true", help="remove all rules")
    parser.set_defaults(run=lambda options: _run(options, find(options)))


def _run(options: argparse.Namespace, cloud: RunningCloud | None) -> int:
    from verified_images.emulator import FaultRuleError, RemoteCallError  # noqa: PLC0415 - only the command needs it

    if cloud is None:
        return 1
    try:
        rules = _ask(options, cloud)
    except (FaultRuleError, RemoteCallError) as error:
        sys.stderr.write(f"{error}\n")
        return 1
    for rule in rules:
        sys.stdout.write(", ".join(f"{key}={value}" for key, value in rule.items()) + "\n")
    if not rules:
        sys.stdout.write("no fault rules\n")
    return 0


def _ask(options: argparse.Namespace, cloud: RunningCloud) -> list[dict[str, Any]]:
    from verified_images.emulator import call_running, load_rules  # noqa: PLC0415 - only the command needs it

    path = "/local/faults"
    if options.set:
        rules = [rule.model_dump(exclude_defaults=True) for rule in load_rules(options.set)]
        answer = call_running(cloud, "PUT", path, {"faults": rules})
    elif options.add:
        answer = call_running(cloud, "POST", path, _parse(options.add))
    elif options.remove:
        answer = call_running(cloud, "DELETE", f"{path}/{options.remove}")
    else:
        answer = call_running(cloud, "DELETE" if options.clear else "GET", path)
    found: list[dict[str, Any]] = answer["faults"]
    return found


def _parse(text: str) -> dict[str, Any]:
    """Read ``fault=throttled,nth=2`` into a rule's fields, which are checked where they arrive."""
    fields = {key.strip(): value.strip() for key, _, value in (part.partition("=") for part in text.split(","))}
    return {"fault": "", **fields}
