"""The network between guests: a switch in user space that carries what one guest sends to another.

``frames`` reads and makes Ethernet frames, ``wires`` carries them between a guest and the switch, ``cards`` keeps what
goes on at each guest's network card, and ``switch`` puts them together. Where a flow may go is not decided here but
asked of a `verified_images.emulator.hypervisor.Router`.
"""
