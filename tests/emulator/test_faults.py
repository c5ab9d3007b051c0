from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests
from azure.core.exceptions import HttpResponseError, ResourceExistsError

from tests.emulator.clients import Clients
from verified_images.emulator import FaultRule, FaultRuleError, LocalCloud, Options

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NETWORK = "Microsoft.Network/virtualNetworks"
BODY: Any = {"location": "westeurope", "properties": {"addressSpace": {"addressPrefixes": ["10.0.0.0/16"]}}}


@pytest.fixture(scope="module")
def shared_cloud(tmp_path_factory: pytest.TempPathFactory, image_cache: Path) -> Iterator[LocalCloud]:
    state = tmp_path_factory.mktemp("faults") / "azure"
    with LocalCloud(state, Options(hypervisor="fake", cache=image_cache)) as cloud:
        yield cloud


@pytest.fixture(scope="module")
def shared_azure(shared_cloud: LocalCloud) -> Iterator[Clients]:
    clients = Clients(shared_cloud)
    clients.resources.resource_groups.create_or_update("g", {"location": "westeurope"})
    yield clients
    clients.close()


@pytest.fixture
def azure(shared_azure: Clients) -> Iterator[Clients]:
    yield shared_azure
    shared_azure.cloud.faults.clear()


def call(azure: Clients, method: str, path: str, body: Any = None, **options: Any) -> requests.Response:  # noqa: ANN401
    token = azure.credential.get_token(f"{azure.cloud.endpoint}/.default").token
    return requests.request(  # noqa: S113 - the options have it
        method,
        azure.cloud.endpoint + path,
        headers={"Authorization": f"Bearer {token}"},
        json=body,
        verify=str(azure.cloud.ca_bundle),
        **{"timeout": 10, **options},
    )


def path_of(azure: Clients, rest: str = f"providers/{NETWORK}/n", version: str = "2024-05-01") -> str:
    return f"/subscriptions/{azure.cloud.account.subscription_id}/resourceGroups/g/{rest}?api-version={version}"


def refused(azure: Clients, method: str = "PUT", **fields: Any) -> tuple[int, Any, Any]:  # noqa: ANN401 - a rule's fields
    azure.cloud.faults.add(**fields)
    answer = call(azure, method, path_of(azure), BODY if method == "PUT" else None)
    return answer.status_code, answer.json()["error"], answer.headers


def test_a_call_is_refused_as_the_rule_says(azure: Clients) -> None:
    status, error, _ = refused(azure, fault="refused", status=503, code="ServerTimeout", message="Try again.")
    assert (status, error) == (503, {"code": "ServerTimeout", "message": "Try again."})


def test_the_nth_call_is_hit_and_no_other(azure: Clients) -> None:
    azure.cloud.faults.add(fault="refused", method="GET", type=NETWORK, nth=2, times=2, status=503)
    found = [call(azure, "GET", path_of(azure, f"providers/{NETWORK}")).status_code for _ in range(5)]
    assert found == [200, 503, 503, 200, 200]
    (rule,) = azure.cloud.faults.describe()
    assert (rule["seen"], rule["hit"]) == (5, 2)


def test_throttling_is_in_the_words_of_the_provider(azure: Clients) -> None:
    status, error, headers = refused(azure, fault="throttled", type=NETWORK, retry_after=3)
    assert (status, error["code"], headers["Retry-After"]) == (429, "RetryableError", "3")
    azure.cloud.faults.add(fault="throttled", type="Microsoft.Compute/virtualMachines")
    answer = call(azure, "GET", path_of(azure, "providers/Microsoft.Compute/virtualMachines", "2024-07-01"))
    assert (answer.status_code, answer.json()["error"]["code"]) == (429, "OperationNotAllowed")
    assert answer.json()["error"]["details"][0]["code"] == "TooManyRequests"


def test_the_sdk_waits_out_a_throttling(azure: Clients) -> None:
    azure.cloud.faults.add(fault="throttled", method="GET", type="*/resourceGroups", retry_after=1)
    began = time.monotonic()
    assert azure.resources.resource_groups.get("g").name == "g"
    assert time.monotonic() - began >= 1


def test_a_policy_denial_names_the_policy(azure: Clients) -> None:
    status, error, _ = refused(azure, fault="policy_denied", policy="no-networks")
    assert (status, error["code"], error["target"]) == (403, "RequestDisallowedByPolicy", "n")
    assert error["additionalInfo"][0]["info"]["policyAssignmentName"] == "no-networks"


def test_a_deletion_is_refused_in_the_words_of_the_type_and_then_goes_through(azure: Clients) -> None:
    azure.network.virtual_networks.begin_create_or_update("g", "n", BODY).result()
    azure.cloud.faults.add(fault="in_use", type=NETWORK, times=2)
    for _ in range(2):
        with pytest.raises(HttpResponseError) as refused:
            azure.network.virtual_networks.begin_delete("g", "n")
        assert refused.value.error is not None
        assert (refused.value.status_code, refused.value.error.code) == (400, "InUseSubnetCannotBeDeleted")
    azure.network.virtual_networks.begin_delete("g", "n").result()
    assert list(azure.network.virtual_networks.list("g")) == []


def test_a_connection_is_reset_before_the_call_is_carried_out(azure: Clients) -> None:
    azure.cloud.faults.add(fault="reset", method="PUT", type=NETWORK)
    with pytest.raises(requests.ConnectionError):
        call(azure, "PUT", path_of(azure), BODY)
    assert call(azure, "GET", path_of(azure)).status_code == 404


def test_an_answer_is_lost_after_the_call_was_carried_out(azure: Clients) -> None:
    azure.cloud.faults.add(fault="reset", method="PUT", type=NETWORK, carried_out=True)
    with pytest.raises(requests.ConnectionError):
        call(azure, "PUT", path_of(azure), BODY)
    assert call(azure, "GET", path_of(azure)).status_code == 200
    azure.network.virtual_networks.begin_delete("g", "n").result()


def test_an_answer_is_withheld(azure: Clients) -> None:
    azure.cloud.faults.add(fault="timeout", method="GET", type="*/resourceGroups", seconds=30)
    with pytest.raises(requests.ReadTimeout):
        call(azure, "GET", path_of(azure, ""), timeout=0.3)


@pytest.mark.parametrize(("fault", "status"), [("operation_failed", "Failed"), ("operation_canceled", "Canceled")])
def test_an_operation_ends_as_the_rule_says(azure: Clients, fault: str, status: str) -> None:
    azure.cloud.faults.add(fault=fault, type=NETWORK, code="Odd", message="So it is.")
    poller = azure.network.virtual_networks.begin_create_or_update("g", "n", BODY)
    with pytest.raises(HttpResponseError) as failed:
        poller.result()
    assert failed.value.error is not None
    assert (poller.status(), failed.value.error.code) == (status, "Odd")
    assert azure.network.virtual_networks.get("g", "n").provisioning_state == "Failed"
    azure.network.virtual_networks.begin_delete("g", "n").result()


def test_an_operation_never_ends_until_its_rule_goes(azure: Clients) -> None:
    name = azure.cloud.faults.add(fault="operation_stuck", type=NETWORK)
    poller = azure.network.virtual_networks.begin_create_or_update("g", "n", BODY)
    poller.wait(0.3)
    assert poller.status() == "InProgress"
    assert azure.cloud.faults.remove(name)
    poller.result(5)
    assert poller.status() == "Succeeded"
    azure.network.virtual_networks.begin_delete("g", "n").result()


def test_deleting_the_resource_ends_an_operation_that_never_ends(azure: Clients) -> None:
    azure.cloud.faults.add(fault="operation_stuck", method="PUT", type=NETWORK)
    poller = azure.network.virtual_networks.begin_create_or_update("g", "n", BODY)
    azure.network.virtual_networks.begin_delete("g", "n").result(5)
    with pytest.raises(HttpResponseError, match="preempted"):
        poller.result(5)


def test_tokens_are_struck_only_by_a_rule_that_names_them(azure: Clients) -> None:
    azure.cloud.faults.add(fault="refused", times="always", type="Microsoft.Entra/tokens", status=503)
    fresh = Clients(azure.cloud)
    path = f"/{azure.cloud.account.tenant_id}/v2.0/.well-known/openid-configuration"
    assert call(azure, "GET", path).status_code == 503
    azure.cloud.faults.replace(())
    azure.cloud.faults.add(fault="refused", times="always", status=503)
    assert call(azure, "GET", path).status_code == 200
    fresh.close()


def test_a_name_is_taken_once(azure: Clients) -> None:
    azure.cloud.faults.add(fault="reset", name="a")
    with pytest.raises(FaultRuleError, match="there is a fault rule 'a' already"):
        azure.cloud.faults.add(fault="reset", name="a")


class TestOverHttp:
    def test_rules_are_replaced_added_listed_and_removed(self, azure: Clients) -> None:
        rules = [{"fault": "reset", "name": "a", "type": NETWORK}]
        assert call(azure, "PUT", "/local/faults", {"faults": rules}).status_code == 200
        added = call(azure, "POST", "/local/faults", {"fault": "in_use"}).json()["faults"]
        assert [rule["name"] for rule in added] == ["a", "fault-1"]
        assert call(azure, "GET", "/local/faults").json()["faults"] == added
        assert call(azure, "DELETE", "/local/faults/a").status_code == 200
        assert call(azure, "DELETE", "/local/faults/a").status_code == 404
        assert call(azure, "DELETE", "/local/faults").json() == {"faults": []}

    @pytest.mark.parametrize("body", ["nonsense", [1], [{"fault": "none"}], {"rules": []}, None])
    def test_a_bad_rule_is_refused_and_changes_nothing(self, azure: Clients, body: object) -> None:
        azure.cloud.faults.add(fault="reset", name="kept", type="none")
        answer = call(azure, "PUT", "/local/faults", body)
        assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidFaultRule")
        assert [rule["name"] for rule in azure.cloud.faults.describe()] == ["kept"]

    def test_only_who_has_a_token_may_set_them(self, azure: Clients) -> None:
        url = azure.cloud.endpoint + "/local/faults"
        answer = requests.put(url, data=json.dumps([]), verify=str(azure.cloud.ca_bundle), timeout=10)
        assert answer.status_code == 401


def test_rules_hold_from_the_start(tmp_path: Path, image_cache: Path) -> None:
    rule = FaultRule(fault="refused", status=409, code="Conflict")
    with LocalCloud(tmp_path, Options(hypervisor="fake", cache=image_cache, faults=(rule,))) as cloud:
        clients = Clients(cloud)
        with pytest.raises(ResourceExistsError):
            clients.resources.resource_groups.create_or_update("g", {"location": "westeurope"})
        clients.close()
