"""What lies in one tier of memory: how much, what may go when room is needed, and in which order.

Least recently used first; what is pinned stays. Not for: the things themselves, which whoever keeps the ledger has.
Not for several threads.
"""

from collections import OrderedDict
from dataclasses import dataclass


@dataclass
class _Entry:
    num_bytes: int
    pins: int = 0


class Ledger:
    """Keys with their sizes, never more than `limit_bytes` together."""

    def __init__(self, limit_bytes: int):
        self.limit_bytes = limit_bytes
        self.num_bytes = 0
        self.pinned_bytes = 0
        self._entries: OrderedDict[str, _Entry] = OrderedDict()
        """The least recently used first."""

    def __contains__(self, key: str) -> bool:
        return key in self._entries

    def __len__(self) -> int:
        return len(self._entries)

    def keys(self) -> tuple[str, ...]:
        """The least recently used first."""
        return tuple(self._entries)

    def touch(self, key: str) -> None:
        """Makes it the most recently used. Raises: KeyError."""
        self._entries.move_to_end(key)

    def pin(self, key: str, times: int = 1) -> None:
        """Keeps it until it is unpinned as often. Raises: KeyError."""
        entry = self._entries[key]
        self.pinned_bytes += entry.num_bytes * (entry.pins == 0 and times > 0)
        entry.pins += times
        self.touch(key)

    def unpin(self, key: str) -> None:
        """Raises: KeyError; ValueError without a pin."""
        entry = self._entries[key]
        if entry.pins == 0:
            raise ValueError(f"{key!r} is not pinned")
        entry.pins -= 1
        self.pinned_bytes -= entry.num_bytes * (entry.pins == 0)

    def is_pinned(self, key: str) -> bool:
        """Raises: KeyError."""
        return self._entries[key].pins > 0

    def has_room(self, num_bytes: int) -> bool:
        """Whether as much can be admitted now."""
        return self.pinned_bytes + num_bytes <= self.limit_bytes

    def admit(self, key: str, num_bytes: int) -> list[str]:
        """Takes a new key in, unpinned; the keys that went for it.

        Raises: ValueError for one that is here already, or without room.
        """
        if key in self._entries:
            raise ValueError(f"{key!r} is here already")
        if not self.has_room(num_bytes):
            raise ValueError(f"there is no room for {num_bytes} bytes")
        gone = []
        for other in list(self._entries):
            if self.num_bytes + num_bytes <= self.limit_bytes:
                break
            if not self.is_pinned(other):
                self.drop(other)
                gone.append(other)
        self._entries[key] = _Entry(num_bytes)
        self.num_bytes += num_bytes
        return gone

    def drop(self, key: str) -> None:
        """Raises: KeyError; ValueError while it is pinned."""
        if self.is_pinned(key):
            raise ValueError(f"{key!r} is pinned")
        self.num_bytes -= self._entries.pop(key).num_bytes

    def check_integrity(self) -> None:
        """Proves that the sums are right and the limit is kept."""
        entries = self._entries.values()
        assert self.num_bytes == sum(entry.num_bytes for entry in entries)
        assert self.pinned_bytes == sum(entry.num_bytes for entry in entries if entry.pins)
        assert all(entry.pins >= 0 and entry.num_bytes >= 0 for entry in entries)
        assert self.num_bytes <= self.limit_bytes, f"{self.num_bytes} of {self.limit_bytes} bytes"
