"""The command line: parse, call, print. One file a command; the frame around them in `frame.py`.

Not for: anything a program would want to call. That lives in the rooms below and prints nothing.
"""

import os
import sys
import traceback
from collections.abc import Sequence

import typer
from typer.exceptions import TyperException

from ..errors import Cancelled, SealsmithError
from ..shortage import is_out_of_memory
from .frame import Invocation, app

__all__ = ["main"]

_DRAWING = "try --memory model-offload or sequential-offload, or --precision bf16"
THRIFT = {
    "train": "try --gradient-checkpointing, --precision bf16, or --batch-size 1 with --gradient-accumulation",
    "generate": f"{_DRAWING}; smaller pictures, fewer at a time, or --vae-tiling",
    "score": _DRAWING,
    "sweep": _DRAWING,
    "attention": _DRAWING,
    "conflicts": _DRAWING,
}
"""How commands do with less memory."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command; its exit status.

    0 done, 1 failed, 2 the input was wrong, 130 cancelled. An error is one sentence on stderr, `error: ...`,
    and where there is something to do about it `hint: ...`.
    """
    given = list(sys.argv[1:] if arguments is None else arguments) or ["--help"]
    invocation = Invocation()
    try:
        command = typer.main.get_command(app)
        status = int(command.main(given, prog_name="sealsmith", standalone_mode=False, obj=invocation) or 0)
        sys.stdout.flush()
        return status if status != Cancelled.exit_status else _say("interrupted", status=status)
    except SealsmithError as error:
        if invocation.debug:
            traceback.print_exc()
        return _say(str(error), error.remedy, error.exit_status)
    except TyperException as error:
        return _say(error.format_message(), _usage_hint(error), error.exit_code)
    except BrokenPipeError:
        # The reader of stdout is gone; without this, Python would complain once more while it exits.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except Exception as error:  # noqa: BLE001 - the border: nothing above could handle it
        if invocation.debug:
            traceback.print_exc()
        if is_out_of_memory(error):
            return _say(f"there is not enough memory: {_first_line(error)}", _thrift(given))
        return _say(
            f"this should not have happened: {type(error).__name__}: {error}",
            "run `sealsmith --debug ...` and report what it prints to the project's issue tracker",
        )


def _say(sentence: str, remedy: str = "", status: int = 1) -> int:
    print(f"error: {sentence}", file=sys.stderr)
    if remedy:
        print(f"hint: {remedy}", file=sys.stderr)
    return status


def _first_line(error: Exception) -> str:
    """PyTorch's errors go on with what its allocator holds."""
    return str(error).partition("\n")[0].partition(". GPU ")[0] or type(error).__name__


def _thrift(given: Sequence[str]) -> str:
    """What the command that was given can do with less."""
    command = next((word for word in given if word in THRIFT), "")
    return THRIFT.get(command, "close other programs, or use a machine with more memory")


def _usage_hint(error: Exception) -> str:
    context = getattr(error, "ctx", None)
    return f"`{context.command_path} --help` lists what it takes" if context is not None else ""
