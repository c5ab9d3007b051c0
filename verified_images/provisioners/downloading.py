"""An installer that the machine fetches by itself and runs."""

from __future__ import annotations

from verified_images.ssh.quoting import quote_text

_NO_DOWNLOAD = 125
_COMMAND = """\
if command -v curl >/dev/null; then curl -fsSL -o {file} {url}
elif command -v wget >/dev/null; then wget -q -O {file} {url}
else echo 'neither curl nor wget is installed' >&2; false
fi || {{ echo {told} >&2; exit {no_download}; }}
sh {file} {arguments}
"""


def download_and_run(url: str, file: str, arguments: str = "") -> str:
    """Return the command that downloads a shell script to ``file`` and runs it with ``arguments``, read by a shell."""
    return _COMMAND.format(
        file=quote_text(file),
        url=quote_text(url),
        told=quote_text(f"{url} cannot be downloaded"),
        no_download=_NO_DOWNLOAD,
        arguments=arguments,
    )
