"""Every name and tag of what a run creates, all made from one run id so that leftovers can be searched for.

Lengths and characters follow Azure's page "Naming rules and restrictions for Azure resources".
"""

from __future__ import annotations

import getpass
import re
import secrets
import unicodedata
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

RUN_TAG = "vi-run"
EXPIRY_TAG = "vi-expires"
CREATION_TAG = "vi-created"
INPUTS_TAG = "vi-inputs"
RUN_TAGS = (RUN_TAG, "vi-spec", "vi-owner", CREATION_TAG, EXPIRY_TAG)
"""The tags of what a run makes, as long as it is temporary."""

DEFAULT_LIFETIME = timedelta(hours=8)
"""After this a run's resources count as left over."""

_ID_CHARACTERS = "abcdefghijklmnopqrstuvwxyz234567"
_ID_LENGTH = 8
# A managed image's name has at most 80 characters: "vi-" + spec + "-" + id + "-candidate" is 22 + len(spec).
_LONGEST_SPEC = 50
# Azure: a tag value has at most 256 characters.
_LONGEST_TAG_VALUE = 256


@dataclass(frozen=True, slots=True)
class Names:
    """The names of a run's temporary resources, in Azure's words."""

    resource_group: str
    virtual_machine: str
    os_disk: str
    nic: str
    vnet: str
    subnet: str
    nsg: str
    public_ip: str
    source_image: str
    candidate_image: str
    scale_set: str
    computer_name_prefix: str
    scale_set_nic: str
    scale_set_nsg: str
    load_balancer: str
    load_balancer_public_ip: str


@dataclass(frozen=True, slots=True)
class Run:
    """One build of one spec: its random id (8 lower-case base32 characters), owner and times."""

    id: str
    spec: str
    owner: str
    created: datetime
    expires: datetime

    @property
    def tags(self) -> dict[str, str]:
        """The tags that every resource of the run carries; times are ISO 8601 in UTC."""
        return {
            RUN_TAG: self.id,
            "vi-spec": _tag_value(self.spec),
            "vi-owner": _tag_value(self.owner),
            CREATION_TAG: format_time(self.created),
            EXPIRY_TAG: format_time(self.expires),
        }

    @property
    def names(self) -> Names:
        """The names of everything that the run creates; all but the resource group's are unique within it."""
        group = f"vi-{clean_name(self.spec)}-{self.id}"
        stem = f"vi-{self.id}"
        return Names(
            resource_group=group,
            virtual_machine=f"{stem}-vm",
            os_disk=f"{stem}-osdisk",
            nic=f"{stem}-nic",
            vnet=f"{stem}-vnet",
            subnet=f"{stem}-subnet",
            nsg=f"{stem}-nsg",
            public_ip=f"{stem}-ip",
            source_image=f"{group}-source",
            candidate_image=f"{group}-candidate",
            scale_set=f"{stem}-ss",
            # Azure adds six characters for the instance and allows 15 in all where NetBIOS names matter.
            computer_name_prefix=f"vi{self.id[:7]}",
            scale_set_nic=f"{stem}-ss-nic",
            scale_set_nsg=f"{stem}-ss-nsg",
            load_balancer=f"{stem}-lb",
            load_balancer_public_ip=f"{stem}-lb-ip",
        )


def new_run(
    spec: str,
    *,
    owner: str | None = None,
    lifetime: timedelta = DEFAULT_LIFETIME,
    now: datetime | None = None,
) -> Run:
    """Return a run of ``spec`` with a fresh random id.

    ``owner`` is the login name unless given; ``now`` is an aware datetime, the present unless given.
    """
    created = (now or datetime.now(UTC)).astimezone(UTC).replace(microsecond=0)
    return Run(
        id="".join(secrets.choice(_ID_CHARACTERS) for _ in range(_ID_LENGTH)),
        spec=spec,
        owner=_login_name() if owner is None else owner,
        created=created,
        expires=created + lifetime,
    )


def clean_name(name: str) -> str:
    """Return ``name`` in lower-case ASCII letters, digits and single hyphens: 1 to 50 characters."""
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", ascii_name).strip("-")[:_LONGEST_SPEC].rstrip("-") or "spec"


def format_time(moment: datetime) -> str:
    """Return ``moment`` as ISO 8601 in UTC to the second, such as 2026-05-04T03:02:01Z."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def parse_time(text: str) -> datetime:
    """Return the aware datetime that ``format_time`` wrote; ValueError for anything else."""
    return datetime.strptime(text, "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)


def _tag_value(text: str) -> str:
    # Tags travel in HTTP headers of some services, where a control character would be refused.
    return "".join(character if character.isprintable() else "?" for character in text)[:_LONGEST_TAG_VALUE]


def _login_name() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):  # a container whose user id has no name; KeyError before Python 3.13
        return "unknown"
