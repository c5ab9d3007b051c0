"""Long-running operations: begun by a call, polled by the client, carried out beside it.

Source: Azure Resource Manager, "Track asynchronous Azure operations", and recorded traffic.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import logging
import re
import sqlite3
import threading
import time
import uuid
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from verified_images.emulator.arm_errors import ArmError, CanceledError, unexpected
from verified_images.emulator.fault_answers import OPERATION_FAULTS, outcome
from verified_images.emulator.hypervisor import HypervisorError
from verified_images.emulator.turns import Turns
from verified_images.emulator.wire import Answer, Request

if TYPE_CHECKING:
    from collections.abc import Callable

    from verified_images.emulator.fault_rules import FaultRule
    from verified_images.emulator.faults import Faults
    from verified_images.emulator.ids import ResourceId
    from verified_images.emulator.store import Store
    from verified_images.emulator.timing import Timing
    from verified_images.emulator.turns import Turn

logger = logging.getLogger(__name__)

IN_PROGRESS = "InProgress"
PREEMPTED = "OperationPreempted"
_KEPT_HOURS = 24
_STUCK_SECONDS = 0.05
# The first api-versions that offer notifications: of writes; of actions, and of writes inside scale sets. Recorded.
_NOTIFYING = ("2019-03-01", "2021-03-01")
_NOTIFIED_LATE = re.compile(r"/virtualMachineScaleSets/[^/]+/|^PATCH .*/extensions/", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Track:
    """Where and how the operations of a resource type are polled.

    ``statuses`` is the collection of Azure-AsyncOperation (``operations``, ``DiskOperations``,
    ``capsOperations``); ``results`` that of Location, empty when it is the same one with ``monitor=true``.
    ``empty_result`` is the status of a Location poll whose operation left nothing to show; where ``shows_result``, a
    write shows the resource. ``notifies``: a header offers notifications, of actions in later api-versions only.
    """

    provider: str
    statuses: str = "operations"
    results: str = ""
    empty_result: int = 200
    timestamps: bool = True
    shows_result: bool = False
    notifies: bool = True


COMPUTE = Track("Microsoft.Compute")
DISKS = Track("Microsoft.Compute", statuses="DiskOperations", shows_result=True, notifies=False)
GALLERIES = Track("Microsoft.Compute", statuses="capsOperations", notifies=False)
STORAGE = Track("Microsoft.Storage", statuses="asyncoperations", shows_result=True, notifies=False)
NETWORK = Track("Microsoft.Network", results="operationResults", empty_result=204, timestamps=False)


@dataclass(frozen=True, slots=True)
class Started:
    """An operation that has begun: the headers that tell the client where to poll.

    ``at_once`` tells that it was carried out before its first answer is given.
    """

    key: str
    status_header: dict[str, str]
    location_header: dict[str, str]
    at_once: bool = False


@dataclass(frozen=True, slots=True)
class Work:
    """What an operation does. ``carry_out`` gives its result, or raises ArmError or HypervisorError when it fails.

    ``conclude`` is told at the end whether it went well, and writes what may show only then; ``show`` gives after that
    what the operation has left, where it is part of its status. Of the operations ``on`` one resource one runs at a
    time.
    """

    carry_out: Callable[[], Any]
    on: ResourceId | None = None
    conclude: Callable[[bool], None] = lambda _: None
    show: Callable[[], Any] | None = None


class Operations:
    """Runs the work of operations and answers polls for them.

    ``secret`` signs the URLs to poll; ``turns`` is who waits for whom.
    """

    def __init__(self, store: Store, timing: Timing, certificate: bytes, secret: bytes, *, faults: Faults) -> None:
        self._store = store
        self._faults = faults
        self.timing = timing
        self.turns = Turns()
        self._certificate = base64.urlsafe_b64encode(certificate).decode().rstrip("=")
        self._secret = secret
        self._forget_old()

    def _forget_old(self) -> None:
        oldest = (datetime.now(UTC) - timedelta(hours=_KEPT_HOURS)).isoformat()
        for key, document in list(self._store.operations()):
            if document.get("endTime", _now()) < oldest:
                self._store.remove_operation(key)

    def interrupted(self) -> list[tuple[str, dict[str, Any]]]:
        """Give the operations that ran when the local Azure was stopped, by key; asked for before any is begun."""
        return [(key, document) for key, document in self._store.operations() if document["status"] == IN_PROGRESS]

    def fail_interrupted(self, key: str, document: dict[str, Any]) -> None:
        """End an operation that ran when the local Azure was stopped."""
        self._end(
            key, document, ArmError(500, "InternalServerError", "The local Azure was stopped while the operation ran.")
        )

    def resume(self, key: str, work: Work) -> None:
        """Do the work of an operation that ran when the local Azure was stopped, under its old key."""
        document = self._store.find_operation(key)
        if document is None:
            return
        turn = self.turns.ask(work.on.key if work.on else key)
        name = f"operation {document['operation']}"
        threading.Thread(target=self._run, args=(key, document, work, turn, 0), name=name, daemon=True).start()

    def start(  # noqa: PLR0913 - an operation's facts
        self,
        request: Request,
        name: str,
        location: str,
        work: Work | Callable[[], Any],
        *,
        track: Track,
        slow: bool = False,
    ) -> Started:
        """Begin an operation and say where to poll it.

        ``name`` is the operation as role definitions spell it (``Microsoft.Compute/virtualMachines/write``).
        ``work`` is done at once when it is quick, no duration is set and nothing else runs on its resource, else
        in a thread of its own; what it returns is the operation's result, an ArmError that it raises its failure.
        """
        key = str(uuid.uuid4())
        work = work if isinstance(work, Work) else Work(work)
        document: dict[str, Any] = {
            "name": key,
            "operation": name,
            "resource": str(work.on or request.path),
            "status": IN_PROGRESS,
            "startTime": _now(),
        }
        self._store.put_operation(key, document)
        seconds = self.timing.of(name)
        fault = request.fault if request.fault and request.fault.fault in OPERATION_FAULTS else None
        turn = self.turns.ask(work.on.key if work.on else key)
        if fault:
            work = self._spoiled(work, fault, is_deletion=name.endswith("/delete"))
        is_stuck = fault is not None and fault.fault == "operation_stuck"
        at_once = not (slow or seconds or is_stuck) and turn.has_come
        if not at_once:
            threading.Thread(
                target=self._run, args=(key, document, work, turn, seconds), name=f"operation {name}", daemon=True
            ).start()
        else:
            self._run(key, document, work, turn, 0)
        base = f"{request.base_url}/subscriptions/{request.parameters['subscription']}/providers/{track.provider}"
        place = f"{base}/locations/{location}"
        status = self._sign(f"{place}/{track.statuses}/{key}?api-version={request.api_version}")
        if track.results:
            result = self._sign(f"{place}/{track.results}/{key}?api-version={request.api_version}")
        else:
            result = self._sign(f"{place}/{track.statuses}/{key}?monitor=true&api-version={request.api_version}")
        late = request.method == "POST" or _NOTIFIED_LATE.search(f"{request.method} {request.path}") is not None
        notifies = track.notifies and request.api_version >= _NOTIFYING[late]
        return Started(
            key,
            {"Azure-AsyncOperation": status, **({"azure-asyncnotification": "Enabled"} if notifies else {})},
            {"Location": result},
            at_once,
        )

    def _spoiled(self, work: Work, fault: FaultRule, *, is_deletion: bool) -> Work:
        return replace(work, carry_out=lambda: self._go_wrong(fault, work, is_deletion=is_deletion))

    def _go_wrong(self, fault: FaultRule, work: Work, *, is_deletion: bool) -> None:
        """End an operation as a fault rule wants it, or let it go on once nothing keeps it any more."""
        if fault.fault != "operation_stuck":
            if fault.carried_out:
                work.carry_out()
            raise outcome(fault)
        while self._faults.holds(fault.name):
            found = self._store.find(work.on) if work.on else None
            if work.on and (found is None or (found.state == "Deleting" and not is_deletion)):
                raise preempted()
            time.sleep(_STUCK_SECONDS)
        work.carry_out()

    def _run(self, key: str, document: dict[str, Any], work: Work, turn: Turn, seconds: float) -> None:
        with turn:
            began = time.monotonic()
            output, error = self._attempt(document, work.carry_out)
            time.sleep(max(0.0, began + seconds - time.monotonic()))
            _, late_error = self._attempt(document, lambda: work.conclude(error is None))
            if work.show and not (error or late_error):
                output, late_error = self._attempt(document, work.show)
            if output is not None:
                document["output"] = output
            self._end(key, document, error or late_error)

    def _attempt(self, document: dict[str, Any], work: Callable[[], Any]) -> tuple[Any, ArmError | None]:
        try:
            return work(), None
        except ArmError as refused:
            return None, refused
        except HypervisorError as failed:
            return None, ArmError(409, "InternalExecutionError", str(failed))
        except Exception as error:
            logger.exception("operation %s on %s failed", document["operation"], document["resource"])
            return None, unexpected(error)

    def _end(self, key: str, document: dict[str, Any], error: ArmError | None) -> None:
        ended = dict(document, status="Succeeded", endTime=_now())
        if error:
            status = "Canceled" if isinstance(error, CanceledError) else "Failed"
            ended |= {"status": status, "error": error.inner(), "errorStatus": error.status}
        try:
            self._store.put_operation(key, ended)
        except sqlite3.Error:
            # Whoever polls sees the end all the same; a later start takes the operation for interrupted.
            logger.exception("the end of operation %s could not be written", document["operation"])

    def poll_status(self, request: Request, track: Track) -> Answer:
        """Answer a GET of the Azure-AsyncOperation URL (or, with ``monitor=true``, of the Location URL)."""
        if request.query.get("monitor") == "true":
            return self.poll_result(request, track)
        document = self._find(request)
        body = {"status": document["status"]}
        if track.timestamps:
            body = {"startTime": document["startTime"]}
            if "endTime" in document:
                body["endTime"] = document["endTime"]
            body["status"] = document["status"]
        if "output" in document and track.timestamps:
            body["properties"] = {"output": document["output"]}
        if "error" in document:
            body["error"] = document["error"]
        if track.timestamps:
            body["name"] = document["name"]
        return Answer(200, body, self._wait(document))

    def poll_result(self, request: Request, track: Track) -> Answer:
        """Answer a GET of the Location URL: 202 while the operation runs, then its result."""
        document = self._find(request)
        if document["status"] == IN_PROGRESS:
            url = f"{request.base_url}{request.path}?" + "&".join(f"{k}={v}" for k, v in request.query.items())
            return Answer(202, None, {"Location": url, **self._wait(document)})
        if "error" in document:
            return Answer(document["errorStatus"], {"error": document["error"]})
        if "output" in document:
            return Answer(200, document["output"])
        return Answer(track.empty_result)

    def _wait(self, document: dict[str, Any]) -> dict[str, str]:
        """Give the headers that tell who polls to wait, while the operation runs."""
        wait = self.timing.poll(document["operation"]) if document["status"] == IN_PROGRESS else ""
        return {"Retry-After": wait} if wait else {}

    def find(self, key: str) -> dict[str, Any] | None:
        """Give an operation's document, or None."""
        return self._store.find_operation(key)

    def _find(self, request: Request) -> dict[str, Any]:
        key = request.parameters["operation"]
        document = self._store.find_operation(key)
        if document is None or not self._is_signed(request):
            raise ArmError(404, "NotFound", f"The operation '{key}' was not found.")
        return document

    def _sign(self, url: str) -> str:
        ticks = str(int(time.time() * 10_000_000))
        digest = hashlib.sha256(url.split("?", 1)[0].rsplit("/", 1)[1].encode()).hexdigest()
        return f"{url}&t={ticks}&c={self._certificate}&s={self._signature(digest, ticks)}&h={digest}"

    def _signature(self, digest: str, ticks: str) -> str:
        signed = hmac.new(self._secret, json.dumps([digest, ticks]).encode(), hashlib.sha512).digest()
        return base64.urlsafe_b64encode(signed).decode().rstrip("=")

    def _is_signed(self, request: Request) -> bool:
        digest, ticks = request.query.get("h", ""), request.query.get("t", "")
        expected = hashlib.sha256(request.parameters["operation"].encode()).hexdigest()
        return digest == expected and hmac.compare_digest(request.query.get("s", ""), self._signature(digest, ticks))


def preempted() -> ArmError:
    """Make the error of an operation whose resource is being deleted."""
    return CanceledError(409, PREEMPTED, "Operation execution has been preempted by a more recent operation.")


def _now() -> str:
    return datetime.now(UTC).isoformat(timespec="microseconds")
