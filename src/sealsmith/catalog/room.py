"""Whether something went wrong because there is no room left, in words of whoever keeps things for us.

Not for: quotas of tenants, which are ours (tenants.py).
"""

import errno
import re
from collections.abc import Iterator

FULL = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
"""The system's numbers for a disk without room, and for a file that may not grow."""
_OS_ERROR = re.compile(r"\(os error (\d+)\)")
"""How obstore tells the system's number."""
_SQLITE_FULL = 13
_POSTGRESQL_FULL = "53100"


def is_full(error: BaseException) -> bool:
    """Whether this error, or one that it was raised for, is that a disk or a database has no room left."""
    return any(_says_full(each) for each in _causes(error))


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error, what SQLAlchemy keeps in it, and what it was raised from."""
    cause: BaseException | None = error
    while cause is not None:
        yield cause
        original = getattr(cause, "orig", None)
        if isinstance(original, BaseException):
            yield original
        cause = cause.__cause__


def _says_full(error: BaseException) -> bool:
    if isinstance(error, OSError) and error.errno in FULL:
        return True
    if getattr(error, "sqlite_errorcode", None) == _SQLITE_FULL:
        return True
    if getattr(error, "sqlstate", None) == _POSTGRESQL_FULL:
        return True
    return any(int(number) in FULL for number in _OS_ERROR.findall(str(error)))
