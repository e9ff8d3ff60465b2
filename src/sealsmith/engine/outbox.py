"""Events on their way to one reader: bounded, however slowly it reads, and no answer is ever among what is lost.

Used on both sides of the process' border: by the engine for each client, by a client for each picture.
"""

from collections import deque

from .messages import Event, is_last


class Outbox:
    """First in, first out. When too many wait, the oldest that is no answer goes: what comes later says more."""

    def __init__(self, max_passing: int = 64):
        """`max_passing`: how many events may wait beside the answers, of which there is one a picture."""
        self._waiting: deque[Event] = deque()
        self._max_passing = max_passing
        self._num_last = 0
        self.num_dropped = 0

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def num_last(self) -> int:
        """How many answers wait: pictures, and errors."""
        return self._num_last

    def put(self, event: Event) -> None:
        self._waiting.append(event)
        if is_last(event):
            self._num_last += 1
        elif len(self._waiting) - self._num_last > self._max_passing:
            del self._waiting[next(i for i, each in enumerate(self._waiting) if not is_last(each))]
            self.num_dropped += 1

    def first(self) -> Event | None:
        """The next event, which stays here; None: there is none."""
        return self._waiting[0] if self._waiting else None

    def pop(self) -> Event:
        """Takes the next event out. Raises: IndexError when there is none."""
        event = self._waiting.popleft()
        self._num_last -= is_last(event)
        return event
