"""The options of the plugin: declared once, read once into a frozen object."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from pytest_plugin.stages import BUILD_STAGES, Stage

if TYPE_CHECKING:
    from collections.abc import Mapping

CLOUDS = ("local", "azure")
AZURE_ENVIRONMENTS = ("public", "usgovernment", "china")
HYPERVISORS = ("qemu", "fake")
AZURE_ONLY = ("subscription", "azure_environment")
_JOBS = 20
_KEPT_FOR = "2h"
_WITH_TIME = ("--vi-keep", "--vi-keep-on-failure")
LOCAL_ONLY = ("state", "cache", "hypervisor")


@dataclass(frozen=True, slots=True)
class Option:
    """One option ``--vi-<name>`` and its ini twin ``vi_<name>``."""

    name: str
    help: str
    ini_type: str = "string"
    arguments: Mapping[str, Any] = field(default_factory=dict)

    @property
    def flag(self) -> str:
        """The spelling on the command line."""
        return "--vi-" + self.name.replace("_", "-")


OPTIONS = (
    Option("cloud", "where images are built: local (the default) or azure", arguments={"choices": CLOUDS}),
    Option("subscription", "Azure subscription id (else AZURE_SUBSCRIPTION_ID)", arguments={"metavar": "ID"}),
    Option(
        "azure_environment",
        "which Azure: public (the default), usgovernment or china",
        arguments={"choices": AZURE_ENVIRONMENTS},
    ),
    Option(
        "var",
        "value of a template variable; may be given several times",
        ini_type="linelist",
        arguments={"action": "append", "metavar": "NAME=VALUE"},
    ),
    Option(
        "var_file",
        "YAML, JSON or *.pkrvars.hcl file with values of template variables; may be given several times",
        ini_type="linelist",
        arguments={"action": "append", "metavar": "FILE"},
    ),
    Option(
        "state",
        "folder of the local cloud (default: verified-images/local in $XDG_DATA_HOME or ~/.local/share)",
        arguments={"metavar": "DIR"},
    ),
    Option(
        "cache",
        "folder of the local cloud's base images (default: verified-images in $XDG_CACHE_HOME or ~/.cache)",
        arguments={"metavar": "DIR"},
    ),
    Option(
        "hypervisor",
        "what runs the local cloud's machines: qemu (the default), or fake, which boots nothing",
        arguments={"choices": HYPERVISORS},
    ),
    Option(
        "jobs",
        "of how many specs there may be machines at once (default: 20; half as many as there are cores where the local "
        "cloud boots real ones)",
        arguments={"metavar": "N"},
    ),
    Option(
        "layers",
        "begin with the disk as earlier runs have left it after the same provisioners, also where an image may be "
        "published, and on azure",
        "bool",
        {"action": "store_true"},
    ),
    Option(
        "no_layers",
        "run every provisioner, also where nothing is to be published, and keep no disk for later runs",
        "bool",
        {"action": "store_true"},
    ),
    Option("no_publish", "build and verify, but publish nothing", "bool", {"action": "store_true"}),
    Option(
        "allow_skips",
        "publish although tests were skipped (they still must not fail)",
        "bool",
        {"action": "store_true"},
    ),
    Option(
        "keep",
        "leave the build VM, tested and not captured, for this long (default: 2h), and say how to get in",
        arguments={"metavar": "TIME", "nargs": "?", "const": _KEPT_FOR},
    ),
    Option(
        "keep_on_failure",
        "leave everything of a spec that failed for this long (default: 2h), and say how to get in",
        arguments={"metavar": "TIME", "nargs": "?", "const": _KEPT_FOR},
    ),
    Option(
        "reuse",
        "run the tests of the machine again on the one that was kept; nothing is provisioned, captured or published",
        "bool",
        {"action": "store_true"},
    ),
    Option(
        "stop_after",
        "end with this stage and the tests that follow it: preflight, provision, capture, deploy or publish",
        arguments={"metavar": "STAGE"},
    ),
    Option(
        "from",
        "go on from capture, deploy or publish with what an earlier run has left",
        arguments={"metavar": "STAGE"},
    ),
    Option(
        "changed_since",
        "build only specs that have changed against this commit, or that no image with the same inputs is published of",
        arguments={"metavar": "REF"},
    ),
    Option(
        "timeout",
        "how long a stage may take, as `timeouts` of the template: provision=45m, or stall=30m; may be given several "
        "times",
        ini_type="linelist",
        arguments={"action": "append", "metavar": "STAGE=TIME"},
    ),
    Option(
        "cleanup_timeout",
        "how long the clean-up may take after Ctrl-C or SIGTERM (default: as long as after any other end)",
        arguments={"metavar": "TIME"},
    ),
    Option("rebuild", "build every spec, whatever --vi-changed-since says", "bool", {"action": "store_true"}),
    Option(
        "allow_from",
        "address range in CIDR notation that may reach the machines by SSH; may be given several times "
        "(default: the address that Azure sees this computer at)",
        ini_type="linelist",
        arguments={"action": "append", "metavar": "CIDR"},
    ),
)


@dataclass(frozen=True, slots=True)
class Settings:
    """What the options say.

    ``subscription`` is None where the cloud knows it itself; ``named`` are the variables of the command line.
    ``timeouts`` are seconds by the names of the template's; ``cleanup_timeout`` is for a session that was interrupted.
    ``layers`` is None where it depends on whether something may be published.
    """

    cloud: str
    subscription: str | None
    azure_environment: str
    variables: Mapping[str, str]
    named: tuple[str, ...]
    variable_files: tuple[Path, ...]
    state: Path
    cache: Path
    hypervisor: str
    jobs: int
    publish: bool
    allow_skips: bool
    allow_from: tuple[str, ...]
    keep: timedelta | None = None
    keep_on_failure: timedelta | None = None
    reuse: bool = False
    stop_after: Stage | None = None
    start: Stage | None = None
    changed_since: str | None = None
    timeouts: Mapping[str, float] = field(default_factory=dict)
    cleanup_timeout: timedelta | None = None
    layers: bool | None = None

    def require_subscription(self) -> None:
        """Raise UsageError if images are to be built on Azure and nothing says in which subscription."""
        if self.cloud == "azure" and not self.subscription:
            raise pytest.UsageError(
                "--vi-cloud=azure needs a subscription: give --vi-subscription or set AZURE_SUBSCRIPTION_ID"
            )


settings_key = pytest.StashKey[Settings]()


def add_options(parser: pytest.Parser) -> None:
    """Declare every option with its ini twin."""
    group = parser.getgroup("verified-images", "building and verifying Azure VM images")
    for option in OPTIONS:
        arguments = {"default": None, "help": option.help, **option.arguments}
        group.addoption(option.flag, dest=f"vi_{option.name}", **arguments)
        default = {"linelist": [], "bool": False}.get(option.ini_type)
        parser.addini(f"vi_{option.name}", f"{option.flag}: {option.help}", option.ini_type, default)  # type: ignore[arg-type]


def read_settings(config: pytest.Config) -> Settings:
    """Read the options into Settings.

    Raises:
        pytest.UsageError: an option has no sense in itself or beside another one.
    """
    given = {option.name: config.getoption(f"vi_{option.name}") for option in OPTIONS}
    values = {name: _read_ini(config, name) if value is None else value for name, value in given.items()}
    for name in ("var", "timeout"):
        values[name] = [*_read_ini(config, name), *(given[name] or ())]
    bases = {name: _base_of(config, value) for name, value in given.items()}
    cloud = _choose("cloud", values, CLOUDS)
    _refuse(given, cloud)
    return Settings(
        cloud=cloud,
        subscription=values["subscription"] or os.environ.get("AZURE_SUBSCRIPTION_ID"),
        azure_environment=_choose("azure_environment", values, AZURE_ENVIRONMENTS),
        variables=dict(_parse_variable(text) for text in values["var"]),
        named=tuple(_parse_variable(text)[0] for text in given["var"] or ()),
        variable_files=tuple(_existing_file(bases["var_file"], text) for text in values["var_file"]),
        state=_folder(bases["state"], values["state"], "XDG_DATA_HOME", ".local/share/verified-images/local"),
        cache=_folder(bases["cache"], values["cache"], "XDG_CACHE_HOME", ".cache/verified-images"),
        hypervisor=_choose("hypervisor", values, HYPERVISORS),
        jobs=_count_jobs(values["jobs"], boots=cloud == "local" and values["hypervisor"] in (None, "", "qemu")),
        publish=not values["no_publish"],
        allow_skips=values["allow_skips"],
        allow_from=tuple(_parse_range(text) for text in values["allow_from"]),
        timeouts=_parse_timeouts(values["timeout"]),
        cleanup_timeout=_parse_time("--vi-cleanup-timeout", values["cleanup_timeout"]),
        layers=_read_layers(values),
        **_read_course(values),
    )


def _read_ini(config: pytest.Config, name: str) -> Any:  # noqa: ANN401 - of the option's type
    try:
        return config.getini(f"vi_{name}")
    except (TypeError, ValueError, pytest.UsageError) as error:
        raise pytest.UsageError(f"{config.inipath or 'the command line'}: vi_{name}: {error}") from error


def _base_of(config: pytest.Config, given: object) -> Path:
    """Give the folder that a relative path begins in: where the command was given, or that of the ini file."""
    if given is not None:
        return config.invocation_params.dir
    return config.inipath.parent if config.inipath is not None else config.rootpath


def complete_arguments(arguments: list[str]) -> bool:
    """Give the options that may have a time theirs, and tell whether one had none.

    Else argparse takes what follows one for its time, as in ``--vi-keep specs``.
    """
    end = arguments.index("--") if "--" in arguments else len(arguments)
    without = [place for place, argument in enumerate(arguments[:end]) if argument in _WITH_TIME]
    for place in without:
        arguments[place] += f"={_KEPT_FOR}"
    return bool(without)


def _read_course(values: Mapping[str, Any]) -> dict[str, Any]:
    """Read how far builds go, where they begin and what stays of them."""
    before_cleanup = tuple(stage for stage in BUILD_STAGES if stage is not Stage.CLEANUP)
    stop_after = _stage(values["stop_after"], "--vi-stop-after", before_cleanup)
    start = _stage(values["from"], "--vi-from", (Stage.CAPTURE, Stage.DEPLOY, Stage.PUBLISH))
    if values["reuse"] and (start or stop_after):
        other = f"--vi-from={start}" if start else f"--vi-stop-after={stop_after}"
        raise pytest.UsageError(f"--vi-reuse tests the kept machine and no more: it has no sense beside {other}")
    if start and stop_after and stop_after.rank < start.rank:
        raise pytest.UsageError(f"--vi-stop-after={stop_after} comes before --vi-from={start}")
    return {
        "keep": _parse_time("--vi-keep", values["keep"]),
        "keep_on_failure": _parse_time("--vi-keep-on-failure", values["keep_on_failure"]),
        "reuse": bool(values["reuse"]),
        "stop_after": stop_after,
        "start": start,
        "changed_since": None if values["rebuild"] else values["changed_since"] or None,
    }


def _read_layers(values: Mapping[str, Any]) -> bool | None:
    if values["layers"] and values["no_layers"]:
        raise pytest.UsageError("--vi-layers has no sense beside --vi-no-layers")
    return True if values["layers"] else False if values["no_layers"] else None


def _stage(text: str | None, option: str, allowed: tuple[Stage, ...]) -> Stage | None:
    if not text:
        return None
    if text not in allowed:
        raise pytest.UsageError(f"{option}={text}: must be one of {', '.join(allowed)}")
    return Stage(text)


def _parse_time(option: str, text: str | None) -> timedelta | None:
    if not text:
        return None
    from verified_images.templates.fields import parse_duration  # noqa: PLC0415 - runs without the option need not pay for it

    try:
        return timedelta(seconds=parse_duration(text))
    except ValueError as error:
        raise pytest.UsageError(f"{option}={text}: {error}") from error


def _parse_timeouts(texts: list[str]) -> dict[str, float]:
    if not texts:
        return {}
    from verified_images.templates.nearest import did_you_mean  # noqa: PLC0415 - runs without the option need not pay for it
    from verified_images.templates.timeouts import Timeouts  # noqa: PLC0415 - same

    timeouts = {}
    for text in texts:
        name, equals, time = (part.strip() for part in text.partition("="))
        if name not in Timeouts.model_fields:
            raise pytest.UsageError(
                f"--vi-timeout {text}: there is no such stage{did_you_mean(name, Timeouts.model_fields)}"
            )
        seconds = _parse_time(f"--vi-timeout {name}", time) if equals else None
        if not seconds:
            raise pytest.UsageError(f"--vi-timeout {text}: must be {name}=TIME, as in {name}=45m, longer than 0 s")
        timeouts[name] = seconds.total_seconds()
    return timeouts


def _choose(name: str, values: Mapping[str, Any], choices: tuple[str, ...]) -> str:
    """Give the value of an option that the first of ``choices`` is the default of."""
    value = values[name] or choices[0]
    if value not in choices:
        raise pytest.UsageError(f"vi_{name} = {value}: must be one of {', '.join(choices)}")
    return str(value)


def _count_jobs(text: str | None, *, boots: bool) -> int:
    """Give how many specs are built at once."""
    if not text:
        return max(1, (os.cpu_count() or 1) // 2) if boots else _JOBS
    if not text.isdecimal() or int(text) < 1:
        raise pytest.UsageError(f"--vi-jobs {text}: must be a number from 1")
    return int(text)


def _refuse(given: Mapping[str, Any], cloud: str) -> None:
    """Raise UsageError for an option on the command line that means nothing on this cloud."""
    for name in LOCAL_ONLY if cloud == "azure" else AZURE_ONLY:
        if given[name] is not None:
            option = next(option for option in OPTIONS if option.name == name)
            raise pytest.UsageError(f"{option.flag} has no meaning with --vi-cloud={cloud}")


def _parse_variable(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise pytest.UsageError(f"--vi-var {name}: must be NAME=VALUE")
    return name.strip(), value


def _parse_range(text: str) -> str:
    import ipaddress  # noqa: PLC0415 - runs without the option need not pay for it

    try:
        return str(ipaddress.ip_network(text))
    except ValueError as error:
        raise pytest.UsageError(f"--vi-allow-from {text}: {error}") from error


def _existing_file(base: Path, text: str) -> Path:
    file = base / text
    if not file.is_file():
        raise pytest.UsageError(f"--vi-var-file {text}: there is no such file")
    return file


def _folder(base: Path, text: str | None, variable: str, default: str) -> Path:
    """Give the folder that was asked for, else ``default``: below the home folder, or in ``variable``'s folder."""
    if text:
        return (base / Path(text).expanduser()).absolute()
    in_home = Path(default)
    xdg = os.environ.get(variable)
    if xdg:
        return Path(xdg, *in_home.parts[in_home.parts.index("verified-images") :])
    return Path.home() / in_home
