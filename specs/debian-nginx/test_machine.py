"""The build VM after provisioning, before it is captured."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from testinfra.host import Host


PAGE = "/var/www/html/index.html"


def test_nginx_is_installed(host: Host) -> None:
    assert host.package("nginx").is_installed


def test_nginx_is_enabled(host: Host) -> None:
    assert host.service("nginx").is_enabled


def test_nginx_is_running(host: Host) -> None:
    assert host.service("nginx").is_running


def test_page_is_ours(host: Host, page: str) -> None:
    assert host.file(PAGE).content_string == page


def test_page_can_be_changed_by_root_alone(host: Host) -> None:
    page = host.file(PAGE)
    assert (page.user, page.group, page.mode) == ("root", "root", 0o644)
