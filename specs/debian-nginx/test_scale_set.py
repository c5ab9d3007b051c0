"""The throwaway scale set that is booted from the image."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from testinfra.host import Host

    from verified_images.stages.scale_set import Instance, ScaleSet
    from verified_images.templates.model import Template


def test_serves_the_page(instance: Instance, page: str) -> None:
    answer = instance.get("/")
    assert (answer.status, answer.text) == (200, page)


def test_serves_the_page_through_the_load_balancer(scale_set: ScaleSet, page: str) -> None:
    answer = scale_set.get("/")
    assert (answer.status, answer.text) == (200, page)


def test_nginx_is_running(host: Host, instance: Instance) -> None:
    assert host.service("nginx").is_running, instance.name


@pytest.mark.parametrize(
    "command",
    ["cat /etc/machine-id", "hostname", "cat /etc/ssh/ssh_host_ed25519_key.pub"],
    ids=["machine-id", "name", "key"],
)
def test_instances_differ_in_their_identity(scale_set: ScaleSet, command: str) -> None:
    answers = [instance.session.run(command) for instance in scale_set.instances]
    assert all(answer.exit_code == 0 and answer.stdout.strip() for answer in answers)
    assert len({answer.stdout for answer in answers}) == len(scale_set.instances)


@pytest.mark.stage("scale_set")
def test_nothing_is_left_of_the_build_user(host: Host, template: Template) -> None:
    user = template.builder.username
    assert not host.user(user).exists
    assert not host.file(f"/home/{user}").exists
    # cloud-init makes root's authorized_keys anew on each instance: what counts is that the builder is not in it.
    with host.sudo():
        found = host.run("find /etc /root -type f -exec grep -lw -e %s {} +", user)
    assert (found.stdout, found.stderr) == ("", "")
