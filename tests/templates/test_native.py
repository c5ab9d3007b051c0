"""A native template becomes the model, and every mistake in it is told with line, key path and the nearest name."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.templates.conftest import HEAD, Load, Mistakes
from verified_images.errors import TemplateError
from verified_images.naming import new_run
from verified_images.templates.finding import find_templates
from verified_images.templates.model import FileProvisioner, MarketplaceImage, ShellProvisioner
from verified_images.templates.native import load_template
from verified_images.templates.provisioners import provisioner_kinds

EXAMPLE = """\
builder:
  source: {publisher: Debian, offer: debian-12, sku: 12-gen2, version: latest}
  vm_size: Standard_B2s
  location: westeurope
provisioners:
  - shell: {inline: ["apt-get update", "apt-get install -y nginx"], sudo: true}
  - file: {source: files/index.html, destination: /var/www/html/index.html}
image:
  gallery: {resource_group: images, gallery: golden, definition: debian-nginx, version: auto, regions: [westeurope]}
  managed: {resource_group: images, name: "debian-nginx-{{ run.id }}"}
  tags: {team: platform}
smoke: {instances: 2, orchestration: uniform, port: 80, path: /}
"""


class TestGoodTemplates:
    def test_the_example_is_loaded_whole(self, load: Load, spec: Path) -> None:
        run = new_run("debian-nginx")
        template = load(EXAMPLE, run=run)
        assert template.name == "debian-nginx"
        assert template.file == spec / "template.yaml"
        assert template.builder.source == MarketplaceImage(publisher="Debian", offer="debian-12", sku="12-gen2")
        shell, file = template.provisioners
        assert isinstance(shell, ShellProvisioner)
        assert (shell.kind, shell.index, shell.line) == ("shell", 1, 6)
        assert shell.inline == ("apt-get update", "apt-get install -y nginx")
        assert shell.sudo is True
        assert isinstance(file, FileProvisioner)
        assert (file.kind, file.index, file.line) == ("file", 2, 7)
        assert template.image.gallery is not None
        assert template.image.gallery.regions == ("westeurope",)
        assert template.image.managed is not None
        assert template.image.managed.name == f"debian-nginx-{run.id}"
        assert template.image.tags == {"team": "platform"}
        assert (template.smoke.instances, template.smoke.port, template.smoke.path) == (2, 80, "/")

    def test_without_a_run_its_values_have_the_same_form(self, load: Load) -> None:
        managed = load(EXAMPLE).image.managed
        assert managed is not None
        assert len(managed.name) == len(f"debian-nginx-{new_run('x').id}")

    def test_every_value_of_the_run_can_be_used(self, load: Load) -> None:
        run = new_run("nginx", owner="ann", now=datetime(2026, 5, 4, 3, 2, 1, tzinfo=UTC))
        names = ("id", "spec", "owner", "created", "expires", "timestamp")
        tags = "\n".join(f"    {name}: '{{{{ run.{name} }}}}'" for name in names)
        assert load(f"{HEAD}  tags:\n{tags}\n", run=run).image.tags == {
            "id": run.id,
            "spec": "nginx",
            "owner": "ann",
            "created": "2026-05-04T03:02:01Z",
            "expires": "2026-05-04T11:02:01Z",
            "timestamp": "20260504030201",
        }

    def test_json_says_the_same_as_yaml(self, load: Load) -> None:
        text = """{
\t"builder": {"source": {"publisher": "Debian", "offer": "debian-12", "sku": "12-gen2"},
\t\t"vm_size": "Standard_B2s", "location": "westeurope"},
\t"provisioners": [{"shell": {"inline": ["printf '\\u00e9\\ud83d\\ude00\\t\\/'"], "valid_exit_codes": [0, 3]}}],
\t"image": {"managed": {"resource_group": "images", "name": "nginx"}}
}"""
        (shell,) = load(text, name="template.json").provisioners
        assert isinstance(shell, ShellProvisioner)
        assert shell.inline == ("printf 'é\U0001f600\t/'",)
        assert shell.valid_exit_codes == (0, 3)
        assert shell.line == 4

    def test_scalars_reach_text_fields_as_they_were_written(self, load: Load) -> None:
        shell, file = load(
            HEAD + "provisioners:\n  - shell: {inline: 'true', env: {VERSION: 1.10, YES: yes, NUMBER: 007}}\n"
            "  - file: {content: 12e3, destination: /x, mode: 0640}\n",
        ).provisioners
        assert isinstance(shell, ShellProvisioner)
        assert shell.env == {"VERSION": "1.10", "YES": "yes", "NUMBER": "007"}
        assert isinstance(file, FileProvisioner)
        assert (file.content, file.mode) == ("12e3", 0o640)

    def test_shell_syntax_with_braces_is_left_alone(self, load: Load) -> None:
        commands = ["echo ${#name} ${name%.*} ${name##*/}", "awk '{print $1}' | tr '}' x", "curl -w '%{http_code}' x"]
        lines = "".join(f"        {command}\n" for command in commands)
        (shell,) = load(f"{HEAD}provisioners:\n  - shell:\n      inline: |\n{lines}").provisioners
        assert isinstance(shell, ShellProvisioner)
        assert shell.inline == ("\n".join(commands) + "\n",)

    def test_numbers_and_truth_values_can_come_from_variables(self, load: Load) -> None:
        template = load(
            HEAD + "variables: {port: 8080, public: no}\nsmoke: {port: '{{ var.port }}'}\n"
            "provisioners: [{shell: {inline: x, sudo: '{{ var.public }}'}}]\n",
        )
        assert template.smoke.port == 8080
        (shell,) = template.provisioners
        assert isinstance(shell, ShellProvisioner)
        assert shell.sudo is False

    def test_a_byte_order_mark_and_windows_line_ends_are_no_problem(self, load: Load) -> None:
        assert load(b"\xef\xbb\xbf" + HEAD.replace("\n", "\r\n").encode()).builder.location == "westeurope"


class TestMistakes:
    def test_all_are_told_at_once_in_the_order_of_the_file(self, mistakes: Mistakes) -> None:
        assert mistakes("""\
builder:
  source: {publiser: Debian, offer: debian-12, sku: 12-gen2}
  vm_sise: Standard_B2s
  location: "{{ var.region }}"
variables: {regoin: westeurope}
provisoners: []
provisioners:
  - shel: {inline: x}
  - shell: {inlin: x}
  - shell: {script: instal.sh}
image:
  managed: {resource_group: images., name: nginx}
  gallery: {resource_group: images, gallery: golden-images, definition: nginx, version: "1.0"}
smoke: {instances: 0, orchestration: unifrom, port: 70000}
""") == [
            (2, "builder.source.publiser", "unknown key 'publiser'; did you mean 'publisher'?"),
            (3, "builder.vm_sise", "unknown key 'vm_sise'; did you mean 'vm_size'?"),
            (4, "builder.location", "'var.region' is not defined; did you mean 'regoin'?"),
            (6, "provisoners", "unknown key 'provisoners'; did you mean 'provisioners'?"),
            (8, "provisioners[0]", "unknown provisioner 'shel'; did you mean 'shell'?"),
            (9, "provisioners[1].shell.inlin", "unknown key 'inlin'; did you mean 'inline'?"),
            (
                10,
                "provisioners[2].shell.script",
                "there is no file 'instal.sh' beside the template; did you mean 'install.sh'?",
            ),
            (
                12,
                "image.managed.resource_group",
                (
                    "'images.' is not allowed: a resource group's name has 1 to 90 letters, digits, '_', '-', '.', '(' "
                    "or ')' and does not end in '.'"
                ),
            ),
            (
                13,
                "image.gallery.gallery",
                (
                    "'golden-images' is not allowed: a gallery's name has 1 to 80 letters, digits, '_' or '.' (no '-') "
                    "and begins and ends with a letter or digit"
                ),
            ),
            (
                13,
                "image.gallery.version",
                "'1.0' is not a version: write X.Y.Z (three whole numbers) or auto",
            ),
            (14, "smoke.instances", "'0' is too small; the least is 1"),
            (14, "smoke.orchestration", "'uniform' or 'flexible' is needed, not 'unifrom'"),
            (14, "smoke.port", "'70000' is too large; the most is 65535"),
        ]

    def test_the_text_of_the_error_has_file_line_and_key_path(self, load: Load, spec: Path) -> None:
        with pytest.raises(TemplateError) as caught:
            load(HEAD + "smok: {}\n")
        assert str(caught.value) == (f"{spec / 'template.yaml'}:7: smok: unknown key 'smok'; did you mean 'smoke'?")

    def test_a_missing_key_is_told_at_what_lacks_it(self, mistakes: Mistakes) -> None:
        assert mistakes("image:\n  managed: {name: x}\nbuilder:\n  vm_size: Standard_B2s\n") == [
            (2, "image.managed.resource_group", "this key is required"),
            (3, "builder.source", "this key is required"),
            (3, "builder.location", "this key is required"),
        ]

    def test_an_unknown_key_that_resembles_none_lists_the_known_ones(self, mistakes: Mistakes) -> None:
        assert mistakes(HEAD + "  zzz: 1\n") == [
            (7, "image.zzz", "unknown key 'zzz'; known: gallery, managed, skip, tags, vhd"),
        ]

    @pytest.mark.parametrize(
        ("text", "key_path", "message"),
        [
            ("smoke: 3", "smoke", "a mapping (key: value) is needed, not '3'"),
            ("smoke:", "smoke", "a mapping (key: value) is needed, not nothing"),
            ("smoke: {timeout: soon}", "smoke.timeout",
             ("a duration is needed, such as 90s, 20m or 1h30m (a bare number is seconds), at most 7d")),
            ("smoke: {instances: two}", "smoke.instances", "a whole number is needed, not 'two'"),
            ("smoke: {path: /health}", "smoke", "'path' has no effect without 'port'"),
            ("smoke: {port: 80, path: health}", "smoke.path",
             ("'health' is not the path of a URL: it begins with '/' and holds no space")),
            ("provisioners: {shell: {}}", "provisioners", "a list is needed, not a mapping"),
            ("provisioners: [x]", "provisioners[0]",
             ("a mapping with one key, the provisioner's kind, is needed: {kinds}")),
            ("provisioners: [{shell: , inline: x}]", "provisioners[0]",
             ("the keys of 'shell' must be indented more than 'shell' itself")),
            ("provisioners: [{type: shell, inline: x}]", "provisioners[0]",
             ("a provisioner is written with its kind as the key, such as '- shell: {inline: [...]}', without "
              "'type'")),
            ("provisioners: [{shell: {}, file: {}}]", "provisioners[0]",
             ("each entry is one provisioner with one key, its kind; here are 'shell', 'file'")),
            ("provisioners: [{shell: {}}]", "provisioners[0].shell",
             ("exactly one of 'inline', 'script', 'scripts' is needed; here is none")),
            ("provisioners: [{shell: {inline: []}}]", "provisioners[0].shell.inline", "at least one entry is needed"),
            ("provisioners: [{shell: {inline: a, script: install.sh}}]", "provisioners[0].shell",
             ("exactly one of 'inline', 'script', 'scripts' is needed; here is 'inline' and 'script'")),
            ("provisioners: [{shell: {inline: a, sudo: maybe}}]", "provisioners[0].shell.sudo",
             ("true or false is needed, not 'maybe'")),
            ("provisioners: [{shell: {inline: a, env: {a-b: c}}}]", "provisioners[0].shell.env",
             ("'a-b' is not the name of an environment variable: letters, digits and '_' only")),
            ("provisioners: [{shell: {inline: a, env: {A: [b]}}}]", "provisioners[0].shell.env.A",
             "text is needed here"),
            ("provisioners: [{shell: {inline: a, execute_command: bash}}]", "provisioners[0].shell",
             ("execute_command must hold {path}, which stands for the script's path in the machine")),
            ("provisioners: [{file: {content: a, destination: /x, mode: 0888}}]", "provisioners[0].file.mode",
             "'0888' is not a file mode; write octal digits such as 0644"),
            ("provisioners: [{file: {source: /x, destination: y, direction: download, mode: 0644}}]",
             "provisioners[0].file", "'mode' makes no sense with 'direction: download'"),
            ("provisioners: [{file: {source: nowhere/x, destination: y}}]", "provisioners[0].file.source",
             "there is no file 'nowhere/x' beside the template; there is no folder '{spec}/nowhere' either"),
            ("provisioners: [{file: {source: '" + "x" * 300 + "', destination: y}}]", "provisioners[0].file.source",
             f"'{'x' * 100}' cannot be a file: File name too long"),
            ("  tags: {VI-run: x}", "image.tags",
             ("the tag name 'VI-run' is reserved: it begins with one of vi-, microsoft, azure, windows")),
            ("  tags: {a: x, A: y}", "image.tags",
             ("two tags have the same name; Azure does not tell upper from lower case in it")),
            ("  tags: {team: '{{ env.TEAM }}'}", "image.tags.team", "the environment variable 'TEAM' is not set"),
            ("  tags: {team: '{{ region }}'}", "image.tags.team",
             ("'region' is undefined; names begin with var., env., run. or data.")),
            ("  tags: {team: '{{ run.creatd }}'}", "image.tags.team",
             ("'run.creatd' is not defined; did you mean 'created'?")),
            ("  tags: {team: '{{.Names}}'}", "image.tags.team",
             ("this is not Jinja2: unexpected '.'; to keep braces as they are, write {% raw %} before them and {% "
              "endraw %} after them")),
            ("variables: {a-b: c}", "variables",
             ("'a-b' is not a variable's name: a letter, then letters, digits and '_'")),
            ("variables: [a]", "variables", "a mapping (key: value) is needed, not a list"),
            ("variables: {a: {defualt: c}}", "variables.a.defualt", "unknown key 'defualt'; did you mean 'default'?"),
            ("variables: {a: [b]}", "variables.a", "text is needed here"),
            ("variables: {must: null}", "variables.must",
             ("the variable 'must' has no value; give it one (--vi-var must=...) or a default")),
        ],
    )  # fmt: skip
    def test_one_after_a_good_beginning(
        self, mistakes: Mistakes, spec: Path, text: str, key_path: str, message: str
    ) -> None:
        expected = message.replace("{spec}", str(spec)).replace("{kinds}", ", ".join(provisioner_kinds()))
        assert mistakes(f"{HEAD}{text}\n") == [(7, key_path, expected)]

    @pytest.mark.parametrize(
        ("source", "key_path", "message"),
        [
            ("{publisher: A, offer: b, sku: c, gallery: d}", "",
             ("one source is needed, not several: 'publisher' (a Marketplace image) and 'gallery' (a gallery "
              "image) do not go together")),
            ("{}", "",
             ("a source is needed: {publisher, offer, sku} of the Marketplace, {resource_group, gallery, "
              "definition}, {resource_group, name} of a managed image, or {uri} of a VHD")),
            ("debian", "", "a mapping (key: value) is needed, not 'debian'"),
            ("{resource_group: a, gallery: b, definiton: c}", ".definiton",
             "unknown key 'definiton'; did you mean 'definition'?"),
            ("{resource_group: a, name: '-b'}", ".name",
             ("'-b' is not allowed: an image's name has 1 to 80 letters, digits, '_', '-' or '.', begins with a "
              "letter or digit and ends with a letter, digit or '_'")),
            ("{uri: http://x/a.vhd}", ".uri",
             ("a page blob's address is needed, such as https://account.blob.core.windows.net/vhds/a.vhd")),
            ("{publisher: A, offer: b, sku: c, version: newest}", ".version",
             "'newest' is not a version: write X.Y.Z (three whole numbers) or latest"),
        ],
    )  # fmt: skip
    def test_one_in_the_source(self, mistakes: Mistakes, source: str, key_path: str, message: str) -> None:
        text = HEAD.replace("{publisher: Debian, offer: debian-12, sku: 12-gen2}", source)
        assert mistakes(text) == [(2, f"builder.source{key_path}", message)]

    @pytest.mark.parametrize(
        ("line", "key_path", "message"),
        [
            ("username: admin", "username", "Azure refuses the user name 'admin'; choose another, such as packer"),
            ("username: 9lives", "username",
             ("'9lives' is not a Linux user name: 1 to 32 of a-z, 0-9, '_' and '-', not beginning with a digit")),
            ("os_disk_size_gb: 5000", "os_disk_size_gb", "'5000' is too large; the most is 4095"),
            ("allowed_inbound_ip_addresses: [10.0.0.300]", "allowed_inbound_ip_addresses[0]",
             "'10.0.0.300' is not an IP address or a range such as 203.0.113.0/24"),
            ("allowed_inbound_ip_addresses: 10.0.0.1", "allowed_inbound_ip_addresses",
             "a list is needed, not '10.0.0.1'"),
            ("plan: {publisher: A, product: b, name: c}", "",
             "plan.publisher 'A' is not that of the source, 'Debian'"),
            ("security_type: TrustedLunch", "security_type",
             "'Standard', 'TrustedLaunch' or 'ConfidentialVM' is needed, not 'TrustedLunch'"),
            (f"custom_data: {'x' * 65536}", "custom_data", "65536 bytes are more than the 65535 that Azure takes"),
        ],
    )  # fmt: skip
    def test_one_in_the_builder(self, mistakes: Mistakes, line: str, key_path: str, message: str) -> None:
        text = HEAD.replace("  location:", f"  {line}\n  location:")
        where = f"builder.{key_path}".rstrip(".")
        assert mistakes(text) == [(4 if key_path else 1, where, message)]

    def test_a_target_is_needed(self, mistakes: Mistakes) -> None:
        text = HEAD.replace("managed: {resource_group: images, name: nginx}", "tags: {team: x}")
        assert mistakes(text) == [(5, "image", "a target is needed: 'gallery', 'managed', 'vhd' or several")]

    def test_a_file_is_missed_although_other_things_are_wrong_too(self, mistakes: Mistakes) -> None:
        found = mistakes(
            f"{HEAD}smoke: {{instances: 0}}\nprovisioners: [{{file: {{source: index.html, destination: /}}}}]"
        )
        assert [key_path for _, key_path, _ in found] == ["smoke.instances", "provisioners[0].file.source"]

    def test_very_many_are_cut_short(self, mistakes: Mistakes) -> None:
        found = mistakes(HEAD + "".join(f"  zzz{number}: 1\n" for number in range(150)))
        assert len(found) == 101
        assert found[-1] == (None, "", "50 more problems are not shown")


class TestFindTemplate:
    @pytest.mark.parametrize("name", ["template.yaml", "template.yml", "template.json"])
    def test_finds_each_of_the_names(self, tmp_path: Path, name: str) -> None:
        (tmp_path / name).touch()
        assert find_templates(tmp_path) == (tmp_path / name,)

    def test_finds_nothing_in_other_folders(self, tmp_path: Path) -> None:
        (tmp_path / "template.yaml").mkdir()
        (tmp_path / "values.yaml").touch()
        assert find_templates(tmp_path) == ()

    def test_refuses_to_choose_between_two(self, tmp_path: Path) -> None:
        (tmp_path / "template.yaml").touch()
        (tmp_path / "template.json").touch()
        with pytest.raises(TemplateError, match=r"template\.json: the folder has another template, 'template\.yaml'"):
            find_templates(tmp_path)


def test_the_environment_is_the_processes_own_unless_given(
    spec: Path, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEAM", "platform")
    text = HEAD + "  tags: {team: '{{ env.TEAM }}'}\n"
    with pytest.raises(TemplateError):
        load(text)
    assert load_template(spec / "template.yaml").image.tags == {"team": "platform"}


def test_a_spec_is_named_for_its_folder_also_from_inside_of_it(
    load: Load, spec: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    load(HEAD)
    monkeypatch.chdir(spec)
    assert load_template(Path("template.yaml")).name == "debian-nginx"
