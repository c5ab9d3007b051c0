"""HCL's data sources: those that are asked, and what is said of the others."""

from __future__ import annotations

from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import TYPE_CHECKING

import pytest

from tests.templates.packer.conftest import BUILD, SOURCE, Load, Mistakes, warnings_of

if TYPE_CHECKING:
    from collections.abc import Iterator

TEMPLATE = SOURCE + BUILD


class Server(ThreadingHTTPServer):
    """Answers requests by their path, and keeps what it was asked."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Answering)
        self.asked: list[tuple[str, str, str | None]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class Answering(BaseHTTPRequestHandler):
    server: Server

    def do_GET(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.server.asked.append((self.command, self.path, self.headers.get("X-Team")))
        body = self.rfile.read(length) or b"eastus\n"
        self.send_response(404 if self.path == "/nothing" else 200)
        self.send_header("Content-Type", "image/png" if self.path == "/picture" else "text/plain; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_POST = do_GET  # noqa: N815 - the name that the base class looks for

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 - the name that the base class gave it
        pass


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    thread = Thread(target=server.serve_forever, args=(0.05,))
    thread.start()
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def data(kind: str, *lines: str, name: str = "x") -> str:
    return f'data "{kind}" "{name}" {{\n' + "\n".join(lines) + "\n}\n"


def place(expression: str) -> str:
    return TEMPLATE.replace('"westeurope"', expression)


def test_null_gives_its_input(load: Load) -> None:
    text = 'locals {\n  place = "${data.null.x.output}us"\n}\n' + data("null", 'input = "${local.side}"')
    text += 'locals {\n  side = "east"\n}\n'
    (loaded,) = load(place("local.place") + text)
    assert loaded.template.builder.location == "eastus"
    assert loaded.warnings == ()


def test_http_gives_the_answer(load: Load, server: Server) -> None:
    text = data("http", f'url = "{server.url}/place"', 'request_headers = {X-Team = "platform"}')
    (loaded,) = load(place("trimspace(data.http.x.body)") + text)
    assert loaded.template.builder.location == "eastus"
    load(place("trimspace(data.http.x.body)") + text)
    assert server.asked == [("GET", "/place", "platform")]  # once, however often the template is read


def test_http_sends_what_it_is_told_to(load: Load, server: Server) -> None:
    text = data("http", f'url = "{server.url}/echo"', 'method = "POST"', 'request_body = "westus"')
    (loaded,) = load(place("data.http.x.body") + text)
    assert loaded.template.builder.location == "westus"


def test_one_that_nothing_uses_is_not_asked(load: Load, server: Server) -> None:
    load(TEMPLATE + data("http", f'url = "{server.url}/place"'))
    assert server.asked == []


@pytest.mark.parametrize(
    ("path", "reason"),
    [("/nothing", "answered with the status 404"), ("/picture", "answered with image/png; text or JSON is needed")],
)
def test_an_answer_that_is_of_no_use_is_told(mistakes: Mistakes, server: Server, path: str, reason: str) -> None:
    text = data("http", f'url = "{server.url}{path}"')
    line = TEMPLATE.count("\n") + 1
    assert mistakes(place("data.http.x.body") + text) == [(line, "data.http.x", f"{server.url}{path} {reason}")]


def test_a_server_that_is_not_there_is_told(mistakes: Mistakes, server: Server) -> None:
    server.server_close()
    ((line, path, message),) = mistakes(place("data.http.x.body") + data("http", f'url = "{server.url}"'))
    assert (line, path) == (TEMPLATE.count("\n") + 1, "data.http.x")
    assert message.startswith(f"{server.url} did not answer: ")


@pytest.mark.parametrize(
    ("text", "path", "message"),
    [
        (data("http"), "data.http.x", "the option 'url' is required"),
        (
            data("http", 'url = "file:///etc/passwd"'),
            "data.http.x",
            "'file:///etc/passwd' is not a URL of http or https",
        ),
        (
            data("http", 'url = "http://a"', 'method = "FETCH"'),
            "data.http.x",
            "the method must be one of GET, HEAD, POST, PUT, DELETE, OPTIONS, PATCH, not 'FETCH'",
        ),
        (
            data("http", 'url = "http://a"', "retries = 1"),
            "data.http.x.retries",
            "the data source 'http' has no option 'retries'; known: method, request_body, request_headers, url",
        ),
        (
            data("http", "url = data.http.x.body"),
            "data.http.x.url",
            "the data sources need each other: data.http.x -> data.http.x",
        ),
        (
            data("http", name="y"),
            "source.azure-arm.debian.location",
            "there is no data source 'http.x'; did you mean 'http.y'?",
        ),
    ],
)
def test_a_mistake_is_told(mistakes: Mistakes, text: str, path: str, message: str) -> None:
    assert [found[1:] for found in mistakes(place("data.http.x.body") + text)] == [(path, message)]


@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        ("amazon-ami", "give what it tells as a variable"),
        (
            "azure-keyvaultsecret",
            "read the secret before (az keyvault secret show) and give it as a sensitive variable",
        ),
        ("external", "run the program before, since reading a template runs none, and give its result as a variable"),
        ("hcp-packer-version", "HCP Packer is not asked; give the id of the image as a variable"),
    ],
)
def test_what_uses_one_that_is_not_asked_is_refused(mistakes: Mistakes, kind: str, advice: str) -> None:
    message = f"the data source '{kind}' is not supported: {advice}"
    path = "source.azure-arm.debian.location"
    # A fallback would be taken without a word.
    for expression in (f"data.{kind}.x.value", f'try(data.{kind}.x.value, "eastus")', "local.place"):
        text = place(expression) + data(kind) + f"locals {{\n  place = data.{kind}.x.value\n}}\n"
        assert [found[1:] for found in mistakes(text)] == [(path, message)]


def test_what_is_for_other_builds_may_use_one_that_is_not_asked(load: Load) -> None:
    shell = '  provisioner "shell" {\n    only = ["amazon-ebs.x"]\n    inline = [local.ami]\n  }\n'
    text = data("amazon-ami") + 'source "amazon-ebs" "x" {\n  source_ami = data.amazon-ami.x.id\n}\n'
    text += "locals {\n  ami = data.amazon-ami.x.id\n}\n" + SOURCE
    text += 'build {\n  sources = ["source.azure-arm.debian", "source.amazon-ebs.x"]\n' + shell + "}\n"
    loaded = load(text)
    assert loaded[0].template.provisioners == ()
    assert [path for path, _ in warnings_of(loaded)] == ["data.amazon-ami.x", "build.sources[1]"]
