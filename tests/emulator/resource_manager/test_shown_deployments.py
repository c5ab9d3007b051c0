"""What is shown of a deployment, by its template and the api-version."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.emulator.resource_manager.deployer import address, template

if TYPE_CHECKING:
    from tests.emulator.resource_manager.deployer import Deployer


def test_parameters_and_outputs_are_shown_of_a_template_that_has_them(deployer: Deployer) -> None:
    bare = deployer.deploy(template(), "bare")["properties"]
    assert not {"parameters", "outputs"} & bare.keys()
    full = deployer.deploy(template(parameters={}, outputs={}), "full")["properties"]
    assert (full["parameters"], full["outputs"]) == ({}, {})


def test_the_schema_of_parameters_is_taken_for_that_of_a_template(deployer: Deployer) -> None:
    schema = "https://schema.management.azure.com/schemas/2015-01-01/deploymentParameters.json#"
    done = deployer.deploy({**template(), "$schema": schema})
    assert done["properties"]["provisioningState"] == "Succeeded"


def test_older_versions_show_the_request_by_which_a_resource_was_made(deployer: Deployer) -> None:
    deployer.deploy(template([address("ip")]))
    for version, shown in (("2020-06-01", True), ("2022-09-01", False)):
        operation = deployer.call("GET", deployer.path() + "/operations", version=version).json()["value"][0]
        assert ("serviceRequestId" in operation["properties"]) is shown
