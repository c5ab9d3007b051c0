"""Packer's template engine: what its functions give, and what is said of mistakes."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.templates.packer.conftest import NOW
from verified_images.naming import new_run
from verified_images.templates.packer.functions import Functions
from verified_images.templates.packer.go_syntax import GoTemplateError
from verified_images.templates.packer.go_templates import GoRenderer
from verified_images.templates.packer.sensitive import Secrets

SECRET = "s3cr3t-t0ken"
RUN = new_run("spec", owner="me", now=NOW)


def renderer(secrets: Secrets | None = None, *, environment: dict[str, str] | None = None) -> GoRenderer:
    functions = Functions(
        RUN,
        Path("/spec"),
        Path("/work"),
        build={"User": "packer"},
        environment=environment,
    )
    variables: dict[str, SecretStr | str | None] = {
        "name": "My Image",
        "list": "a,b,c",
        "token": SecretStr(SECRET),
        "empty": "",
    }
    return GoRenderer(variables, functions, secrets or Secrets())


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("plain", "plain"),
        ("{{user `name`}}", "My Image"),
        ('{{ user "name" }}!', "My Image!"),
        ("{{timestamp}}", "1777863721"),
        ("{{isotime}}", "2026-05-04T03:02:01Z"),
        ("{{isotime `20060102-150405`}}", "20260504-030201"),
        ('{{isotime "Jan _2, 06 at 3:04pm (MST)"}}', "May  4, 26 at 3:02am (UTC)"),
        ('{{isotime "02-Jan-06 03_04_05"}}', "04-May-26 03_02_01"),
        ("{{isotime `Monday 2006.002`}}", "Monday 2026.124"),
        ("{{strftime `%Y-%m-%d %q`}}", "2026-05-04 %q"),
        ("{{build `User`}}", "packer"),
        ("{{template_dir}}/x {{pwd}}", "/spec/x /work"),
        ("{{split (user `list`) `,` 1}}", "b"),
        ("{{user `name` | upper}} {{lower `ABC`}}", "MY IMAGE abc"),
        ("{{replace ` ` `-` 1 (user `name`)}}", "My-Image"),
        ("{{user `list` | replace_all `,` `.`}}", "a.b.c"),
        ("{{clean_resource_name (user `name`)}}", "My-Image"),
        ("{{isotime | clean_resource_name}}", "2026-05-04T03-02-01Z"),
        ("{{if eq (user `name`) `x`}}1{{else if user `empty`}}2{{else}}3{{end}}", "3"),
        ("{{if and (user `name`) (not (user `empty`))}}yes{{end}}", "yes"),
        ("{{/* a comment */}}a {{- /* x */ -}} b", "ab"),
        ("a  {{- ` x ` -}}  b", "a x b"),
        ('{{ "a\\tb\\u00e9\\"" }}', 'a\tbé"'),
        ('{{ "}}" }}', "}}"),
        ("{{$x := user `name`}}{{$x}}", "My Image"),
        ("{{printf `%s-%03d` (user `name`) 7}}", "My Image-007"),
        ("{{packer_version}}", "1.16.0"),
        ("{{with user `name`}}{{.}}!{{end}}", "My Image!"),
        ("{{with $x := user `empty`}}a{{else with `b`}}{{.}}{{end}}", "b"),
        ("{{if $x := user `name`}}{{$x}}{{end}}", "My Image"),
        ('{{printf "%q %v" `a"b` 5}}', '"a\\"b" 5'),
        ('{{print "a" 1 2 "b"}}', "a1 2b"),
        ("{{slice (user `name`) 3 5}}{{slice `abc` 1}}{{index `abc` 1}}", "Imbc98"),
        ("{{html `<a>`}}", "&lt;a&gt;"),
    ],
)
def test_a_text_is_rendered(text: str, rendered: str) -> None:
    assert renderer().render(text) == rendered


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{user `nmae`}}", "the user variable 'nmae' is not declared; did you mean 'name'?"),
        ("{{usre `name`}}", "there is no function 'usre'; did you mean 'user'?"),
        ("{{user `name`", "the action '{{user `name`' is not closed with '}}'"),
        ("{{ it's }}", "the action '{{ it's }}' is not closed with '}}'"),
        ("{{}}", "the action '{{}}' is not understood"),
        ("{{upper (user `name`}}", "the action '{{upper (user `name`}}' is not understood"),
        ("{{`a` `b`}}", "in '{{`a` `b`}}' something stands behind what is not a function"),
        ("{{`a` | `b`}}", "behind '|' a function is needed"),
        ("{{upper}}", "'upper' does not take these 0 argument(s)"),
        ("{{split `a,b` `,` 2}}", "'split' gives 2 part(s), so that there is no part 2"),
        ("{{if `a`}}", "'{{if}}' has no '{{end}}'"),
        ("{{end}}", "'{{end}}' without '{{if}}'"),
        ("{{range .X}}{{end}}", "'{{range}}' is not supported; of Go's templates, 'if', 'with', 'else' and 'end' are"),
        ("{{.Vars}}", "there is no '.Vars' here; to use a variable, write {{user `name`}}"),
        ("{{$x}}", "the variable '$x' is not set before it is used"),
        ("{{sed `s/a/b/` `a`}}", "Packer has removed 'sed'; use 'replace' or 'replace_all'"),
        (
            "{{replace_all `` (printf `%9999s` 1) (printf `%9999s` 1)}}",
            "the text grows beyond 1048576 characters",
        ),
        ("{{printf `%99999s` `a`}}", "the widths in a format are too large"),
        ("{{lt `a` 1}}", "these two cannot be compared: one is text, the other is not"),
        ("{{" + "(" * 40, "the action '{{" + "(" * 40 + "' is not closed with '}}'"),
        ("{{upper " + "(" * 40 + "`a`" + ")" * 40 + "}}", "parentheses are nested too deeply"),
        ("{{if 1}}" * 40, "conditions are nested too deeply"),
        (
            "{{build `ID`}}",
            (
                "the build's ID is known only while it runs, not when the template is loaded; "
                "ask the machine for it in a script instead"
            ),
        ),
        ("{{build `Usr`}}", "a build has no 'Usr'; did you mean 'User'?"),
    ],
)
def test_a_mistake_is_told(text: str, message: str) -> None:
    with pytest.raises(GoTemplateError) as caught:
        renderer().render(text)
    assert str(caught.value) == message


@pytest.mark.parametrize("function", ["consul_key `a`", "vault `a` `b`", "aws_secretsmanager `a`"])
def test_secret_stores_are_not_asked(function: str) -> None:
    with pytest.raises(GoTemplateError, match="give it as a sensitive variable"):
        renderer().render(f"{{{{{function}}}}}")


def test_the_environment_is_for_variables_alone() -> None:
    assert renderer(environment={"A": "b"}).render("{{env `A`}}{{env `C`}}") == "b"
    with pytest.raises(GoTemplateError, match="'env' can be used in 'variables' only"):
        renderer().render("{{env `A`}}")


def test_a_uuid_is_another_each_time_and_the_same_for_each_loading() -> None:
    assert renderer().render("{{uuid}} {{uuid}}") == renderer().render("{{uuid}} {{uuid}}")
    first, second = str(renderer().render("{{uuid}} {{uuid}}")).split()
    assert first != second


def test_what_holds_a_secret_is_one_and_what_is_made_of_it_is_masked() -> None:
    secrets = Secrets()
    rendered = renderer(secrets).render("login {{user `token` | upper}} {{user `name`}}")
    assert isinstance(rendered, SecretStr)
    assert rendered.get_secret_value() == f"login {SECRET.upper()} My Image"
    assert [secret.get_secret_value() for secret in secrets.all] == [SECRET.upper()]


def test_a_variable_that_holds_a_secret_makes_one_of_what_it_is_used_in() -> None:
    assert isinstance(renderer().render("{{$x := user `token`}}{{$x}}"), SecretStr)
    assert renderer().render("{{$x := user `token`}}a") == "a"


def test_a_message_holds_no_secret() -> None:
    secrets = Secrets()
    secrets.add(SECRET)
    with pytest.raises(GoTemplateError) as caught:
        renderer(secrets).render("{{build (user `token`)}}")
    assert SECRET not in str(caught.value)
