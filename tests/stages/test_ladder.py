"""Ladders: the next rung is tried for what it may help against, and what was half made is removed before."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import pytest

from tests.local_azure import BUILDER, Told, everything, make_template, opened_build, start_local_azure
from verified_images.cloud.ids import parse_id
from verified_images.emulator.fault_rules import FaultRule
from verified_images.errors import (
    AccessDeniedError,
    CapacityError,
    CommandError,
    EvictedError,
    LadderError,
    MachineError,
    PreflightError,
    QuotaError,
    RestrictionError,
)
from verified_images.reports.verdict import Verdict
from verified_images.stages.ladder import Rung, build_rungs, climb, smoke_rungs

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from verified_images.cloud.connection import CloudConnection
    from verified_images.emulator.local_cloud import LocalCloud
    from verified_images.templates.model import Template

PASSED = Verdict(passed=True, tests=3)
MACHINES = "Microsoft.Compute/virtualMachines"
SMOKE = {"instances": 1, "timeout": 60}
WORK = ({"shell": {"inline": ["sleep 5"]}},)
TOUCH = ({"shell": {"inline": ["touch /var/tmp/provisioned"]}},)


@pytest.fixture(scope="module")
def azure(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[LocalCloud, CloudConnection]]:
    folder = tmp_path_factory.mktemp("azure")
    with start_local_azure(folder / "state", folder / "cache") as found:
        yield found


@pytest.fixture
def cloud(azure: tuple[LocalCloud, CloudConnection]) -> Iterator[LocalCloud]:
    """A local Azure that offers everything again afterwards."""
    yield azure[0]
    azure[0].cloud.offering.clear()
    azure[0].faults.clear()


@pytest.fixture
def connection(azure: tuple[LocalCloud, CloudConnection]) -> CloudConnection:
    return azure[1]


def fault(**fields: Any) -> FaultRule:  # noqa: ANN401 - a rule's fields
    return FaultRule.model_validate(fields)


def ladder(folder: Path, *, provisioners: Any = TOUCH, smoke: Any = SMOKE, **builder: Any) -> Template:  # noqa: ANN401 - keys
    return make_template(folder, builder={**BUILDER, **builder}, smoke=smoke, provisioners=provisioners)


def test_zones_change_first_then_sizes_then_locations(tmp_path: Path) -> None:
    template = ladder(tmp_path, vm_size=["A", "B"], location=["x1", "x2"], zone=[1, 2])
    assert [str(rung) for rung in build_rungs(template)] == [
        "A in x1, zone 1",
        "A in x1, zone 2",
        "B in x1, zone 1",
        "B in x1, zone 2",
        "A in x2, zone 1",
        "A in x2, zone 2",
        "B in x2, zone 1",
        "B in x2, zone 2",
    ]


def test_the_scale_set_is_tried_first_where_the_build_vm_was_made(tmp_path: Path) -> None:
    template = ladder(tmp_path, vm_size=["A", "B"], location=["x1", "x2"], zone=[1, 2])
    rungs = smoke_rungs(template, Rung("x2", "B", "2"))
    assert [str(rung) for rung in rungs] == [
        "B in x2, zone 2",
        "B in x2, zone 1",
        "A in x2, zone 2",
        "A in x2, zone 1",
    ]
    own = smoke_rungs(ladder(tmp_path, smoke={"vm_size": "C", "zone": 3}, zone=1), Rung("x1", "A", "1"))
    assert [str(rung) for rung in own] == ["C in x1, zone 3"]


RUNGS = (
    Rung("x1", "A", "1", family="a", cores=4),
    Rung("x1", "A", "2", family="a", cores=4),
    Rung("x1", "a", None, family="a", cores=2),
    Rung("x1", "B", None, family="b", cores=4),
    Rung("x2", "A", None, family="a", cores=4),
)
FAMILY = QuotaError("exceeding approved aFamily Cores quota. More at regional-quota", code="OperationNotAllowed")
REGIONAL = QuotaError("exceeding approved Total Regional Cores quota.", code="OperationNotAllowed")
ADDRESSES = QuotaError("Cannot create more than 10 public IPs.", code="PublicIPCountLimitReached")


@pytest.mark.parametrize(
    ("error", "tried"),
    [
        (CapacityError("no room"), [0, 1, 2, 3, 4]),
        (RestrictionError("not for you"), [0, 1, 2, 3, 4]),
        (EvictedError("taken back"), [0, 1, 2, 3, 4]),
        (FAMILY, [0, 2, 3, 4]),
        (REGIONAL, [0, 2, 4]),
        (ADDRESSES, [0, 4]),
        (AccessDeniedError("a policy forbids it"), [0]),
    ],
)
def test_only_rungs_that_may_help_are_tried(error: Exception, tried: list[int]) -> None:
    seen: list[Rung] = []
    cleared: list[tuple[Rung, Rung]] = []

    def attempt(rung: Rung) -> None:
        seen.append(rung)
        raise error

    with pytest.raises((LadderError, AccessDeniedError)) as caught:
        climb("a machine", RUNGS, attempt, lambda *rungs: cleared.append(rungs), lambda _: None)
    assert seen == [RUNGS[place] for place in tried]
    assert cleared == list(itertools.pairwise(seen))
    if isinstance(caught.value, LadderError):
        assert [rung for rung, _ in caught.value.failures] == [str(rung) for rung in RUNGS]


def test_a_single_rung_fails_with_its_own_error() -> None:
    def attempt(_rung: Rung) -> None:
        raise CapacityError("no room")

    with pytest.raises(CapacityError, match="no room"):
        climb("a machine", RUNGS[:1], attempt, lambda *_: None, lambda _: None)


def test_the_next_zone_and_size_are_tried_and_the_image_is_published(
    cloud: LocalCloud, connection: CloudConnection, tmp_path: Path
) -> None:
    offering, told = cloud.cloud.offering, Told()
    offering.use_up("Standard_B2s", "westeurope", zones=["1"])
    offering.use_up("Standard_B2s", "westeurope", zones=["2"])
    template = ladder(tmp_path, vm_size=["Standard_B2s", "Standard_B2ms"], zone=[1, 2])
    before = everything(connection)
    with opened_build(connection, template, tmp_path, told=told) as build:
        provisioned = build.provision(build.preflight())
        machine = connection.compute.virtual_machines.get(
            provisioned.machine.id.split("/")[4], provisioned.machine.name
        )
        assert (machine["properties"]["hardwareProfile"]["vmSize"], machine["zones"]) == ("Standard_B2ms", ["1"])
        captured = build.capture(provisioned, PASSED)
        scale_set = build.deploy(captured)
        published = build.publish(captured, scale_set, PASSED)
    assert provisioned.fallen == (
        ("Standard_B2s in westeurope, zone 1", "no capacity"),
        ("Standard_B2s in westeurope, zone 2", "no capacity"),
    )
    name = provisioned.machine.name
    move = "Standard_B2s in westeurope, zone 2: no capacity; trying Standard_B2ms in westeurope, zone 1"
    assert f"virtual machine '{name}': {move}" in told.steps
    tags = connection.resources.resources.get_by_id(published.ids[0], api_version="2024-03-03")["tags"]
    assert tags["vi-built-on"] == tags["vi-tested-on"] == "Standard_B2ms in westeurope, zone 1"
    assert set(everything(connection)) - set(before) == set(published.ids)


def test_another_location_gets_a_network_of_its_own(
    cloud: LocalCloud, connection: CloudConnection, tmp_path: Path
) -> None:
    cloud.cloud.offering.use_up("Standard_B2s", "westeurope")
    template = ladder(tmp_path, location=["westeurope", "northeurope"])
    with opened_build(connection, template, tmp_path) as build:
        captured = build.capture(build.provision(build.preflight()), PASSED)
        group = captured.machine_id.split("/")[4]
        places = {
            item["type"]: item["location"] for item in connection.resources.resources.list_by_resource_group(group)
        }
        assert set(places.values()) == {"northeurope"}
        assert len(places) >= 5
        scale_set = build.deploy(captured)
        published = build.publish(captured, scale_set, PASSED)
    assert published.regions == ("northeurope",)
    assert str(scale_set.rung) == "Standard_B2s in northeurope"


def test_restrictions_and_quotas_that_preflight_knows_cost_no_attempt(
    cloud: LocalCloud, connection: CloudConnection, tmp_path: Path
) -> None:
    offering, told = cloud.cloud.offering, Told()
    offering.restrict("Standard_B2s", "westeurope")
    offering.restrict("Standard_D2s_v5", "westeurope", zones=["1"])
    offering.limit("standardDSv3Family", 1)
    sizes = ["Standard_B2s", "Standard_D2s_v3", "Standard_D2s_v5"]
    template = ladder(tmp_path, vm_size=sizes, zone=[1, 2])
    with opened_build(connection, template, tmp_path, told=told) as build:
        plan = build.preflight()
    assert [str(each.rung) for each in (plan, *plan.others)] == ["Standard_D2s_v5 in westeurope, zone 2"]
    left_out = [step for step in told.steps if step.startswith("left out: ")]
    assert any("cannot use Standard_B2s in 'westeurope' (NotAvailableForSubscription)" in step for step in left_out)
    assert any("the quota 'Standard DSv3 Family vCPUs' in 'westeurope' is 1" in step for step in left_out)
    assert any("zone 1 of 'westeurope' has no Standard_D2s_v5" in step for step in left_out)


def test_preflight_names_every_rung_when_none_is_left(
    cloud: LocalCloud, connection: CloudConnection, tmp_path: Path
) -> None:
    cloud.cloud.offering.restrict("Standard_B2s", "*")
    template = ladder(tmp_path, location=["westeurope", "northeurope"])
    with opened_build(connection, template, tmp_path) as build, pytest.raises(PreflightError) as caught:
        build.preflight()
    assert [problem.partition(":")[0] for problem in caught.value.problems] == [
        "Standard_B2s in westeurope",
        "Standard_B2s in northeurope",
    ]


def test_a_scale_set_climbs_too(cloud: LocalCloud, connection: CloudConnection, tmp_path: Path) -> None:
    cloud.faults.add(fault(fault="quota_exceeded", type="Microsoft.Compute/virtualMachineScaleSets"))
    cloud.faults.add(fault(fault="no_capacity", type="Microsoft.Compute/virtualMachineScaleSets", nth=2))
    sizes = ["Standard_D2s_v3", "Standard_D4s_v3", "Standard_B1s", "Standard_B1ms"]
    with opened_build(connection, ladder(tmp_path, smoke={**SMOKE, "vm_size": sizes}), tmp_path) as build:
        captured = build.capture(build.provision(build.preflight()), PASSED)
        scale_set = build.deploy(captured)
        assert scale_set.fallen == (
            ("Standard_D2s_v3 in westeurope", "no quota"),
            ("Standard_B1s in westeurope", "no capacity"),
        )
        assert str(scale_set.rung) == "Standard_B1ms in westeurope"
        assert len(scale_set.instances) == 1
        assert scale_set.instances[0].session.run("true").exit_code == 0


@pytest.mark.parametrize(
    ("rule", "kind"),
    [
        ({"fault": "policy_denied"}, AccessDeniedError),
        ({"fault": "refused", "status": 403, "code": "AuthorizationFailed"}, AccessDeniedError),
    ],
)
def test_what_no_rung_can_help_against_ends_the_build(
    cloud: LocalCloud, connection: CloudConnection, tmp_path: Path, rule: dict[str, Any], kind: type[Exception]
) -> None:
    rule = {**rule, "method": "PUT", "type": MACHINES}
    cloud.faults.add(fault(**rule))
    before = everything(connection)
    template = ladder(tmp_path, vm_size=["Standard_B2s", "Standard_B2ms"])
    with opened_build(connection, template, tmp_path) as build, pytest.raises(kind):
        build.provision(build.preflight())
    assert everything(connection) == before


def test_when_no_rung_is_left_each_is_named_with_its_reason(
    cloud: LocalCloud, connection: CloudConnection, tmp_path: Path
) -> None:
    cloud.faults.add(fault(fault="no_capacity", type=MACHINES, code="SkuNotAvailable"))
    cloud.faults.add(fault(fault="no_capacity", type=MACHINES, code="OverconstrainedAllocationRequest", times="always"))
    before = everything(connection)
    template = ladder(tmp_path, vm_size=["Standard_B2s", "Standard_B2ms"])
    with opened_build(connection, template, tmp_path) as build, pytest.raises(LadderError) as caught:
        build.provision(build.preflight())
    assert "could not be had on any of 2 rungs: Standard_B2s in westeurope: no capacity: create" in str(caught.value)
    assert "Standard_B2ms in westeurope: no capacity" in str(caught.value)
    assert "OverconstrainedAllocationRequest" in caught.value.failures[1][1]
    assert everything(connection) == before


@pytest.mark.parametrize("policy", ["Delete", "Deallocate"])
def test_an_evicted_spot_machine_is_made_again_on_the_next_rung(
    cloud: LocalCloud, connection: CloudConnection, tmp_path: Path, policy: str
) -> None:
    cloud.faults.add(fault(fault="evicted", type=MACHINES, seconds=1))
    sizes = ["Standard_D2s_v3", "Standard_D2s_v5"]
    template = ladder(tmp_path, provisioners=WORK, vm_size=sizes, spot={"eviction_policy": policy})
    with opened_build(connection, template, tmp_path) as build:
        provisioned = build.provision(build.preflight())
        assert provisioned.fallen == (("Standard_D2s_v3 in westeurope", "evicted"),)
        assert provisioned.machine.session.run("true").exit_code == 0


def test_an_eviction_without_another_rung_is_told_as_one(
    cloud: LocalCloud, connection: CloudConnection, tmp_path: Path
) -> None:
    cloud.faults.add(fault(fault="evicted", type=MACHINES, seconds=1))
    template = ladder(tmp_path, provisioners=WORK, vm_size="Standard_D2s_v3", spot={})
    with (
        opened_build(connection, template, tmp_path) as build,
        pytest.raises(EvictedError, match="took the spot machine"),
    ):
        build.provision(build.preflight())


def test_an_eviction_while_the_machine_is_tested_is_told_from_what_a_test_did(
    connection: CloudConnection, tmp_path: Path
) -> None:
    template = ladder(tmp_path, vm_size="Standard_D2s_v3", spot={"eviction_policy": "Deallocate"})
    with opened_build(connection, template, tmp_path) as build:
        machine = build.provision(build.preflight()).machine
        with pytest.raises(CommandError) as own:
            machine.session.upload_bytes(b"", "/proc/no")
        assert build.find_eviction(own.value) is None
        assert build.find_eviction(AssertionError()) is None
        group = parse_id(machine.id).group
        connection.compute.virtual_machines.simulate_eviction(group, machine.name)
        with pytest.raises(MachineError) as lost:
            machine.session.run("sleep 20")
        evicted = build.find_eviction(lost.value)
    assert "took the spot machine" in str(evicted)
