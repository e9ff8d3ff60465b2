"""How many whole files are on their way to one tenant: each is in memory until its client has taken it.

Not for: how long a client may take (listening.py).
"""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from ..errors import BusyError
from .limits import MAX_WHOLE_FILES


class WholeFiles:
    """Counts them. Belongs to one event loop."""

    def __init__(self, most: int = MAX_WHOLE_FILES):
        """`most`: of one tenant, at once."""
        self._most = most
        self._under_way: Counter[str] = Counter()

    @contextmanager
    def one_of(self, tenant: str) -> Iterator[None]:
        """One more until the context ends. Raises: BusyError."""
        if self._under_way[tenant] >= self._most:
            raise BusyError(f"{self._most} files are on their way to you already", "take them first")
        self._under_way[tenant] += 1
        try:
            yield
        finally:
            self._under_way[tenant] -= 1
            if not self._under_way[tenant]:
                del self._under_way[tenant]
