"""Which endpoints of a worker are in use: one that fails or falls silent is left out, so that the others keep their load.

Nothing here lies on the way of a success: it only writes down when it happened (`Health.worked`). What follows from that
is seen when something fails, and every 50 ms in `Health.look`.
"""

from __future__ import annotations

from threading import RLock
from typing import TYPE_CHECKING, Callable

from .failures import speaks_against_endpoint
from .outages import EJECTED, PAUSED, SILENT, Outages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from .balance import Balancer
    from .failures import Rules
    from .tasks import Task

# What `Health.route` returns instead of an endpoint.
NOWHERE, LEFT_OUT = -1, -2
NEVER_NS = 1 << 62
# While nothing is in use, lanes come round so often to see whether something is again.
_RECHECK_NS = 50_000_000
# An endpoint may be silent for twice as long as it was before, up to ten times `suspect_after`.
_SILENCE_FACTOR, _SILENCE_LIMIT = 2, 10
# A run is given up when no endpoint works for three times `eject_time`, and ten times `suspect_after`.
_HOPELESS_EJECTIONS, _HOPELESS_SILENCES = 3, 10


class _State:
    """What is known of one endpoint.

    ``out`` is why it is left out, empty while it is in use; ``since_ns`` from when on, ``until_ns`` when it is tried
    again. ``tried_ns`` is when it was, 0 if not yet. ``failures`` came in a row, the last at ``failed_ns``; ``spoke_ns``
    is its last sign of life that was no success. ``busy`` says that something was under way at the last look; ``heard_ns``, ``silence_ns`` and ``progress`` are those of the last
    look, ``longest_ns`` is the longest silence after which it spoke by itself.
    """

    __slots__ = (
        "busy",
        "failed_ns",
        "failures",
        "heard_ns",
        "longest_ns",
        "out",
        "progress",
        "silence_ns",
        "since_ns",
        "spoke_ns",
        "tried_ns",
        "until_ns",
    )

    def __init__(self) -> None:
        self.out = ""
        self.busy = False
        self.since_ns = self.until_ns = self.tried_ns = 0
        self.failures = self.failed_ns = self.spoke_ns = 0
        self.heard_ns = self.silence_ns = self.longest_ns = 0
        self.progress = -1


class Health:
    """The endpoints of one worker during one stage; shared by its lanes.

    ``worked`` holds the instant of the last success at each endpoint and is written by whoever has one. ``trouble`` is
    True while an endpoint is left out or on trial, and once the run is given up: only then lanes need `wait_until` and
    `route`. ``gave_up`` is the reason once it makes no sense to go on. ``hold_until_ns`` is the instant before which no
    endpoint is in use, 0 when one is.

    Where ``calls_block``, what hangs at an endpoint returns when that works again: nothing else has to try it.
    Operations that are bound to an endpoint do not go on without it for the time of a pause if it ``waits_for_pauses``.
    """

    def __init__(
        self,
        rules: Rules,
        balancer: Balancer,
        endpoints: int,
        now_ns: int,
        *,
        calls_block: bool = False,
        waits_for_pauses: bool = False,
    ) -> None:
        self.worked = [now_ns] * endpoints
        self.trouble = False
        self.gave_up = ""
        self.hold_until_ns = 0
        self.rules = rules
        self.outages = Outages()
        # Failures are noted, and lanes routed, by many threads; the one calls the other.
        self.lock = RLock()
        self._balancer = balancer
        self._calls_block = calls_block
        self._waits_for_pauses = waits_for_pauses
        self._states = [_State() for _ in range(endpoints)]
        self._in_use = list(range(endpoints))
        self._due_ns = NEVER_NS
        self._last_text = ""

    # What happens

    def fail(self, endpoint: int, now_ns: int, kind: str, text: str) -> None:
        """Take note of a failed operation, and leave the endpoint out when that was one too many."""
        state = self._states[endpoint]
        with self.lock:
            if kind != "timeout":
                state.spoke_ns = now_ns
            if self.worked[endpoint] > state.failed_ns or not speaks_against_endpoint(kind):
                state.failures = 0
            state.failed_ns = now_ns
            if not speaks_against_endpoint(kind):
                return
            state.failures += 1
            self._last_text = text
            if state.out in (SILENT, EJECTED) and state.tried_ns:
                self.outages.fail_again(endpoint)
                self._leave_out(endpoint, state.out, now_ns)
            elif self.rules.failure == "eject" and not state.out and state.failures >= self.rules.eject_after:
                self._leave_out(
                    endpoint, EJECTED, now_ns, f"{state.failures} failures in a row; the last: {text}"
                )

    def pause(self, endpoint: int, now_ns: int, until_ns: int, reason: str) -> bool:
        """Leave an endpoint out until an instant because it fails too often; False when it is left out anyway.

        Where failing endpoints are ejected this one is, too.
        """
        state = self._states[endpoint]
        with self.lock:
            if state.out and not (state.out == PAUSED and state.until_ns <= now_ns):
                return False
            tried = state.out or state.tried_ns
            if self.rules.failure == "eject":
                self._leave_out(endpoint, EJECTED, now_ns, reason)
            else:
                self._leave_out(endpoint, PAUSED, now_ns, reason, until_ns)
            if tried:
                self.outages.fail_again(endpoint)
            return True

    def all_fail(self) -> bool:
        """Tell whether the last that was heard of every endpoint was a failure."""
        return all(state.failed_ns > worked for state, worked in zip(self._states, self.worked))

    def give_up(self, reason: str) -> None:
        """Let the run end; the first reason counts."""
        with self.lock:
            self.gave_up = self.gave_up or reason
            self.trouble = True

    def look(self, now_ns: int, oldest_ns: Sequence[int], progress: Callable[[int], int]) -> None:
        """See which endpoints have fallen silent, and which work again.

        ``oldest_ns`` is when the oldest operation under way at each endpoint began, 0 where there is none;
        ``progress(endpoint)`` is a number that changes when something moves there.
        """
        with self.lock:
            silences = [
                self._silence(endpoint, now_ns, began_ns, progress)
                for endpoint, began_ns in enumerate(oldest_ns)
            ]
            for endpoint, silence_ns in enumerate(silences):
                out = self._states[endpoint].out
                if silence_ns > self._patience_ns(endpoint) and not out:
                    self._suspect(endpoint, now_ns, silences)
                elif out == SILENT and silence_ns > self.rules.give_up_ns and self.rules.failure == "eject":
                    self._leave_out(endpoint, EJECTED, now_ns, f"no answer for {silence_ns / 1e9:.1f} s")
            if self.trouble:
                self._come_back(now_ns)
                self._see_whether_hopeless(now_ns, silences)

    # What lanes need to know while there is trouble

    def again_at(self, now_ns: int) -> int:
        """Return when an operation that could go nowhere should be routed again."""
        return self.wait_until(now_ns) or now_ns + _RECHECK_NS

    def wait_until(self, now_ns: int) -> int:
        """Return until when a lane that is about to begin an operation has to wait; 0 when it may go on."""
        if self.hold_until_ns <= now_ns:
            return 0
        # A pause ends when it is over, an ejection may end before.
        paused = all(state.out == PAUSED for state in self._states)
        return self.hold_until_ns if paused else min(self.hold_until_ns, now_ns + _RECHECK_NS)

    def route(self, task: Task, now_ns: int) -> int:
        """Return the endpoint for an operation, to be released as one that the balancer chose.

        `NOWHERE` when none is in use now, `LEFT_OUT` when the one that the operation is bound to is not.
        """
        bound = task[4]
        with self.lock:
            if now_ns >= self._due_ns:
                self._end_pauses(now_ns)
                for endpoint, state in enumerate(self._states):
                    due = state.out and state.until_ns <= now_ns and not (self._calls_block and state.busy)
                    if due and bound in (-1, endpoint):
                        return self._try_again(task, endpoint, now_ns)
            if not self._in_use:
                return NOWHERE
            if bound >= 0 and (out := self._states[bound].out):
                return NOWHERE if out == PAUSED and self._waits_for_pauses else LEFT_OUT
            return self._balancer.acquire(task)

    def why_out(self, endpoint: int) -> str:
        """Return why an endpoint is left out, in words."""
        return f"not sent, the endpoint is left out: {self.outages.reason(endpoint)}"

    def silent(self) -> list[bool]:
        """Tell for each endpoint whether it is left out for its silence, so that what is stuck there holds no lane."""
        return [state.out == SILENT for state in self._states]

    def ejected(self) -> list[bool]:
        """Tell for each endpoint whether it is ejected, so that nothing there is waited for any longer."""
        return [state.out == EJECTED for state in self._states]

    # How

    def _patience_ns(self, endpoint: int) -> int:
        suspect_ns = self.rules.suspect_ns
        learned_ns = self._states[endpoint].longest_ns * _SILENCE_FACTOR
        return max(suspect_ns, min(learned_ns, suspect_ns * _SILENCE_LIMIT))

    def _silence(self, endpoint: int, now_ns: int, began_ns: int, progress: Callable[[int], int]) -> int:
        """Return for how long an endpoint has given no sign of life while something was under way there."""
        state = self._states[endpoint]
        heard_ns = max(self.worked[endpoint], state.spoke_ns)
        silence_ns = now_ns - max(heard_ns, began_ns) if began_ns else 0
        # Early enough to have something to compare with when it counts.
        if silence_ns > self.rules.suspect_ns // 2:
            moved = progress(endpoint)
            if state.progress < 0:
                # Seen for the first time: perhaps it is this process that stood still.
                silence_ns = min(silence_ns, self.rules.suspect_ns)
            elif moved != state.progress:
                state.spoke_ns, silence_ns = now_ns, 0
            state.progress = moved
        else:
            state.progress = -1
        if heard_ns > state.heard_ns and not state.out:
            state.longest_ns = max(state.longest_ns, state.silence_ns)
        state.heard_ns, state.silence_ns, state.busy = heard_ns, silence_ns, began_ns > 0
        return silence_ns

    def _suspect(self, endpoint: int, now_ns: int, silences: Sequence[int]) -> None:
        """Leave a silent endpoint out, unless all fell silent together: then there is nothing to protect."""
        if all(
            other == endpoint or (not state.out and silences[other] > self.rules.suspect_ns // 2)
            for other, state in enumerate(self._states)
        ):
            return
        self._leave_out(endpoint, SILENT, now_ns, f"no answer for {silences[endpoint] / 1e9:.1f} s")

    def _leave_out(self, endpoint: int, kind: str, now_ns: int, reason: str = "", until_ns: int = 0) -> None:
        state = self._states[endpoint]
        state.out, state.since_ns, state.tried_ns = kind, now_ns, 0
        state.until_ns = until_ns or now_ns + self.rules.eject_ns
        self.outages.begin(endpoint, kind, now_ns, reason)
        self._apply()

    def _end_pauses(self, now_ns: int) -> None:
        for state in self._states:
            if state.out == PAUSED and state.until_ns <= now_ns:
                state.out, state.tried_ns = "", now_ns
        self._apply()

    def _try_again(self, task: Task, endpoint: int, now_ns: int) -> int:
        """Send a single operation to an endpoint that is left out."""
        state = self._states[endpoint]
        # If nothing is heard of it, another one follows; where endpoints are ejected, it has been given up before.
        given_up_ns = self.rules.give_up_ns + self.rules.suspect_ns
        state.tried_ns, state.until_ns = now_ns, now_ns + self.rules.eject_ns + given_up_ns
        self._balancer.choose_among([endpoint])
        taken = self._balancer.acquire(task)
        if self._in_use:
            self._balancer.choose_among(self._in_use)
        if taken != endpoint:
            # All of its connections are busy with what is stuck there.
            state.tried_ns = 0
            self._apply()
            return NOWHERE
        self._apply()
        return endpoint

    def _come_back(self, now_ns: int) -> None:
        """End what is over."""
        if now_ns >= self._due_ns:
            self._end_pauses(now_ns)
        for endpoint, state in enumerate(self._states):
            heard_ns = max(self.worked[endpoint], state.spoke_ns)
            # What was under way may end a silence, but not an ejection.
            since_ns = state.since_ns if state.out == SILENT else state.tried_ns
            fine = heard_ns > state.failed_ns or not state.failures
            if state.out != PAUSED and since_ns and heard_ns > since_ns and fine:
                state.out, state.tried_ns = "", 0
                self.outages.end(endpoint, heard_ns)
        self._apply()

    def _see_whether_hopeless(self, now_ns: int, silences: Sequence[int]) -> None:
        rules = self.rules
        idle_ns = now_ns - max(self.worked)
        dead = all(state.out or silence for state, silence in zip(self._states, silences))
        limit_ns = max(_HOPELESS_EJECTIONS * rules.eject_ns, _HOPELESS_SILENCES * rules.suspect_ns)
        if rules.failure == "eject" and dead and idle_ns > limit_ns:
            self.give_up(
                f"{idle_ns / 1e9:.0f} s in which no endpoint worked; the last failure: {self._last_text}"
            )

    def _apply(self) -> None:
        """Let the balancer choose among what is in use, and note what comes next."""
        states = self._states
        in_use = [endpoint for endpoint, state in enumerate(states) if not state.out]
        self._due_ns = min((state.until_ns for state in states if state.out), default=NEVER_NS)
        self.hold_until_ns = 0 if in_use else self._due_ns
        if in_use and in_use != self._in_use:
            self._balancer.choose_among(in_use)
        self._in_use = in_use
        on_trial = len(in_use) < len(states) or any(state.tried_ns for state in states)
        self.trouble = on_trial or bool(self.gave_up)
