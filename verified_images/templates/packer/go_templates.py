"""Rendering the texts of a Packer template, ``{{user `name`}}`` and the like, while secrets stay secrets."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from pydantic import SecretStr

from verified_images.templates.packer.functions import BUILD_VALUES_LATER, check_size, explain_user, later, show, truth
from verified_images.templates.packer.go_syntax import (
    Call,
    Condition,
    Field,
    GoTemplateError,
    Literal,
    Output,
    Pipeline,
    Text,
    Variable,
    parse_go_template,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping

    from verified_images.templates.packer.functions import Functions
    from verified_images.templates.packer.go_syntax import Node, Operand
    from verified_images.templates.packer.sensitive import Secrets


class UnknownValueError(Exception):
    """The text uses a variable that has no value because of a problem noted elsewhere."""


class GoRenderer:
    """Renders texts with ``variables``; None stands for one whose value is unknown because of another problem.

    A text that uses a SecretStr becomes one. With ``keep_fields``, ``{{.Name}}`` stays as it is. A variable that is
    not declared is told to ``undeclared`` and gives an empty text, as in Packer; without it, it is an error.
    """

    def __init__(
        self,
        variables: Mapping[str, SecretStr | str | None],
        functions: Functions,
        secrets: Secrets,
        *,
        keep_fields: bool = False,
        undeclared: Callable[[str], None] | None = None,
    ) -> None:
        self._variables = variables
        self._functions = functions
        self._secrets = secrets
        self._keep_fields = keep_fields
        self._undeclared = undeclared
        self._fields: Mapping[str, str] = {}
        self._locals: dict[str, Any] = {}
        self._dot: Literal | None = None
        self._touched = False

    def render(self, text: str, fields: Mapping[str, str] | None = None) -> SecretStr | str:
        """Return the rendered text; ``fields`` are what ``{{.Name}}`` stands for.

        Raises:
            GoTemplateError: it has a mistake; the message holds no secret.
            UnknownValueError: it uses a variable whose value is unknown.
        """
        if "{{" not in text:
            return text
        self._fields = fields or {}
        self._locals = {}
        self._dot = None
        self._touched = False
        try:
            rendered = check_size("".join(self._write(parse_go_template(text))))
        except GoTemplateError as error:
            raise GoTemplateError(self._secrets.mask(str(error))) from None
        except RecursionError:
            raise GoTemplateError("the text is nested too deeply") from None
        return SecretStr(rendered) if self._touched else rendered

    def _write(self, nodes: Iterable[Node]) -> Iterator[str]:
        for node in nodes:
            match node:
                case Text():
                    yield node.text
                case Output():
                    yield self._output(node)
                case Condition():
                    yield from self._branch(node)

    def _branch(self, node: Condition) -> Iterator[str]:
        value = self._pipeline(node.pipeline)
        if node.target is not None:
            self._locals[node.target] = (value, self._touched)
        around = self._dot
        if node.is_dot and truth(value):
            self._dot = Literal(value)
        yield from self._write(node.then if truth(value) else node.otherwise)
        self._dot = around

    def _output(self, node: Output) -> str:
        if self._keep_fields and self._dot is None and isinstance(node.pipeline.commands[0], Field):
            return node.source
        touched, self._touched = self._touched, False
        value = self._pipeline(node.pipeline)
        text = show(value)
        if self._touched:
            self._secrets.add_derived(text)
        self._touched = touched or self._touched
        if node.target is not None:
            self._locals[node.target] = (value, self._touched)
            self._touched = touched
            return ""
        return text

    def _pipeline(self, pipeline: Pipeline) -> Any:  # noqa: ANN401 - what a template computes with
        value: Any = None
        for place, command in enumerate(pipeline.commands):
            before = (value,) if place else ()
            if isinstance(command, Call):
                value = self._call(command, before)
            elif before:
                raise GoTemplateError("behind '|' a function is needed")
            else:
                value = self._operand(command)
        return value

    def _call(self, call: Call, before: tuple[Any, ...] = ()) -> Any:  # noqa: ANN401
        arguments = (*(self._operand(argument) for argument in call.arguments), *before)
        if call.name == "user":
            return self._user(arguments)
        return self._functions.call(call.name, arguments)

    def _user(self, arguments: tuple[Any, ...]) -> str:
        if len(arguments) != 1 or not isinstance(arguments[0], str):
            raise GoTemplateError("'user' takes one argument, the name of a variable")
        name = arguments[0]
        if name not in self._variables:
            if self._undeclared is None:
                raise GoTemplateError(explain_user(name, self._variables))
            self._undeclared(explain_user(name, self._variables))
            return ""
        value = self._variables[name]
        if value is None:
            raise UnknownValueError
        if isinstance(value, SecretStr):
            self._touched = True
            return value.get_secret_value()
        return value

    def _operand(self, operand: Operand) -> Any:  # noqa: ANN401
        match operand:
            case Literal():
                return operand.value
            case Call():
                return self._call(operand)
            case Pipeline():
                return self._pipeline(operand)
            case Variable():
                return self._local(operand.name)
            case Field():
                return self._field(operand.names)

    def _local(self, name: str) -> Any:  # noqa: ANN401
        if name not in self._locals:
            raise GoTemplateError(f"the variable '{name}' is not set before it is used")
        value, touched = self._locals[name]
        self._touched = self._touched or touched
        return value

    def _field(self, names: tuple[str, ...]) -> Any:  # noqa: ANN401
        if self._dot is not None and not names:
            return self._dot.value
        name = ".".join(names)
        if name in self._fields:
            return self._fields[name]
        if name in BUILD_VALUES_LATER:
            raise GoTemplateError(later(name))
        known = f"; here are .{', .'.join(self._fields)}" if self._fields else ""
        raise GoTemplateError(f"there is no '.{name}' here{known}; to use a variable, write {{{{user `name`}}}}")
