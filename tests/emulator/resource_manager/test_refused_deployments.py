"""What Azure does not deploy, and how it says so."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.emulator.resource_manager.deployer import SCHEMA, Deployer, address, template
from verified_images.emulator.identity import issue_token

if TYPE_CHECKING:
    from tests.emulator.resource_manager.deployer import Json


def needing(name: str, *others: str) -> Json:
    return address(name, dependsOn=list(others))


@pytest.mark.parametrize(
    ("content", "parameters", "sentence"),
    [
        (
            template(),
            {"x": 1},
            "The template parameters 'x' in the parameters file are not valid; they are not present",
        ),
        (
            template(parameters={"p": {"type": "string"}}),
            {},
            "The value for the template parameter 'p' is not provided.",
        ),
        (template(parameters={"p": {"type": "int"}}), {"p": "1"}, "Expected 'Integer'. Actual 'String'."),
        (
            template(parameters={"p": {"type": "string", "allowedValues": ["a", "b"]}}),
            {"p": "c"},
            "The value 'c' is not part of the allowed value(s): 'a,b'.",
        ),
        (
            template(parameters={"p": {"type": "string", "minLength": 3}}),
            {"p": "ab"},
            "Length of the value should be greater than or equal to '3'.",
        ),
        (template(parameters={"p": {"type": "int", "maxValue": 3}}), {"p": 4}, "should be less than or equal to '3'."),
        (
            template(parameters={"p": {"type": "text"}}),
            {"p": "a"},
            "The template parameter 'p' has an invalid type 'text'.",
        ),
        (
            template(
                parameters={
                    name: {"type": "int", "defaultValue": f"[parameters('{other}')]"} for name, other in ("ab", "ba")
                }
            ),
            {},
            "depends on itself",
        ),
        (
            template([needing("a", "b"), needing("b", "a")]),
            {},
            "Circular dependency detected on resource: '/subscriptions/",
        ),
        (
            template([needing("a", "Microsoft.X/y/z")]),
            {},
            "The resource 'Microsoft.X/y/z' is not defined in the template.",
        ),
        (template([address("a"), address("A")]), {}, "is defined multiple times in a template."),
        (template([address("a/b")]), {}, "has incorrect segment lengths."),
        (template([address("[foo()]")]), {}, "The template function 'foo' is not valid."),
        (
            template([address("[reference('x')]")]),
            {},
            "The template function 'reference' is not expected at this location.",
        ),
        (template([address("[newGuid()]")]), {}, "they can only be used in the default value of a parameter"),
        (template([address("a", copy={"name": "c", "count": "two"})]), {}, "The copy count of 'c' is not valid"),
        (
            template() | {"$schema": SCHEMA.replace("2019-04-01", "1999-01-01")},
            {},
            "1999-01-01/deploymentTemplate.json#' is not supported",
        ),
    ],
)
def test_a_wrong_template_is_invalid(deployer: Deployer, content: Json, parameters: Json, sentence: str) -> None:
    error = deployer.refusal(content, **parameters)
    assert error["code"] == "InvalidTemplate"
    assert error["message"].startswith("Deployment template validation failed: '")
    assert sentence in error["message"]
    assert error["additionalInfo"][0]["type"] == "TemplateViolation"


def test_an_expression_that_fails_names_the_resource(deployer: Deployer) -> None:
    error = deployer.refusal(template([address("a", tags={"t": "[variables('none')]"})]))
    assert error["code"] == "InvalidTemplate"
    assert error["message"].startswith("Unable to process template language expressions for resource '/subscriptions/")
    assert "The template variable 'none' is not found." in error["message"]


@pytest.mark.parametrize(
    ("body", "code", "sentence"),
    [
        ({}, "InvalidRequestContent", "Required property 'properties' not found in JSON."),
        (
            {"properties": {"template": template()}},
            "InvalidRequestContent",
            "Required property 'mode' not found in JSON.",
        ),
        ({"properties": {"template": template(), "mode": "x"}}, "InvalidRequestContent", 'Error converting value "x"'),
        ({"properties": {"mode": "Incremental", "odd": 1}}, "InvalidRequestContent", "Could not find member 'odd'"),
        ({"properties": {"mode": "Incremental"}}, "InvalidTemplate", "the template is not specified"),
        (
            {"properties": {"mode": "Incremental", "template": {}}},
            "InvalidRequestContent",
            "'$schema' not found in JSON.",
        ),
        (
            {"properties": {"mode": "Incremental", "template": template(odd=1)}},
            "InvalidRequestContent",
            "Could not find member 'odd' on object of type 'Template'.",
        ),
        (
            {"properties": {"mode": "Incremental", "template": template([{"name": "a", "type": "b/c"}])}},
            "InvalidRequestContent",
            "Required property 'apiVersion' not found in JSON.",
        ),
        (
            {"properties": {"mode": "Incremental", "templateLink": {"uri": "https://x"}}},
            "NotSupported",
            "are linked to",
        ),
        (
            {"properties": {"mode": "Incremental", "template": template(), "parametersLink": {"uri": "https://x"}}},
            "NotSupported",
            "are linked to",
        ),
        (
            {
                "properties": {
                    "mode": "Incremental",
                    "template": template(),
                    "onErrorDeployment": {"type": "LastSuccessful"},
                }
            },
            "NotSupported",
            "going back to another deployment",
        ),
        (
            {
                "properties": {
                    "mode": "Incremental",
                    "template": template(
                        [{"type": "Microsoft.Resources/deploymentScripts", "apiVersion": "2020-10-01", "name": "s"}]
                    ),
                }
            },
            "NotSupported",
            "the deployment script 's'",
        ),
    ],
)
def test_a_body_of_another_shape_is_refused(deployer: Deployer, body: Json, code: str, sentence: str) -> None:
    answer = deployer.call("PUT", deployer.path(), body)
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, code)
    assert sentence in answer.json()["error"]["message"]


def test_a_type_that_azure_does_not_have_is_refused(deployer: Deployer) -> None:
    strange = address("a") | {"type": "Microsoft.Network/publicThings"}
    answer = deployer.put(template([strange]))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "InvalidResourceType")
    answer = deployer.put(template([strange | {"type": "Microsoft.Nowhere/things"}]))
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "InvalidResourceNamespace")


def test_a_location_that_azure_does_not_have_is_refused(deployer: Deployer) -> None:
    answer = deployer.put(template([address("a", location="atlantis")]))
    assert (answer.status_code, answer.json()["error"]["code"]) == (400, "LocationNotAvailableForResourceType")


def test_a_deployment_needs_its_group(deployer: Deployer) -> None:
    deployer.group = "none"
    answer = deployer.put(template())
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "ResourceGroupNotFound")


def test_a_caller_deploys_only_what_it_may_write_itself(deployer: Deployer) -> None:
    principal = "99999999-0000-0000-0000-000000000001"
    account = replace(deployer.azure.cloud.account, object_id=principal)
    limited = Deployer(deployer.azure)
    limited.session.headers["Authorization"] = f"Bearer {issue_token(account, '127.0.0.1')}"
    assert limited.put(template()).json()["error"]["code"] == "AuthorizationFailed"
    role = "/providers/Microsoft.Authorization/roleDefinitions/22222222-0000-0000-0000-000000000001"
    actions = ["*/read", "Microsoft.Resources/deployments/*", "Microsoft.Network/publicIPAddresses/*"]
    permissions = [{"actions": actions, "notActions": []}]
    properties = {"roleName": "Deployer", "permissions": permissions, "assignableScopes": [deployer.base]}
    assert deployer.call("PUT", role, {"properties": properties}).status_code == 201
    assignment = "/providers/Microsoft.Authorization/roleAssignments/22222222-0000-0000-0000-000000000002"
    given = {"roleDefinitionId": deployer.base + role, "principalId": principal}
    assert deployer.call("PUT", assignment, {"properties": given}).status_code == 201
    assert limited.deploy(template([address("mine")]))["properties"]["provisioningState"] == "Succeeded"
    group = address("not-mine") | {"type": "Microsoft.Network/networkSecurityGroups", "properties": {}}
    error = limited.refusal(template([address("fine"), group]))
    assert error["code"] == "InvalidTemplateDeployment"
    assert error["message"].startswith(
        "The template deployment failed with error: 'Authorization failed for template resource 'not-mine' of type"
    )
    assert deployer.call("DELETE", assignment).status_code == 200
    assert deployer.call("DELETE", role).status_code == 200
    limited.session.close()
