"""A stand-alone local Azure for images: Azure Resource Manager over HTTPS in front of real machines."""

from __future__ import annotations

from verified_images.emulator.announcement import RunningCloud, find_running
from verified_images.emulator.fault_rules import FaultRule, FaultRuleError, load_rules
from verified_images.emulator.identity.applications import FederatedCredential, NewApplication, RoleOnScope
from verified_images.emulator.local_cloud import (
    LocalCloud,
    Options,
    StateInUseError,
    default_cache,
    default_state,
)
from verified_images.emulator.remote import RemoteCallError, call_running
from verified_images.emulator.timing import PROFILES, Timing, load_timing

__all__ = [
    "PROFILES",
    "FaultRule",
    "FaultRuleError",
    "FederatedCredential",
    "LocalCloud",
    "NewApplication",
    "Options",
    "RemoteCallError",
    "RoleOnScope",
    "RunningCloud",
    "StateInUseError",
    "Timing",
    "call_running",
    "default_cache",
    "default_state",
    "find_running",
    "load_rules",
    "load_timing",
]
