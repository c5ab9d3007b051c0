"""The variables and locals of a Packer HCL template, and the values that they have."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from pydantic import SecretStr

from verified_images.templates.model import Variable
from verified_images.templates.nearest import did_you_mean
from verified_images.templates.packer.findings import Place
from verified_images.templates.packer.hcl.evaluator import Evaluator, constant
from verified_images.templates.packer.hcl.json import read_hcl_json
from verified_images.templates.packer.hcl.scope import Names, Scope, UnknownValueError, names_of
from verified_images.templates.packer.hcl.syntax import HclSyntaxError, parse_expression, read_hcl
from verified_images.templates.packer.hcl.types import ANY, Type, convert, read_type
from verified_images.templates.packer.hcl.values import HclError, Marked, bare, mark, to_bool, to_text
from verified_images.templates.problems import Problems
from verified_images.templates.variables import load_variables

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    from verified_images.templates.packer.hcl.bodies import BodyReader
    from verified_images.templates.packer.hcl.syntax import Attribute, Block, Body
    from verified_images.templates.packer.inputs import Inputs
    from verified_images.templates.problems import KeyPath

_KEYS = ("default", "description", "sensitive", "type")


class _Declared(NamedTuple):
    """A variable as it is declared, with the value of its default."""

    name: str
    type: Type
    file: Path
    sensitive: bool = False
    description: str | None = None
    default: Any = None
    has_default: bool = False
    validations: tuple[Block, ...] = ()


class HclVariables:
    """The variables of a template."""

    def __init__(self, reader: BodyReader, inputs: Inputs) -> None:
        self._reader = reader
        self._inputs = inputs
        self._declared: dict[str, _Declared] = {}
        self.values: dict[str, Any] = {}
        self._wrong: set[str] = set()

    def declare(self, block: Block, file: Path) -> None:
        """Take a ``variable`` block."""
        (name,) = block.labels
        path = ("variable", name)
        self._reader.places.note(path, file, block.line)
        self._reader.note(block.body, path, file)
        if name in self._declared:
            place = Place(file, block.line)
            self._reader.findings.error_at(place, f"variable.{name}", f"there is another variable '{name}'")
            return
        for key in block.body.attributes:
            if key not in _KEYS:
                message = f"a variable has no '{key}'{did_you_mean(key, (*_KEYS, 'validation'))}"
                self._reader.findings.error((*path, key), message)
        for inner in block.body.blocks:
            if inner.type != "validation":
                message = f"a variable has no block '{inner.type}'{did_you_mean(inner.type, ('validation',))}"
                self._reader.findings.error_at(Place(file, inner.line), f"variable.{name}.{inner.type}", message)
        attributes = block.body.attributes
        default = attributes.get("default")
        wanted = self._type(attributes.get("type"), (*path, "type"))
        value = None if default is None else self._default(default, wanted, path)
        if "type" not in attributes and default is not None:
            wanted = _inferred(value)
        self._declared[name] = _Declared(
            name,
            wanted,
            file,
            sensitive=self._flag(attributes.get("sensitive"), (*path, "sensitive")),
            description=self._text(attributes.get("description"), (*path, "description")),
            default=value,
            has_default=default is not None,
            validations=tuple(inner for inner in block.body.blocks if inner.type == "validation"),
        )

    def declare_all(self, block: Block, file: Path) -> None:
        """Take a ``variables`` block, which has nothing but names and defaults."""
        self._reader.note(block.body, ("variable",), file)
        for name, attribute in block.body.attributes.items():
            value = self._default(attribute, ANY, ("variable", name))
            self._declared[name] = _Declared(name, _inferred(value), file, default=value, has_default=True)

    def resolve(self, automatic_files: Iterable[Path]) -> tuple[Variable, ...]:
        """Give every variable its value; return the declarations."""
        given: dict[str, Any] = {}
        for name in self._declared:
            if (text := self._inputs.environment.get(f"PKR_VAR_{name}")) is not None:
                given[name] = self._read(text, name, f"the environment variable PKR_VAR_{name}")
        for file in (*automatic_files, *self._inputs.variable_files):
            given |= self._from_file(file)
        for name, text in self._inputs.variables.items():
            if name in self._declared:
                given[name] = self._read(text, name, f"--vi-var {name}")
        for declared in self._declared.values():
            self._settle(declared, given)
        return tuple(
            Variable(
                name=declared.name,
                secret=declared.sensitive,
                required=not declared.has_default,
                description=declared.description,
            )
            for declared in self._declared.values()
        )

    def names(self) -> Names:
        """Return what ``var`` stands for."""

        def find(name: str) -> Any:  # noqa: ANN401 - values of HCL
            if name in self._wrong:
                raise UnknownValueError
            return self.values[name]

        known = tuple(self._declared)
        return Names(find, known, lambda name: f"there is no variable '{name}'{did_you_mean(name, known)}")

    def plain_values(self) -> dict[str, SecretStr | str | None]:
        """Return the values that are text, as SecretStr where they are sensitive."""
        texts = {name: (bare(value)[0], isinstance(value, Marked)) for name, value in self.values.items()}
        return {
            name: SecretStr(text) if marked else text for name, (text, marked) in texts.items() if isinstance(text, str)
        }

    def _settle(self, declared: _Declared, given: Mapping[str, Any]) -> None:
        """Give one variable its value."""
        name, path = declared.name, ("variable", declared.name)
        findings = self._reader.findings
        if name not in given and not declared.has_default:
            advice = f"give it one (--vi-var {name}=..., PKR_VAR_{name}, or a file of variables) or a default"
            findings.error(path, f"the variable '{name}' has no value; {advice}")
        if name in self._wrong or findings.is_spoilt((*path, "default")) or findings.is_spoilt(path):
            self._wrong.add(name)
            return
        try:
            value = convert(given.get(name, declared.default), declared.type)
        except HclError as error:
            findings.error(path, f"the value of the variable '{name}' is not of its type: {error}")
            self._wrong.add(name)
            return
        self.values[name] = mark(value, marked=declared.sensitive)
        if declared.sensitive:
            for text in _texts_in(value):
                self._reader.secrets.add(text)
        self._validate(declared)

    def _validate(self, declared: _Declared) -> None:
        value = bare(self.values[declared.name])[0]
        scope = Scope({"var": names_of("var", {declared.name: value})})
        for place, block in enumerate(declared.validations):
            path = ("variable", declared.name, "validation", place)
            self._reader.places.note(path, declared.file, block.line)
            self._check_validation(block, path, declared.file)
            condition = block.body.attributes.get("condition")
            message = self._text(block.body.attributes.get("error_message"), (*path, "error_message"))
            if condition is None:
                self._reader.findings.error(path, "the key 'condition' is required")
                continue
            result = self._reader.value(condition.expression, (*path, "condition"), scope)
            if result is None:
                self._wrong.add(declared.name)
                continue
            try:
                holds = to_bool(result)
            except HclError as error:
                self._reader.findings.error((*path, "condition"), str(error))
                continue
            if not holds:
                text = self._reader.secrets.mask(message or "its validation does not hold")
                self._reader.findings.error(path, f"the value of the variable '{declared.name}' is wrong: {text}")
                self._wrong.add(declared.name)

    def _from_file(self, file: Path) -> dict[str, Any]:
        """Return the values that a file gives, which may use nothing."""
        if file.suffix in {".yaml", ".yml"}:
            texts = load_variables(file).items()
            return {name: self._read(text, name, str(file)) for name, text in texts if name in self._declared}
        body: Body = read_hcl_json(file, variables=True) if file.suffix == ".json" else read_hcl(file)
        found: dict[str, Any] = {}
        findings = self._reader.findings
        for block in body.blocks:
            message = f"a file of variables gives values, 'name = value'; the block '{block.type}' is not expected"
            findings.error_at(Place(file, block.line), block.type, message)
        for name, attribute in body.attributes.items():
            if name not in self._declared:
                path = ("variable file", str(file), name)
                self._reader.places.note(path, file, attribute.line)
                findings.warn(path, f"the template has no variable '{name}'{did_you_mean(name, self._declared)}")
                continue
            try:
                found[name] = constant(attribute.expression)
            except (HclError, HclSyntaxError) as error:
                findings.error_at(Place(file, attribute.line), name, str(error))
                self._wrong.add(name)
        return found

    def _read(self, text: str, name: str, where: str) -> Any:  # noqa: ANN401 - values of HCL
        """Return the value that a text from outside stands for, which the variable's type decides."""
        wanted = self._declared[name].type
        if wanted.kind in {"string", "number", "bool", "any"}:
            return text
        try:
            return constant(parse_expression(text))
        except (HclError, HclSyntaxError):
            message = f"{where} is not a value of the variable's type, written as HCL: a {wanted.kind}"
            self._reader.findings.error(("variable", name), message)
            self._wrong.add(name)
            return None

    def _check_validation(self, block: Block, path: KeyPath, file: Path) -> None:
        """Note what Packer refuses of a rule, whatever the value is."""
        keys = ("condition", "error_message")
        self._reader.note(block.body, path, file)
        for key in block.body.attributes:
            if key not in keys:
                self._reader.findings.error((*path, key), f"a validation has no '{key}'{did_you_mean(key, keys)}")
        if "error_message" not in block.body.attributes:
            self._reader.findings.error(path, "the key 'error_message' is required")
            return
        message = self._text(block.body.attributes["error_message"], (*path, "error_message"))
        if message is not None and not _is_sentence(message):
            sentence = "an error_message is a sentence: it begins with a capital and ends with '.', '?' or '!'"
            self._reader.findings.error((*path, "error_message"), sentence)

    def _default(self, attribute: Attribute, wanted: Type, path: KeyPath) -> Any:  # noqa: ANN401 - values of HCL
        evaluator = Evaluator(_Environment(self._inputs.environment))
        try:
            return convert(evaluator.evaluate(attribute.expression, Scope({})), wanted)
        except (HclError, HclSyntaxError) as error:
            self._reader.findings.error((*path, "default") if len(path) > 1 else path, str(error))
            self._wrong.add(str(path[1]))
            return None

    def _type(self, attribute: Attribute | None, path: KeyPath) -> Type:
        try:
            return ANY if attribute is None else read_type(attribute.expression)
        except (HclError, RecursionError) as error:
            self._reader.findings.error(path, str(error))
            return ANY

    def _flag(self, attribute: Attribute | None, path: KeyPath) -> bool:
        try:
            return attribute is not None and to_bool(constant(attribute.expression))
        except (HclError, HclSyntaxError) as error:
            self._reader.findings.error(path, str(error))
            return True

    def _text(self, attribute: Attribute | None, path: KeyPath) -> str | None:
        try:
            return None if attribute is None else to_text(constant(attribute.expression))
        except (HclError, HclSyntaxError) as error:
            self._reader.findings.error(path, str(error))
            return None


def read_constants(file: Path) -> dict[str, str]:
    """Return the values of a file of variables that are texts, or numbers and truth values, which are their texts.

    Raises:
        TemplateError: it cannot be read, or something in it is wrong.
    """
    found: dict[str, str] = {}
    problems = Problems(file)
    body = read_hcl(file)
    for block in body.blocks:
        problems.add_to_line(block.line, (block.type,), "a file of variables gives values, 'name = value'")
    for name, attribute in body.attributes.items():
        try:
            value = constant(attribute.expression)
        except (HclError, HclSyntaxError) as error:
            problems.add_to_line(attribute.line, (name,), str(error))
            continue
        if isinstance(value, str | int | float | bool):
            found[name] = to_text(value)
    problems.raise_if_any()
    return found


class _Environment:
    """The one function that the default of a variable may use."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._environment = environment

    def call(self, name: str, arguments: list[Any], /) -> Any:  # noqa: ANN401 - values of HCL
        if name != "env" or len(arguments) != 1:
            raise HclError(f"the default of a variable may use the function 'env' alone, not '{name}'; use 'locals'")
        return self._environment.get(to_text(arguments[0]), "")


def _is_sentence(text: str) -> bool:
    return bool(text) and not (text[0].isalpha() and not text[0].isupper()) and text[-1] in ".?!"


def _inferred(value: Any) -> Type:  # noqa: ANN401 - values of HCL
    """Return the type of a variable that has none: that of its default, where it is a plain one."""
    match value:
        case bool():
            return Type("bool")
        case int() | float():
            return Type("number")
        case str():
            return Type("string")
        case list():
            return Type("list", ANY)
        case dict():
            return Type("map", ANY)
    return ANY


def _texts_in(value: Any) -> list[str]:  # noqa: ANN401 - values of HCL
    match value:
        case Marked():
            return _texts_in(value.value)
        case dict():
            return [text for item in value.values() for text in _texts_in(item)]
        case list():
            return [text for item in value for text in _texts_in(item)]
        case str():
            return [value]
    return []
