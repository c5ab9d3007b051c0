"""The post-processors of a Packer template, made into those of the model."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import SecretStr, ValidationError

from verified_images.templates.fields import reveal
from verified_images.templates.model import PostProcessor
from verified_images.templates.nearest import did_you_mean
from verified_images.templates.packer.files import mistake_about_file, resolve
from verified_images.templates.packer.tool_options import is_for_here
from verified_images.templates.packer.values import Kind, Option, read_options
from verified_images.templates.problems import validation_problems

if TYPE_CHECKING:
    from verified_images.templates.packer.files import Folders
    from verified_images.templates.packer.findings import Findings, Section
    from verified_images.templates.packer.values import Options

_NO_FILES = "an image in Azure has no files here"
_OWN_WAY = "scripts are run by their 'inline_shebang', with their variables exported"
_TABLES: dict[str, dict[str, Option]] = {
    "manifest": {
        "output": Option(Kind.TEXT, to="output"),
        "custom_data": Option(Kind.SECRET_MAP, to="custom_data"),
        "strip_path": Option(Kind.BOOL, ignored=_NO_FILES),
        "strip_time": Option(Kind.BOOL, ignored="the time of a build is a part of its record"),
    },
    "checksum": {
        "checksum_types": Option(Kind.TEXTS, to="checksum_types"),
        "output": Option(Kind.TEXT, to="output"),
    },
    "shell-local": {
        "inline": Option(Kind.SECRETS, to="inline"),
        "command": Option(Kind.SECRETS, to="inline"),
        "script": Option(Kind.TEXT, to="script"),
        "scripts": Option(Kind.TEXTS, to="scripts"),
        "valid_exit_codes": Option(Kind.INTS, to="valid_exit_codes"),
        "environment_vars": Option(Kind.SECRETS),
        "env": Option(Kind.SECRET_MAP),
        "inline_shebang": Option(Kind.TEXT),
        "only_on": Option(Kind.TEXTS),
        "execute_command": Option(Kind.SECRETS, ignored=_OWN_WAY),
        "env_var_format": Option(Kind.TEXT, ignored=_OWN_WAY),
        "tempfile_extension": Option(Kind.TEXT, ignored=_OWN_WAY),
        "use_linux_pathing": Option(Kind.BOOL, ignored=_OWN_WAY),
    },
}
_WITHOUT_EFFECT = {
    "artifice": _NO_FILES,
    "compress": _NO_FILES,
    "provenance": "what an image was made of is told by the run's own report",
}


def map_post_processor(kind: str, section: Section, folders: Folders, findings: Findings) -> PostProcessor | None:
    """Return the post-processor, or None if it is wrong or has no effect, which is then noted."""
    if kind in _WITHOUT_EFFECT:
        findings.warn(section.path, f"the post-processor '{kind}' has no effect: {_WITHOUT_EFFECT[kind]}")
        return None
    if kind not in _TABLES:
        findings.error(section.path, f"there is no post-processor '{kind}' for an image in Azure{_nearest(kind)}")
        return None
    options = read_options(section, _TABLES[kind], findings, f"the post-processor '{kind}'")
    data: dict[str, Any] = {_TABLES[kind][name].to: value for name, value in options if _TABLES[kind][name].to}
    if kind == "checksum":
        findings.warn(section.path, f"there is nothing to write checksums of: {_NO_FILES}")
    if kind == "shell-local" and not _complete_shell_local(data, options, folders, findings):
        return None
    return _check(kind.replace("-", "_"), data, section, findings)


def _nearest(kind: str) -> str:
    return did_you_mean(kind, _TABLES)


def _check(key: str, data: dict[str, Any], section: Section, findings: Findings) -> PostProcessor | None:
    try:
        return PostProcessor.model_validate({key: data})
    except ValidationError as error:
        for key_path, message in validation_problems(error, {key: data}):
            if not any(findings.is_spoilt((*section.path, name)) for name in section.data):
                findings.error((*section.path, *key_path[1:]), message)
        return None


def _complete_shell_local(data: dict[str, Any], options: Options, folders: Folders, findings: Findings) -> bool:
    """Add what has no key of its own; False where the commands are not meant for this system."""
    if not is_for_here(options.get("only_on"), options.path, findings):
        return False
    environment: dict[str, SecretStr | str] = dict(options.get("env") or {})
    for place, text in enumerate(options.get("environment_vars") or ()):
        name, sign, value = reveal(text).partition("=")
        if not name or not sign:
            findings.error((*options.path, "environment_vars", place), "NAME=VALUE is needed here")
        environment[name] = SecretStr(value) if isinstance(text, SecretStr) else value
    if environment:
        data["env"] = environment
    if shebang := (options.get("inline_shebang") or "").removeprefix("#!").split():
        data["interpreter"] = shebang
    for place, name in enumerate(data.get("scripts") or ()):
        data["scripts"][place] = _script(("scripts", place), name, options, folders, findings)
    if "script" in data:
        data["script"] = _script(("script",), data["script"], options, folders, findings)
    return True


def _script(keys: tuple[str | int, ...], name: str, options: Options, folders: Folders, findings: Findings) -> str:
    found = resolve(folders, name)
    if (mistake := mistake_about_file(folders, name)) is not None:
        findings.error((*options.path, *keys), mistake)
    return found
