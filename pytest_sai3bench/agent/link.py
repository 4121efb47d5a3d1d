"""The agent's end of the conversation: messages in and out, and the watch over a controller that falls silent."""

from __future__ import annotations

import json
import math
import os
import threading
from queue import Empty, SimpleQueue
from time import monotonic
from typing import TYPE_CHECKING, Callable

if TYPE_CHECKING:
    from .messages import Message

# An agent that has heard nothing for this long is alone: it stops its load and ends.
SILENCE_S = 15.0
# How long an agent that is alone may take to end in order.
_EXIT_S = 3.0
_BEAT_S = 1.0
_EX_SOFTWARE = 70
# The one message that does not wait for its turn: the controller has taken a piece of a log.
TAKEN = '{"type": "taken"}'


class Alone(Exception):
    """The controller is gone: the connection ended, or nothing was heard for `SILENCE_S`."""


def _ignore() -> None:
    pass


class Link:
    """Messages as dicts over any transport that carries text.

    ``send_text`` sends one text. The transport calls `feed` with each text that arrives, None at the end, from any
    thread. ``leave`` ends the process.
    """

    def __init__(
        self,
        send_text: Callable[[str], None],
        leave: Callable[[int], None] = os._exit,
        *,
        silence_s: float = SILENCE_S,
        exit_s: float = _EXIT_S,
    ) -> None:
        self._send_text = send_text
        self._leave = leave
        self._silence_s = silence_s
        self._exit_s = exit_s
        self._inbox: SimpleQueue[str | None] = SimpleQueue()
        self._lock = threading.Lock()
        # Nothing is said before all agents of a run have started, which may take long. Until then the transport ends when
        # the controller does.
        self._heard = math.inf
        self._over = threading.Event()
        # What else a sign of life says.
        self.vitals: Callable[[], Message] = dict
        # Called with each `TAKEN` that arrives, at once and not in the conversation's own time.
        self.taken: Callable[[], None] = _ignore
        self.closed = False

    def feed(self, text: str | None) -> None:
        """Take a message from the transport."""
        self._heard = monotonic()
        if text == TAKEN:
            self.taken()
            return
        if text is None:
            self.closed = True
        self._inbox.put(text)

    def put_back(self, message: Message) -> None:
        """Let a received message arrive once more, after all that waits."""
        self._inbox.put(json.dumps(message))

    def send(self, message: Message) -> None:
        """Send a message; a broken connection shows at the next receive."""
        text = json.dumps(message, separators=(",", ":"))
        with self._lock:
            try:
                self._send_text(text)
            except OSError:
                self.closed = True

    def receive(self, timeout_s: float) -> Message | None:
        """Return the next message, or None after ``timeout_s``; raises `Alone` when the controller is gone."""
        if self.closed and self._inbox.empty():
            raise Alone
        try:
            text = self._inbox.get(timeout=timeout_s) if timeout_s else self._inbox.get_nowait()
        except Empty:
            if self._is_silent():
                raise Alone from None
            return None
        if text is None:
            raise Alone
        message: Message = json.loads(text)
        return message

    def watch(self) -> None:
        """Begin to send a sign of life once a second, and to end the process when the controller is gone.

        The end is hard but late: load that minds its `receive` has stopped by itself long before.
        """
        threading.Thread(target=self._watch, daemon=True).start()

    def finish(self) -> None:
        """Stop watching: the conversation is over."""
        self._over.set()

    def _watch(self) -> None:
        while not self._over.wait(min(_BEAT_S, self._silence_s)):
            self.send({"type": "alive", **self.vitals()})
            if self.closed or self._is_silent():
                if not self._over.wait(self._exit_s):
                    self._leave(_EX_SOFTWARE)
                return

    def _is_silent(self) -> bool:
        return monotonic() - self._heard > self._silence_s
