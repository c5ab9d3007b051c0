"""Variables take their value from the caller, the environment or the template, and secrets stay masked."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING

import pytest
from pydantic import SecretStr

from tests.templates.conftest import HEAD, Load, Mistakes
from verified_images.errors import TemplateError
from verified_images.templates.model import FileProvisioner, ShellProvisioner, Template, Variable, reveal
from verified_images.templates.variables import load_variables

if TYPE_CHECKING:
    from pathlib import Path

DECLARED = HEAD + "  tags: {value: '{{ var.value }}'}\n"
SECRET = "s3cr3t-t0ken"
WITH_SECRET = f"""{HEAD}variables: {{token: {{env: TOKEN, secret: true}}, page: Hello}}
provisioners:
  - shell:
      inline: ["echo {{{{ var.page }}}}", "login {{{{ var.token }}}}"]
      env: {{TOKEN: "{{{{ var.token }}}}", PAGE: "{{{{ var.page }}}}"}}
  - file: {{content: "token={{{{ var.token | upper }}}}", destination: /etc/token}}
"""


def value_of(template: Template) -> str:
    return template.image.tags["value"]


class TestValues:
    def test_come_from_the_default(self, load: Load) -> None:
        assert value_of(load(DECLARED + "variables: {value: a}\n")) == "a"
        assert value_of(load(DECLARED + "variables: {value: {default: a, env: VALUE}}\n")) == "a"

    def test_come_from_the_environment_before_the_default(self, load: Load) -> None:
        text = DECLARED + "variables: {value: {default: a, env: VALUE}}\n"
        assert value_of(load(text, environment={"VALUE": "b"})) == "b"
        assert value_of(load(text, environment={"VALUE": ""})) == ""

    def test_come_from_the_caller_before_all(self, load: Load) -> None:
        text = DECLARED + "variables: {value: {default: a, env: VALUE}}\n"
        assert value_of(load(text, environment={"VALUE": "b"}, variables={"value": "c", "other": "d"})) == "c"

    def test_are_not_rendered_themselves(self, load: Load) -> None:
        text = DECLARED + "variables: {value: '{{ run.id }}'}\n"
        assert value_of(load(text)) == "{{ run.id }}"
        assert value_of(load(text, variables={"value": "{% raw %}"})) == "{% raw %}"

    def test_are_needed_where_there_is_no_default(self, mistakes: Mistakes) -> None:
        assert mistakes(DECLARED + "variables: {value: {env: VALUE}}\n") == [
            (
                8,
                "variables.value",
                (
                    "the variable 'value' has no value; set the environment variable VALUE, give it one "
                    "(--vi-var value=...) "
                    "or a default"
                ),
            ),
        ]

    def test_declarations_are_in_the_template(self, load: Load) -> None:
        text = DECLARED + "variables: {value: {env: V, secret: true, description: d}, must: null, maybe: 1}\n"
        with pytest.raises(TemplateError, match="a secret may not be used here"):
            load(text, environment={"V": "v"}, variables={"must": "x"})
        template = load(text.replace("secret: true, ", ""), environment={"V": "v"}, variables={"must": "x"})
        assert template.variables == (
            Variable(name="value", description="d"),
            Variable(name="must", required=True),
            Variable(name="maybe"),
        )


class TestSecrets:
    @pytest.fixture
    def template(self, load: Load) -> Template:
        return load(WITH_SECRET, environment={"TOKEN": SECRET})

    def test_reach_the_fields_that_may_hold_them(self, template: Template) -> None:
        shell, file = template.provisioners
        assert isinstance(shell, ShellProvisioner)
        assert isinstance(file, FileProvisioner)
        assert shell.inline is not None
        assert file.content is not None
        assert [reveal(command) for command in shell.inline] == ["echo Hello", f"login {SECRET}"]
        assert {name: reveal(value) for name, value in shell.env.items()} == {"TOKEN": SECRET, "PAGE": "Hello"}
        assert reveal(file.content) == f"token={SECRET.upper()}"

    def test_do_not_show_while_the_rest_does(self, template: Template) -> None:
        for shown in (repr(template), str(template), template.model_dump_json(), repr(template.model_dump())):
            assert SECRET not in shown
            assert SECRET.upper() not in shown
            assert "echo Hello" in shown

    def test_are_listed_with_what_was_made_of_them(self, template: Template) -> None:
        assert {secret.get_secret_value() for secret in template.secrets} == {SECRET, SECRET.upper()}

    def test_of_several_lines_are_listed_by_line_too_longest_first(self, load: Load) -> None:
        key = "-----BEGIN KEY-----\nabcdefgh\nxy\n"
        secrets = load(WITH_SECRET, environment={"TOKEN": key}).secrets
        texts = [secret.get_secret_value() for secret in secrets]
        assert texts == sorted(texts, key=len, reverse=True)
        assert {key, "-----BEGIN KEY-----", "abcdefgh"} <= set(texts)
        assert "xy" not in texts

    def test_what_stands_after_a_test_of_a_secret_is_not_masked(self, load: Load) -> None:
        text = WITH_SECRET.replace("echo {{ var.page }}", "{% if var.token %}{{ var.page }} {{ run.id }}{% endif %}")
        secrets = load(text, environment={"TOKEN": SECRET}).secrets
        assert {secret.get_secret_value() for secret in secrets} == {SECRET, SECRET.upper()}

    def test_an_empty_one_masks_nothing(self, load: Load) -> None:
        assert load(WITH_SECRET, environment={"TOKEN": ""}).secrets == ()

    @pytest.mark.parametrize(
        ("line", "key_path"),
        [
            ("  tags: {a: 'x{{ var.token }}'}", "image.tags.a"),
            ("smoke: {vm_size: '{{ var.token }}'}", "smoke.vm_size"),
            ("smoke: {port: '{{ var.token }}'}", "smoke.port"),
            ("smoke: {orchestration: '{{ var.token }}'}", "smoke.orchestration"),
            ("provisioners: [{shell: {inline: x, sudo: '{{ var.token }}'}}]", "provisioners[0].shell.sudo"),
            ("provisioners: [{file: {source: '{{ var.token }}', destination: /}}]", "provisioners[0].file.source"),
        ],
    )
    def test_are_refused_elsewhere(self, mistakes: Mistakes, line: str, key_path: str) -> None:
        text = f"{HEAD}{line}\nvariables: {{token: {{default: {SECRET}, secret: true}}}}\n"
        message = "a secret may not be used here: whoever sees the resource could read it"
        assert mistakes(text) == [(7, key_path, message)]

    @pytest.mark.parametrize(
        "expression",
        ["{}[var.token]", "var.token + 1", "var.token.nothing", "var.token | int('x') + []", "[][var.token]", "1/0"],
    )
    def test_do_not_show_in_errors(self, load: Load, expression: str) -> None:
        text = WITH_SECRET.replace("echo {{ var.page }}", "{{ " + expression + " }}")
        with pytest.raises(TemplateError) as caught:
            load(text, environment={"TOKEN": SECRET})
        error: BaseException | None = caught.value
        while error is not None:
            assert SECRET not in f"{error} {error!r}"
            error = error.__cause__ or error.__context__

    def test_a_value_that_is_too_long_does_not_show_in_errors(self, mistakes: Mistakes) -> None:
        text = HEAD.replace("  vm_size", "  custom_data: '{{ var.token * 6000 }}'\n  vm_size")
        found = mistakes(f"{text}variables: {{token: {{default: {SECRET}, secret: true}}}}\n")
        assert found == [(3, "builder.custom_data", "72000 bytes are more than the 65535 that Azure takes")]


class TestATemplate:
    def test_cannot_be_changed(self, load: Load) -> None:
        shell = load(WITH_SECRET, environment={"TOKEN": SECRET}).provisioners[0]
        assert isinstance(shell, ShellProvisioner)
        with pytest.raises(TypeError, match="a template cannot be changed"):
            shell.env["TOKEN"] = "x"  # type: ignore[index]
        with pytest.raises(ValueError, match="frozen"):
            shell.sudo = True  # type: ignore[misc]

    def test_can_be_hashed_copied_and_pickled(self, load: Load) -> None:
        template = load(WITH_SECRET, environment={"TOKEN": SECRET})
        for other in (copy.deepcopy(template), pickle.loads(pickle.dumps(template))):  # noqa: S301 - its own pickle
            assert other == template
            assert hash(other) == hash(template)
            assert [provisioner.line for provisioner in other.provisioners] == [9, 12]


class TestVariableFiles:
    def test_are_mappings_of_texts(self, tmp_path: Path) -> None:
        file = tmp_path / "ci.yaml"
        file.write_text("region: westeurope\ncount: 007\n")
        assert load_variables(file) == {"region": "westeurope", "count": "007"}

    @pytest.mark.parametrize(
        ("text", "message"),
        [
            ("a: b\nc: [d]\n", "{file}:2: c: the value of a variable must be text"),
            ("a: b\nc:\n", "{file}:2: c: the value of a variable must be text"),
            ("a: b\na: c\n", "{file}:2: a: the key 'a' appears twice; the first is in line 1"),
            ("- a\n", "{file}: a mapping of variables to values is needed"),
        ],
    )
    def test_that_are_wrong_are_told(self, tmp_path: Path, text: str, message: str) -> None:
        file = tmp_path / "ci.yaml"
        file.write_text(text)
        with pytest.raises(TemplateError) as caught:
            load_variables(file)
        assert str(caught.value) == message.format(file=file)


def test_a_wrong_declaration_does_not_make_its_uses_wrong_too(mistakes: Mistakes) -> None:
    found = mistakes(DECLARED + "variables: {value: {dfault: a}, other: b}\nsmoke: {vm_size: '{{ var.other }}'}\n")
    assert found == [(8, "variables.value.dfault", "unknown key 'dfault'; did you mean 'default'?")]


def test_a_secret_is_a_secret_wherever_its_value_comes_from(load: Load) -> None:
    text = (
        f"{HEAD}variables: {{token: {{secret: true}}}}\nprovisioners: [{{shell: {{inline: '{{{{ var.token }}}}'}}}}]\n"
    )
    (shell,) = load(text, variables={"token": SECRET}).provisioners
    assert isinstance(shell, ShellProvisioner)
    assert shell.inline == (SecretStr(SECRET),)
