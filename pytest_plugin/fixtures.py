"""The fixtures of specs. Each is a thin door to the spec's build and does the stages that it needs.

They are registered for spec folders alone: elsewhere testinfra's ``host`` and anybody's ``image`` are untouched,
and a conftest.py inside a spec may override ours.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from pytest_plugin.failures import telling
from pytest_plugin.run import there
from pytest_plugin.schedule import stage_of
from pytest_plugin.session import session_key
from pytest_plugin.specs import TARGET, Target, specs_of
from pytest_plugin.stages import TESTED_AFTER, Stage

if TYPE_CHECKING:
    from testinfra.host import Host

    from pytest_plugin.run import SpecRun
    from verified_images.stages.capture import CapturedImage
    from verified_images.stages.machine import Machine
    from verified_images.stages.scale_set import Instance, ScaleSet
    from verified_images.templates.model import Template

STAGE = "_vi_stage"


def _vi_target(request: pytest.FixtureRequest) -> Target:
    """What the test runs on; parametrized for tests that say so by their fixtures or their marker."""
    given: Target | None = getattr(request, "param", None)
    if given is not None:
        return given
    specs = specs_of(request.node)
    if not specs:
        raise AssertionError(f"{request.node.nodeid} is in no spec")
    return Target(specs[0], Stage.MACHINE)


def _vi_stage(request: pytest.FixtureRequest) -> None:
    """Do what has to be done before a test that is marked with a stage, whatever fixtures it asks for."""
    stage = stage_of(request.node)
    if stage is Stage.MACHINE:
        run = run_of(request)
        with telling(run, request.config):
            run.eviction.check()
    if stage in TESTED_AFTER and request.node.get_closest_marker("stage"):
        reach(TESTED_AFTER[stage], request)


def template(request: pytest.FixtureRequest) -> Template:
    """The spec's template as this run renders it (verified_images.templates.model.Template)."""
    return run_of(request).template


def vm(_vi_target: Target, request: pytest.FixtureRequest) -> Machine:
    """The provisioned build VM: its ``id``, ``name``, ``host_name``, ``private_address`` and SSH ``session``."""
    return there(reach(Stage.PROVISION, request).provisioned).machine


def host(_vi_target: Target, request: pytest.FixtureRequest) -> Host:
    """The machine under test as a testinfra host: the build VM, or in scale-set tests each instance in turn."""
    run = run_of(request)
    if _vi_target.stage is not Stage.MACHINE:
        return run.host_of(instance(_vi_target, request))
    if run.captured is not None:
        pytest.fail("the build VM is gone once the image is captured; ask for 'host' by an argument", pytrace=False)
    return run.host_of(vm(_vi_target, request))


def image(_vi_target: Target, request: pytest.FixtureRequest) -> CapturedImage:
    """The candidate image, captured after the machine's tests and not published yet: its ARM ``id`` and more."""
    return there(reach(Stage.CAPTURE, request).captured)


def scale_set(_vi_target: Target, request: pytest.FixtureRequest) -> ScaleSet:
    """The scale set booted from the candidate: its ``instances``, its ``frontend``, and ``get(path)`` through it."""
    return there(reach(Stage.DEPLOY, request).deployed)


def instance(_vi_target: Target, request: pytest.FixtureRequest) -> Instance:
    """Each instance of the scale set in turn: a machine with an ``index`` and ``get(path)`` from its own address."""
    if _vi_target.instance is None:
        pytest.fail("an instance has to be asked for by an argument of the test or of its fixture", pytrace=False)
    return scale_set(_vi_target, request).instances[_vi_target.instance]


def run_of(request: pytest.FixtureRequest) -> SpecRun:
    """Give the build of the spec that the test belongs to."""
    target: Target = request.getfixturevalue(TARGET)
    run = request.config.stash[session_key].runs.get(target.spec)
    if run is None:
        pytest.skip("the spec's template has errors")
    return run


def reach(stage: Stage, request: pytest.FixtureRequest) -> SpecRun:
    """Do whatever is missing up to a stage."""
    __tracebackhide__ = True
    run = run_of(request)
    with telling(run, request.config):
        run.ensure(stage)
    return run


def register_fixtures(node: pytest.Directory) -> None:
    """Make the fixtures known in a spec's folder, before its conftest.py, which may override them."""
    pytest.register_fixture(name=TARGET, func=_vi_target, node=node, scope="module", autouse=True)
    pytest.register_fixture(name=STAGE, func=_vi_stage, node=node, scope="function", autouse=True)
    for fixture in (template, vm, host, image, scale_set, instance):
        pytest.register_fixture(name=fixture.__name__, func=fixture, node=node, scope="module")
