"""HCL's expressions and functions: what each gives, and what is said when it gives nothing."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Any

import bcrypt
import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from tests.templates.packer.conftest import NOW
from verified_images.naming import new_run
from verified_images.templates.packer.files import Folders
from verified_images.templates.packer.hcl.evaluator import Evaluator
from verified_images.templates.packer.hcl.functions import FunctionTable
from verified_images.templates.packer.hcl.scope import Scope, names_of
from verified_images.templates.packer.hcl.syntax import HclSyntaxError, parse_expression
from verified_images.templates.packer.hcl.values import HclError, Marked, bare_throughout
from verified_images.templates.packer.sensitive import Secrets

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

VALUES = {
    "s": "text",
    "n": 7,
    "l": ["a", "b", "c"],
    "m": {"x": 1, "y": {"z": [10, 20]}},
    "objects": [{"name": "a", "tags": ["1"]}, {"name": "b", "tags": ["2"]}],
    "nothing": None,
    "secret": Marked("s3cr3t-t0ken"),
}


@pytest.fixture
def evaluate(tmp_path: Path) -> Callable[[str], Any]:
    """Works out an expression with VALUES as ``var``."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.txt").write_text("héllo\n")
    (tmp_path / "data" / "list.tpl").write_text('%{ for x in names ~}\n- ${x}\n%{ endfor ~}\nend "q" \\n\n')
    table = FunctionTable(Folders(tmp_path, tmp_path), new_run("spec", owner="me", now=NOW), Secrets())
    scope = Scope({"var": names_of("var", VALUES)})
    return lambda text: Evaluator(table).evaluate(parse_expression(text), scope)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1 + 2 * 3 - -1", 8),
        ("(1 + 2) * 3", 9),
        ("7 / 2", 3.5),
        ("6 / 2", 3),
        ("-7 % 3", -1),
        ("1.5e2", 150),
        ("var.n > 6 && !(var.n == 8)", True),
        ("var.n == 7 || false", True),
        ('"1" == 1', False),
        ('var.l == ["a", "b", "c"]', True),
        ("true != false", True),
        ('var.n > 5 ? "big" : "small"', "big"),
        ("null", None),
        ("var.l[1]", "b"),
        ("var.l.2", "c"),
        ("var.m.y.z[0]", 10),
        ('var.m["y"]["z"][1]', 20),
        ("var.objects[*].name", ["a", "b"]),
        ("var.objects.*.name", ["a", "b"]),
        ("var.objects[*].tags[0]", ["1", "2"]),
        ("var.nothing[*]", []),
        ("var.s[*]", ["text"]),
        ("[for x in var.l : upper(x)]", ["A", "B", "C"]),
        ('[for i, x in var.l : "${i}${x}" if x != "b"]', ["0a", "2c"]),
        ('{for k, v in var.m : upper(k) => v if k == "x"}', {"X": 1}),
        ("{for o in var.objects : o.tags[0] => o.name}", {"1": "a", "2": "b"}),
        ('{for x in ["a", "b", "a"] : x => 1...}', {"a": [1, 1], "b": [1]}),
        ('{a = 1, "b" = 2, (var.s) = 3, c : 4}', {"a": 1, "b": 2, "text": 3, "c": 4}),
        ('"${var.s}-${var.n}"', "text-7"),
        ('"${var.l}"', ["a", "b", "c"]),
        ('"$${var.s} %%{if} a\\tb\\u00e9\\"\\\\"', '${var.s} %{if} a\tbé"\\'),
        ('"%{ if var.n > 5 }big%{ else }small%{ endif }"', "big"),
        ('"%{ for x in var.l }${x},%{ endfor }"', "a,b,c,"),
        ('"a %{ if true ~} b %{~ endif } c"', "a b c"),
        ('<<EOT\n  a ${var.s}\n    "b" \\n\nEOT\n', '  a text\n    "b" \\n\n'),
        ('<<-EOT\n    a\n      b\n\n    ${upper("c")}\n  EOT\n', "a\n  b\n\nC\n"),
        ("max(var.l...)", None),
        ('try(var.m.q, var.l[9], "default")', "default"),
        ("can(var.m.q)", False),
        ('convert("7", number)', 7),
    ],
)
def test_an_expression_has_a_value(evaluate: Callable[[str], Any], text: str, value: object) -> None:
    if value is None and text.startswith("max"):
        with pytest.raises(HclError):
            evaluate(text)
        return
    assert evaluate(text) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("abs(-5)", 5),
        ("ceil(5.1)", 6),
        ("floor(5.9)", 5),
        ("max(1, 3, 2)", 3),
        ("min([3, 1]...)", 1),
        ("pow(2, 10)", 1024),
        ("signum(-3)", -1),
        ("log(8, 2)", 3),
        ('parseint("ff", 16)', 255),
        ("sum([1, 2.5])", 3.5),
        ("range(3)", [0, 1, 2]),
        ("range(1, 4, 2)", [1, 3]),
        ('alltrue([true, "true"])', True),
        ("anytrue([false])", False),
        ('chomp("a\\r\\n\\n")', "a"),
        ('endswith("abc", "bc")', True),
        ('startswith("abc", "b")', False),
        ('strcontains("abc", "b")', True),
        ('format("%s-%03d-%5.2f-%t-%v%%", "a", 7, 1.5, true, [1])', "a-007- 1.50-true-[1]%"),
        ('formatlist("%s=%s", ["a", "b"], "c")', ["a=c", "b=c"]),
        ('indent(2, "a\\nb")', "a\n  b"),
        ('join(",", ["a", 1], ["b"])', "a,1,b"),
        ('lower("AB")', "ab"),
        ('upper("é")', "É"),
        ('title("hello world")', "Hello World"),
        ('regex("([a-z]+)-(\\\\d+)", "ab-12")', ["ab", "12"]),
        ('regex("(?P<n>\\\\d+)", "a7")', {"n": "7"}),
        ('regexall("\\\\d", "a1b2")', ["1", "2"]),
        ('regex_replace("a1b22", "(\\\\d+)", "<$1>")', "a<1>b<22>"),
        ('replace("a-b-c", "-", "")', "abc"),
        ('split(",", "a,b")', ["a", "b"]),
        ('strrev("abc")', "cba"),
        ('substr("hello", 1, 3)', "ell"),
        ('substr("hello", -3, -1)', "llo"),
        ('trim("?!a?!", "!?")', "a"),
        ('trimprefix("abc", "a")', "bc"),
        ('trimsuffix("abc", "c")', "ab"),
        ('trimspace(" a ")', "a"),
        ('chunklist(["a", "b", "c"], 2)', [["a", "b"], ["c"]]),
        ('coalesce("", null, "x")', "x"),
        ('coalescelist([], ["a"])', ["a"]),
        ('compact(["a", "", null])', ["a"]),
        ('concat(["a"], ["b"])', ["a", "b"]),
        ('contains(["a"], "a")', True),
        ('distinct(["a", "b", "a", 1, 1])', ["a", "b", 1]),
        ('element(["a", "b"], 3)', "b"),
        ('flatten([["a"], [["b"], "c"]])', ["a", "b", "c"]),
        ('index(["a", "b"], "b")', 1),
        ("keys({b = 1, a = 2})", ["a", "b"]),
        ("values({b = 1, a = 2})", [2, 1]),
        ('length("héllo")', 5),
        ("length({a = 1})", 1),
        ('lookup({a = 1}, "b", 2)', 2),
        ("merge({a = 1}, {a = 2, b = 3})", {"a": 2, "b": 3}),
        ("reverse([1, 2])", [2, 1]),
        ('slice(["a", "b", "c"], 1, 2)', ["b"]),
        ('sort(["b", "a"])', ["a", "b"]),
        ('setunion(["a"], ["b", "a"])', ["a", "b"]),
        ('setintersection(["a", "b"], ["b"])', ["b"]),
        ('setproduct(["a"], [1, 2])', [["a", 1], ["a", 2]]),
        ('zipmap(["a"], [1])', {"a": 1}),
        ('base64encode("hé")', "aMOp"),
        ('base64decode("aMOp")', "hé"),
        ('textencodebase64("a", "UTF-16LE")', "YQA="),
        ('textdecodebase64("YQA=", "UTF-16LE")', "a"),
        ('urlencode("a b&c")', "a+b%26c"),
        ('md5("a")', "0cc175b9c0f1b6a831c399e269772661"),
        ('sha256("")', "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"),
        ('jsonencode({b = [1, 2.5, null], a = "<é>"})', '{"a":"\\u003cé\\u003e","b":[1,2.5,null]}'),
        ('jsondecode("{\\"a\\": [1.0]}")', {"a": [1]}),
        ('yamldecode("a: [1, x]")', {"a": [1, "x"]}),
        ("yamlencode({a = [1]})", "a:\n- 1\n"),
        ('csvdecode("a,b\\n1,2")', [{"a": "1", "b": "2"}]),
        ('uuidv5("dns", "example.com")', "cfbff0d1-9375-5685-968c-48ce8b15ae17"),
        ('cidrhost("10.0.0.0/16", 5)', "10.0.0.5"),
        ('cidrnetmask("10.0.0.0/12")', "255.240.0.0"),
        ('cidrsubnet("10.0.0.0/16", 8, 2)', "10.0.2.0/24"),
        ('cidrsubnets("10.0.0.0/16", 8, 4)', ["10.0.0.0/24", "10.0.16.0/20"]),
        ("timestamp()", "2026-05-04T03:02:01Z"),
        ('timeadd("2026-05-04T03:02:01Z", "-1h30m")', "2026-05-04T01:32:01Z"),
        (
            'formatdate("EEE, DD MMM YYYY hh:mm:ss \'at\' ZZZ", "2026-05-04T03:02:01Z")',
            "Mon, 04 May 2026 03:02:01 at UTC",
        ),
        ('legacy_isotime("2006-01-02")', "2026-05-04"),
        ('legacy_strftime("%Y%m%d")', "20260504"),
        ('rfc3339_parse("2026-05-04T03:02:01Z").unix', 1777863721),
        ("unix_timestamp_parse(0).rfc3339", "1970-01-01T00:00:00Z"),
        ('basename("a/b.txt")', "b.txt"),
        ('dirname("a/b.txt")', "a"),
        ('file("data/a.txt")', "héllo\n"),
        ('filebase64("data/a.txt")', "aMOpbGxvCg=="),
        ('fileexists("data/b.txt")', False),
        ('fileset("data", "*.t*")', ["a.txt", "list.tpl"]),
        ('fileset(".", "**/*.txt")', ["data/a.txt"]),
        ('templatefile("data/list.tpl", {names = ["x", "y"]})', '- x\n- y\nend "q" \\n\n'),
    ],
)
def test_a_function_gives(evaluate: Callable[[str], Any], text: str, value: object) -> None:
    assert evaluate(text) == value


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("var.q", "there is no 'var.q'; known: l, m, n, nothing, objects, s, secret"),
        ("vra.s", "there is no name 'vra' here; did you mean 'var'?; text must be in quotes"),
        ("var.m.q", "there is no 'q' in the map"),
        ("var.l[3]", "the list has 3 item(s), so that there is no item 3"),
        ("var.s.x", "a list or a map is needed before '.x' or '[x]', not text"),
        ('uper("a")', "there is no function 'uper'; did you mean 'upper'?"),
        ("upper()", "upper takes at least 1 argument(s), at most 1; here are 0"),
        ("upper([1])", "upper: text is needed, not a list"),
        ("1 / 0", "a number is divided by zero"),
        ("1 % 0", "a number is divided by zero"),
        ("var.s + 1", "a number is needed, not text"),
        ("var.s ? 1 : 2", "true or false is needed, not text"),
        ('"${var.l}x"', "text is needed, not a list"),
        ("[for x in 1 : x]", "a list or a map is needed, not a number"),
        (
            '{for x in ["a", "a"] : x => 1}',
            "the key 'a' is there twice; end the value with '...' to collect its values in lists",
        ),
        ('"\\q"', "'\\q' is not an escape; to write a backslash, double it"),
        ('"%{ if true }"', "a directive such as %{if} or %{for} has no end"),
        ('"%{ endif }"', "a directive such as %{endif} or %{else} stands alone"),
        (
            'consul_key("a")',
            (
                "'consul_key' is not supported: read the value from Consul yourself, and give it as a sensitive "
                "variable (--vi-var NAME=..., or the environment)"
            ),
        ),
        (
            'bcrypt("a", 31)',
            "bcrypt: a cost from 4 to 14 is needed, not 31",
        ),
        (
            'bcrypt(join("", range(80)), 4)',
            "bcrypt: a password of at most 72 bytes is needed, without NUL characters",
        ),
        ('rsadecrypt("AAAA", "no key")', "rsadecrypt: a private key of RSA in PEM, without a passphrase, is needed"),
        ('env("A")', "'env' can be used in the default of a variable only"),
        ('file("data/b.txt")', "file: there is no file 'data/b.txt' beside the template; did you mean 'a.txt'?"),
        ("pow(9, 99999)", "pow: the number is too large"),
        ("range(0, 9999999)", "range: the range has too many numbers"),
        ('format("%99999d", 1)', "format: the widths in the format are too large"),
        ('regex("(", "a")', "regex: this is not a regular expression that is supported"),
        ('jsondecode("{")', "jsondecode: this is not JSON"),
        (
            'formatdate("QQ", timestamp())',
            "formatdate: 'QQ' means nothing in the layout of a date; put text into single quotes",
        ),
        ("max(var.l...)", "max: a number is needed, not text"),
        ("max(1...)", "before '...' a list is needed"),
        ("convert(1, strin)", "there is no type 'strin'; did you mean 'string'?"),
        ("[for a in range(2000) : [for b in range(2000) : a]]", "the template's expressions take too many steps"),
        ('replace(join("", range(60000)), "1", join("", range(9999)))', "replace: the text grows too large"),
    ],
)
def test_a_mistake_is_told(evaluate: Callable[[str], Any], text: str, message: str) -> None:
    with pytest.raises(HclError) as caught:
        evaluate(text)
    assert str(caught.value) == message


@pytest.mark.parametrize("text", ["1 +", "[1", "a b", "x = 1\ny = 2"])
def test_wrong_syntax_is_told(text: str) -> None:
    with pytest.raises(HclSyntaxError):
        parse_expression(text)


@pytest.mark.parametrize(
    ("text", "marked"),
    [
        ("var.secret", True),
        ('"a ${var.secret}"', True),
        ("upper(var.secret)", True),
        ('[var.secret, "a"][0]', True),
        ('[var.secret, "a"][1]', False),
        ('concat(["a"], [var.secret])[0]', False),
        ('join(",", ["a", var.secret])', True),
        ("merge({a = var.secret}, {b = 1}).b", False),
        ("{a = var.secret}.a", True),
        ('var.secret == "x" ? "a" : "b"', False),
        ("length(var.secret) + 1", True),
        ("[for x in [var.secret] : x][0]", True),
        ("jsonencode({a = var.secret})", True),
        ("var.s", False),
    ],
)
def test_what_comes_of_a_secret_is_one(evaluate: Callable[[str], Any], text: str, marked: bool) -> None:  # noqa: FBT001
    assert bare_throughout(evaluate(text))[1] is marked


def test_a_password_is_hashed_with_the_same_salt_as_often_as_a_run_reads_its_template(
    evaluate: Callable[[str], Any],
) -> None:
    hashed = evaluate('bcrypt("s3cr3t", 4)')
    assert hashed.startswith("$2a$04$")
    assert bcrypt.checkpw(b"s3cr3t", hashed.encode())
    assert evaluate('bcrypt("s3cr3t", 4)') != hashed  # another call, another salt


def test_what_is_encrypted_for_a_key_is_decrypted(evaluate: Callable[[str], Any], tmp_path: Path) -> None:
    key = rsa.generate_private_key(65537, 2048)
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    (tmp_path / "data" / "key.pem").write_bytes(pem)
    encrypted = base64.b64encode(key.public_key().encrypt(b"s3cr3t", padding.PKCS1v15())).decode()
    assert evaluate(f'rsadecrypt("{encrypted}", file("data/key.pem"))') == "s3cr3t"
    with pytest.raises(HclError, match="cannot be decrypted with this key"):
        evaluate('rsadecrypt("AAAA", file("data/key.pem"))')


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('"a  ${~ var.n ~}  b"', "a7b"),
        ('"a ${ upper(" ${~ var.s}") ~} $${~ b}"', "a TEXT${~ b}"),
        ('"%{ if var.n == 7 ~} x %{~ else ~} y %{~ endif }"', "x"),
        ("<<E\n%{ for x in var.l ~}\n   item ${x}\n%{ endfor ~}\nend\nE\n", "   item a\n   item b\n   item c\nend\n"),
        ("<<-E\n    %{~ if true ~}\n      x\n    %{~ endif ~}\n    end\n  E\n", "      x\n    end\n"),
        ('<<-E\n    a\n      ${~ "q" ~}\n    b\n  E\n', "    a\nq    b\n"),
        ('<<-E\n   \n     x\n    ${"y"}\n      ${"z"}\n  E\n', "   \n x\ny\n  z\n"),
        ("<<-E\n\ttab\n\t  two\n\tE\n", "tab\n  two\n"),
    ],
)
def test_white_space_goes_as_in_packer(evaluate: Callable[[str], Any], text: str, value: str) -> None:
    assert evaluate(text) == value


def test_lines_of_a_template_file_keep_their_indentation(evaluate: Callable[[str], Any], tmp_path: Path) -> None:
    (tmp_path / "data" / "cloud.yaml").write_text("a:\n%{ for x in names ~}\n  - ${x}\n%{ endfor ~}\nb: 1\n")

    assert evaluate('templatefile("data/cloud.yaml", {names = ["x", "y"]})') == "a:\n  - x\n  - y\nb: 1\n"
