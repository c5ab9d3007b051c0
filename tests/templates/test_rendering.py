"""Jinja2 in templates: its sandbox keeps accidents small, and its errors say what to write instead."""

from __future__ import annotations

import pytest
from pydantic import SecretStr

from verified_images.templates.rendering import Renderer, RenderError, UnknownValueError


@pytest.fixture
def renderer() -> Renderer:
    return Renderer(
        {"title": "Hello", "token": SecretStr("s3cr3t-t0ken"), "wrong": None},
        {"HOME": "/home/ann"},
        {"id": "abcd2345"},
    )


@pytest.mark.parametrize(
    ("text", "rendered"),
    [
        ("plain", "plain"),
        ("{{ var.title }} {{ env.HOME }} {{ run.id }}", "Hello /home/ann abcd2345"),
        ("{{ var['title'] | lower }}", "hello"),
        ("{{ env.SHELL | default('sh') }}", "sh"),
        ("{% if env.CI is defined %}ci{% else %}desk{% endif %}", "desk"),
        ("{% for n in range(3) %}{{ n }}\n{% endfor %}\n", "0\n1\n2\n\n"),
        ("{{ '%03d' % 7 }} {{ 3600 * 24 * 365 }} {{ 2 ** 10 }} {{ '-' * 3 }}", "007 31536000 1024 ---"),
        ("{% raw %}{{.Names}}{% endraw %}", "{{.Names}}"),
        ("a{{# a comment #}}b", "ab"),
        ("${#name} {# no comment #}", "${#name} {# no comment #}"),
    ],
)
def test_good_texts(renderer: Renderer, text: str, rendered: str) -> None:
    assert renderer.render(text) == rendered


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{{ var.titel }}", "'var.titel' is not defined; did you mean 'title'?"),
        ("{{ var['titel'] }}", "'var.titel' is not defined; did you mean 'title'?"),
        ("{{ env.HOEM }}", "the environment variable 'HOEM' is not set; did you mean 'HOME'?"),
        ("{{ title }}", "'title' is undefined; names begin with var., env., run. or data."),
        ("{{ var.title.x }}", "'str object' has no attribute 'x'"),
        ("{{ var.title | nofilter }}", "this is not Jinja2: No filter named 'nofilter'."),
        ("{{ 1 / 0 }}", "division by zero"),
        ("{% include 'x' %}", "no loader for this environment specified"),
        ("{{ ''.__class__ }}", "access to attribute '__class__' of 'str' object is unsafe."),
        ("{{ var._Names__values }}", "'var._Names__values' is not defined; known: title, token, wrong"),
    ],
)
def test_mistakes(renderer: Renderer, text: str, message: str) -> None:
    with pytest.raises(RenderError) as caught:
        renderer.render(text)
    assert str(caught.value).partition("; to keep braces")[0] == message


@pytest.mark.parametrize(
    "expression",
    [
        "'a' * 10 ** 9",
        "10 ** 9 * [1]",
        "9 ** (9 ** 9)",
        "'%0999999999d' % 1",
        "'a'.ljust(10 ** 9)",
        "'a' | center(10 ** 9)",
        "'{:>999999999}'.format(1)",
        "(" * 5000 + "1" + ")" * 5000,
        "1" + " + 1" * 5000,
        "range(10 ** 9) | list",
    ],
)
def test_what_would_fill_the_memory_is_refused(renderer: Renderer, expression: str) -> None:
    with pytest.raises(RenderError):
        renderer.render("{{ " + expression + " }}")


def test_loops_and_output_are_bounded(renderer: Renderer) -> None:
    nested = "{% for a in range(9999) %}{% for b in range(9999) %}{% endfor %}{% endfor %}"
    with pytest.raises(RenderError, match="more than 100000 rounds"):
        renderer.render(nested)
    with pytest.raises(RenderError, match="grows beyond 1048576 characters"):
        renderer.render("{% for a in range(99999) %}{{ '-' * 100 }}{% endfor %}")


def test_the_bound_of_loops_is_for_each_text(renderer: Renderer) -> None:
    for _ in range(3):
        assert renderer.render("{% for a in range(60000) %}{% endfor %}") == ""


def test_a_text_that_uses_a_secret_is_a_secret(renderer: Renderer) -> None:
    assert renderer.render("{{ var.token }}") == SecretStr("s3cr3t-t0ken")
    assert renderer.render("{% if var.token %}yes{% endif %}") == SecretStr("yes")
    assert renderer.render("{{ var.title }}") == "Hello"


def test_a_value_that_is_unknown_is_not_guessed(renderer: Renderer) -> None:
    with pytest.raises(UnknownValueError):
        renderer.render("{{ var.wrong | default('x') }}")
