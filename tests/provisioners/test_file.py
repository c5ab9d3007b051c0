from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

import pytest

from verified_images.errors import ProvisionerError

if TYPE_CHECKING:
    from pathlib import Path

    from tests.provisioners.machine import Bench


def test_a_file_beside_the_template_is_uploaded(bench: Bench, tmp_path: Path) -> None:
    (bench.folder / "files").mkdir()
    (bench.folder / "files" / "index.html").write_text("page")
    bench.file(source="files/index.html", destination=f"{tmp_path}/www/index.html", mode="0604")
    assert (tmp_path / "www/index.html").read_text() == "page"
    assert (tmp_path / "www/index.html").stat().st_mode & 0o777 == 0o604


@pytest.mark.parametrize(("source", "arrived"), [("files", "www/files/a"), ("files/", "www/a"), ("./", "www/files/a")])
def test_a_slash_decides_between_a_folder_and_what_is_in_it(
    bench: Bench, tmp_path: Path, source: str, arrived: str
) -> None:
    (bench.folder / "files").mkdir()
    (bench.folder / "files" / "a").write_text("a")
    bench.file(source=source, destination=f"{tmp_path}/www")
    assert (tmp_path / arrived).read_text() == "a"


def test_content_is_written(bench: Bench, tmp_path: Path) -> None:
    bench.file(content="é\n", destination=f"{tmp_path}/there")
    assert (tmp_path / "there").read_bytes() == "é\n".encode()


def test_one_of_several_sources_goes_into_a_folder_too(bench: Bench, tmp_path: Path) -> None:
    (bench.folder / "a").write_text("a")
    bench.file(sources=["a"], destination=f"{tmp_path}/www")
    assert (tmp_path / "www/a").read_text() == "a"


def test_a_download_comes_beside_the_template(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "log").write_text("log")
    bench.file(source=f"{tmp_path}/log", destination="logs/", direction="download")
    assert (bench.folder / "logs/log").read_text() == "log"
    bench.file(source=f"{tmp_path}/log", destination="log.txt", direction="download")
    assert (bench.folder / "log.txt").read_text() == "log"


def test_what_is_left_out_of_a_download_is_told(bench: Bench, tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "link").symlink_to("/etc/passwd")
    bench.file(source=f"{tmp_path}/folder/", destination="logs", direction="download")
    assert any("not downloaded" in step and "link" in step for step in bench.steps)


def test_a_failure_names_its_place_and_the_reason(bench: Bench) -> None:
    with pytest.raises(ProvisionerError) as caught:
        bench.file(content="x", destination="/proc/no/where")
    where = f"provisioner 1 (file) at {bench.folder}/template.yaml:10"
    assert re.match(rf"{re.escape(where)} failed after \d+ s: ", str(caught.value))
    assert "/proc/no" in str(caught.value)
    assert caught.value.exit_code not in {None, 0}


def test_a_source_that_is_missing_is_named(bench: Bench) -> None:
    with pytest.raises(ProvisionerError, match=r"No such file.*missing"):
        bench.file(source="missing", destination="/x")


def test_the_time_of_an_upload_can_be_up(bench: Bench, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(ProvisionerError, match="its time of 1 s was up"):
        bench.file(content="x" * 300_000, destination=str(tmp_path / "pipe"), timeout="1s")
