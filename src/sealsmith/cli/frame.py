"""The frame all commands hang in: their table, their lazy loading, and the options before a command's name.

A command `name` is the function `name_command` in `cli/name.py`. It is imported when it is run, never for
`sealsmith --help`: PyTorch takes seconds to import, and help should not.
"""

import difflib
import importlib
import os
import warnings
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperGroup

from .. import __version__
from ..errors import ConfigError
from ..quiet import hush

if TYPE_CHECKING:
    from ..settings import Settings

COMMANDS = {
    "demo": "The main job end to end: from one logo to a seal, pictures and a scorecard.",
    "train": "Teach the base a seal from pictures or one logo file.",
    "generate": "Draw pictures, with seals or without; print their paths.",
    "score": "Measure what a seal does: the scorecard.",
    "inspect": "Tell what a seal file is, and whether it fits a base.",
    "attention": "Show where in the picture each word acts, before and after a seal.",
    "conflicts": "Tell whether seals get on in one picture, and how they would.",
    "compare": "Train every method on the same pictures, and compare what came out.",
    "sweep": "Try one seal at many strengths, or anything else, and recommend one.",
    "lookup": "Ask a registry which model a seal file is, and for its trigger words.",
    "export": "Write a seal for others: a hub's folder with card and gallery, or sidecars.",
    "trigger": "Find a rare word that can call a new seal.",
    "merge": "Make one seal file of several, and state the error.",
    "fuse": "Write a base with seals in its weights.",
    "convert": "Write a seal file again in the dialect of other tools.",
    "serve": "Draw pictures over HTTP: our own dialect, OpenAI's and A1111's.",
    "keys": "Make, list, rotate and revoke the API keys of tenants.",
    "catalog": "Prove that the catalog's rows and files agree, and repair what can be.",
    "worker": "Do the trainings and studies that tenants have handed in.",
    "bench": "Measure this machine's speed beside stock diffusers'.",
}
"""Every command and its line in `sealsmith --help`: the first line of its function's docstring."""

SETTINGS_OF_COMMAND = {
    "demo": ("base",),
    "train": ("base",),
    "generate": ("base", "steps", "guidance", "out", "seals_folder", "precision", "memory"),
    "score": ("base", "precision", "memory"),
    "inspect": ("base",),
    "attention": ("base", "steps", "guidance", "seals_folder", "precision", "memory"),
    "conflicts": ("base", "precision", "memory"),
    "compare": ("base",),
    "sweep": ("base", "precision", "memory"),
    "lookup": ("civitai_url", "cache"),
    "export": (),
    "trigger": ("base", "seals_folder"),
    "merge": (),
    "fuse": ("base",),
    "convert": (),
    "serve": (
        "base",
        "seals_folder",
        "data",
        "database",
        "store",
        "key_rate",
        "tenant_rate",
        "stranger_rate",
        "otel_endpoint",
    ),
    "keys": ("data", "database", "store"),
    "catalog": ("data", "database", "store"),
    "worker": ("base", "data", "database", "store", "otel_endpoint"),
    "bench": ("base",),
}
"""Which settings stand in for options of the same name that were not given."""


@dataclass
class Invocation:
    """What one run of the command line knows about itself."""

    settings: "Settings | None" = None
    debug: bool = False


class LazyGroup(TyperGroup):
    """The commands of `COMMANDS`, each imported when it is asked for by name."""

    def list_commands(self, ctx: Any) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        """The command, or ConfigError with the nearest name that is one."""
        if cmd_name not in COMMANDS:
            if ctx.resilient_parsing:
                return None
            close = difflib.get_close_matches(cmd_name, COMMANDS, n=1)
            remedy = (
                f"did you mean `sealsmith {close[0]}`?" if close else "`sealsmith --help` lists all commands"
            )
            raise ConfigError(f"there is no command {cmd_name!r}", remedy)
        if cmd_name not in self.commands:
            self.commands[cmd_name] = load_command(cmd_name)
        return self.commands[cmd_name]

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


def load_command(name: str) -> Any:
    """The command of that name with its options, imported now."""
    function = getattr(importlib.import_module(f"{__package__}.{name}"), f"{name}_command")
    single = typer.Typer(add_completion=False, rich_markup_mode=None)
    single.command(name)(function)
    return typer.main.get_command(single)


app = typer.Typer(
    cls=LazyGroup,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(asked: bool) -> None:
    if asked:
        typer.echo(f"sealsmith {__version__}")
        raise typer.Exit


@app.callback(epilog="Settings: sealsmith.toml in this folder, then SEALSMITH_* variables, then options.")
def frame(
    ctx: typer.Context,
    threads: Annotated[int | None, typer.Option(help="CPU threads to compute with.", min=1)] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks and library warnings.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_print_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Teach a text-to-image model your seal, and prove that it learned it."""
    from ..settings import read_settings

    invocation: Invocation = ctx.obj
    invocation.debug = debug
    settings = read_settings(threads=threads, debug=debug or None)
    invocation.settings, invocation.debug = settings, settings.debug
    name = ctx.invoked_subcommand
    if name is not None:
        ctx.default_map = {name: option_defaults(name, settings)}
    prepare_libraries(settings)


def option_defaults(name: str, settings: "Settings") -> dict[str, Any]:
    """Parameter name -> value, for each option of the command that a setting stands in for."""
    from ..settings import option_of

    wanted = {option_of(key): shown_value(getattr(settings, key)) for key in SETTINGS_OF_COMMAND[name]}
    return {
        parameter.name: [wanted[option]] if parameter.multiple else wanted[option]
        for parameter in load_command(name).params
        for option in parameter.opts
        if wanted.get(option) is not None
    }


def shown_value(value: Any) -> Any:
    """A setting as the command line would give it; a secret does not show itself otherwise."""
    return value.get_secret_value() if hasattr(value, "get_secret_value") else value


def prepare_libraries(settings: "Settings") -> None:
    """Hands threads and silence to libraries not yet imported, which read both from the environment."""
    if settings.threads is not None:
        os.environ["OMP_NUM_THREADS"] = os.environ["MKL_NUM_THREADS"] = str(settings.threads)
    if not settings.debug:
        warnings.simplefilter("ignore")
        os.environ.setdefault("TRANSFORMERS_VERBOSITY", "error")
        os.environ.setdefault("DIFFUSERS_VERBOSITY", "error")
        os.environ.setdefault("TQDM_DISABLE", "1")  # their bars; ours are rich's
        hush()
