from __future__ import annotations

import pytest

from verified_images.emulator.actions import action_of

GROUP = "/subscriptions/s/resourceGroups/g"


@pytest.mark.parametrize(
    ("method", "path", "name", "scope"),
    [
        ("PUT", GROUP, "Microsoft.Resources/subscriptions/resourceGroups/write", GROUP),
        ("GET", "/subscriptions/s/resourcegroups", "Microsoft.Resources/subscriptions/resourceGroups/read", GROUP[:16]),
        (
            "POST",
            f"{GROUP}/exportTemplate",
            "Microsoft.Resources/subscriptions/resourceGroups/exportTemplate/action",
            GROUP,
        ),
        ("GET", f"{GROUP}/resources", "Microsoft.Resources/subscriptions/resourceGroups/resources/read", GROUP),
        ("GET", "/subscriptions", "Microsoft.Resources/subscriptions/read", "/subscriptions"),
        ("GET", "/subscriptions/s/locations", "Microsoft.Resources/subscriptions/locations/read", "/subscriptions/s"),
        ("POST", "/subscriptions/s/providers/A.B/register", "A.B/register/action", "/subscriptions/s"),
        ("GET", "/subscriptions/s/providers/A.B/vms", "A.B/vms/read", "/subscriptions/s"),
        ("GET", f"{GROUP}/providers/A.B/vms", "A.B/vms/read", GROUP),
        ("DELETE", f"{GROUP}/providers/A.B/vms/v", "A.B/vms/delete", f"{GROUP}/providers/A.B/vms/v"),
        ("POST", f"{GROUP}/providers/A.B/vms/v/start", "A.B/vms/start/action", f"{GROUP}/providers/A.B/vms/v"),
        ("PATCH", f"{GROUP}/providers/A.B/g/g/i/i", "A.B/g/i/write", f"{GROUP}/providers/A.B/g/g/i/i"),
        ("GET", f"{GROUP}/providers/A.B/g/g/i", "A.B/g/i/read", f"{GROUP}/providers/A.B/g/g"),
        (
            "PUT",
            f"{GROUP}/providers/A.B/vms/v/providers/C.D/locks/l",
            "C.D/locks/write",
            f"{GROUP}/providers/A.B/vms/v/providers/C.D/locks/l",
        ),
    ],
)
def test_a_call_has_the_action_that_roles_name(method: str, path: str, name: str, scope: str) -> None:
    action = action_of(method, path)
    assert (action.name, action.scope) == (name, scope)
