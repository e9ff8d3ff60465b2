"""A command's arguments and options as the fields of a dataclass, so that they are one value and no long signature.

@dataclass(frozen=True)
class HailOptions:
    name: Annotated[str, typer.Argument(help="Whom.")]
    loud: Annotated[bool, typer.Option("--loud")] = False

@takes(HailOptions)
def hail_command(options: HailOptions) -> None: ...
"""

import functools
import inspect
from collections.abc import Callable
from typing import Any, TypeVar, get_type_hints

T = TypeVar("T")


def takes(options: type[T]) -> Callable[[Callable[[T], None]], Callable[..., None]]:
    """Makes of a function of one `options` a function of all its fields, whose signature typer can read."""

    def wrap(function: Callable[[T], None]) -> Callable[..., None]:
        @functools.wraps(function)
        def command(**values: Any) -> None:
            function(options(**values))

        command.__signature__ = inspect.signature(options).replace(return_annotation=None)  # type: ignore[attr-defined]
        command.__annotations__ = get_type_hints(options, include_extras=True)
        return command

    return wrap
