"""What of a template is right, and yet not what its author wants: the warnings of native templates."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from verified_images.errors import TemplateProblem
from verified_images.templates.documents import read_document
from verified_images.templates.fields import reveal
from verified_images.templates.model import BreakpointProvisioner, ShellProvisioner
from verified_images.templates.problems import show_path

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.templates.model import Provisioner, Template
    from verified_images.templates.problems import KeyPath


_DEPROVISIONED = (
    "this deprovisions the machine; take it out, since it is done in any case after the tests, which need the user "
    "that it removes"
)


def advice_on(template: Template) -> tuple[TemplateProblem, ...]:
    """Return what is to be said of a template, in the order of its keys."""
    return (*_on_provisioners(template), *_on_the_rest(template))


def _on_provisioners(template: Template) -> Iterator[TemplateProblem]:
    for place, provisioner in enumerate(template.provisioners):
        for key, message in _on_provisioner(provisioner):
            path = f"provisioners[{place}].{provisioner.kind}.{key}".rstrip(".")
            yield TemplateProblem(template.file, provisioner.line, path, message)


def _on_provisioner(provisioner: Provisioner) -> Iterator[tuple[str, str]]:
    match provisioner:
        case ShellProvisioner():
            if any(re.search(r"\bwaagent\b.*-deprovision", reveal(line)) for line in provisioner.inline or ()):
                yield "inline", _DEPROVISIONED
        case BreakpointProvisioner(disable=False):
            yield "", "somebody at a terminal has to say that the build goes on here; elsewhere it is passed"


def _on_the_rest(template: Template) -> Iterator[TemplateProblem]:
    for place, processor in enumerate(template.post_processors):
        if processor.checksum is not None:
            message = "an image in Azure has no files to write checksums of"
            yield _problem(template, ("post_processors", place, "checksum"), message)
    if template.image.skip:
        if template.post_processors:
            message = "these do nothing here: with image.skip nothing is published"
            yield _problem(template, ("post_processors",), message)
        if "smoke" in template.model_fields_set and template.smoke != type(template.smoke)():
            message = "this has no effect: with image.skip no scale set is deployed"
            yield _problem(template, ("smoke",), message)


def _problem(template: Template, key_path: KeyPath, message: str) -> TemplateProblem:
    line = read_document(template.file).problems.line_of(key_path)
    return TemplateProblem(template.file, line, show_path(key_path), message)
