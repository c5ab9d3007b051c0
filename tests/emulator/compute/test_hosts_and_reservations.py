from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.emulator.compute.estate import LOCATION
from tests.emulator.network.place import refusal

if TYPE_CHECKING:
    from tests.emulator.compute.estate import Estate

HOST: Any = {"location": LOCATION, "sku": {"name": "DSv3-Type1"}, "properties": {"platformFaultDomain": 0}}
GROUP: Any = {"location": LOCATION, "properties": {"platformFaultDomainCount": 2}}


def test_a_host_shows_its_machines_and_what_else_fits(estate: Estate) -> None:
    answer = estate.call("PUT", "hostGroups/hosts?api-version=2024-07-01", GROUP)
    assert (answer.status_code, "provisioningState" in answer.json()["properties"]) == (201, False)
    made = estate.compute.dedicated_hosts.begin_create_or_update("g", "hosts", "h", HOST).result()
    assert (made.auto_replace_on_failure, made.provisioning_state) == (True, "Succeeded")
    place = "hostGroups/hosts/hosts/h"
    estate.make_machine(host={"id": estate.id("hostGroups", "hosts") + "/hosts/h"})
    shown = estate.call("GET", f"{place}?api-version=2024-07-01&$expand=instanceView").json()["properties"]
    assert [each["id"].rpartition("/")[2] for each in shown["virtualMachines"]] == ["VM"]
    assert shown["instanceView"]["statuses"][1]["code"] == "HealthState/available"
    assert {"vmSize": "Standard_D2s_v3", "count": 32} in shown["instanceView"]["availableCapacity"]["allocatableVMs"]
    sizes = estate.call("GET", f"{place}/hostSizes?api-version=2024-07-01").json()["value"]
    assert sizes == ["DSv3-Type2", "DSv3-Type3", "DSv3-Type4"]
    assert estate.call("POST", f"{place}/redeploy?api-version=2024-07-01").status_code == 200
    assert estate.call("DELETE", f"{place}?api-version=2024-07-01").status_code == 409
    assert estate.call("DELETE", "hostGroups/hosts?api-version=2024-07-01").status_code == 409
    old = estate.call("GET", "hostGroups/hosts?api-version=2019-03-01").json()["properties"]
    assert set(old) == {"platformFaultDomainCount", "hosts"}


def test_a_host_group_needs_a_number_of_fault_domains_that_it_keeps(estate: Estate) -> None:
    groups = estate.compute.dedicated_host_groups
    assert refusal(lambda: groups.create_or_update("g", "hosts", {"location": LOCATION, "properties": {}}))[0] == 400
    groups.create_or_update("g", "hosts", GROUP)
    other = {**GROUP, "properties": {"platformFaultDomainCount": 3}}
    assert refusal(lambda: groups.create_or_update("g", "hosts", other))[1] == "PropertyChangeNotAllowed"
    groups.delete("g", "hosts")
    assert list(groups.list_by_resource_group("g")) == []


def test_capacity_is_reserved_for_machines_of_one_size(estate: Estate) -> None:
    shared = {"sharingProfile": {"subscriptionIds": [{"id": "subscriptions/11111111-0000-0000-0000-000000000000"}]}}
    answer = estate.call(
        "PUT", "capacityReservationGroups/group?api-version=2024-07-01", {"location": LOCATION, "properties": shared}
    )
    assert (answer.status_code, answer.json()["properties"]["provisioningState"]) == (201, "Creating")
    ids = answer.json()["properties"]["sharingProfile"]["subscriptionIds"]
    assert ids == [{"id": "/subscriptions/11111111-0000-0000-0000-000000000000"}]
    reservations = estate.compute.capacity_reservations
    body = {"location": LOCATION, "sku": {"name": "Standard_DS1_v2", "capacity": 2}}
    made = reservations.begin_create_or_update("g", "group", "one", body).result()
    assert (made.platform_fault_domain_count, made.sku.capacity) == (3, 2)
    assert made.provisioning_time
    body["sku"] = {"name": "Standard_D2s_v3", "capacity": 2}
    changed = refusal(lambda: reservations.begin_create_or_update("g", "group", "one", body).result())
    assert changed[1] == "PropertyChangeNotAllowed"
    assert refusal(lambda: estate.compute.capacity_reservation_groups.begin_delete("g", "group").result())[0] == 409
    found = estate.call("GET", "capacityReservationGroups?api-version=2024-07-01&resourceIdsOnly=All").json()["value"]
    assert [set(each) for each in found] == [{"id", "type", "location"}]


def test_a_disk_access_shows_its_properties_only_afterwards(estate: Estate) -> None:
    place = "diskAccesses/access?api-version=2020-05-01"
    answer = estate.call("PUT", place, {"location": LOCATION})
    assert (answer.status_code, set(answer.json())) == (202, {"name", "id", "type", "location"})
    assert set(estate.call("GET", place).json()["properties"]) == {"provisioningState", "timeCreated"}
    creation = {"creationData": {"createOption": "Empty"}, "diskSizeGB": 1}
    private = {"networkAccessPolicy": "AllowPrivate", "diskAccessId": estate.id("diskAccesses", "access")}
    estate.compute.disks.begin_create_or_update(
        "g", "d", {"location": LOCATION, "properties": {**creation, **private}}
    ).result()
    assert estate.call("DELETE", place).status_code == 409


def test_a_restore_point_tells_of_the_machine_as_it_was(estate: Estate) -> None:
    estate.make_machine()
    source = {"source": {"id": estate.id("virtualMachines", "vm")}}
    place = "restorePointCollections/points"
    answer = estate.call("PUT", f"{place}?api-version=2024-07-01", {"location": LOCATION, "properties": source})
    assert (answer.status_code, answer.json()["properties"]["provisioningState"]) == (201, "Succeeded")
    first = estate.call("PUT", f"{place}/restorePoints/one?api-version=2024-07-01", {})
    assert (first.status_code, "type" in first.json()) == (201, False)
    assert "diskRestorePoint" not in first.json()["properties"]["sourceMetadata"]["storageProfile"]["osDisk"]
    points = estate.compute.restore_points
    shown = points.get("g", "points", "one")
    assert (shown.consistency_mode, shown.source_metadata.hardware_profile.vm_size) == (
        "FileSystemConsistent",
        estate.compute.virtual_machines.get("g", "vm").hardware_profile.vm_size,
    )
    point = shown.source_metadata.storage_profile.os_disk.disk_restore_point.id
    copied = {
        "properties": {
            "sourceRestorePoint": {"id": estate.id("restorePointCollections", "points") + "/restorePoints/one"}
        }
    }
    disk = points.begin_create("g", "points", "two", copied).result().source_metadata.storage_profile.os_disk
    assert disk.disk_restore_point.source_disk_restore_point.id == point
    expanded = estate.call("GET", f"{place}?api-version=2024-07-01&$expand=restorePoints").json()["properties"]
    assert [each["name"] for each in expanded["restorePoints"]] == ["one", "two"]
    assert refusal(lambda: points.begin_create("g", "points", "one", {}).result())[0] == 409
    points.begin_delete("g", "points", "one").result()
    assert estate.call("DELETE", f"{place}?api-version=2024-07-01").status_code == 202


def test_applications_of_a_machine_show_what_was_left_out(estate: Estate) -> None:
    package = f"{estate.id('galleries', 'g')}/applications/a/versions/1.0.0"
    profile: Any = {"galleryApplications": [{"packageReferenceId": package}]}
    made = estate.make_machine(applicationProfile=profile)
    application = made.application_profile.gallery_applications[0]
    assert (application.treat_failure_as_deployment_failure, application.enable_automatic_upgrade) == (False, False)
