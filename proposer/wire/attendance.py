"""Keeps track of the evaluators, and lets those take part that compute the same as the run started with."""

from __future__ import annotations

import math
import queue
import shlex
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from pathlib import Path

import grpc

from lodescan.v1 import evaluation_pb2 as pb
from lodescan.v1 import evaluation_pb2_grpc as pb_grpc
from proposer.evaluation.backend import Description, EvaluatorRefused, Fits, NoEvaluator, anything
from proposer.formats import show_count
from proposer.wire.addresses import Place, Watch, read_place
from proposer.wire.asking import ANSWERS, FATAL, details
from proposer.wire.events import Gone, NoAnswer, Serving
from proposer.wire.remote import Events, Link
from proposer.wire.security import PLAIN, NotSecure, Security
from proposer.wire.suspensions import Suspensions
from scanspec import DEFAULT_ADDRESS, Address
from scanspec.finished import mark_finished, unmark_finished
from scanspec.text import quoted

MOST_BREAKS = 20
"""An evaluator that breaks off this often without a result in between is given up."""

REFUSED = (*FATAL, grpc.StatusCode.RESOURCE_EXHAUSTED)
"""The status codes with which an evaluator refuses points."""

AGAIN = 0.5
"""Seconds after which an evaluator that did not answer is asked again."""

SOON = 0.2
"""Seconds after which an evaluator whose stream broke, but which answers, is asked again."""

LEFT_OUT = 5.0
"""Seconds after which an evaluator that was left out is asked for its description again."""

MEND_FILES = "check the certificates or the token of both sides, then give the same command again"
"""The advice if an evaluator answers but refuses the connection."""


@dataclass(frozen=True, kw_only=True)
class Purpose:
    """The purpose of a scan's points. Points with an NLL below `spectra_below` come with their spectrum files.

    `file` is the scan file, for the command that starts an evaluator; `run` and `trace` are the run's name and the
    upper half of its points' trace ids (0: none), for the evaluators' logs.
    """

    spectra_below: float = -math.inf
    file: Path = Path("scan.yaml")
    run: str = ""
    trace: int = 0


UNNAMED = Purpose()
"""For a client that wants no spectrum files and gives no name of a run."""


class Attendance:
    """The evaluators at `places`: HOST:PORT, unix:PATH, dns:///NAME:PORT or dir:FOLDER.

    `say` gets a line when the scan has to wait. Raises UsageError for an address that cannot be read, and NotSecure for
    an address on another machine without a secure connection.
    """

    def __init__(
        self,
        places: Sequence[str],
        *,
        say: Callable[[str], None],
        security: Security = PLAIN,
        purpose: Purpose = UNNAMED,
    ) -> None:
        self._security = security
        self._places = [read_place(place, self._security) for place in places]
        self._say, self._file = say, purpose.file
        self._first = pb.EvaluateRequest(run=purpose.run, trace=purpose.trace)
        if purpose.spectra_below > -math.inf:
            self._first.spectra_below_nll = purpose.spectra_below
        self._events: Events = queue.SimpleQueue()
        self._links: dict[Address, Link] = {}
        self._there: dict[Address, str] | None = None  # the present addresses; None before the first look
        self._asked: set[Link] = set()  # links that have answered, or failed to answer in time
        self._refusals: dict[Link, Exception] = {}
        self._reference: Description | None = None
        self._told: set[str] = set()  # messages that are not repeated until an evaluator takes part again
        self._suspensions = Suspensions()
        self._watch = Watch(self._places, lambda found: self._events.put((None, found)))

    def close(self) -> None:
        """Ends all connections; points that still run are cancelled."""
        self._watch.close()
        self._suspensions.close()
        for link in self._links.values():
            link.close()

    def finish(self) -> None:
        """Tells all evaluators that the scan is finished, so that those started for it end, and closes the connections.

        A file in a folder of evaluators tells this to evaluators that start later.
        """
        self.close()
        reference = self._reference
        if reference is None:
            return
        for folder in self._folders:
            mark_finished(folder, reference.digests)
        request = pb.FinishRequest(
            physics_digest=reference.physics_digest, likelihood_digest=reference.likelihood_digest
        )
        with ExitStack() as channels:
            calls = []
            for address, link in self._links.items():
                if link in self._refusals or link.description is None:
                    continue
                with suppress(NotSecure):
                    channel = channels.enter_context(self._security.channel(address, link.options))
                    stub = pb_grpc.EvaluationServiceStub(channel)
                    calls.append(stub.Finish.future(request, timeout=ANSWERS))
            for call in calls:  # together, because some may not answer
                with suppress(grpc.RpcError):
                    call.result()

    def wake(self) -> None:
        """Makes `evaluate` yield at once; callable from any thread."""
        self._events.put((None, None))

    def describe(self, wait: float, fits: Fits = anything) -> Description:
        """The description of the first evaluator that `fits`; all others must compute the same. Raises NoEvaluator if
        none answers within `wait` seconds, and the last refusal if all refuse.
        """
        if wait > 0.0 and self._first.run:  # a scan that goes on wants evaluators again
            for folder in self._folders:
                unmark_finished(folder)
        deadline = time.monotonic() + wait
        first = time.monotonic() + ANSWERS + 1.0  # each evaluator is asked once, even if the scan does not wait
        while self._reference is None:
            now = time.monotonic()
            everybody = self._there is not None and self._asked >= set(self._links.values())
            nobody_else = now >= deadline or all(place.address is not None for place in self._places)
            if everybody and nobody_else and self._all_refused:
                raise self._last_refusal
            if now >= deadline and (everybody or now >= first):
                self._raise_nobody()
            if everybody:
                self._say_once(f"waiting for an evaluator at {self.where} (up to {wait:.0f} s)")
            with suppress(queue.Empty):
                link, event = self._events.get(timeout=min(max((deadline if everybody else first) - now, 0.01), 1.0))
                if link is None:
                    self._look(event)
                elif not self._is_forgotten(link):
                    self._hear(link, event, fits)
        self._told.clear()
        return self._reference

    def _hear(self, link: Link, event: object, fits: Fits) -> None:
        """Takes what an evaluator answers when it is asked for its description."""
        if isinstance(event, Description):
            self._asked.add(link)
            self._consider(link, event, fits)
        elif isinstance(event, NoAnswer):
            self._asked.add(link)
            self._not_described(link, event)

    @property
    def where(self) -> str:
        """The places, in words."""
        return ", ".join(place.text for place in self._places)

    @property
    def _folders(self) -> list[Path]:
        return [place.folder for place in self._places if place.folder is not None]

    @property
    def addresses(self) -> list[str]:
        """The addresses of the evaluators that get points."""
        return [link.address for link in self._links.values() if link.ready]

    @property
    def workers(self) -> dict[str, int]:
        """For each of these evaluators, the number of points that it works on at once, by address."""
        return {link.address: link.concurrency for link in self._links.values() if link.ready}

    @property
    def _all_refused(self) -> bool:
        return bool(self._links) and self._refusals.keys() >= set(self._links.values())

    @property
    def _last_refusal(self) -> Exception:
        return next(reversed(self._refusals.values()))

    def _raise_nobody(self) -> None:
        if self._all_refused:
            raise self._last_refusal
        whys = sorted({link.why for link in self._links.values() if link.why})
        why = f" in a way that can be understood ({whys[0]})" if whys else ""
        raise NoEvaluator(
            f"no evaluator answers at {self.where}{why}",
            next_step=f"start one with `{_command(self._places[0], self._file)}`, then give the same command again",
        )

    def _look(self, found: object) -> None:
        """Adds new addresses, and forgets addresses that are gone and not in use."""
        if not isinstance(found, dict):
            return
        self._there = found
        for address in found.keys() - self._links.keys():
            try:
                self._security.require_for(address)
            except NotSecure as error:
                self._say_once(f"left out: {error}")
                continue
            self._links[address] = Link(address, self._events, self._security, name=found[address])
        for address in self._links.keys() - found.keys():
            if not self._links[address].ready:
                self._forget(address)

    def _forget(self, address: Address) -> None:
        link = self._links.pop(address)
        link.close()
        self._refusals.pop(link, None)
        self._asked.discard(link)

    def _is_forgotten(self, link: Link) -> bool:
        """Whether the address of a link has gone since the link posted the event."""
        return self._links.get(link.peer) is not link

    def _consider(self, link: Link, description: Description, fits: Fits) -> None:
        """Accepts or refuses a description. The first one that fits becomes the reference for all others."""
        try:
            if self._reference is None:
                fits(description)
                self._reference = description
            elif word := self._difference(description):
                raise EvaluatorRefused(
                    f"the evaluator at {link.address} now has another {word} than this run started with",
                    next_step="start the old one again, or begin a new run (what was evaluated is kept)",
                )
        except Exception as error:  # noqa: BLE001 - what `fits` raises is the caller's
            self._leave_out(link, error)
            link.ask_again(LEFT_OUT)
            return
        self._refusals.pop(link, None)
        if (twin := self._twin(link, description)) is not None:
            self._say_once(f"the evaluator at {link.address} is the one at {twin.address}, and is used once")
            link.description = None
            link.ask_again(LEFT_OUT)
            return
        link.description = description
        if self._first.parameters:
            self._open(link)

    def _twin(self, link: Link, description: Description) -> Link | None:
        """Another link to the same evaluator, at the same port, such as its IPv6 address beside its IPv4 address."""
        same = (
            other
            for address, other in self._links.items()
            if other is not link and other.description is not None and other.description.instance
            if other.description.instance == description.instance and address.port == link.peer.port
        )
        return next(same, None)

    def _difference(self, description: Description) -> str:
        """The differences from the run's first description, in words; "" if the digests are the same."""
        reference = self._reference
        if reference is None or reference.digests == description.digests:
            return ""
        names = ("physics", "likelihood")
        pairs = zip(names, reference.digests, description.digests, strict=True)
        word = " and ".join(name for name, old, new in pairs if old != new)
        before, now = reference.sources, description.sources
        changed = [name for name in sorted({*before, *now}) if before.get(name) != now.get(name)]
        return word + (f" ({'; '.join(changed[:3])}{'; ...' if changed[3:] else ''})" if changed else "")

    def _leave_out(self, link: Link, why: Exception) -> None:
        self._refusals.pop(link, None)
        self._refusals[link] = why
        if len(self._links) > 1 or self._places[0].address is None:
            self._say_once(f"left out: {why}")

    def _not_described(self, link: Link, answer: NoAnswer) -> None:
        link.description, link.why = None, answer.why
        mends = answer.may_mend and self._reference is not None
        if answer.fault and mends:
            self._say_once(answer.fault)
        elif answer.fault:
            self._leave_out(link, EvaluatorRefused(answer.fault, next_step=MEND_FILES if answer.may_mend else ""))
        if self._there is not None and link.peer not in self._there:
            self._forget(link.peer)
        else:
            link.ask_again(LEFT_OUT if answer.fault and not mends else AGAIN)

    def _let_take_part(self, names: Sequence[str]) -> None:
        """Opens the streams to all evaluators that have described themselves, once there are points. Later evaluators
        are opened when they describe themselves.
        """
        if self._first.parameters:
            return
        self._first.parameters.extend(names)
        for link in self._links.values():
            if link.description is not None and link not in self._refusals:
                self._open(link)

    def _open(self, link: Link) -> None:
        link.open(self._first)
        self._told.clear()
        if len(self._links) > 1 or self._places[0].address is None:
            self._say(f"the evaluator at {link.address} takes part: {show_count(link.concurrency, 'point')} at once")

    def _gone(self, link: Link, gone: Gone) -> bool:
        """Handles the end of a stream. Returns whether its evaluator has died."""
        link.description = None
        if gone.error is not None and gone.error.code() in REFUSED:
            self._leave_out(link, EvaluatorRefused(f"{link.address} refused the points: {details(gone.error)}"))
            link.ask_again(LEFT_OUT)
            return False
        if gone.error is not None and not link.breaks:
            why = ": ".join(filter(None, [gone.error.code().name.lower(), link.unread]))
            lost = f"lost the evaluator at {link.address} ({why})"
            self._say(f"{lost}; its points will be sent again")
        link.breaks += bool(link.out) or gone.error is not None
        # At a fixed address, silence may be a fault of the network; only a refused connection means that it is gone.
        is_fixed = any(place.address == link.peer for place in self._places)
        if link.breaks > MOST_BREAKS:
            text = f"the evaluator at {link.address} answers, but broke off {link.breaks} times before it gave a result"
            next_step = "see what it says (does a point end the whole evaluator?), then give the same command again"
            self._leave_out(link, NoEvaluator(text, next_step=next_step))
        else:
            link.ask_again(AGAIN if gone.error is None or not gone.alive else SOON)
        return gone.died or (not gone.alive and not is_fixed)

    def _takes_points(self, link: Link, now: Serving) -> None:
        """Notes whether an evaluator takes points."""
        if now.call is link.call and now.takes_points is link.draining:
            link.draining = not now.takes_points
            if link.draining:
                self._say(f"the evaluator at {link.address} takes no more points for now")

    def _leave_if_drained(self, link: Link) -> None:
        """Leaves an evaluator that drains and has no points; it is asked again later, in case it comes back."""
        if link.draining and not link.out:
            link.leave(LEFT_OUT)

    def _is_another(self, response: pb.EvaluateResponse) -> bool:
        """Whether the evaluator of a response now computes something else than the run started with."""
        digests = response.physics_digest, response.likelihood_digest
        return bool(response.physics_digest) and self._reference is not None and digests != self._reference.digests

    def _turn_away(self, link: Link) -> None:
        """Leaves an evaluator whose answers have other digests; its next description will be refused. An evaluator that
        describes itself with the right digests but answers with others is given up after MOST_BREAKS times.
        """
        link.breaks += 1
        if link.breaks > MOST_BREAKS:
            text = f"the evaluator at {link.address} answers with other digests than it describes"
            next_step = "`lodescan-conformance` tells what is wrong with it"
            self._leave_out(link, EvaluatorRefused(text, next_step=next_step))
        link.leave(0.0 if link.breaks == 1 else LEFT_OUT if link in self._refusals else SOON)

    def _raise_or_say(self, wait: float, seconds: float) -> None:
        """Says that there has been no evaluator for `seconds`.

        Raises NoEvaluator after `wait` seconds, and EvaluatorRefused if all refuse.
        """
        if self._all_refused:
            raise self._last_refusal
        if seconds >= wait:
            self._raise_nobody()
        if seconds >= AGAIN or wait <= AGAIN:
            self._say_once(f"waiting for an evaluator at {self.where} (up to {wait:.0f} s)")

    def _say_once(self, line: str) -> None:
        if line not in self._told:
            self._told.add(line)
            self._say(line)


def _command(place: Place, file: Path) -> str:
    """The command that starts an evaluator at a place."""
    command = f"lodescan-evaluator serve {quoted(file)}"
    address = place.address or place.name
    if address is None:
        return f"{command} --announce {quoted(Path(str(place.folder)))}"
    if not address.is_local:
        return f"{command} --listen 0.0.0.0:{address.port} --insecure"
    return command if str(address) == DEFAULT_ADDRESS else f"{command} --listen {shlex.quote(str(address))}"
