"""The variables and locals of Packer's HCL templates."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.templates.packer.conftest import BUILD, SOURCE, Load, Mistakes, warnings_of
from tests.templates.packer.test_hcl import TEMPLATE, build, commands
from verified_images.templates.model import ShellProvisioner, Variable, reveal

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "s3cr3t-t0ken"


def inline(load: Load, expression: str, more: str = "", **arguments: object) -> list[str]:
    """Return the commands that an expression of a template gives."""
    text = SOURCE + build(f'  provisioner "shell" {{ inline = {expression} }}') + more
    (loaded,) = load(text, **arguments)
    return commands(loaded.template.provisioners[0])


class TestVariables:
    SIZE = SOURCE.replace('"Standard_B2s"', "var.size") + BUILD

    def size(self, load: Load, declaration: str, **arguments: object) -> str:
        loaded = load(f'{self.SIZE}variable "size" {{\n{declaration}\n}}\n', **arguments)
        return str(loaded[0].template.builder.vm_size)

    def test_take_their_value_from_many_places(self, load: Load, spec: Path) -> None:
        (spec / "more.pkrvars.hcl").write_text('size = "from-file"\n')
        (spec / "more.json").write_text('{"size": "from-json"}')
        default, environment = 'default = env("SIZE")', {"SIZE": "default", "PKR_VAR_size": "from-environment"}
        files = [spec / "more.pkrvars.hcl", spec / "more.json"]
        assert self.size(load, default, environment={"SIZE": "default"}) == "default"
        assert self.size(load, default, environment=environment) == "from-environment"
        assert self.size(load, default, environment=environment, variable_files=files[:1]) == "from-file"
        assert self.size(load, default, environment=environment, variable_files=files) == "from-json"
        assert self.size(load, default, variable_files=files, variables={"size": "given"}) == "given"

    def test_have_types(self, load: Load) -> None:
        text = """
        variable "n" { type = number }
        variable "flag" { type = bool }
        variable "names" { type = list(string) }
        variable "o" { type = object({a = string, b = optional(number, 5)}) }
        variable "m" { default = {x = "1"} }
        """
        given = {"n": "7", "flag": "true", "names": '["a", "b"]', "o": "{a = 1}", "m": '{x = "2"}'}
        expression = '["${var.n + 1} ${var.flag ? "y" : "n"} ${join("", var.names)} ${var.o.a}${var.o.b} ${var.m.x}"]'
        assert inline(load, expression, text, variables=given) == ["8 y ab 15 2"]

    def test_are_declared_in_the_template(self, load: Load) -> None:
        text = 'variables {\n  a = "x"\n}\nvariable "b" {\n  description = "d"\n  sensitive = true\n}\n'
        assert load(TEMPLATE + text, variables={"b": "v"})[0].template.variables == (
            Variable(name="b", secret=True, required=True, description="d"),
            Variable(name="a"),
        ) or load(TEMPLATE + text, variables={"b": "v"})[0].template.variables == (
            Variable(name="a"),
            Variable(name="b", secret=True, required=True, description="d"),
        )

    def test_are_validated(self, load: Load, mistakes: Mistakes) -> None:
        declaration = """
          default = "Standard_B2s"
          validation {
            condition     = can(regex("^Standard_", var.size))
            error_message = "The size must be a Standard one."
          }"""
        assert self.size(load, declaration) == "Standard_B2s"
        text = f'{self.SIZE}variable "size" {{\n{declaration}\n}}\n'
        assert mistakes(text, variables={"size": "Basic_A0"}) == [
            (
                16,
                "variable.size.validation[0]",
                "the value of the variable 'size' is wrong: The size must be a Standard one.",
            ),
        ]

    def test_that_are_sensitive_stay_secret(self, load: Load) -> None:
        text = 'variable "token" {\n  sensitive = true\n  default = "' + SECRET + '"\n}\n'
        text += SOURCE + build(
            '  provisioner "shell" {\n    inline = concat(["echo a"], ["login ${upper(var.token)}"])',
            '    environment_vars = ["TOKEN=${var.token}", "PAGE=hello"]\n  }',
        )
        (loaded,) = load(text)
        (found,) = loaded.template.provisioners
        assert isinstance(found, ShellProvisioner)
        assert commands(found) == ["echo a", f"login {SECRET.upper()}"]
        assert found.env["PAGE"] == "hello"
        assert reveal(found.env["TOKEN"]) == SECRET
        assert SECRET not in repr(loaded.template)
        assert SECRET.upper() not in repr(loaded.template)
        assert {SECRET, SECRET.upper()} <= {secret.get_secret_value() for secret in loaded.template.secrets}
        assert "echo a" in repr(loaded.template)

    @pytest.mark.parametrize(
        ("text", "key_path", "message"),
        [
            (
                'variable "a" {}',
                "variable.a",
                (
                    "the variable 'a' has no value; give it one (--vi-var a=..., PKR_VAR_a, or a "
                    "file of variables) or a default"
                ),
            ),
            (
                'variable "a" {\n  defualt = 1\n  default = 1\n}',
                "variable.a.defualt",
                "a variable has no 'defualt'; did you mean 'default'?",
            ),
            (
                'variable "a" {\n  type = number\n  default = "x"\n}',
                "variable.a.default",
                "a number is needed, not text",
            ),
            (
                'variable "a" {\n  type = strin\n  default = "x"\n}',
                "variable.a.type",
                "there is no type 'strin'; did you mean 'string'?",
            ),
            (
                'variable "a" {\n  default = var.b\n}',
                "variable.a.default",
                ("there is no name 'var' here; text must be in quotes"),
            ),
            (
                'variable "a" {\n  default = upper("b")\n}',
                "variable.a.default",
                "the default of a variable may use the function 'env' alone, not 'upper'; use 'locals'",
            ),
            (
                'variable "a" { default = 1 }\nvariable "a" { default = 2 }',
                "variable.a",
                "there is another variable 'a'",
            ),
            (
                'variable "a" {\n  default = 1\n  validation {\n    error_message = "X."\n  }\n}',
                "variable.a.validation[0]",
                "the key 'condition' is required",
            ),
            (
                'variable "a" {\n  default = 1\n  validation {\n    condition = true\n  }\n}',
                "variable.a.validation[0]",
                "the key 'error_message' is required",
            ),
            (
                'variable "a" {\n  default = 1\n  validation {\n    condition = true\n    error_message = "no"\n  }\n}',
                "variable.a.validation[0].error_message",
                "an error_message is a sentence: it begins with a capital and ends with '.', '?' or '!'",
            ),
            (
                'variable "a" {\n  default = 1\n  validations {\n  }\n}',
                "variable.a.validations",
                "a variable has no block 'validations'; did you mean 'validation'?",
            ),
        ],
    )
    def test_that_are_wrong_are_told(self, mistakes: Mistakes, text: str, key_path: str, message: str) -> None:
        assert [found[1:] for found in mistakes(TEMPLATE + text)] == [(key_path, message)]

    def test_of_a_file_that_nobody_declared_are_warned_of(self, load: Load, spec: Path) -> None:
        file = spec / "x.pkrvars.hcl"
        file.write_text("sise = 1\n")
        ((_, message),) = warnings_of(load(TEMPLATE + 'variable "size" { default = 1 }', variable_files=[file]))
        assert message == "the template has no variable 'sise'; did you mean 'size'?"


class TestLocals:
    def test_may_use_each_other_in_any_order(self, load: Load) -> None:
        text = 'locals {\n  b = "${local.a}!"\n}\nlocals {\n  a = "x"\n}\nlocal "c" {\n  expression = local.b\n}\n'
        assert inline(load, "[local.c]", text) == ["x!"]

    def test_may_be_sensitive(self, load: Load) -> None:
        text = f'local "c" {{\n  expression = "{SECRET}"\n  sensitive = true\n}}\n'
        (loaded,) = load(SOURCE + build('  provisioner "shell" { inline = [local.c] }') + text)
        assert SECRET not in repr(loaded.template)

    @pytest.mark.parametrize(
        ("text", "key_path", "message"),
        [
            ("locals {\n  a = local.b\n  b = local.a\n}", "locals.b", "the locals need each other: a -> b -> a"),
            ("locals {\n  a = local.c\n}", "locals.a", "there is no local 'c'; known: a"),
            (
                "locals {\n  a = nothing\n}",
                "locals.a",
                ("there is no name 'nothing' here; known: data, local, packer, path, var; text must be in quotes"),
            ),
            ("locals {\n  a = 1\n}\nlocals {\n  a = 2\n}", "local.a", "there is another local 'a'"),
            ('local "a" {}', "local.a", "the key 'expression' is required"),
        ],
    )
    def test_that_are_wrong_are_told(self, mistakes: Mistakes, text: str, key_path: str, message: str) -> None:
        assert [found[1:] for found in mistakes(TEMPLATE + text)] == [(key_path, message)]
