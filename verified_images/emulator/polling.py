"""The URLs under which operations are polled."""

from __future__ import annotations

from typing import TYPE_CHECKING

from verified_images.emulator.operations import COMPUTE, DISKS, GALLERIES, NETWORK, STORAGE, Track
from verified_images.emulator.routing import Route

if TYPE_CHECKING:
    from collections.abc import Iterator

    from verified_images.emulator.cloud import Cloud
    from verified_images.emulator.routing import Handler
    from verified_images.emulator.wire import Answer, Request


def routes() -> Iterator[Route]:
    """Give the URL table of all providers' operations."""
    for track in (COMPUTE, DISKS, GALLERIES, NETWORK, STORAGE):
        place = f"/subscriptions/{{subscription}}/providers/{track.provider}/locations/{{location}}"
        yield Route("GET", f"{place}/{track.statuses}/{{operation}}", _status_of(track))
        if track.results:
            yield Route("GET", f"{place}/{track.results}/{{operation}}", _result_of(track))


def _status_of(track: Track) -> Handler:
    def poll(cloud: Cloud, request: Request) -> Answer:
        return cloud.operations.poll_status(request, track)

    return poll


def _result_of(track: Track) -> Handler:
    def poll(cloud: Cloud, request: Request) -> Answer:
        return cloud.operations.poll_result(request, track)

    return poll
