"""The ``salt-masterless`` provisioner: states that are uploaded and applied in the machine."""

from __future__ import annotations

import contextlib
import json
from typing import TYPE_CHECKING

from verified_images.provisioners.command import MachineCommand, converge, run_command
from verified_images.provisioners.downloading import download_and_run
from verified_images.provisioners.staging import Staging
from verified_images.ssh.quoting import quote_text, quote_words
from verified_images.templates.model import reveal

if TYPE_CHECKING:
    from verified_images.provisioners.attempt import Attempt
    from verified_images.templates.salt import SaltMasterlessProvisioner

_BOOTSTRAP = "https://github.com/saltstack/salt-bootstrap/releases/latest/download/bootstrap-salt.sh"
_STATES, _PILLARS = "/srv/salt", "/srv/pillar"  # where Salt looks unless its configuration says otherwise
_PACKAGE = "/opt/saltstack/salt"
_ALL_EXIT_CODES = tuple(range(256))


def apply_states(provisioner: SaltMasterlessProvisioner, attempt: Attempt) -> None:
    """Install Salt if it is to be, upload the states and apply them, again after a restart of the machine.

    Raises:
        AttemptError: Salt could not be installed, or a state failed.
        DeadlineError: the provisioner's time is up.
        CommandError, OSError: something could not be uploaded.
    """
    converge(lambda: _apply(provisioner, attempt))


def _apply(provisioner: SaltMasterlessProvisioner, attempt: Attempt) -> bool:
    with contextlib.ExitStack() as stack:
        staging = _stage(provisioner, attempt, stack, provisioner.temp_config_dir)
        if not provisioner.skip_bootstrap and _bootstrap(provisioner, attempt, staging):
            return True
        options = _roots(provisioner, attempt, stack, staging)
        options += [f"--config-dir={_configuration(provisioner, staging)}", f"--log-file={staging.path}/log"]
        options += [f"--cachedir={staging.path}/cache"]
        return _run(provisioner, attempt, "salt-call", _command(provisioner, options))


def _stage(
    provisioner: SaltMasterlessProvisioner, attempt: Attempt, stack: contextlib.ExitStack, wanted: str | None
) -> Staging:
    return stack.enter_context(Staging(attempt, wanted, sudo=not provisioner.disable_sudo))


def _bootstrap(provisioner: SaltMasterlessProvisioner, attempt: Attempt, staging: Staging) -> bool:
    own = provisioner.bootstrap_script
    if own is None:
        text = download_and_run(_BOOTSTRAP, f"{staging.path}/bootstrap-salt.sh", provisioner.bootstrap_args)
    else:
        text = f"sh {quote_text(staging.put(own, 'bootstrap-salt.sh'))} {provisioner.bootstrap_args}"
    return _run(provisioner, attempt, own or "bootstrap-salt.sh", text)


def _roots(
    provisioner: SaltMasterlessProvisioner, attempt: Attempt, stack: contextlib.ExitStack, staging: Staging
) -> list[str]:
    """Upload the states and pillars; return the options that name them."""
    options = []
    own = provisioner.minion_config is not None
    for local, remote, default, name in (
        (provisioner.local_state_tree, provisioner.remote_state_tree, _STATES, "file-root"),
        (provisioner.local_pillar_roots, provisioner.remote_pillar_roots, _PILLARS, "pillar-root"),
    ):
        if local is None:
            continue
        wanted = default if own else remote
        folder = (
            staging.put(local, name)
            if wanted is None
            else _stage(provisioner, attempt, stack, wanted).put(local, ".").removesuffix("/.")
        )
        if not own:
            options.append(f"--{name}={folder}")
    return options


def _configuration(provisioner: SaltMasterlessProvisioner, staging: Staging) -> str:
    """Upload the minion's configuration and the grains; return their folder."""
    if provisioner.minion_config is not None:
        staging.put(provisioner.minion_config, "config/minion")
    else:
        # What the minion remembers goes with the folder, so that none of it gets into the image.
        own = {"file_client": "local", "pki_dir": f"{staging.path}/pki", "sock_dir": f"{staging.path}/run"}
        staging.write(json.dumps(own), "config/minion")
    if provisioner.grains_file is not None:
        staging.put(provisioner.grains_file, "config/grains")
    return f"{staging.path}/config"


def _command(provisioner: SaltMasterlessProvisioner, options: list[str]) -> str:
    state = provisioner.custom_state
    function = ["state.highstate"] if state in {None, "", "highstate"} else ["state.sls", str(state)]
    words = ["--local", "--retcode-passthrough", "--log-level", provisioner.log_level, *options, *function]
    return f"cd / && salt-call {quote_words(words)} {provisioner.salt_call_args}"


def _run(provisioner: SaltMasterlessProvisioner, attempt: Attempt, name: str, text: str) -> bool:
    bin_dir = provisioner.salt_bin_dir
    path = f'export PATH={quote_text(bin_dir) + ":" if bin_dir else ""}"$PATH":{_PACKAGE}; '
    forgiving = provisioner.no_exit_on_failure and name == "salt-call"
    command = MachineCommand(
        name=name,
        text=path + text,
        sudo=not provisioner.disable_sudo,
        env={name: reveal(value) for name, value in provisioner.env.items()},
        valid_exit_codes=_ALL_EXIT_CODES if forgiving else (0,),
        expect_disconnect=provisioner.expect_disconnect,
    )
    return run_command(attempt, command)
