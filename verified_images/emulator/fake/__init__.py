"""A hypervisor that answers in milliseconds: a guest is a folder with real files and a real shell in namespaces.

``root_tree`` makes the Marketplace image, ``disks`` keeps disks, ``sandbox`` runs commands in one and nowhere else,
``guest`` boots it, ``ssh_server`` and ``forwards`` lead connections to it, and ``hypervisor`` puts them together.

What is real: files, their modes, links; processes, pipes, exit codes, signals; ``/proc``; loopback networking, so that
what listens, listens; host name, boot id, up time; reboot and power-off from inside. What is a stand-in: the commands
below ``rootfs/``, shell scripts that keep their state in the files that the real ones use.

What is not so: all files and processes of a guest have one kernel user. ``chown`` writes owners down for ``stat`` to
tell, a process stands for the user that its file-lock limit says (see ``rootfs/usr/lib/stand-in/accounts.sh``), and
nobody is refused anything by file modes: a build that forgets ``sudo`` is found out by apt-get and systemctl, which ask
who runs them, and not by ``touch /etc/x``. Guests reach each other where the machine has TAP devices that its user may
open (``/dev/net/tun``), and nothing outside; data disks are kept but not shown to the guest, and of custom data only
scripts are run.
"""
