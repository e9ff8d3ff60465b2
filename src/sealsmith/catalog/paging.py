"""Lists in parts, newest first. A part says which number its last row had, and the next one begins below it.

So nothing is skipped or shown twice when rows come and go meanwhile, and the last part costs as much as the first.
"""

from collections.abc import Callable
from typing import Any, TypeVar

from sqlalchemy import Select
from sqlalchemy.orm import InstrumentedAttribute, Session

from ..errors import ConfigError
from .values import Page

R = TypeVar("R")
T = TypeVar("T")

MAX_PAGE = 200


def read_page(
    session: Session,
    wanted: Select[R],
    number: InstrumentedAttribute[int],
    after: str | None,
    limit: int,
    value: Callable[[R], T],
) -> Page[T]:
    """One part of what is `wanted`. `after`: what the part before gave as `next`.

    Raises: ConfigError for a limit or a mark that is none.
    """
    check_limit(limit)
    if after is not None:
        wanted = wanted.where(number < number_in(after))
    rows: list[Any] = list(session.scalars(wanted.order_by(number.desc()).limit(limit + 1)))
    shown = rows[:limit]
    last = str(getattr(shown[-1], number.key)) if len(rows) > limit else None
    return Page(tuple(map(value, shown)), last)


def check_limit(limit: int) -> None:
    """Raises: ConfigError for a size that no part has."""
    if not 1 <= limit <= MAX_PAGE:
        raise ConfigError(f"a page cannot have {limit} items", f"ask for 1 to {MAX_PAGE}")


def check_mark(mark: str) -> str:
    """The mark itself. Raises: ConfigError for text that can stand in no list."""
    if not mark.isprintable():
        raise no_mark(mark)
    return mark


def no_mark(mark: str) -> ConfigError:
    return ConfigError(f"{mark[:80]!r} is no place in a list", "give what the page before named as next")


def number_in(mark: str) -> int:
    """The number that a part's last row had. Raises: ConfigError for a mark that is none."""
    if not (mark.isascii() and mark.isdigit() and len(mark) <= 18):
        raise no_mark(mark)
    return int(mark)
