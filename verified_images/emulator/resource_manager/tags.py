"""Tags: those of one scope as a resource of their own, and the names in use in a subscription.

Source: Azure OpenAPI, Microsoft.Resources/tags.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError
from verified_images.emulator.paging import page
from verified_images.emulator.routing import Route
from verified_images.emulator.scopes import find_scope
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud

_PATTERN = "{scope}/providers/Microsoft.Resources/tags/default"
_NAMES = "/subscriptions/{subscription}/tagNames"
_OF_SUBSCRIPTION = "subscription tags"
_NAMES_KEPT = "tag names"
_MOST_TAGS = 50
_LONGEST_NAME, _LONGEST_VALUE = 512, 256
_FORBIDDEN = set("<>%&\\?/")


def routes() -> Iterator[Route]:
    """Give the URL table."""
    yield Route("GET", _PATTERN, _get)
    yield Route("PUT", _PATTERN, _put)
    yield Route("PATCH", _PATTERN, _patch)
    yield Route("DELETE", _PATTERN, _delete)
    yield Route("GET", _NAMES, _list_names)
    yield Route("PUT", _NAMES + "/{name}", _put_name)
    yield Route("DELETE", _NAMES + "/{name}", _delete_name)
    yield Route("PUT", _NAMES + "/{name}/tagValues/{value}", _put_value)
    yield Route("DELETE", _NAMES + "/{name}/tagValues/{value}", _delete_value)


def check_tags(tags: object) -> dict[str, str]:
    """Give the tags of a request's body.

    Raises:
        ArmError: 400: they are no map of strings, too many, too long, or have a name with a forbidden character.
    """
    if tags is None:
        return {}
    if not isinstance(tags, dict) or not all(isinstance(value, str) for value in tags.values()):
        raise ArmError(400, "InvalidTagsFormat", "The tags are not a map of strings.")
    if len(tags) > _MOST_TAGS:
        raise ArmError(
            400,
            "TooManyTags",
            f"Too many tags on the resource/resource group. Requested tag count - '{len(tags)}'. Maximum number of "
            "tags "
            f"allowed - '{_MOST_TAGS}'.",
        )
    for name, value in tags.items():
        if not name or len(name) > _LONGEST_NAME or _FORBIDDEN & set(name):
            raise ArmError(
                400,
                "InvalidTagNameCharacters",
                f"The tag name '{name[:_LONGEST_NAME]}' has reserved characters '<,>,%,&,\\\\,?,/' or control "
                "characters, "
                f"is empty, or is longer than {_LONGEST_NAME} characters.",
            )
        if len(value) > _LONGEST_VALUE:
            raise ArmError(
                400,
                "InvalidTagValueLength",
                f"The tag value '{value[:20]}...' is too long. Maximum length of a tag value is {_LONGEST_VALUE}.",
            )
    folded = [name.lower() for name in tags]
    if len(folded) != len(set(folded)):
        raise ArmError(400, "InvalidTagNames", "The tags have the same name twice; names are case-insensitive.")
    return dict(tags)


def _read(cloud: Cloud, scope: str) -> dict[str, str]:
    found = find_scope(cloud, scope)
    if found is not None:
        return found.tags
    kept = cloud.records.find(_OF_SUBSCRIPTION, scope)
    return dict(kept["tags"]) if kept else {}


def _write(cloud: Cloud, scope: str, tags: dict[str, str]) -> None:
    with cloud.store.lock:
        found = find_scope(cloud, scope)
        if found is None:
            cloud.records.put(_OF_SUBSCRIPTION, scope, {"tags": tags})
            return
        found.body["tags"] = tags
        if kind := cloud.kind_of(found.id.type):
            kind.stamp(found)
        cloud.store.put(found)


def _render(scope: str, tags: dict[str, str]) -> dict[str, Any]:
    return {
        "id": f"{scope}/providers/Microsoft.Resources/tags/default",
        "name": "default",
        "type": "Microsoft.Resources/tags",
        "properties": {"tags": tags},
    }


def _get(cloud: Cloud, request: Request) -> Answer:
    scope = request.parameters["scope"]
    return Answer(200, _render(scope, _read(cloud, scope)))


def _put(cloud: Cloud, request: Request) -> Answer:
    scope = request.parameters["scope"]
    tags = check_tags((request.json().get("properties") or {}).get("tags"))
    _write(cloud, scope, tags)
    return Answer(200, _render(scope, tags))


def _patch(cloud: Cloud, request: Request) -> Answer:
    """Merge, replace or delete tags; what is deleted is what agrees in name and value."""
    scope, body = request.parameters["scope"], request.json()
    given = check_tags((body.get("properties") or {}).get("tags"))
    operation = str(body.get("operation", "")).lower()
    with cloud.store.lock:
        old = _read(cloud, scope)
        folded = {name.lower(): value for name, value in given.items()}
        if operation == "replace":
            tags = given
        elif operation == "merge":
            tags = check_tags({name: value for name, value in old.items() if name.lower() not in folded} | given)
        elif operation == "delete":
            tags = {name: value for name, value in old.items() if folded.get(name.lower()) != value}
        else:
            raise ArmError(
                400, "InvalidTagsPatchOperation", f"The operation '{operation}' is not one of Merge, Replace, Delete."
            )
        _write(cloud, scope, tags)
    return Answer(200, _render(scope, tags))


def _delete(cloud: Cloud, request: Request) -> Answer:
    _write(cloud, request.parameters["scope"], {})
    return Answer(200)


# Names in use.


def _list_names(cloud: Cloud, request: Request) -> Answer:
    names: dict[str, dict[str, Any]] = {}
    for record in cloud.records.select(_NAMES_KEPT):
        names[record["name"].lower()] = {"name": record["name"], "values": dict.fromkeys(record["values"], 0)}
    for resource in cloud.store.select():
        for name, value in resource.tags.items():
            counts = names.setdefault(name.lower(), {"name": name, "values": {}})["values"]
            counts[value] = counts.get(value, 0) + 1
    return page(cloud, request, [_render_name(request, each["name"], each["values"]) for each in names.values()])


def _render_name(request: Request, name: str, counts: dict[str, int]) -> dict[str, Any]:
    identifier = f"/subscriptions/{request.parameters['subscription']}/tagNames/{name}"
    return {
        "id": identifier,
        "tagName": name,
        "count": {"type": "Total", "value": sum(counts.values())},
        "values": [_render_value(identifier, value, count) for value, count in counts.items()],
    }


def _render_value(name: str, value: str, count: int) -> dict[str, Any]:
    return {"id": f"{name}/tagValues/{value}", "tagValue": value, "count": {"type": "Total", "value": count}}


def _put_name(cloud: Cloud, request: Request) -> Answer:
    name = request.parameters["name"]
    check_tags({name: ""})
    existing = cloud.records.find(_NAMES_KEPT, name)
    record = existing or {"name": name, "values": []}
    cloud.records.put(_NAMES_KEPT, name, record)
    return Answer(200 if existing else 201, _render_name(request, name, dict.fromkeys(record["values"], 0)))


def _delete_name(cloud: Cloud, request: Request) -> Answer:
    name = request.parameters["name"]
    if any(name.lower() in {tag.lower() for tag in resource.tags} for resource in cloud.store.select()):
        raise ArmError(409, "TagNameInUse", f"The tag name '{name}' is in use and cannot be deleted.")
    return Answer(200 if cloud.records.remove(_NAMES_KEPT, name) else 204)


def _put_value(cloud: Cloud, request: Request) -> Answer:
    name, value = request.parameters["name"], request.parameters["value"]
    with cloud.records.lock:
        record = cloud.records.find(_NAMES_KEPT, name)
        if record is None:
            raise ArmError(404, "TagNameNotFound", f"The tag name '{name}' could not be found.")
        existing = value in record["values"]
        record["values"] = [*record["values"], *([] if existing else [value])]
        cloud.records.put(_NAMES_KEPT, name, record)
    identifier = f"/subscriptions/{request.parameters['subscription']}/tagNames/{name}"
    return Answer(200 if existing else 201, _render_value(identifier, value, 0))


def _delete_value(cloud: Cloud, request: Request) -> Answer:
    name, value = request.parameters["name"], request.parameters["value"]
    with cloud.records.lock:
        record = cloud.records.find(_NAMES_KEPT, name)
        if record is None or value not in record["values"]:
            return Answer(204)
        cloud.records.put(_NAMES_KEPT, name, {**record, "values": [each for each in record["values"] if each != value]})
    return Answer(200)
