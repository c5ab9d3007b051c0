"""Guests of the local Azure as real QEMU machines, run by an ordinary user."""

from verified_images.emulator.qemu.hypervisor import QemuHypervisor

__all__ = ["QemuHypervisor"]
