"""Templates made of several files: bases, included provisioners, data files."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.templates.conftest import HEAD
from verified_images.errors import TemplateError
from verified_images.templates.model import FileProvisioner, ShellProvisioner
from verified_images.templates.native import load_template

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from verified_images.templates.model import Template

UPLOAD = "- file: {source: page.html, destination: /x}\n"


def write(folder: Path, files: Mapping[str, str]) -> Path:
    for name, text in files.items():
        file = folder / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
    return folder / "web" / "template.yaml"


def load(folder: Path, files: Mapping[str, str]) -> Template:
    return load_template(write(folder, files), environment={})


def mistakes(folder: Path, files: Mapping[str, str]) -> list[tuple[str, int | None, str, str]]:
    with pytest.raises(TemplateError) as caught:
        load(folder, files)
    return [(each.file.name, each.line, each.key_path, each.message) for each in caught.value.problems]


class TestExtends:
    def test_gives_a_template_the_keys_of_its_base_unless_it_has_its_own(self, tmp_path: Path) -> None:
        base = HEAD + "  tags: {team: base, tier: base}\nprovisioners: [{shell: {inline: a}}]\nvariables: {x: base}\n"
        own = "extends: ../base.yaml\nimage: {tags: {team: '{{ var.x }}'}}\nbuilder: {vm_size: Standard_B1s}\n"
        found = load(tmp_path, {"base.yaml": base, "web/template.yaml": own})
        assert found.builder.vm_size == "Standard_B1s"
        assert found.builder.location == "westeurope"
        assert found.image.tags == {"team": "base", "tier": "base"}
        assert len(found.provisioners) == 1
        assert found.file == tmp_path / "web" / "template.yaml"

    def test_replaces_lists_as_a_whole(self, tmp_path: Path) -> None:
        base = HEAD + "provisioners: [{shell: {inline: a}}, {shell: {inline: b}}]\n"
        own = "extends: [../base.yaml]\nprovisioners: [{shell: {inline: c}}]\n"
        (only,) = load(tmp_path, {"base.yaml": base, "web/template.yaml": own}).provisioners
        assert isinstance(only, ShellProvisioner)
        assert only.inline == ("c",)
        assert only.line == 2

    def test_takes_several_and_bases_of_bases_with_paths_from_where_they_stand(self, tmp_path: Path) -> None:
        files = {
            "a/b/one.yaml": HEAD + "provisioners:\n" + UPLOAD,
            "a/b/page.html": "x",
            "a/two.yaml": "extends: b/one.yaml\nbuilder: {vm_size: Standard_B1s, username: two}\n",
            "a/three.yaml": "builder: {username: three}\n",
            "web/template.yaml": "extends: [../a/two.yaml, ../a/three.yaml]\n",
        }
        found = load(tmp_path, files)
        assert (found.builder.vm_size, found.builder.username) == ("Standard_B1s", "three")
        (upload,) = found.provisioners
        assert isinstance(upload, FileProvisioner)
        assert upload.source == "../a/b/page.html"
        assert upload.line is None

    def test_tells_mistakes_in_the_file_that_holds_them(self, tmp_path: Path) -> None:
        files = {
            "base.yaml": "# one\n" + HEAD.replace("vm_size", "vm_sise") + "smoke: {port: 80, port: 81}\n",
            "web/template.yaml": "extends: ../base.yaml\nsmok: {}\nimage: {managed: {name: '-'}}\n",
        }
        found = mistakes(tmp_path, files)
        assert [each[:3] for each in found] == [
            ("template.yaml", 2, "smok"),
            ("template.yaml", 3, "image.managed.name"),
            ("base.yaml", 4, "builder.vm_sise"),
            ("base.yaml", 8, "smoke.port"),
        ]

    @pytest.mark.parametrize(
        ("extends", "message"),
        [
            ("../bose.yaml", "there is no file '../bose.yaml' beside the template; did you mean 'base.yaml'?"),
            ("template.yaml", "the files need each other: template.yaml -> template.yaml"),
            ("'{{ var.x }}'", "the path of a file is needed, without {{ }}"),
            ("{a: b}", "the path of a file is needed, without {{ }}"),
            ("../list.yaml", "'../list.yaml' must hold a mapping, as a template does"),
        ],
    )
    def test_that_cannot_be_followed_is_told(self, tmp_path: Path, extends: str, message: str) -> None:
        files = {"base.yaml": HEAD, "list.yaml": "[]", "web/template.yaml": f"{HEAD}extends: {extends}\n"}
        assert mistakes(tmp_path, files) == [("template.yaml", 7, "extends", message)]

    def test_tells_of_a_base_that_cannot_be_read_and_of_a_ring(self, tmp_path: Path) -> None:
        files = {"base.yaml": "a: [\n", "web/template.yaml": "extends: ../base.yaml\n" + HEAD}
        assert [each[0] for each in mistakes(tmp_path, files)] == ["base.yaml"]
        files = {"base.yaml": "extends: web/template.yaml\n", "web/template.yaml": "extends: ../base.yaml\n" + HEAD}
        ((file, line, path, message),) = mistakes(tmp_path, files)
        assert (file, line, path) == ("base.yaml", 1, "extends")
        assert message.endswith("template.yaml -> base.yaml -> template.yaml")


class TestInclude:
    def test_stands_for_the_list_in_a_file(self, tmp_path: Path) -> None:
        files = {
            "common/hard.yaml": "- shell: {inline: '{{ var.x }}'}\n- include: deeper/more.yaml\n",
            "common/deeper/more.yaml": UPLOAD,
            "common/deeper/page.html": "x",
            "web/template.yaml": HEAD
            + "variables: {x: y}\nprovisioners:\n"
            + "- shell: {inline: a}\n- include: ../common/hard.yaml\n- shell: {inline: z}\n",
        }
        found = load(tmp_path, files).provisioners
        assert [each.kind for each in found] == ["shell", "shell", "file", "shell"]
        assert [each.line for each in found] == [9, None, None, 11]
        assert isinstance(found[1], ShellProvisioner)
        assert found[1].inline == ("y",)
        assert isinstance(found[2], FileProvisioner)
        assert found[2].source == "../common/deeper/page.html"

    def test_tells_mistakes_in_the_file_that_holds_them(self, tmp_path: Path) -> None:
        files = {
            "hard.yaml": "\n- shel: {}\n- file: {source: page.html, destination: /}\n",
            "web/template.yaml": HEAD + "provisioners: [{include: ../hard.yaml}, {shell: {inlin: x}}]\n",
        }
        assert [each[:3] for each in mistakes(tmp_path, files)] == [
            ("template.yaml", 7, "provisioners[2].shell.inlin"),
            ("hard.yaml", 2, "provisioners[0]"),
            ("hard.yaml", 3, "provisioners[1].file.source"),
        ]

    @pytest.mark.parametrize(
        ("include", "message"),
        [
            ("../base.yaml", "'../base.yaml' must hold a list of provisioners"),
            ("../ring.yaml", "the files need each other: template.yaml -> ring.yaml -> ring.yaml"),
        ],
    )
    def test_that_cannot_be_followed_is_told(self, tmp_path: Path, include: str, message: str) -> None:
        files = {
            "base.yaml": HEAD,
            "ring.yaml": "- include: ring.yaml\n",
            "web/template.yaml": f"{HEAD}provisioners: [{{include: {include}}}]\n",
        }
        assert message in [each[3] for each in mistakes(tmp_path, files)]


class TestData:
    def test_is_what_is_in_the_files(self, tmp_path: Path) -> None:
        files = {
            "web/hosts.yaml": "web: {port: 8080, names: [a, b]}\n",
            "web/more.json": '{"x": "y"}',
            "web/motd.txt": "hello\n",
            "web/template.yaml": HEAD
            + "  tags: {a: '{{ data.hosts.web.port }}', b: '{{ data.more.x }}', c: '{{ data.motd | trim }}',"
            + " d: '{% for name in data.hosts.web.names %}{{ name }}{% endfor %}'}\n"
            + "variables: {which: hosts}\ndata: {hosts: '{{ var.which }}.yaml', more: more.json, motd: motd.txt}\n",
        }
        assert load(tmp_path, files).image.tags == {"a": "8080", "b": "y", "c": "hello", "d": "ab"}

    def test_of_a_base_stands_beside_it(self, tmp_path: Path) -> None:
        files = {
            "base.yaml": HEAD + "  tags: {a: '{{ data.x.y }}'}\ndata: {x: x.yaml}\n",
            "x.yaml": "y: z\n",
            "web/template.yaml": "extends: ../base.yaml\n",
        }
        assert load(tmp_path, files).image.tags == {"a": "z"}

    @pytest.mark.parametrize(
        ("data", "place", "message"),
        [
            ("{x: y.yaml}", ("template.yaml", 8, "data.x"), "there is no file 'y.yaml' beside the template"),
            ("{x: wrong.yaml}", ("wrong.yaml", 1, ""), "this cannot be read: "),
            ("{x: '{{ var.y }}'}", ("template.yaml", 8, "data.x"), "'var.y' is not defined"),
            ("{x: [a]}", ("template.yaml", 8, "data.x"), "the path of a file is needed"),
            ("[a]", ("template.yaml", 8, "data"), "a mapping of names to files is needed"),
            ("{z: right.yaml}", ("template.yaml", 7, "image.tags.a"), "'data.x' is not defined; known: z"),
            ("{x: right.yaml}", ("template.yaml", 7, "image.tags.a"), "'dict object' has no attribute 'y'"),
        ],
    )
    def test_that_is_wrong_is_told(self, tmp_path: Path, data: str, place: tuple[str, int, str], message: str) -> None:
        files = {
            "web/wrong.yaml": "a: [",
            "web/right.yaml": "b: c",
            "web/template.yaml": f"{HEAD}  tags: {{a: '{{{{ data.x.y }}}}'}}\ndata: {data}\n",
        }
        found = {each[:3]: each[3] for each in mistakes(tmp_path, files)}
        assert found[place].startswith(message)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
@given(
    base=st.recursive(
        st.sampled_from(["builder", "- include: x", "extends: base.yaml", "a: {b: [c]}", "[", "", "~"]), st.lists
    ),
    key=st.sampled_from(["extends", "data", "matrix", "provisioners", "variables"]),
    value=st.recursive(
        st.one_of(st.none(), st.sampled_from(["../base.yaml", "template.yaml", "..", "", "{{ var.a }}", "\\0"])),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["include", "a"]), inner, max_size=2)
        ),
    ),
)
def test_whatever_stands_there_is_a_template_or_an_error_of_one(
    tmp_path: Path, base: object, key: str, value: object
) -> None:
    files = {"base.yaml": str(base), "web/template.yaml": f"{HEAD}{key}: {value!r}\n"}
    outcome: Template | str
    try:
        outcome = load(tmp_path, files)
    except TemplateError as error:
        outcome = str(error)
    assert outcome
