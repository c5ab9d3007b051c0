"""A guest of one boot sector that shows whether a processor under QEMU is good for more.

It goes from real mode to long mode with paging on, asks CPUID, writes all of a 2 MiB page that nothing has touched, and
leaves through QEMU's isa-debug-exit device. A broken virtualisation hangs or faults somewhere on that way.
Encodings: Intel 64 and IA-32 Architectures Software Developer's Manual, volume 2.
"""

from __future__ import annotations

import struct

_ORIGIN = 0x7C00
_EXIT_VALUE = 0x2A
EXIT_CODE = _EXIT_VALUE * 2 + 1
"""What QEMU's process ends with when the guest got through: isa-debug-exit's rule."""

# One line per instruction; {gdtr} and {long_mode} are addresses in the sector.
_REAL_MODE = """
fa                      cli
31 c0                   xor ax, ax
8e d8                   mov ds, ax
8e c0                   mov es, ax
8e d0                   mov ss, ax
bc 00 7c                mov sp, 0x7c00
fc                      cld
bf 00 10                mov di, 0x1000
b9 00 18                mov cx, 0x1800
f3 ab                   rep stosw                   ; three empty page tables from 0x1000 on
c7 06 00 10 03 20       mov word [0x1000], 0x2003   ; level 4: table at 0x2000
c7 06 00 20 03 30       mov word [0x2000], 0x3003   ; level 3: table at 0x3000
c7 06 00 30 83 00       mov word [0x3000], 0x0083   ; level 2: 2 MiB at 0
c7 06 08 30 83 00       mov word [0x3008], 0x0083   ; and 2 MiB at 0x200000
c7 06 0a 30 20 00       mov word [0x300a], 0x0020
66 b8 20 00 00 00       mov eax, 0x20
0f 22 e0                mov cr4, eax                ; physical address extension
66 b8 00 10 00 00       mov eax, 0x1000
0f 22 d8                mov cr3, eax
66 b9 80 00 00 c0       mov ecx, 0xc0000080
0f 32                   rdmsr
66 0d 00 01 00 00       or eax, 0x100
0f 30                   wrmsr                       ; long mode enable
0f 01 16 {gdtr}         lgdt [gdtr]
66 b8 01 00 00 80       mov eax, 0x80000001
0f 22 c0                mov cr0, eax                ; paging and protection on
ea {long_mode} 08 00    jmp 8:long_mode
"""
_LONG_MODE = f"""
31 c0                   xor eax, eax
0f a2                   cpuid
bf 00 00 20 00          mov edi, 0x200000
b9 00 00 04 00          mov ecx, 0x40000
f3 48 ab                rep stosq                   ; 2 MiB
b0 {_EXIT_VALUE:02x}                   mov al, exit value
e6 f4                   out 0xf4, al
f4                      hlt
eb fd                   jmp $-1
"""
_GDT = struct.pack("<QQ", 0, 0x00209A0000000000)  # nothing; 64-bit code


def build_probe_sector() -> bytes:
    """Give the 512 bytes of the boot sector."""
    addresses = {"gdtr": "00 00", "long_mode": "00 00"}
    long_mode_at = _ORIGIN + len(_assemble(_REAL_MODE, addresses))
    gdt_at = long_mode_at + len(_assemble(_LONG_MODE, {}))
    addresses = {"gdtr": _word(gdt_at + len(_GDT)), "long_mode": _word(long_mode_at)}
    code = _assemble(_REAL_MODE, addresses) + _assemble(_LONG_MODE, {})
    sector = code + _GDT + struct.pack("<HI", len(_GDT) - 1, gdt_at)
    return sector.ljust(510, b"\0") + b"\x55\xaa"


def _assemble(listing: str, addresses: dict[str, str]) -> bytes:
    codes = [line.split("  ")[0] for line in listing.strip().splitlines()]
    return bytes.fromhex(" ".join(codes).format(**addresses))


def _word(value: int) -> str:
    return struct.pack("<H", value).hex(" ")
