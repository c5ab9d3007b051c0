"""The options of the plugin: declared once, read once into a frozen object."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

CLOUDS = ("local", "azure")
AZURE_ENVIRONMENTS = ("public", "usgovernment", "china")
HYPERVISORS = ("qemu", "fake")
AZURE_ONLY = ("subscription", "azure_environment")
_JOBS = 20
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
    Option("no_publish", "build and verify, but publish nothing", "bool", {"action": "store_true"}),
    Option(
        "allow_skips",
        "publish although tests were skipped (they still must not fail)",
        "bool",
        {"action": "store_true"},
    ),
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
    values = {name: config.getini(f"vi_{name}") if value is None else value for name, value in given.items()}
    values["var"] = [*config.getini("vi_var"), *(given["var"] or ())]
    cloud = _choose("cloud", values, CLOUDS)
    _refuse(given, cloud)
    return Settings(
        cloud=cloud,
        subscription=values["subscription"] or os.environ.get("AZURE_SUBSCRIPTION_ID"),
        azure_environment=_choose("azure_environment", values, AZURE_ENVIRONMENTS),
        variables=dict(_parse_variable(text) for text in values["var"]),
        named=tuple(_parse_variable(text)[0] for text in given["var"] or ()),
        variable_files=tuple(_existing_file(config, text) for text in values["var_file"]),
        state=_folder(config, values["state"], "XDG_DATA_HOME", ".local/share/verified-images/local"),
        cache=_folder(config, values["cache"], "XDG_CACHE_HOME", ".cache/verified-images"),
        hypervisor=_choose("hypervisor", values, HYPERVISORS),
        jobs=_count_jobs(values["jobs"], boots=cloud == "local" and values["hypervisor"] in (None, "", "qemu")),
        publish=not values["no_publish"],
        allow_skips=values["allow_skips"],
        allow_from=tuple(_parse_range(text) for text in values["allow_from"]),
    )


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


def _existing_file(config: pytest.Config, text: str) -> Path:
    file = config.invocation_params.dir / text
    if not file.is_file():
        raise pytest.UsageError(f"--vi-var-file {text}: there is no such file")
    return file


def _folder(config: pytest.Config, text: str | None, variable: str, default: str) -> Path:
    """Give the folder that was asked for, else ``default``: below the home folder, or in ``variable``'s folder."""
    if text:
        return (config.invocation_params.dir / Path(text).expanduser()).absolute()
    in_home = Path(default)
    base = os.environ.get(variable)
    if base:
        return Path(base, *in_home.parts[in_home.parts.index("verified-images") :])
    return Path.home() / in_home
