from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from tests.emulator.resource_manager.calls import Caller, error_of
from verified_images.emulator import LocalCloud, Options
from verified_images.waiting import Deadline, wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture(scope="module")
def shared_call(tmp_path_factory: pytest.TempPathFactory, image_cache: Path) -> Iterator[Caller]:
    state = tmp_path_factory.mktemp("arm") / "azure"
    with LocalCloud(state, Options(hypervisor="fake", cache=image_cache)) as cloud:
        yield Caller(cloud)


@pytest.fixture
def call(shared_call: Caller) -> Iterator[Caller]:
    """Give a caller and group ``g`` with network ``n``."""
    shared_call.make_group("g")
    shared_call.make_network("g", "n")
    yield shared_call
    for group in shared_call("GET", "resourceGroups").json()["value"]:
        shared_call.delete_group(group["name"])


NETWORK = "resourceGroups/g/providers/Microsoft.Network/virtualNetworks/n"


class TestLocks:
    def lock(self, call: Caller, scope: str, level: str, name: str = "l") -> str:
        path = f"{scope}/providers/Microsoft.Authorization/locks/{name}"
        answer = call("PUT", path, {"properties": {"level": level, "notes": "kept"}}, "2020-05-01")
        assert answer.status_code == 201
        assert answer.json()["properties"] == {"level": level, "notes": "kept"}
        assert answer.json()["type"] == "Microsoft.Authorization/locks"
        return path

    @pytest.mark.parametrize("scope", [NETWORK, "resourceGroups/g"])
    def test_what_cannot_be_deleted_may_be_changed(self, call: Caller, scope: str) -> None:
        lock = self.lock(call, scope, "CanNotDelete")
        assert error_of(call("DELETE", NETWORK, version="2024-05-01")) == (409, "ScopeLocked")
        assert error_of(call("DELETE", "resourceGroups/g")) == (409, "ScopeLocked")
        assert call("PATCH", NETWORK, {"tags": {"a": "b"}}, "2024-05-01").status_code == 200
        assert call("DELETE", lock, version="2020-05-01").status_code == 200
        assert call("DELETE", lock, version="2020-05-01").status_code == 204

    def test_what_is_read_only_cannot_be_changed(self, call: Caller) -> None:
        lock = self.lock(call, "resourceGroups/g", "ReadOnly")
        refused = call("PATCH", NETWORK, {"tags": {"a": "b"}}, "2024-05-01")
        assert error_of(refused) == (409, "ScopeLocked")
        assert (
            "cannot perform write operation because following scope(s) are locked" in refused.json()["error"]["message"]
        )
        assert call("GET", NETWORK, version="2024-05-01").status_code == 200
        call("DELETE", lock, version="2020-05-01")

    def test_locks_of_a_scope_and_below_it_are_listed(self, call: Caller) -> None:
        first = self.lock(call, NETWORK, "CanNotDelete")
        second = self.lock(call, "resourceGroups/g", "CanNotDelete", "m")
        path = "resourceGroups/g/providers/Microsoft.Authorization/locks"
        assert {lock["name"] for lock in call("GET", path).json()["value"]} == {"l", "m"}
        assert [lock["name"] for lock in call("GET", path + "?$filter=atScope()").json()["value"]] == ["m"]
        assert call("GET", first).json()["name"] == "l"
        for lock in (first, second):
            call("DELETE", lock)

    def test_a_wrong_lock_is_refused(self, call: Caller) -> None:
        path = "resourceGroups/g/providers/Microsoft.Authorization/locks/l"
        assert error_of(call("PUT", path, {"properties": {"level": "None"}})) == (400, "InvalidRequestContent")
        assert error_of(call("GET", path)) == (404, "LockNotFound")
        nowhere = path.replace("/g/", "/none/")
        assert error_of(call("PUT", nowhere, {"properties": {"level": "ReadOnly"}})) == (404, "ResourceGroupNotFound")


class TestTags:
    @pytest.mark.parametrize("scope", ["", "resourceGroups/g/", NETWORK + "/"])
    def test_tags_are_put_merged_replaced_and_deleted(self, call: Caller, scope: str) -> None:
        path = f"{scope}providers/Microsoft.Resources/tags/default"

        def patch(operation: str, **tags: str) -> Any:  # noqa: ANN401 - JSON
            answer = call("PATCH", path, {"operation": operation, "properties": {"tags": tags}})
            return answer.json()["properties"]["tags"]

        assert call("PUT", path, {"properties": {"tags": {"a": "1"}}}).json()["properties"] == {"tags": {"a": "1"}}
        assert patch("Merge", b="2", A="3") == {"A": "3", "b": "2"}
        assert patch("Delete", A="3", b="other") == {"b": "2"}
        assert patch("Replace", c="4") == {"c": "4"}
        assert call("GET", path).json()["properties"]["tags"] == {"c": "4"}
        assert call("DELETE", path).status_code == 200
        assert call("GET", path).json()["properties"]["tags"] == {}

    @pytest.mark.parametrize(
        ("tags", "code"),
        [
            ({"a<": "1"}, "InvalidTagNameCharacters"),
            ({"a": "1" * 257}, "InvalidTagValueLength"),
            ({str(number): "" for number in range(51)}, "TooManyTags"),
            ({"a": 1}, "InvalidTagsFormat"),
            ({"a": "1", "A": "2"}, "InvalidTagNames"),
        ],
    )
    def test_tags_that_azure_refuses_are_refused(self, call: Caller, tags: dict[str, Any], code: str) -> None:
        path = "resourceGroups/g/providers/Microsoft.Resources/tags/default"
        assert error_of(call("PUT", path, {"properties": {"tags": tags}})) == (400, code)
        assert error_of(call("PATCH", "resourceGroups/g", {"tags": tags})) == (400, code)

    def test_names_in_use_are_counted(self, call: Caller) -> None:
        call("PATCH", "resourceGroups/g", {"tags": {"team": "a"}})
        assert call("PUT", "tagNames/other").status_code == 201
        assert call("PUT", "tagNames/other/tagValues/x").status_code == 201
        names = {each["tagName"]: each for each in call("GET", "tagNames").json()["value"]}
        assert names["team"]["values"][0]["count"] == {"type": "Total", "value": 1}
        assert [value["tagValue"] for value in names["other"]["values"]] == ["x"]
        assert error_of(call("DELETE", "tagNames/team")) == (409, "TagNameInUse")
        assert call("DELETE", "tagNames/other/tagValues/x").status_code == 200
        assert call("DELETE", "tagNames/other").status_code == 200


class TestLists:
    def names(self, call: Caller, **query: str) -> list[str]:
        text = "&".join(f"${key}={quote(value)}" for key, value in query.items())
        return [each["name"] for each in call("GET", f"resources?{text}").json()["value"]]

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("resourceType eq 'Microsoft.Network/virtualNetworks'", ["n", "other"]),
            ("name eq 'n'", ["n"]),
            ("substringof('the', name)", ["other"]),
            ("tagName eq 'a' and tagValue eq 'b'", ["other"]),
            ("location eq 'West Europe' and name ne 'n'", ["other"]),
            ("resourceGroup eq 'none'", []),
        ],
    )
    def test_resources_are_found_by_filter(self, call: Caller, text: str, found: list[str]) -> None:
        call.make_network("g", "other", tags={"a": "b"})
        assert self.names(call, filter=text) == found

    def test_a_filter_that_cannot_be_read_is_refused(self, call: Caller) -> None:
        assert error_of(call("GET", "resources?$filter=name")) == (400, "InvalidFilterInQueryString")

    def test_a_list_is_given_in_pages_of_the_size_asked_for(self, call: Caller) -> None:
        call.make_network("g", "other")
        first = call("GET", "resources?$top=1").json()
        assert len(first["value"]) == 1
        second = call("GET", first["nextLink"]).json()
        assert {each["name"] for each in (*first["value"], *second["value"])} == {"n", "other"}
        assert "nextLink" not in second
        assert error_of(call("GET", "resources?$top=none")) == (400, "InvalidTopInQueryString")

    def test_what_is_expanded_is_shown_unless_the_list_is_by_tag(self, call: Caller) -> None:
        query = "resources?$expand=createdTime,changedTime,provisioningState"
        (shown,) = call("GET", query).json()["value"]
        assert shown["provisioningState"] == "Succeeded"
        assert shown["createdTime"] <= shown["changedTime"]
        call("PATCH", NETWORK, {"tags": {"a": "b"}}, "2024-05-01")
        (short,) = call("GET", query + "&$filter=tagname eq 'a'").json()["value"]
        assert set(short) == {"id", "name", "type", "location"}
        assert error_of(call("GET", "resources?$expand=all")) == (400, "InvalidExpandInQueryString")


class TestById:
    def test_head_tells_whether_a_resource_is_there(self, call: Caller) -> None:
        assert call("HEAD", NETWORK, version="2024-05-01").status_code == 204
        missing = call("HEAD", NETWORK + "x", version="2024-05-01")
        assert (missing.status_code, missing.headers["x-ms-failure-cause"]) == (404, "gateway")

    def test_an_unknown_type_is_refused(self, call: Caller) -> None:
        path = "resourceGroups/g/providers/Microsoft.Network/wires/w"
        assert error_of(call("GET", path)) == (404, "InvalidResourceType")

    def test_a_name_is_checked(self, call: Caller) -> None:
        path = "/providers/Microsoft.Resources/checkResourceName"
        body = {"name": "Login-page", "type": "Microsoft.Compute/virtualMachines"}
        assert call("POST", path, body).json()["status"] == "Reserved"
        assert call("POST", path, {**body, "name": "page"}).json()["status"] == "Allowed"


class TestProviders:
    def test_a_provider_is_described_as_recorded(self, call: Caller) -> None:
        compute = call("GET", "providers/Microsoft.Compute").json()
        assert (compute["registrationState"], compute["registrationPolicy"]) == ("Registered", "RegistrationRequired")
        machines = next(each for each in compute["resourceTypes"] if each["resourceType"] == "virtualMachines")
        assert {"locations", "apiVersions", "zoneMappings", "capabilities"} <= set(machines)
        assert "2024-07-01" in machines["apiVersions"]
        assert error_of(call("GET", "providers/Microsoft.Nothing")) == (404, "InvalidResourceNamespace")

    def test_a_provider_that_is_not_registered_takes_no_writes(self, call: Caller) -> None:
        call("DELETE", NETWORK, version="2024-05-01")
        state = call("POST", "providers/Microsoft.Network/unregister").json()["registrationState"]
        assert state == "Unregistered"
        refused = call("PUT", NETWORK, {"location": "westeurope"}, "2024-05-01")
        assert error_of(refused) == (409, "MissingSubscriptionRegistration")
        assert call("POST", "providers/Microsoft.Network/register").json()["registrationState"] == "Registered"
        call.make_network("g", "n")

    def test_a_provider_in_use_stays_registered(self, call: Caller) -> None:
        refused = call("POST", "providers/Microsoft.Network/unregister")
        assert error_of(refused) == (409, "SubscriptionUnregistrationNotAllowed")


class TestGroups:
    def test_the_first_api_versions_had_no_type(self, call: Caller) -> None:
        assert "type" not in call("GET", "resourceGroups/g", version="2016-09-01").json()
        assert (
            call("GET", "resourceGroups/g", version="2021-04-01").json()["type"] == "Microsoft.Resources/resourceGroups"
        )

    def test_a_group_keeps_its_location(self, call: Caller) -> None:
        refused = call("PUT", "resourceGroups/g", {"location": "eastus"})
        assert error_of(refused) == (409, "InvalidResourceGroupLocation")

    def test_an_empty_group_is_exported_as_recorded(self, call: Caller) -> None:
        call.make_group("empty")
        template = call("POST", "resourceGroups/empty/exportTemplate", {"resources": ["*"]}).json()["template"]
        assert set(template) == {"$schema", "contentVersion", "parameters", "variables", "resources"}
        assert template["resources"] == []

    def test_what_is_exported_can_be_deployed(self, call: Caller) -> None:
        template = call("POST", "resourceGroups/g/exportTemplate", {"resources": ["*"]}).json()["template"]
        assert template["parameters"] == {"virtualNetworks_n_name": {"defaultValue": "n", "type": "String"}}
        call.make_group("h")
        properties = {"mode": "Incremental", "template": template}
        path = "resourceGroups/h/providers/Microsoft.Resources/deployments/d"
        begun = call("PUT", path, {"properties": properties})
        assert begun.status_code == 201

        def look(_: Deadline) -> bool | None:
            return call("GET", begun.headers["Azure-AsyncOperation"]).json()["status"] == "Succeeded" or None

        wait_for(look, Deadline("the deployment", 30.0), every=0.01)
        assert call("GET", NETWORK.replace("/g/", "/h/"), version="2024-05-01").status_code == 200


class TestMoves:
    def move(self, call: Caller, verb: str = "moveResources", *resources: str, target: str = "h") -> Any:  # noqa: ANN401
        names = [f"{call.subscription}/{name}" for name in resources or (NETWORK,)]
        body = {"resources": names, "targetResourceGroup": f"{call.subscription}/resourceGroups/{target}"}
        return call("POST", f"resourceGroups/g/{verb}", body)

    def test_a_resource_is_moved_with_all_that_names_it(self, call: Caller) -> None:
        call.make_group("h")
        for verb in ("validateMoveResources", "moveResources"):
            begun = self.move(call, verb)
            assert (begun.status_code, begun.content) == (202, b"")
            assert call("GET", begun.headers["Location"]).status_code == 204
        assert call("GET", NETWORK, version="2024-05-01").status_code == 404
        moved = call("GET", NETWORK.replace("/g/", "/h/"), version="2024-05-01").json()
        assert moved["id"].endswith("/resourceGroups/h/providers/Microsoft.Network/virtualNetworks/n")

    def test_what_cannot_be_moved_is_refused(self, call: Caller) -> None:
        assert error_of(self.move(call)) == (404, "ResourceGroupNotFound")
        call.make_group("h")
        assert error_of(self.move(call, "moveResources", NETWORK + "x")) == (404, "ResourceNotFound")
        assert error_of(self.move(call, target="g")) == (400, "InvalidMoveResourcesRequest")
        call.make_network("h", "n")
        assert error_of(self.move(call)) == (409, "ResourceMoveFailed")


class TestRoles:
    READER = "acdd72a7-3385-48ef-bd42-f606fba81ae7"

    def test_a_role_is_found_by_name_as_recorded(self, call: Caller) -> None:
        path = "resourceGroups/g/providers/Microsoft.Authorization/roleDefinitions?$filter=roleName eq 'Reader'"
        (role,) = call("GET", path, version="2022-05-01-preview").json()["value"]
        assert (role["name"], role["properties"]["roleName"]) == (self.READER, "Reader")
        assert role["properties"]["permissions"][0]["actions"] == ["*/read"]

    def test_an_assignment_is_made_once(self, call: Caller) -> None:
        base = "resourceGroups/g/providers/Microsoft.Authorization/roleAssignments/88888888-0000-0000-0000-00000000000"
        role = f"{call.subscription}/providers/Microsoft.Authorization/roleDefinitions/{self.READER}"
        principal = "f9a6ef2f-399a-4fc7-819f-d361ec8c5a5c"
        body = {"properties": {"roleDefinitionId": role, "principalId": principal, "principalType": "ServicePrincipal"}}
        made = call("PUT", base + "1", body, "2022-04-01")
        assert made.status_code == 201
        assert made.json()["properties"]["scope"] == f"{call.subscription}/resourceGroups/g"
        assert error_of(call("PUT", base + "2", body, "2022-04-01")) == (409, "RoleAssignmentExists")
        query = (
            f"resourceGroups/g/providers/Microsoft.Authorization/roleAssignments?$filter=principalId eq '{principal}'"
        )
        assert [each["name"][-1] for each in call("GET", query).json()["value"]] == ["1"]
        assert call("DELETE", base + "1").status_code == 200
        assert call("DELETE", base + "1").status_code == 204

    def test_a_custom_role_is_made_and_kept_while_it_is_assigned(self, call: Caller) -> None:
        name = "11111111-0000-0000-0000-000000000001"
        path = f"providers/Microsoft.Authorization/roleDefinitions/{name}"
        permissions = [{"actions": ["Microsoft.Compute/*/read"], "notActions": []}]
        properties = {"roleName": "Looker", "permissions": permissions, "assignableScopes": [call.subscription]}
        made = call("PUT", path, {"properties": properties})
        assert (made.status_code, made.json()["properties"]["type"]) == (201, "CustomRole")
        assignment = "providers/Microsoft.Authorization/roleAssignments/88888888-0000-0000-0000-000000000003"
        call("PUT", assignment, {"properties": {"roleDefinitionId": f"{call.subscription}/{path}", "principalId": "p"}})
        assert error_of(call("DELETE", path)) == (400, "RoleDefinitionHasAssignments")
        call("DELETE", assignment)
        assert call("DELETE", path).status_code == 200
        assert error_of(call("GET", path)) == (404, "RoleDefinitionDoesNotExist")


class TestLinks:
    PATH = "resourceGroups/g/providers/Microsoft.Resources/links/l"

    def test_a_link_is_kept_changed_and_listed_where_it_starts(self, call: Caller) -> None:
        group = call("GET", "resourceGroups/g").json()["id"]
        target = f"{group}/providers/Microsoft.Network/virtualNetworks/n"
        for notes, status in (("one", 201), ("two", 200)):
            answer = call("PUT", self.PATH, {"properties": {"targetId": target, "notes": notes}}, "2016-09-01")
            assert answer.status_code == status
            assert answer.json()["properties"] == {
                "sourceId": f"{group}/",
                "targetId": f"{target}/",
                "notes": notes,
            }
        for scope in ("", "resourceGroups/g/"):
            listed = call("GET", f"{scope}providers/Microsoft.Resources/links", version="2016-09-01").json()["value"]
            assert [link["name"] for link in listed] == ["l"]
        assert call("DELETE", self.PATH, version="2016-09-01").status_code == 200
        assert error_of(call("GET", self.PATH, version="2016-09-01")) == (404, "ResourceLinkNotFound")

    def test_a_link_to_nothing_is_refused(self, call: Caller) -> None:
        assert error_of(call("PUT", self.PATH, {"properties": {}}, "2016-09-01")) == (400, "InvalidResourceLink")


class TestSubscriptions:
    def test_the_list_tells_how_many_there_are(self, call: Caller) -> None:
        assert call("GET", "/subscriptions").json()["count"] == {"type": "Total", "value": 1}

    def test_a_location_is_described_as_the_api_version_has_it(self, call: Caller) -> None:
        def shown(version: str) -> dict[str, Any]:
            value = call("GET", "locations", version=version).json()["value"]
            found: dict[str, Any] = next(each for each in value if each["name"] == "eastus2")
            return found

        assert shown("2019-06-01").keys() == {"id", "name", "displayName", "longitude", "latitude"}
        assert "type" not in shown("2020-01-01")
        newest = shown("2022-12-01")
        assert newest["metadata"]["pairedRegion"][0]["name"] == "centralus"
        assert [zone["logicalZone"] for zone in newest["availabilityZoneMappings"]] == ["1", "2", "3"]
