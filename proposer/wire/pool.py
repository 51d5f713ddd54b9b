"""Many evaluators as one: points go to each by its speed, and what a lost one had goes to the others.

Results are those of the points, whoever gives them, so that the number of evaluators changes no scan.
"""

from __future__ import annotations

import math
import queue
import shlex
import statistics
import time
from collections import Counter, deque
from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from contextlib import suppress
from pathlib import Path

import grpc

from lodescan.v1 import evaluation_pb2 as pb
from lodescan.v1 import evaluation_pb2_grpc as pb_grpc
from proposer.evaluation.backend import Description, EvaluatorRefused, Fits, NoEvaluator, anything
from proposer.evaluation.work import MOST_TRIES, Received, Work
from proposer.types import Outcome, Status
from proposer.wire.addresses import Place, Watch, read_place
from proposer.wire.hand_out import share_out, slow_points
from proposer.wire.messages import to_outcome
from proposer.wire.patience import Patience
from proposer.wire.remote import ANSWERS, FATAL, KEEPALIVE, MOST_AHEAD, Events, Gone, Link, NoAnswer, details
from proposer.wire.security import NotSecure, Security
from scanspec import DEFAULT_ADDRESS, Address

SECONDS_OF_NAMELESS = 100
"""The most seconds of a point from an evaluator that does not name its codes."""

MOST_BREAKS = 20
"""An evaluator that breaks off this often without one result in between is given up."""

AGAIN = 0.5
"""Seconds after which an evaluator that did not answer is asked again."""

LEFT_OUT = 5.0
"""Seconds after which an evaluator that was left out is asked again what it computes."""

MOST_SHARED = 2
"""A point that was among those that ran when an evaluator died, so often, runs alone from then on."""

REMEMBERED = 101
"""Points of which the median time is taken."""


class Pool:
    """The evaluators at `places`: HOST:PORT, unix:PATH, dns:///NAME:PORT or dir:FOLDER.

    `say` is given a line when there is something to wait for. Points with an NLL below `spectra_below` come with their
    spectrum files. `file` is the scan file, for the command that starts an evaluator. `race`: whether a slow point may
    be sent to a second evaluator where workers are idle. Raises UsageError for what is no place, and NotSecure for one
    beyond this machine that is not safe to ask.
    """

    def __init__(
        self,
        places: Sequence[str],
        *,
        say: Callable[[str], None],
        security: Security | None = None,
        spectra_below: float = -math.inf,
        file: Path = Path("scan.yaml"),
        keepalive: float = KEEPALIVE,
        race: bool = True,
    ) -> None:
        self._security = security or Security()
        self._places = [read_place(each, self._security) for each in places]
        self._say, self._file, self._keepalive = say, file, keepalive
        self._spectra_below, self._may_race = spectra_below, race
        self._events: Events = queue.SimpleQueue()
        self._links: dict[Address, Link] = {}
        self._there: dict[Address, str] | None = None  # addresses of now; None: nobody has looked yet
        self._asked: set[Link] = set()  # links that have said something, or nothing in time
        self._refusals: dict[Link, Exception] = {}
        self._reference: Description | None = None
        self._work: Work | None = None
        self._asked_back: set[int] = set()  # wanted no longer, and still out
        self._twice: set[int] = set()  # out at two evaluators
        self._shared: Counter[int] = Counter()  # how often an evaluator died while a point ran there beside others
        self._suspects: set[int] = set()  # points that are to run alone
        self._to_run_alone: deque[int] = deque()
        self._times: deque[float] = deque(maxlen=REMEMBERED)
        self._told: set[str] = set()  # what is said once, until an evaluator takes part again
        self.workers: dict[str, int] = {}
        self._watch = Watch(self._places, lambda found: self._events.put((None, found)))

    def close(self) -> None:
        """Ends all connections; points that still run are cancelled."""
        self._watch.close()
        for link in self._links.values():
            link.close()

    def finish(self) -> None:
        """Tells every evaluator that the scan is finished: one that was started for it ends. Closes."""
        self.close()
        reference = self._reference
        for address, link in self._links.items():
            if reference is None or link in self._refusals or link.description is None:
                continue
            with suppress(grpc.RpcError, NotSecure), self._security.channel(address, link.options) as channel:
                request = pb.FinishRequest(
                    physics_digest=reference.physics_digest, likelihood_digest=reference.likelihood_digest
                )
                pb_grpc.EvaluationServiceStub(channel).Finish(request, timeout=ANSWERS)

    def wake(self) -> None:
        """Makes `evaluate` yield at once; for any thread."""
        self._events.put((None, None))

    # Who is there

    def describe(self, wait: float, fits: Fits = anything) -> Description:
        """What the first evaluator that `fits` computes; all others must compute the same."""
        deadline = time.monotonic() + wait
        first = time.monotonic() + ANSWERS + 1.0  # each is asked once, also where nobody is waited for
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
                elif self._is_forgotten(link):
                    pass
                elif isinstance(event, Description):
                    self._asked.add(link)
                    self._consider(link, event, fits)
                elif isinstance(event, NoAnswer):
                    self._asked.add(link)
                    self._not_described(link, event)
        self._told.clear()
        return self._reference

    @property
    def where(self) -> str:
        """The places, in words."""
        return ", ".join(place.text for place in self._places)

    @property
    def addresses(self) -> list[str]:
        """Of the evaluators that get points."""
        return [link.address for link in self._links.values() if link.ready]

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
        """Takes up new addresses, and lets those go that are gone and were not in use."""
        if not isinstance(found, dict):
            return
        self._there = found
        for address in found.keys() - self._links.keys():
            try:
                self._security.require_for(address)
            except NotSecure as error:
                self._say_once(f"left out: {error}")
                continue
            self._links[address] = Link(
                address, self._events, self._security, name=found[address], keepalive=self._keepalive
            )
        for address in self._links.keys() - found.keys():
            if not self._links[address].ready:
                self._forget(address)

    def _forget(self, address: Address) -> None:
        link = self._links.pop(address)
        link.close()
        self._refusals.pop(link, None)
        self._asked.discard(link)

    def _is_forgotten(self, link: Link) -> bool:
        """Whether its address has gone since it posted what is taken up now."""
        return self._links.get(link.place) is not link

    def _consider(self, link: Link, description: Description, fits: Fits) -> None:
        """The first description that fits is the one that all others must have."""
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
        link.description = description
        if self._work is not None:
            self._open(link, self._work)

    def _difference(self, description: Description) -> str:
        """In words, what differs from what the run started with; "" where nothing that counts does."""
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
            self._leave_out(link, EvaluatorRefused(answer.fault))
        if self._there is not None and link.place not in self._there:
            self._forget(link.place)
        else:
            link.ask_again(LEFT_OUT if answer.fault and not mends else AGAIN)

    def _open(self, link: Link, work: Work) -> None:
        link.open(work.names, self._spectra_below)
        self.workers[link.address] = link.concurrency
        self._told.clear()
        if len(self._links) > 1 or self._places[0].address is None:
            self._say(f"the evaluator at {link.address} takes part: {link.concurrency} points at once")

    def _say_once(self, line: str) -> None:
        if line not in self._told:
            self._told.add(line)
            self._say(line)

    # Points

    def evaluate(self, work: Work, *, wait: float, until: float) -> Generator[Received]:
        """Hands the points of `work` out and yields each message as it comes.

        Every point is answered in the end, however often a connection breaks, unless the time `until` comes first:
        then only what runs is waited for, and that only for a grace (see Patience). Raises NoEvaluator after `wait`
        seconds without an evaluator, or where every one only breaks off, and EvaluatorRefused where each computes
        something else by now.
        """
        self._begin(work)
        patience, nobody_since = Patience(until, self._say), math.inf
        over = False
        while work.rows:
            now = time.monotonic()
            links = list(self._links.values())
            if now >= until and not over:
                over = True
                self.cancel(list(work.rows))
                continue
            if over and patience.is_over(links, now):
                self._drop_all()
                return
            if any(link.ready for link in links):
                nobody_since = math.inf
            else:
                if over:
                    return
                nobody_since = min(now, nobody_since)
                self._nobody(wait, now - nobody_since)
            for link in links:
                if late := patience.overdue(link, now):
                    given_back = self._sent_again(link, late)
                    link.leave(AGAIN)
                    yield given_back
            if over:
                self.cancel([*work.waiting, *self._to_run_alone])
            else:
                self._hand_out(work)
                self._race(work)
            due = [patience.left(links, now), nobody_since + wait - now, self._next_race(links)]
            try:
                link_of, event = self._events.get(timeout=max(min(due), 0.001) if min(due) < math.inf else None)
            except queue.Empty:
                yield Received()
                continue
            if link_of is not None:
                received = self._happened(link_of, event)
                if received is not None:
                    yield received
            elif event is None:
                yield Received()
            else:
                self._look(event)

    def _begin(self, work: Work) -> None:
        first, self._work = self._work is None, work
        placed = {*work.waiting, *self._to_run_alone, *(point for link in self._links.values() for point in link.out)}
        work.put_back(point for point in work.rows if point not in placed)
        for link in self._links.values() if first else ():  # later ones are opened when they describe themselves
            if link.description is not None and link not in self._refusals:
                self._open(link, work)

    def _nobody(self, wait: float, seconds: float) -> None:
        """No evaluator is there: waits for one, or raises NoEvaluator or EvaluatorRefused."""
        if self._all_refused:
            raise self._last_refusal
        if seconds >= wait:
            self._raise_nobody()
        if seconds >= AGAIN or wait <= AGAIN:
            self._say_once(f"waiting for an evaluator at {self.where} (up to {wait:.0f} s)")

    def _happened(self, link: Link, event: object) -> Received | None:
        """Takes up what a link has posted; None where that is nothing to tell."""
        if self._is_forgotten(link):
            return None
        if isinstance(event, Description):
            self._consider(link, event, anything)
        elif isinstance(event, NoAnswer):
            self._not_described(link, event)
        elif not link.ready:  # of a stream that was given up
            return None
        elif isinstance(event, Gone):
            return self._gone(link, event)
        elif isinstance(event, pb.EvaluateResponse):
            digests = event.physics_digest, event.likelihood_digest
            if event.physics_digest and self._reference is not None and digests != self._reference.digests:
                received = self._sent_again(link, [])
                link.leave(0.0)  # its description says what is different
                return received
            received = self._results(link, event)
            link.took_up(len(received.outcomes))
            link.read_next()
            return received
        return None

    def _results(self, link: Link, response: pb.EvaluateResponse) -> Received:
        """The answers to points that are out at this link, which they are no longer; other ones are nobody's."""
        work, reference = self._work, self._reference
        outcomes: list[Outcome] = []
        killed: list[int] = []
        if work is None or reference is None:
            return Received()
        width, codes = len(reference.observables), len(reference.codes) or SECONDS_OF_NAMELESS
        again, returned, raced = [], time.time(), 0
        for result in response.results:
            point = result.point_id
            if point not in link.out:
                if not link.strayed:
                    link.strayed = True
                    self._say(
                        f"the evaluator at {link.address} answers points that it was not asked, or answers them twice "
                        f"(point {point}): such answers are left out; `lodescan-conformance` tells what is wrong with "
                        "it"
                    )
                continue
            if result.status == pb.STATUS_CANCELLED:
                link.answer(point, -1.0)
                if point in self._asked_back:
                    if not self._is_out(point):
                        self._asked_back.discard(point)
                        work.done([point])
                elif point in work.rows and not self._is_out(point):
                    link.draining = True  # the evaluator is going away: another one gets the point
                    again.append(point)
                continue
            outcome = to_outcome(result, width, codes, (link.address, link.out[point], returned))
            seconds = sum(outcome.seconds)
            link.answer(point, seconds)
            if point not in work.rows:
                continue  # another evaluator was quicker
            if result.status == pb.STATUS_KILLED:
                killed.append(point)
                if work.tried(point) < MOST_TRIES:
                    if self._is_out(point):
                        continue  # it still runs at another evaluator
                    if point in self._asked_back:
                        self._asked_back.discard(point)
                        work.done([point])
                    else:
                        again.append(point)
                    continue
            self._times.append(seconds)
            if self._twice and point in self._twice:
                raced += 1
                self._end_race(point)
            outcomes.append(outcome)
        work.done(each.id for each in outcomes)
        if self._asked_back:
            self._asked_back.difference_update(each.id for each in outcomes)
        self._put_back(work, again)
        if outcomes or killed:
            link.breaks = 0
        if link.draining and not link.out:
            link.leave(LEFT_OUT)
        return Received(outcomes, killed, raced)

    def _end_race(self, point: int) -> None:
        self._twice.discard(point)
        for other in self._links.values():
            if point in other.out:
                other.ask_back([point])
                other.running.pop(point, None)  # nobody waits for it

    def _is_out(self, point: int) -> bool:
        return any(point in link.out for link in self._links.values())

    def _gone(self, link: Link, gone: Gone) -> Received | None:
        """A stream has ended."""
        link.description = None
        if gone.error is not None and (
            gone.error.code() in FATAL or gone.error.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        ):
            received = self._sent_again(link, [])
            self._leave_out(link, EvaluatorRefused(f"{link.address} refused the points: {details(gone.error)}"))
            link.ask_again(LEFT_OUT)
            return received
        had = bool(link.out)
        if gone.error is not None and not link.breaks:
            lost = f"lost the evaluator at {link.address} ({gone.error.code().name.lower()})"
            self._say(f"{lost}; its points will be sent again")
        link.breaks += had or gone.error is not None
        # Of one that is always at the same address, silence may be the network's: only a closed door is its end.
        ended = gone.refused or (not gone.alive and any(place.address is None for place in self._places))
        received = self._sent_again(link, list(link.running) if ended else [])
        if link.breaks > MOST_BREAKS:
            text = f"the evaluator at {link.address} answers, but broke off {link.breaks} times before it gave a result"
            what = "see what it says (does a point end the whole evaluator?), then give the same command again"
            self._leave_out(link, NoEvaluator(text, next_step=what))
        else:
            link.ask_again(AGAIN if gone.error is None or not gone.alive else 0.2)
        return received

    def _sent_again(self, link: Link, suspects: Collection[int]) -> Received:
        """What was out at a link is to be sent again. `suspects`: points that may have ended the evaluator.

        One that ran alone has been killed from outside; of several nobody knows, so a point for which it is the second
        time runs alone from then on. After MOST_TRIES in all it has failed.
        """
        work, now = self._work, time.time()
        outcomes: list[Outcome] = []
        killed: list[int] = []
        again = []
        out = link.out
        for point in link.take_back():
            if work is None or point not in work.rows:
                continue
            if point in self._asked_back and not self._is_out(point):
                self._asked_back.discard(point)
                work.done([point])
                continue
            if point in suspects:
                if len(suspects) > 1:
                    self._shared[point] += 1
                else:
                    killed.append(point)
                    self._suspects.add(point)
                    if work.tried(point) + self._shared[point] >= MOST_TRIES:
                        words = f"the evaluator ended {MOST_TRIES} times while it ran, last the one at {link.address}"
                        outcomes.append(
                            Outcome(
                                id=point,
                                status=Status.FAILED,
                                message=words,
                                evaluator=link.address,
                                sent=out[point],
                                returned=now,
                            )
                        )
                        continue
                if self._shared[point] >= MOST_SHARED:
                    self._suspects.add(point)
            if not self._is_out(point):
                again.append(point)
        if work is not None:
            work.done(each.id for each in outcomes)
            self._put_back(work, again)
        return Received(outcomes, killed)

    def _put_back(self, work: Work, points: Iterable[int]) -> None:
        points = list(points)
        if self._suspects:
            self._to_run_alone.extend(each for each in points if each in self._suspects)
            points = [each for each in points if each not in self._suspects]
        if points:
            work.put_back(points)

    def _hand_out(self, work: Work) -> None:
        """Sends what waits, as far as there is room."""
        links = list(self._links.values())
        kept_free = self._send_alone(work, links) if self._to_run_alone else None
        if not work.waiting:
            return
        roomy = [link for link in links if link.room > 0 and link is not kept_free]
        for link, number in share_out(roomy, len(work.waiting)):
            link.send(work.take(number), work)

    def _send_alone(self, work: Work, links: Sequence[Link]) -> Link | None:
        """Sends points that are to run alone to evaluators that have none; returns one to be kept free for the next."""
        able = [link for link in links if link.ready and not link.draining and link.alone is None]
        while self._to_run_alone:
            point = self._to_run_alone[0]
            if point not in work.rows:
                self._to_run_alone.popleft()
                continue
            free = next((link for link in able if not link.out), None)
            if free is None:
                return min(able, key=lambda link: len(link.out), default=None)
            self._to_run_alone.popleft()
            free.send([point], work)
            free.alone = point
            able.remove(free)
        return None

    def _race(self, work: Work) -> None:
        """Sends points that run for long to a second evaluator whose workers are idle."""
        links = list(self._links.values())
        if not self._may_race or work.waiting or len(links) < 2 or not self._times:
            return
        median, count = statistics.median(self._times), len(self._times)
        wanted = work.rows.keys() - self._twice - self._suspects - self._asked_back
        for point, link in slow_points(links, wanted, median, count):
            self._twice.add(point)
            link.send([point], work)

    def _next_race(self, links: Sequence[Link]) -> float:
        """Seconds until it is time to look for slow points again."""
        return 0.25 if self._may_race and len(links) > 1 and any(link.out for link in links) else math.inf

    def cancel(self, points: Collection[int]) -> None:
        """These points are wanted no longer: what has not begun is given up, what runs is answered yet."""
        work = self._work
        if work is None:
            return
        wanted_not = set(points) & work.rows.keys()
        work.give_up_waiting(wanted_not)
        wanted_not &= work.rows.keys()
        for point in [each for each in self._to_run_alone if each in wanted_not]:
            self._to_run_alone.remove(point)
            work.done([point])
        for link in self._links.values():
            mine = link.out.keys() & work.rows.keys()  # the rest was answered elsewhere
            if wanted_not.issuperset(mine):
                if mine:
                    link.ask_back_waiting()
                    self._asked_back.update(mine)
            elif queued := [point for point in link.queued if point in wanted_not]:
                link.ask_back(queued)
                self._asked_back.update(queued)

    def _drop_all(self) -> None:
        for link in self._links.values():
            if link.out:
                link.take_back()
                link.leave(AGAIN)

    def points_in(self, seconds: float) -> int:
        """How many points the workers work off in that time, and one more each; at first twice as many as workers."""
        total = sum(link.points_in(seconds) for link in self._links.values() if link.description is not None)
        return math.ceil(min(max(total, 1.0), MOST_AHEAD))


def _command(place: Place, file: Path) -> str:
    """The command that starts an evaluator which listens there."""
    command = f"lodescan-evaluator serve {shlex.quote(str(file))}"
    address = place.address or place.name
    if address is None:
        return f"{command} --announce {shlex.quote(str(place.folder))}"
    if not address.is_local:
        return f"{command} --listen 0.0.0.0:{address.port} --insecure"
    return command if str(address) == DEFAULT_ADDRESS else f"{command} --listen {shlex.quote(str(address))}"
