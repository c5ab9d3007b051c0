from __future__ import annotations

import io
import os
import tarfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from verified_images.errors import CommandError, DeadlineError
from verified_images.ssh.extraction import HostileArchiveError, extract_tree
from verified_images.ssh.quoting import quote_text
from verified_images.ssh.stream import Stream
from verified_images.ssh.transfer import Ownership, upload_content

if TYPE_CHECKING:
    from collections.abc import Callable

    from verified_images.ssh.session import Session

CONTENT = bytes(range(256)) * 3000


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """A folder with a folder, modes, links, and names that need care."""
    tree = tmp_path / "tree"
    (tree / "sub").mkdir(parents=True)
    (tree / "script").write_text("#!/bin/sh\n")
    (tree / "script").chmod(0o750)
    (tree / "sub" / 'it\'s "odd" $name\n').write_bytes(CONTENT)
    (tree / "-dash").write_text("dash")
    (tree / "ünïcode").write_text("name")
    (tree / ("long" * 40)).write_text("name")
    (tree / "link").symlink_to("sub/nowhere")
    (tree / "empty").mkdir()
    return tree


def listing(folder: Path) -> dict[str, tuple[int, object]]:
    """Every entry of a folder by its path: its mode, and its content or where it links to."""
    found: dict[str, tuple[int, object]] = {}
    for path in sorted(folder.rglob("*")):
        mode = path.lstat().st_mode
        content = str(path.readlink()) if path.is_symlink() else path.read_bytes() if path.is_file() else None
        found[str(path.relative_to(folder))] = (mode, content)
    return found


def test_a_folder_goes_into_the_destination(session: Session, tree: Path, tmp_path: Path) -> None:
    session.upload(str(tree), str(tmp_path / "made" / "there"))
    assert listing(tmp_path / "made" / "there" / "tree") == listing(tree)


def test_a_folder_with_a_slash_means_what_is_in_it(session: Session, tree: Path, tmp_path: Path) -> None:
    session.upload(f"{tree}/", str(tmp_path / "there"))
    assert listing(tmp_path / "there") == listing(tree)


def test_a_file_goes_to_the_destination_with_its_mode(session: Session, tree: Path, tmp_path: Path) -> None:
    session.upload(tree / "script", str(tmp_path / "new folder" / "it's"))
    arrived = tmp_path / "new folder" / "it's"
    assert arrived.read_text() == "#!/bin/sh\n"
    assert arrived.stat().st_mode & 0o7777 == 0o750


@pytest.mark.parametrize("slash", ["", "/"])
def test_a_file_goes_into_a_folder(session: Session, tree: Path, tmp_path: Path, slash: str) -> None:
    if not slash:
        (tmp_path / "there").mkdir()
    session.upload(tree / "script", f"{tmp_path}/there{slash}")
    assert (tmp_path / "there" / "script").is_file()


def test_several_sources_go_into_the_destination(session: Session, tree: Path, tmp_path: Path) -> None:
    session.upload([str(tree / "script"), f"{tree}/sub", f"{tree}/sub/"], str(tmp_path / "there"))
    names = {path.name for path in (tmp_path / "there").iterdir()}
    assert names == {"script", "sub", 'it\'s "odd" $name\n'}


def test_a_mode_is_that_of_files(session: Session, tree: Path, tmp_path: Path) -> None:
    session.upload(str(tree), str(tmp_path / "there"), mode=0o604)
    assert (tmp_path / "there/tree/script").stat().st_mode & 0o7777 == 0o604
    assert (tmp_path / "there/tree/sub").stat().st_mode == (tree / "sub").stat().st_mode
    session.upload(tree / "script", str(tmp_path / "one"), mode=0o400)
    assert (tmp_path / "one").stat().st_mode & 0o7777 == 0o400


def test_folders_that_exist_keep_their_mode_and_links_to_folders_stay(
    session: Session, tree: Path, tmp_path: Path
) -> None:
    there = tmp_path / "there"
    (there / "real").mkdir(parents=True)
    (there / "sub").symlink_to("real")
    (there / "empty").mkdir(mode=0o700)
    session.upload(f"{tree}/", str(there))
    assert (there / "sub").is_symlink()
    assert (there / "real" / 'it\'s "odd" $name\n').read_bytes() == CONTENT
    assert (there / "empty").stat().st_mode & 0o7777 == 0o700


def test_a_link_that_is_named_is_followed(session: Session, tree: Path, tmp_path: Path) -> None:
    (tmp_path / "to-file").symlink_to(tree / "script")
    (tmp_path / "to-folder").symlink_to(tree)
    session.upload([str(tmp_path / "to-file"), str(tmp_path / "to-folder")], str(tmp_path / "there"))
    assert not (tmp_path / "there" / "to-file").is_symlink()
    assert listing(tmp_path / "there" / "to-folder") == listing(tree)


def test_content_becomes_a_file_and_replaces_one(session: Session, tmp_path: Path) -> None:
    there = tmp_path / "there"
    session.upload_bytes(CONTENT, str(there))
    assert there.read_bytes() == CONTENT
    assert there.stat().st_mode & 0o7777 == 0o644
    session.upload_bytes(b"", str(there), mode=0o600)
    assert there.read_bytes() == b""
    assert there.stat().st_mode & 0o7777 == 0o600


def test_a_secret_file_is_never_readable_by_others(session: Session, tmp_path: Path) -> None:
    there = tmp_path / "there"
    modes: list[int] = []

    def look(write: Callable[[bytes], None]) -> None:
        write(b"sec")
        while not there.exists():
            time.sleep(0.01)
        modes.append(there.stat().st_mode & 0o777)
        write(b"ret")

    program = upload_content(b"", str(there), Ownership(mode=0o644)).program
    with Stream(session._link, program, look, sudo=False) as stream:
        assert list(stream.output(None)) == []
        assert stream.exit_code(None) == 0
    assert modes == [0o600]
    assert there.stat().st_mode & 0o777 == 0o644
    assert there.read_bytes() == b"secret"


def test_owner_and_group_are_set(session: Session, tree: Path, tmp_path: Path) -> None:
    uid, gid = str(os.getuid()), str(os.getgid())
    session.upload(f"{tree}/", str(tmp_path / "there"), owner=uid, group=gid)
    session.upload(tree / "script", str(tmp_path / "one"), owner=uid, group=gid)
    assert ((tmp_path / "there" / "script").stat().st_uid, (tmp_path / "one").stat().st_gid) == (
        int(uid),
        int(gid),
    )


@pytest.mark.parametrize("what", ["owner", "group"])
def test_an_owner_that_the_machine_does_not_know_is_an_error(
    session: Session, tree: Path, tmp_path: Path, what: str
) -> None:
    whom = {what: "nobody-of-that-name"}
    for source in (f"{tree}/", str(tree / "script")):
        with pytest.raises(CommandError, match="nobody-of-that-name"):
            session.upload(source, str(tmp_path / "there" / "x"), owner=whom.get("owner"), group=whom.get("group"))


def test_a_destination_that_cannot_be_written_says_why(session: Session, tree: Path) -> None:
    for source in (str(tree), str(tree / "script")):
        with pytest.raises(CommandError, match=r"the upload of .* to /proc/no/there failed on 'test-vm': .*/proc/no"):
            session.upload(source, "/proc/no/there")


def test_a_source_that_is_missing_is_told_of_before_anything_is_done(session: Session, tmp_path: Path) -> None:
    for source in (str(tmp_path / "missing"), str(tmp_path / "missing") + "/"):
        with pytest.raises(FileNotFoundError):
            session.upload([source], str(tmp_path / "there"))
    assert not (tmp_path / "there").exists()


def test_a_pipe_is_refused_and_not_waited_for(session: Session, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="it is a pipe: write it to a file first"):
        session.upload(tmp_path / "pipe", str(tmp_path / "there"))


def test_a_large_upload_that_the_far_side_refuses_ends(session: Session, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(30_000_000))
    with pytest.raises(CommandError, match="No space"):
        session.upload(tmp_path / "big", "/dev/full")


def test_time_is_up_for_an_upload_that_nobody_takes(session: Session, tmp_path: Path) -> None:
    (tmp_path / "big").write_bytes(bytes(30_000_000))
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DeadlineError, match="the end of 'upload of"):
        session.upload(tmp_path / "big", str(tmp_path / "pipe"), timeout=1.0)


def test_time_is_up_for_a_command_that_goes_on_without_its_output(session: Session) -> None:
    with pytest.raises(DeadlineError, match="the end of 'exec"):
        session.run("exec >&- 2>&-; sleep 20", stdin=b"", timeout=1.0)


def test_a_folder_comes_back_as_it_went(session: Session, tree: Path, tmp_path: Path) -> None:
    (tree / "link").unlink()
    (tree / "link").symlink_to("sub")
    left_out = session.download(str(tree), tmp_path / "here")
    assert left_out == ()
    assert {name: content for name, (_, content) in listing(tmp_path / "here" / "tree").items()} == {
        name: content for name, (_, content) in listing(tree).items()
    }
    session.download(f"{tree}/", tmp_path / "contents")
    assert (tmp_path / "contents" / "script").stat().st_mode & 0o777 == 0o750


def test_a_file_comes_to_a_path_or_into_a_folder(session: Session, tree: Path, tmp_path: Path) -> None:
    session.download(str(tree / "script"), tmp_path / "made" / "name")
    session.download(str(tree / "script"), tmp_path / "made")
    assert (tmp_path / "made" / "name").read_text() == (tmp_path / "made" / "script").read_text() == "#!/bin/sh\n"


def test_a_link_to_a_file_comes_as_the_file(session: Session, tree: Path, tmp_path: Path) -> None:
    (tree / "to-script").symlink_to("script")
    session.download(str(tree / "to-script"), tmp_path / "here")
    assert (tmp_path / "here").read_text() == "#!/bin/sh\n"


def test_devices_and_links_that_lead_out_are_left_out_and_named(session: Session, tree: Path, tmp_path: Path) -> None:
    (tree / "link").unlink()
    (tree / "out").symlink_to("../../etc")
    (tree / "absolute").symlink_to("/etc/passwd")
    os.mkfifo(tree / "pipe")
    left_out = session.download(f"{tree}/", tmp_path / "here")
    assert sorted(Path(name).name for name in left_out) == ["absolute", "out", "pipe"]
    assert (tmp_path / "here" / "script").exists()


def test_what_is_not_there_cannot_come(session: Session, tmp_path: Path) -> None:
    with pytest.raises(CommandError, match=r"the download of /no/where failed on 'test-vm': there is no /no/where"):
        session.download("/no/where", tmp_path / "here")


@settings(max_examples=25, deadline=None)
@given(name=st.text(st.characters(exclude_characters="\0/", codec="utf-8"), min_size=1, max_size=60))
def test_any_name_can_be_uploaded_to(session: Session, tmp_path_factory: pytest.TempPathFactory, name: str) -> None:
    if name in {".", ".."} or len(name.encode()) > 255:
        return
    folder = tmp_path_factory.mktemp("names")
    session.upload_bytes(b"x", f"{folder}/{name}")
    assert (folder / name).read_bytes() == b"x"
    assert session.run(f"cat {quote_text(str(folder))}/*").stdout in {b"x", b""}  # "" for a name with a dot


def archive(*members: tarfile.TarInfo) -> tarfile.TarFile:
    raw = io.BytesIO()
    with tarfile.open(fileobj=raw, mode="w") as made:
        for member in members:
            made.addfile(member, io.BytesIO(b"x" * member.size))
    raw.seek(0)
    return tarfile.open(fileobj=raw, mode="r|")


def entry(name: str, kind: bytes = tarfile.REGTYPE, link: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname, info.size = kind, link, 1 if kind == tarfile.REGTYPE else 0
    info.mode = 0o7777
    return info


@pytest.mark.parametrize(
    "members",
    [
        [entry("../out")],
        [entry("a/../../out")],
        [entry("/tmp/verified-images-absolute")],  # noqa: S108 - never written
        [entry("hard", tarfile.LNKTYPE, "../secret")],
    ],
)
def test_a_hostile_archive_is_refused(tmp_path: Path, members: list[tarfile.TarInfo]) -> None:
    (tmp_path / "secret").write_text("of the host")
    with archive(*members) as hostile, pytest.raises(HostileArchiveError, match="leads out"):
        extract_tree(hostile, tmp_path / "in")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in", "secret"]


def test_a_link_cannot_be_written_through(tmp_path: Path) -> None:
    members = [entry("a", tarfile.SYMTYPE, ".."), entry("b", tarfile.SYMTYPE, "a/.."), entry("a/out")]
    with archive(*members) as hostile:
        assert extract_tree(hostile, tmp_path / "in") == ("a",)
    assert (tmp_path / "in/a/out").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_link_that_another_one_turns_outward_cannot_be_written_through(tmp_path: Path) -> None:
    members = [entry("b", tarfile.SYMTYPE, "a/.."), entry("a", tarfile.SYMTYPE, "."), entry("b/out")]
    with archive(*members) as hostile, pytest.raises(HostileArchiveError):
        extract_tree(hostile, tmp_path / "in")
    assert [path.name for path in tmp_path.iterdir()] == ["in"]


def test_a_link_that_was_there_before_cannot_be_written_through(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "way").symlink_to("..")
    with archive(entry("way/out")) as hostile, pytest.raises(HostileArchiveError):
        extract_tree(hostile, tmp_path / "in")
    assert not (tmp_path / "out").exists()


def test_extracted_files_get_no_dangerous_mode(tmp_path: Path) -> None:
    with archive(entry("file")) as hostile:
        extract_tree(hostile, tmp_path / "in")
    assert (tmp_path / "in" / "file").stat().st_mode & 0o7777 == 0o755
