"""The functions of Packer's HCL, as its pages "Functions" list them; those on files, the run and templates are here."""

from __future__ import annotations

import base64
import os
import uuid
from fnmatch import fnmatch
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from verified_images.templates.nearest import did_you_mean
from verified_images.templates.packer.files import read_named_file, resolve
from verified_images.templates.packer.functions import SECRET_STORES, refuse_secret_store
from verified_images.templates.packer.hcl.collection_functions import FUNCTIONS as COLLECTIONS
from verified_images.templates.packer.hcl.crypto_functions import decrypt_with_rsa, hash_with_bcrypt
from verified_images.templates.packer.hcl.encoding_functions import FUNCTIONS as ENCODINGS
from verified_images.templates.packer.hcl.evaluator import Evaluator
from verified_images.templates.packer.hcl.function import Function, apply
from verified_images.templates.packer.hcl.scope import Scope, UnknownValueError
from verified_images.templates.packer.hcl.syntax import HclSyntaxError, parse_template
from verified_images.templates.packer.hcl.text_functions import FUNCTIONS as TEXTS
from verified_images.templates.packer.hcl.time_functions import FUNCTIONS as TIMES
from verified_images.templates.packer.hcl.time_functions import show
from verified_images.templates.packer.hcl.values import MOST_ITEMS, HclError, Marked, check_size
from verified_images.templates.packer.times import RFC3339, format_go_time, format_strftime

if TYPE_CHECKING:
    from verified_images.naming import Run
    from verified_images.templates.packer.files import Folders
    from verified_images.templates.packer.sensitive import Secrets

_DEEPEST_FILES = 10


class FunctionTable:
    """All functions, for one template; what they make of sensitive values is kept in ``secrets``."""

    def __init__(self, folders: Folders, run: Run, secrets: Secrets) -> None:
        self._folders = folders
        self._run = run
        self._secrets = secrets
        self._drawn = 0
        self._open_files = 0
        self._table = {**TEXTS, **COLLECTIONS, **ENCODINGS, **TIMES, **self._own()}

    def _own(self) -> dict[str, Function]:
        return {
            "abspath": Function("s", lambda path: str(Path(self._folders.working / path).absolute())),
            "bcrypt": Function("s?i", self._bcrypt),
            "basename": Function("s", lambda path: PurePosixPath(path).name),
            "dirname": Function("s", lambda path: str(PurePosixPath(path).parent)),
            "file": Function("s", self._file),
            "filebase64": Function("s", lambda path: base64.b64encode(self._content(path)).decode()),
            "fileexists": Function("s", self._exists),
            "fileset": Function("ss", self._file_set),
            "legacy_isotime": Function("?s", lambda layout=RFC3339: format_go_time(self._run.created, layout)),
            "legacy_strftime": Function("s", lambda layout: format_strftime(self._run.created, layout)),
            "pathexpand": Function("s", lambda path: str(Path(path).expanduser()) if path[:1] == "~" else path),
            "rsadecrypt": Function("ss", decrypt_with_rsa),
            "templatefile": Function("s*", self._template_file, whole=False),
            "timestamp": Function("", lambda: show(self._run.created)),
            "uuidv4": Function("", self._uuid),
        }

    def call(self, name: str, arguments: list[Any]) -> Any:  # noqa: ANN401 - values of HCL
        """Return what a function gives.

        Raises:
            HclError: there is no such function, or it does not take these arguments.
        """
        if name in SECRET_STORES:
            raise HclError(refuse_secret_store(name))
        if name == "env":
            raise HclError("'env' can be used in the default of a variable only")
        function = self._table.get(name)
        if function is None:
            raise HclError(
                f"there is no function '{name}'{did_you_mean(name, [*self._table, 'try', 'can', 'convert'])}"
            )
        value = check_size(apply(name, function, arguments))
        if isinstance(value, Marked) and isinstance(value.value, str):
            self._secrets.add_derived(value.value)
        return value

    def _content(self, path: str) -> bytes:
        content = read_named_file(self._folders, path)
        if isinstance(content, str):
            raise HclError(content)
        return content

    def _file(self, path: str) -> str:
        try:
            return self._content(path).decode()
        except UnicodeDecodeError as error:
            raise HclError(f"'{path}' is not UTF-8 text") from error

    def _exists(self, path: str) -> bool:
        return (self._folders.template / resolve(self._folders, path)).is_file()

    def _file_set(self, folder: str, pattern: str) -> list[str]:
        top = self._folders.template / resolve(self._folders, folder)
        found: list[str] = []
        for place, (where, _, names) in enumerate(os.walk(top)):
            found += [(Path(where) / name).relative_to(top).as_posix() for name in names]
            if place + len(found) > MOST_ITEMS:
                raise HclError(f"the folder '{folder}' holds too many files")
        return sorted(name for name in found if _fits(name, pattern))

    def _template_file(self, path: str, values: Any) -> Any:  # noqa: ANN401 - values of HCL
        if not isinstance(values, dict):
            raise HclError("a map of the names that the file may use is needed")
        self._open_files += 1
        try:
            if self._open_files > _DEEPEST_FILES:
                raise HclError("the files include each other too deeply")
            return Evaluator(self).write(parse_template(self._file(path)), Scope(values))
        except HclSyntaxError as error:
            where = "" if error.line is None else f":{error.line}"
            raise HclError(f"{path}{where}: {error}") from error
        except UnknownValueError:
            raise HclError(f"'{path}' uses a value that is wrong") from None
        finally:
            self._open_files -= 1

    def _draw(self) -> uuid.UUID:
        # The same for each loading of one run, and another for each call.
        self._drawn += 1
        return uuid.uuid5(uuid.NAMESPACE_OID, f"{self._run.id}-{self._drawn}")

    def _uuid(self) -> str:
        return str(self._draw())

    def _bcrypt(self, text: str, cost: int = 10) -> str:
        return hash_with_bcrypt(text, cost, self._draw().bytes)


def _fits(name: str, pattern: str) -> bool:
    """Tell whether a path fits a pattern, in which ** stands for any number of folders."""
    steps, wanted = name.split("/"), pattern.split("/")
    if len(wanted) > 20:  # noqa: PLR2004 - nobody writes deeper ones
        return False
    if wanted[0] != "**":
        return bool(steps) and fnmatch(steps[0], wanted[0]) and _rest_fits(steps[1:], wanted[1:])
    return any(_rest_fits(steps[place:], wanted[1:]) for place in range(len(steps)))


def _rest_fits(steps: list[str], wanted: list[str]) -> bool:
    if not steps or not wanted:
        return not steps and not wanted
    return _fits("/".join(steps), "/".join(wanted))
