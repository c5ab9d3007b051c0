"""Jinja2 in the texts of a template: ``{{ var.name }}``, ``{{ env.NAME }}``, ``{{ run.id }}``, ``{{ data.name }}``.

Templates come from the user's own repository, so the sandbox is there to keep accidents small (no attributes of
Python objects, bounded loops and output) rather than to withstand an attacker.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from jinja2 import StrictUndefined, TemplateSyntaxError
from jinja2.exceptions import SecurityError
from jinja2.sandbox import SandboxedEnvironment
from pydantic import SecretStr

from verified_images.templates.nearest import did_you_mean, nearest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from jinja2.runtime import Context

LARGEST_TEXT = 1024 * 1024
"""A text may not grow beyond this number of characters."""
_MOST_ROUNDS = 100_000
# Shorter ones, such as the length of a secret, would mask half of every log.
_SHORTEST_DERIVED_SECRET = 6
_REMOVED_GLOBALS = ("lipsum", "cycler", "joiner")
_REMOVED_FILTERS = ("center", "batch", "slice", "format")


class RenderError(Exception):
    """A text could not be rendered; the message is fit to be shown, without secrets."""


class UnknownValueError(Exception):
    """The text uses a variable that has no value because of a problem noted elsewhere."""


class Renderer:
    """Renders texts with the values of ``var``, ``env``, ``run`` and ``data``.

    A SecretStr among the variables makes every text that uses it a SecretStr; None stands for a variable whose value
    is unknown because its declaration is wrong.
    """

    def __init__(
        self,
        variables: Mapping[str, SecretStr | str | None],
        environment: Mapping[str, str],
        run: Mapping[str, str],
        data: Mapping[str, Any] | None = None,
    ) -> None:
        # A comment tag of "{#" would break the shell's ${#name}.
        self._jinja = _Sandbox(
            undefined=_Undefined,
            finalize=self._finalize,
            keep_trailing_newline=True,
            comment_start_string="{{#",
            comment_end_string="#}}",
        )
        for name in _REMOVED_GLOBALS:
            del self._jinja.globals[name]
        for name in _REMOVED_FILTERS:
            del self._jinja.filters[name]
        self._jinja.globals |= {
            "range": self._range,
            "var": _Names("var", variables, self),
            "env": _Names("env", environment, self),
            "run": _Names("run", run, self),
            "data": _Names("data", data or {}, self),
        }
        self._public = {value for value in variables.values() if isinstance(value, str)} | set(run.values())
        self._secrets: dict[str, None] = {}
        self._rounds = 0
        self._touched = False
        self._fresh = False
        for value in variables.values():
            if isinstance(value, SecretStr):
                self._keep(value.get_secret_value())

    @property
    def secrets(self) -> tuple[SecretStr, ...]:
        """Every secret value and what was derived from it so far, longest first."""
        return tuple(SecretStr(secret) for secret in sorted(self._secrets, key=len, reverse=True))

    def render(self, text: str) -> SecretStr | str:
        """Return the rendered text, as a SecretStr if a secret went into it.

        Raises:
            RenderError: it uses an undefined name or has another mistake.
            UnknownValueError: it uses a variable whose value is unknown.
        """
        if "{{" not in text and "{%" not in text:
            return text
        self._rounds = 0
        try:
            template = self._jinja.from_string(text)
            self._touched = self._fresh = False
            rendered = _join(template.generate())
        except UnknownValueError:
            raise
        except Exception as error:  # noqa: BLE001 - an expression can raise whatever Python can
            # Not chained: the cause's message and frames may hold a secret.
            raise RenderError(self._mask(_sentence(error))) from None
        return SecretStr(rendered) if self._touched else rendered

    def reveal_to_text(self, secret: SecretStr) -> str:
        """Return the secret's value to the text that is being rendered, which thereby becomes a secret."""
        self._touched = self._fresh = True
        return secret.get_secret_value()

    def _finalize(self, value: object) -> object:
        """Keep what an expression made of a secret, such as its upper-case form, as a secret too."""
        if self._fresh:
            text = str(value)
            if len(text) >= _SHORTEST_DERIVED_SECRET and text not in self._public:
                self._keep(text)
            self._fresh = False
        return value

    def _keep(self, secret: str) -> None:
        """Remember what must be masked; of several lines also each one, since output comes in lines."""
        for part in (secret, *secret.splitlines()):
            if part == secret or len(part) >= _SHORTEST_DERIVED_SECRET:
                self._secrets.setdefault(part)
        self._secrets.pop("", None)

    def _mask(self, message: str) -> str:
        for secret in self.secrets:
            message = message.replace(secret.get_secret_value(), "***")
        return message

    def _range(self, *bounds: int) -> range:
        rounds = range(*bounds)
        self._rounds += len(rounds)
        if self._rounds > _MOST_ROUNDS:
            raise SecurityError(f"loops have more than {_MOST_ROUNDS} rounds")
        return rounds


class _Names:
    """What stands before the dot: gives values by name. It has no public attribute, which could hide a name."""

    __slots__ = ("__name", "__renderer", "__values")

    def __init__(self, name: str, values: Mapping[str, Any], renderer: Renderer) -> None:
        self.__name = name
        self.__values = values
        self.__renderer = renderer

    def __getitem__(self, name: str) -> Any:  # noqa: ANN401 - data are what they are
        value = self.__values[name]
        if value is None:
            raise UnknownValueError
        return self.__renderer.reveal_to_text(value) if isinstance(value, SecretStr) else value

    def __repr__(self) -> str:
        return f"<{self.__name}>"

    def _sentence_about(self, name: str) -> str:
        if self.__name == "env":
            found = nearest(name, self.__values)
            return f"the environment variable '{name}' is not set" + (f"; did you mean '{found}'?" if found else "")
        advice = {"var": "; declare it in 'variables'", "data": "; name its file in 'data'"}.get(self.__name, "")
        return f"'{self.__name}.{name}' is not defined{did_you_mean(name, self.__values) or advice}"


class _Undefined(StrictUndefined):
    """An undefined name whose error gives the nearest defined one."""

    @property
    def _undefined_message(self) -> str:
        if isinstance(self._undefined_obj, _Names):
            return self._undefined_obj._sentence_about(str(self._undefined_name))  # noqa: SLF001 - see _Names
        message = super()._undefined_message
        if message.endswith(" is undefined"):  # a bare name, not an attribute of something
            return f"{message}; names begin with var., env., run. or data."
        return message


class _Sandbox(SandboxedEnvironment):
    """Jinja2's sandbox, which also refuses what would fill the memory."""

    intercepted_binops = frozenset(["*", "**", "%"])

    def call(self, context: Context, function: Any, /, *args: Any, **kwargs: Any) -> Any:  # noqa: ANN401
        """Refuse widths such as that of ``"x".ljust(10 ** 9)``."""
        for argument in (*args, *kwargs.values()):
            if isinstance(argument, int) and abs(argument) > LARGEST_TEXT:
                raise SecurityError(f"the number {argument} is too large")
        return super().call(context, function, *args, **kwargs)

    def wrap_str_format(self, value: Any) -> Callable[..., str] | None:  # noqa: ANN401
        """Refuse large widths in the formats of ``str.format``."""
        if isinstance(format_text := getattr(value, "__self__", None), str):
            _refuse_beyond_largest(_widest(format_text), "format")
        return super().wrap_str_format(value)

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:  # noqa: ANN401
        """Refuse large products, powers, and widths in formats."""
        _refuse_beyond_largest(_size_of_result(operator, left, right), operator)
        return super().call_binop(context, operator, left, right)


def _size_of_result(operator: str, left: object, right: object) -> int:
    """Return the characters or bits of a product or power, or 0 where it cannot be large."""
    match operator, left, right:
        case "**", int(), int():
            return left.bit_length() * right
        case "*", int(), int():
            return left.bit_length() + right.bit_length()
        case ("*", int(times), (str() | list() | tuple()) as repeated) | (
            "*",
            (str() | list() | tuple()) as repeated,
            int(times),
        ):
            return len(repeated) * times
        case "%", str(), _:
            return _widest(left)
    return 0


def _widest(format_text: str) -> int:
    return max((int(width) for width in re.findall(r"\d{1,18}", format_text)), default=0)


def _refuse_beyond_largest(size: int, operation: str) -> None:
    if size > LARGEST_TEXT:
        raise SecurityError(f"the result of '{operation}' is too large")


def _join(pieces: Iterable[str]) -> str:
    joined: list[str] = []
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > LARGEST_TEXT:
            raise SecurityError(f"the text grows beyond {LARGEST_TEXT} characters")
        joined.append(piece)
    return "".join(joined)


def _sentence(error: Exception) -> str:
    if isinstance(error, TemplateSyntaxError):
        return (
            f"this is not Jinja2: {error.message}; to keep braces as they are, write {{% raw %}} before them and "
            "{% endraw %} after them"
        )
    if isinstance(error, RecursionError):
        return "the expression is nested too deeply"
    if isinstance(error, MemoryError):
        return "the text is too large"
    return str(error) or f"the expression failed: {type(error).__name__}"
