"""Preflight finds every problem at once, and pins what the build is made of."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.credentials import AccessToken

from tests.cloud.scripted_arm import SUBSCRIPTION, Answer
from tests.stages.conftest import GALLERY, MANAGED
from verified_images.errors import PreflightError
from verified_images.stages.preflight import preflight

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.cloud.scripted_arm import ScriptedArm
    from verified_images.stages.context import BuildContext

IMAGES = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/images"
DEFINITION = f"{IMAGES}/providers/Microsoft.Compute/galleries/golden/images/web"
SKU = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.Compute/locations/westeurope/publishers/Debian"
VERSIONS = f"{SKU}/artifacttypes/vmimage/offers/debian-12/skus/12-gen2/versions"
CAPABILITIES = {"vCPUs": "2", "HyperVGenerations": "V1,V2", "CpuArchitectureType": "x64", "PremiumIO": "True"}


def size(name: str, **changes: str) -> dict[str, Any]:
    capabilities = {**CAPABILITIES, **changes}
    return {
        "resourceType": "virtualMachines",
        "name": name,
        "family": "standardBSFamily",
        "capabilities": [{"name": key, "value": value} for key, value in capabilities.items()],
        "restrictions": [],
    }


def usage(name: str, used: int, limit: int) -> dict[str, Any]:
    title = {"value": name, "localizedValue": f"the {name}"}
    return {"name": title, "currentValue": used, "limit": limit, "unit": "Count"}


@pytest.fixture(autouse=True)
def azure(scripted: ScriptedArm) -> ScriptedArm:
    """An Azure in which everything is right."""
    scripted.script("GET", "/versions$", Answer(200, [{"name": "12.2.9"}, {"name": "12.2.10"}]))
    for version in ("12.2.9", "12.2.10"):
        image = {"hyperVGeneration": "V2", "architecture": "x64"}
        scripted.script("GET", f"vmimage/.*/versions/{version}$", Answer(200, {"properties": image}))
    scripted.script("GET", "/skus$", Answer(200, {"value": [size("Standard_B2s"), size("Standard_D2s_v5")]}))
    usages = [usage("cores", 10, 100), usage("standardBSFamily", 4, 10)]
    scripted.script("GET", "/usages$", Answer(200, {"value": usages}))
    scripted.put(IMAGES)
    scripted.store[IMAGES.lower().replace("resourcegroups", "resourcegroups")] = {"id": IMAGES}
    define(scripted)
    scripted.script("GET", "galleries/golden/images/web/versions$", Answer(200, {"value": []}))
    return scripted


def define(scripted: ScriptedArm, **changes: Any) -> None:  # noqa: ANN401 - any JSON
    properties = {"osType": "Linux", "osState": "Generalized", "hyperVGeneration": "V2", "architecture": "x64"}
    scripted.put(DEFINITION, location="westeurope", properties={**properties, **changes})


def problems(context: BuildContext) -> str:
    with pytest.raises(PreflightError) as caught:
        preflight(context)
    return "\n".join(caught.value.problems)


def test_a_right_build_gets_a_plan(open_build: Callable[..., BuildContext], scripted: ScriptedArm) -> None:
    plan = preflight(open_build(image={"gallery": GALLERY, "managed": MANAGED}))
    assert plan.source.version == "12.2.10"
    assert plan.source.reference == {
        "publisher": "Debian",
        "offer": "debian-12",
        "sku": "12-gen2",
        "version": "12.2.10",
    }
    assert (plan.source.generation, plan.source.architecture) == ("V2", "x64")
    assert plan.callers == ("203.0.113.7/32",)
    assert plan.gallery_version == f"{DEFINITION}/versions/1.0.0"
    assert plan.managed_image == f"{IMAGES}/providers/Microsoft.Compute/images/web-abcdefgh"
    assert scripted.methods() == []


def test_the_next_patch_number_follows_the_highest_version(
    open_build: Callable[..., BuildContext], scripted: ScriptedArm
) -> None:
    taken = [{"name": "1.2.9"}, {"name": "1.2.10"}, {"name": "1.1.99"}]
    scripted.script("GET", "images/web/versions$", Answer(200, {"value": taken}))
    assert preflight(open_build()).gallery_version == f"{DEFINITION}/versions/1.2.11"


def test_all_problems_come_at_once(open_build: Callable[..., BuildContext], scripted: ScriptedArm) -> None:
    del scripted.store[DEFINITION.lower()]
    scripted.script("GET", "/usages$", Answer(200, {"value": [usage("cores", 98, 100)]}))
    found = problems(
        open_build(
            builder={"source": {"publisher": "Debian", "offer": "debian-12", "sku": "12-gen2", "version": "1.0.0"}}
        )
    )
    assert "get Marketplace image 'Debian:debian-12:12-gen2:1.0.0' failed: ResourceNotFound" in found
    assert "get image definition 'web' failed: ResourceNotFound" in found
    assert "the quota 'the cores' in 'westeurope' is 100 and 98 are used, but the build needs 6 more" in found


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("Standard_B2ms", "'westeurope' does not offer Standard_B2ms; did you mean Standard_B2s?"),
        ("Weird", "builder.vm_size: 'westeurope' does not offer Weird"),
    ],
)
def test_a_size_that_is_not_offered(open_build: Callable[..., BuildContext], name: str, problem: str) -> None:
    assert problem in problems(open_build(builder={"vm_size": name}))


def test_a_size_that_is_restricted(open_build: Callable[..., BuildContext], scripted: ScriptedArm) -> None:
    restricted = size("Standard_B2s")
    restricted["restrictions"] = [
        {"type": "Location", "values": ["westeurope"], "reasonCode": "NotAvailableForSubscription"}
    ]
    scripted.script("GET", "/skus$", Answer(200, {"value": [restricted]}))
    assert "cannot use Standard_B2s in 'westeurope' (NotAvailableForSubscription)" in problems(open_build())


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"HyperVGenerations": "V1"}, "Standard_B2s boots V1, but Debian:debian-12:12-gen2:12.2.10 is V2"),
        ({"CpuArchitectureType": "Arm64"}, "Standard_B2s is Arm64, but Debian:debian-12:12-gen2:12.2.10 is for x64"),
        ({"PremiumIO": "False"}, "Standard_B2s cannot use Premium_LRS"),
        ({"TrustedLaunchDisabled": "True"}, "Standard_B2s cannot do TrustedLaunch"),
    ],
)
def test_a_size_that_cannot_boot_the_source(
    open_build: Callable[..., BuildContext], scripted: ScriptedArm, changes: dict[str, str], problem: str
) -> None:
    scripted.script("GET", "/skus$", Answer(200, {"value": [size("Standard_B2s", **changes)]}))
    builder = {"os_disk_type": "Premium_LRS", "security_type": "TrustedLaunch"}
    define(scripted, features=[{"name": "SecurityType", "value": "TrustedLaunch"}])
    assert problem in problems(open_build(builder=builder))


@pytest.mark.parametrize(
    ("changes", "problem"),
    [
        ({"hyperVGeneration": "V1"}, "it takes generation V1, but the source"),
        ({"architecture": "Arm64"}, "it takes Arm64, but the source"),
        (
            {"osState": "Specialized"},
            "'web' takes Specialized images, but they are generalized; set",
        ),
        ({"osType": "Windows"}, "'web' is of Windows; only Linux can be built"),
    ],
)
def test_a_definition_that_does_not_agree(
    open_build: Callable[..., BuildContext], scripted: ScriptedArm, changes: dict[str, str], problem: str
) -> None:
    define(scripted, **changes)
    assert f"image.gallery.definition: {problem}" in problems(open_build())


def test_trusted_launch_is_what_the_definition_says(
    open_build: Callable[..., BuildContext], scripted: ScriptedArm
) -> None:
    assert "it takes no TrustedLaunch" in problems(open_build(builder={"security_type": "TrustedLaunch"}))
    define(scripted, features=[{"name": "SecurityType", "value": "TrustedLaunch"}])
    assert preflight(open_build()).security_type == "TrustedLaunch"
    assert "takes TrustedLaunch only" in problems(open_build(builder={"security_type": "Standard"}))
    both = {"gallery": GALLERY, "managed": MANAGED}
    assert "no managed images of TrustedLaunch machines" in problems(open_build(image=both))


def test_a_version_that_is_taken(open_build: Callable[..., BuildContext], scripted: ScriptedArm) -> None:
    scripted.script("GET", "images/web/versions$", Answer(200, {"value": [{"name": "2.0.0"}]}))
    found = problems(open_build(image={"gallery": {**GALLERY, "version": "2.0.0"}}))
    assert "image.gallery.version: 'web' has a version 2.0.0 already" in found


def test_a_managed_image_needs_its_group_and_a_free_name(
    open_build: Callable[..., BuildContext], scripted: ScriptedArm
) -> None:
    scripted.put(f"{IMAGES}/providers/Microsoft.Compute/images/web-abcdefgh", properties={})
    assert "'web-abcdefgh' exists in 'images' already" in problems(open_build(image={"managed": MANAGED}))
    scripted.script("GET", "resourcegroups/images$", Answer(404))
    assert "there is no resource group 'images'" in problems(open_build(image={"managed": MANAGED}))


def test_a_plan_must_be_named_and_its_terms_accepted(
    open_build: Callable[..., BuildContext], scripted: ScriptedArm
) -> None:
    plan = {"publisher": "Debian", "product": "debian-12", "name": "12-gen2"}
    scripted.script("GET", "vmimage/.*/versions/12", Answer(200, {"properties": {"plan": plan}}))
    found = problems(open_build())
    assert "write {publisher: Debian, product: debian-12, name: 12-gen2}" in found
    assert "run az vm image terms accept --publisher Debian" in problems(open_build(builder={"plan": plan}))
    scripted.script("GET", "agreements/current$", Answer(200, {"properties": {"accepted": True}}))
    define(scripted, hyperVGeneration="V1")
    assert preflight(open_build(builder={"plan": plan})).source.purchase_plan == plan


class Credential:
    """A credential whose token tells of the caller."""

    def __init__(self, claims: dict[str, str]) -> None:
        self.payload = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode()

    def get_token(self, *_: str, **__: object) -> AccessToken:
        return AccessToken(f"e30.{self.payload}.s", 4_000_000_000)


def open_as(context: BuildContext, claims: dict[str, str]) -> BuildContext:
    object.__setattr__(context.arm.connection, "credential", Credential(claims))
    return context


def test_the_token_tells_who_calls(open_build: Callable[..., BuildContext]) -> None:
    context = open_as(open_build(builder={"allowed_inbound_ip_addresses": []}), {"ipaddr": "198.51.100.9"})
    assert preflight(context).callers == ("198.51.100.9/32",)


@pytest.mark.parametrize("claims", [{}, {"ipaddr": "not an address"}])
def test_an_unknown_caller_must_be_named(open_build: Callable[..., BuildContext], claims: dict[str, str]) -> None:
    context = open_as(open_build(builder={"allowed_inbound_ip_addresses": []}), claims)
    assert "builder.allowed_inbound_ip_addresses: this credential does not tell" in problems(context)


def test_a_source_in_a_gallery_is_its_latest_usable_version(
    open_build: Callable[..., BuildContext], scripted: ScriptedArm
) -> None:
    def version(name: str, *, hidden: bool = False, state: str = "Succeeded") -> dict[str, Any]:
        profile = {"excludeFromLatest": hidden, "targetRegions": [{"name": "West Europe"}]}
        return {"name": name, "properties": {"provisioningState": state, "publishingProfile": profile}}

    found = [version("1.0.0"), version("1.0.2", hidden=True), version("1.0.3", state="Failed")]
    elsewhere = version("1.0.4")
    elsewhere["properties"]["publishingProfile"]["targetRegions"] = [{"name": "North Europe"}]
    scripted.script("GET", "images/web/versions$", Answer(200, {"value": [*found, elsewhere]}))
    plan = preflight(open_build(builder={"source": GALLERY}))
    assert plan.source.reference == {"id": f"{DEFINITION}/versions/1.0.0"}
    assert plan.gallery_version == f"{DEFINITION}/versions/1.0.5"


@pytest.mark.parametrize(
    ("image", "problem"),
    [
        ({"location": "northeurope", "properties": {}}, "is in 'northeurope', not 'westeurope'"),
        (
            {"location": "westeurope", "properties": {"storageProfile": {"osDisk": {"osState": "Specialized"}}}},
            "is specialized",
        ),
        (
            {"location": "westeurope", "properties": {"storageProfile": {"osDisk": {"osType": "Windows"}}}},
            "is of Windows",
        ),
    ],
)
def test_a_managed_image_as_source(
    open_build: Callable[..., BuildContext], scripted: ScriptedArm, image: dict[str, Any], problem: str
) -> None:
    source = {"resource_group": "images", "name": "base"}
    base = f"{IMAGES}/providers/Microsoft.Compute/images/base"
    assert "there is no managed image" in problems(open_build(builder={"source": source}))
    scripted.put(base, **image)
    assert problem in problems(open_build(builder={"source": source}))
    scripted.put(base, location="West Europe", properties={"hyperVGeneration": "V2"})
    plan = preflight(open_build(builder={"source": source}))
    assert plan.source.reference == {"id": base}
