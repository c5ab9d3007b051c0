"""Packer's JSON templates: variables, builders, and who takes part in which build."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.templates.packer.conftest import BUILDER, Load, Mistakes, template, warnings_of
from verified_images.templates.model import MarketplaceImage, ShellProvisioner, reveal

if TYPE_CHECKING:
    from pathlib import Path

SECRET = "s3cr3t-t0ken"


def commands(provisioner: object) -> list[str]:
    assert isinstance(provisioner, ShellProvisioner)
    return [reveal(line) for line in provisioner.inline or ()]


def test_the_shortest_template_is_loaded(load: Load) -> None:
    (loaded,) = load(template())
    assert loaded.template.name == "debian-nginx"
    assert loaded.template.builder.source == MarketplaceImage(publisher="Debian", offer="debian-12", sku="12-gen2")
    assert loaded.template.builder.location == "westeurope"
    assert loaded.template.image.managed is not None
    assert loaded.template.image.managed.name == "nginx"
    assert loaded.warnings == ()


class TestVariables:
    def name(self, load: Load, declared: dict[str, Any], **arguments: Any) -> str:  # noqa: ANN401 - of load
        (loaded,) = load(template(managed_image_name="{{user `name`}}", variables=declared), **arguments)
        assert loaded.template.image.managed is not None
        return loaded.template.image.managed.name

    def test_have_defaults_that_may_use_the_environment_and_each_other(self, load: Load) -> None:
        variables = {"name": "{{user `base`}}-{{isotime `2006`}}", "base": "{{env `BASE`}}"}
        assert self.name(load, variables, environment={"BASE": "nginx"}) == "nginx-2026"

    def test_are_given_on_the_command_line_before_files(self, load: Load, spec: Path) -> None:
        file = spec / "vars.json"
        file.write_text('{"name": "from-file", "other": null}')
        assert self.name(load, {"name": "a"}, variable_files=[file]) == "from-file"
        assert self.name(load, {"name": None}, variable_files=[file], variables={"name": "given"}) == "given"

    def test_that_nobody_declared_may_be_given(self, load: Load) -> None:
        assert self.name(load, {}, variables={"name": "given"}) == "given"

    def test_of_null_are_required(self, mistakes: Mistakes) -> None:
        assert mistakes(template(variables={"name": None})) == [
            (
                3,
                "variables.name",
                ("the variable 'name' has no value, and none of its own; give it one (--vi-var name=...) or a default"),
            ),
        ]

    def test_that_need_each_other_are_told(self, mistakes: Mistakes) -> None:
        assert mistakes(template(variables={"a": "{{user `b`}}", "b": "{{user `a`}}"})) == [
            (3, "variables.a", "the variables need each other: a -> b -> a"),
        ]

    def test_that_are_not_declared_are_empty_with_a_warning(self, load: Load) -> None:
        loaded = load(template({"type": "shell", "inline": ["echo {{user `nmae`}}"]}, variables={"name": "x"}))
        assert warnings_of(loaded) == [
            (
                "provisioners[0].inline[0]",
                (
                    "it is taken for an empty text, as in Packer: the user variable 'nmae' is not declared; "
                    "did you mean 'name'?"
                ),
            ),
        ]
        assert commands(loaded[0].template.provisioners[0]) == ["echo "]

    def test_that_use_what_is_not_declared_are_refused_where_packer_refuses_them(self, mistakes: Mistakes) -> None:
        assert mistakes(template(variables={"sum": "a{{user `nmae`}}", "name": "x", "use": "{{user `sum`}}"})) == [
            (3, "variables.sum", "the user variable 'nmae' is not declared; did you mean 'name'?"),
        ]

    @pytest.mark.parametrize(
        ("declared", "name", "message"),
        [
            # Packer's core gives up only where no other variable is made from one.
            (
                {"sum": "a{{user `nmae`}}", "name": "x", "use": "{{user `name`}}y"},
                "sum",
                (
                    "'sum' is taken for an empty text, as in Packer: the user variable 'nmae' is not declared; "
                    "did you mean 'name'?"
                ),
            ),
            (
                {"sum": "{{user `sum`}}", "name": "x", "use": "{{user `name`}}y"},
                "sum",
                "'sum' is taken for an empty text, as in Packer: the variables need each other: sum -> sum",
            ),
        ],
    )
    def test_that_use_what_is_not_declared_are_empty_where_packer_goes_on(
        self, load: Load, declared: dict[str, str], name: str, message: str
    ) -> None:
        loaded = load(template({"type": "shell", "inline": [f"<{{{{user `{name}`}}}}>"]}, variables=declared))
        assert commands(loaded[0].template.provisioners[0]) == ["<>"]
        assert warnings_of(loaded) == [("variables.sum", message)]

    def test_that_are_given_keep_the_rest_of_their_text(self, load: Load, spec: Path) -> None:
        (spec / "arguments.json").write_text('{"arguments": "a={{user `a`}} b={{user `b`}}"}')
        declared = {"arguments": "", "a": "1", "c": "{{user `a`}}"}
        shell = {"type": "shell", "inline": ["run {{user `arguments`}}"]}
        loaded = load(template(shell, variables=declared), variable_files=[spec / "arguments.json"])
        assert commands(loaded[0].template.provisioners[0]) == ["run a=1 b="]
        assert [path for path, _ in warnings_of(loaded)] == ["variables.arguments"]

    def test_keep_fields_for_the_command_that_they_are_used_in(self, load: Load) -> None:
        shell = {"type": "shell", "inline": "id", "execute_command": "{{user `run`}}"}
        (loaded,) = load(template(shell, variables={"run": "{{ .Vars }} sudo -E bash {{ .Path }}"}))
        provisioner = loaded.template.provisioners[0]
        assert isinstance(provisioner, ShellProvisioner)
        assert (provisioner.sudo, provisioner.execute_command) == (True, "bash {path}")

    def test_that_are_sensitive_stay_secret(self, load: Load) -> None:
        document = json.loads(template({"type": "shell", "inline": ["login {{user `token`}}"]}))
        document |= {"variables": {"token": "{{env `TOKEN`}}"}, "sensitive-variables": ["token"]}
        (loaded,) = load(json.dumps(document), environment={"TOKEN": SECRET})
        assert commands(loaded.template.provisioners[0]) == [f"login {SECRET}"]
        assert SECRET not in repr(loaded.template)
        assert [secret.get_secret_value() for secret in loaded.template.secrets] == [SECRET]
        assert loaded.template.variables[0].secret

    def test_that_are_sensitive_are_allowed_elsewhere_with_a_warning(self, load: Load) -> None:
        document = json.loads(template(managed_image_name="{{user `token`}}", variables={"token": SECRET}))
        loaded = load(json.dumps(document | {"sensitive-variables": ["token"]}))
        assert warnings_of(loaded) == [
            (
                "builders[0].managed_image_name",
                "a sensitive value is used here: whoever sees the resource in Azure can read it",
            ),
        ]


class TestSeveralBuilders:
    def load(self, load: Load, *provisioners: dict[str, Any]) -> dict[str, Any]:
        document = json.loads(template(*provisioners))
        document["builders"] = [{**BUILDER, "name": "small"}, {**BUILDER, "name": "large", "vm_size": "Standard_B4ms"}]
        return {loaded.template.name: loaded.template for loaded in load(json.dumps(document))}

    def test_give_several_templates(self, load: Load) -> None:
        templates = self.load(load)
        assert {name: found.builder.vm_size for name, found in templates.items()} == {
            "debian-nginx-small": "Standard_B2s",
            "debian-nginx-large": "Standard_B4ms",
        }

    def test_share_provisioners_but_those_that_are_for_some(self, load: Load) -> None:
        templates = self.load(
            load,
            {"type": "shell", "inline": "all"},
            {"type": "shell", "inline": "small", "only": ["small"]},
            {"type": "shell", "inline": "large", "except": ["small"]},
            {"type": "shell", "inline": "any", "override": {"large": {"inline": ["other"]}}},
        )
        lines = {name: [commands(p)[0] for p in found.provisioners] for name, found in templates.items()}
        assert lines == {
            "debian-nginx-small": ["all", "small", "any"],
            "debian-nginx-large": ["all", "large", "other"],
        }
        assert [provisioner.index for provisioner in templates["debian-nginx-large"].provisioners] == [1, 2, 3]

    def test_of_other_types_are_left_out_with_a_warning(self, load: Load) -> None:
        document = json.loads(template())
        document["builders"].insert(0, {"type": "amazon-ebs", "whatever": [1]})
        loaded = load(json.dumps(document))
        assert [found.template.name for found in loaded] == ["debian-nginx"]
        assert warnings_of(loaded) == [
            ("builders[0]", "the builder 'amazon-ebs' is left out: amazon-ebs builds no image in Azure"),
        ]


@pytest.mark.parametrize(
    ("change", "key_path", "message"),
    [
        ({"provisoners": []}, "provisoners", "unknown key 'provisoners'; did you mean 'provisioners'?"),
        ({"builders": []}, "builders", "the template has no builders"),
        ({"builders": {}}, "builders", "a list is needed"),
        ({"builders": [1]}, "builders[0]", "a mapping is needed"),
        ({"builders": [{}, BUILDER]}, "builders[0]", "the option 'type' is required"),
        ({"builders": [{"type": "null"}]}, "builders", "none of the builders is of the type azure-arm"),
        (
            {"builders": [BUILDER, BUILDER]},
            "builders[1].name",
            "there is another builder 'azure-arm'; give each its own name",
        ),
        ({"variables": []}, "variables", "a mapping of names to texts is needed"),
        ({"variables": {"a": [1]}}, "variables.a", "the value of a variable must be text"),
        ({"sensitive-variables": "b"}, "sensitive-variables", "a list of the names of variables is needed"),
        (
            {"provisioners": [{"type": "shel"}]},
            "provisioners[0]",
            "there is no provisioner 'shel'; did you mean 'shell'?",
        ),
        ({"provisioners": [{}]}, "provisioners[0]", "the option 'type' is required"),
        (
            {"provisioners": [{"type": "converge"}]},
            "provisioners[0]",
            "the provisioner 'converge' of Packer is not supported here",
        ),
        (
            {"provisioners": [{"type": "shell", "inline": "a", "only": ["b"]}]},
            "provisioners[0].only[0]",
            "there is no build 'b'; known: azure-arm",
        ),
        (
            {"provisioners": [{"type": "shell", "inline": "a", "only": "b"}]},
            "provisioners[0].only",
            "a list of the names of builds is needed",
        ),
        (
            {"provisioners": [{"type": "shell", "inline": "a", "override": {"azure-arm": 1}}]},
            "provisioners[0].override",
            "a mapping of the names of builds to options is needed",
        ),
        ({"post-processors": [[[]]]}, "post-processors[0][0]", "a mapping or the name of a type is needed"),
        ({"error-cleanup-provisioner": []}, "error-cleanup-provisioner", "a mapping is needed"),
        (
            {"min_packer_version": "new"},
            "min_packer_version",
            "'>= new' is not a constraint on a version, such as '>= 1.7.0'",
        ),
    ],
)
def test_a_mistake_is_told(mistakes: Mistakes, change: dict[str, Any], key_path: str, message: str) -> None:
    found = mistakes(json.dumps(json.loads(template()) | change))
    assert [(path, text) for _, path, text in found] == [(key_path, message)]


def test_all_mistakes_are_told_at_once_with_their_lines(mistakes: Mistakes) -> None:
    text = template({"type": "shell", "inlin": "a"}, {"type": "file", "source": "nowhere"}, vm_sise="x", location="!")
    assert mistakes(text) == [
        (9, "builders[0].location", "'!' is not an Azure location; they look like westeurope"),
        (14, "builders[0].vm_sise", "azure-arm has no option 'vm_sise'; did you mean 'vm_size'?"),
        (20, "provisioners[0].inlin", "the shell provisioner has no option 'inlin'; did you mean 'inline'?"),
        (22, "provisioners[1]", "the option 'destination' is required"),
    ]


def test_comments_at_the_top_are_allowed(load: Load) -> None:
    document = {"_comment": "about", **json.loads(template()), "description": "x", "min_packer_version": "1.2.0"}
    assert load(json.dumps(document))[0].warnings == ()


def test_a_newer_packer_is_warned_of(load: Load) -> None:
    document = {**json.loads(template()), "min_packer_version": "2.0.0"}
    assert warnings_of(load(json.dumps(document))) == [
        ("min_packer_version", "the template asks for Packer 2.0.0; it is read as Packer 1.16.0 does"),
    ]


def test_a_key_that_is_there_twice_is_told_as_packer_does(mistakes: Mistakes) -> None:
    text = template().replace('"vm_size"', '"location": "x",\n   "vm_size"')
    assert mistakes(text) == [
        (10, "builders[0].location", "the key 'location' appears twice; the first is in line 9"),
    ]


def test_the_clean_up_after_errors_is_kept(load: Load) -> None:
    document = json.loads(template()) | {"error-cleanup-provisioner": {"type": "shell", "inline": "dmesg"}}
    assert commands(load(json.dumps(document))[0].template.error_cleanup_provisioner) == ["dmesg"]
