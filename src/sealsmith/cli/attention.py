"""`sealsmith attention`: where in the picture each word of a prompt acts, before and after a seal."""

import io
import json
import re
import secrets
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ConfigError
from .console import console, note, print_json
from .options import (
    BaseOption,
    DeviceOption,
    LongPrompts,
    LongPromptsOption,
    MemoryOption,
    NegativeOption,
    NoTriggerOption,
    PictureOptions,
    PrecisionOption,
    SamplerOption,
    SealsFolderOption,
    SealsOption,
    SideOption,
)
from .parameters import takes
from .seal_option import wanted_seals

if TYPE_CHECKING:
    from rich.table import Table

    from ..bases import Base
    from ..generate import Request
    from ..generate.mixing import Seals
    from ..inspect import AttentionMaps, Detail
    from ..inspect.attention_report import Sighting


FORMS = {"mass_in_region": ".1%", "overlap": ".2f", "entropy": ".3f", "weight": ".1%"}
"""A word's figures as the table shows them."""


class JointRows(StrEnum):
    """What is read of a joint attention."""

    TEXT = "text"
    IMAGE = "image"


@dataclass(frozen=True)
class AttentionOptions(PictureOptions):
    """What `sealsmith attention` takes."""

    prompt: Annotated[str, typer.Argument(help="What the picture shows.")]
    seal: SealsOption = None
    seals_folder: SealsFolderOption = Path("seals")
    word: Annotated[
        list[str] | None,
        typer.Option(
            "--word",
            "-w",
            help="A word or phrase to show; repeatable. The trigger and all that name something.",
        ),
    ] = None
    region: Annotated[
        Path | None, typer.Option(help="A mask, white inside; where the pictures differ if not given.")
    ] = None
    per_step: Annotated[bool, typer.Option("--per-step", help="Every step alone, not in four groups.")] = (
        False
    )
    per_layer: Annotated[bool, typer.Option("--per-layer", help="Every layer alone, not by block.")] = False
    rows: Annotated[
        JointRows,
        typer.Option(help="Flux only: text, where a word looks; image, which places read it."),
    ] = JointRows.TEXT
    seed: Annotated[int | None, typer.Option(help="Of both pictures; random and said if not given.")] = None
    steps: Annotated[int | None, typer.Option(help="Denoising steps; the base decides if not given.")] = None
    guidance: Annotated[float | None, typer.Option(help="Weight of the prompt; the base decides.")] = None
    sampler: SamplerOption = None
    negative: NegativeOption = ""
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for the page, the overlays and the arrays.")
    ] = Path("attention")
    base: BaseOption = "sealworld"
    width: SideOption = None
    height: SideOption = None
    device: DeviceOption = "cpu"
    precision: PrecisionOption = "auto"
    memory: MemoryOption = "auto"
    no_trigger: NoTriggerOption = False
    long_prompts: LongPromptsOption = LongPrompts.CHUNKS
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of the page's path.")
    ] = False


@takes(AttentionOptions)
def attention_command(options: AttentionOptions) -> None:
    """Show where in the picture each word acts, before and after a seal."""
    from ..adapters import check_writable, read_seal
    from ..bases import Wanted, open_base
    from ..inspect import Detail
    from ..inspect.attention_figures import read_region
    from ..inspect.attention_report import sighting, summary

    check_writable(options.out / "index.html")
    words, chosen = wanted_seals(options.prompt, options.negative, options.seals_folder, options.seal or [])
    if not chosen:
        raise ConfigError("no seal is given", "name one: --seal FILE, or <lora:name:1> in the prompt")
    seals = [(read_seal(path), strength) for path, strength in chosen]
    base = open_base(options.base, options.device, Wanted(options.precision, options.memory))
    note(f"plan: {base.plan}")
    seed = secrets.randbelow(2**32) if options.seed is None else options.seed
    if options.seed is None:
        note(f"seed: {seed}")
    request = options.request(words, seed).resolved(base)
    mask = None if options.region is None else read_region(options.region, request.size_px)
    detail = Detail(options.per_step, options.per_layer, options.rows)
    seen = sighting(_look(base, request, seals, options.word or [], detail), mask)
    told = summary(seen)
    paths = _write(options.out, seen, told)
    console.print(_table(seen))
    if options.as_json:
        print_json({**told, "paths": paths})
    else:
        typer.echo(paths["page"])


def _look(
    base: "Base", request: "Request", seals: "Seals", wanted: list[str], detail: "Detail"
) -> "AttentionMaps":
    """Both pictures with their maps, under a progress bar; the triggers are shown first."""
    from rich.progress import Progress

    from ..generate.prompt import main_trigger
    from ..inspect import before_and_after
    from ..inspect.attention import sent_prompt

    sent = sent_prompt(base, request, seals)
    if sent != request.prompt:
        note(f"trigger: inserted -> {sent}")
    triggers = [main_trigger(seal.header.trigger) for seal, _ in seals]
    written = [trigger for trigger in triggers if trigger and trigger in sent]
    words = list(dict.fromkeys([*written, *wanted])) if wanted else None
    with Progress(console=console, transient=True) as progress:
        task = progress.add_task("drawing twice", total=None)
        return before_and_after(
            base,
            request,
            seals,
            words,
            detail,
            lambda done, total: progress.update(task, completed=done, total=total),
        )


def _write(out: Path, seen: "Sighting", told: dict[str, Any]) -> dict[str, Any]:
    """Writes the page, one overlay a word, the arrays and the summary; returns where they are."""
    from ..adapters import atomic_write
    from ..generate import write_picture
    from ..inspect.attention_page import attention_page, word_sheet
    from ..inspect.attention_report import SIDES, dump_arrays

    for old in (out / "overlays").glob("[0-9][0-9]-*.png"):  # an earlier run's
        old.unlink()
    overlays = []
    for number, word in enumerate(seen.words, 1):
        name = re.sub(r"\W+", "-", word).strip("-") or "word"
        buffer = io.BytesIO()
        word_sheet(seen, word).save(buffer, "PNG")
        path = out / "overlays" / f"{number:02d}-{name[:40]}.png"
        atomic_write(path, buffer.getvalue())
        overlays.append(str(path))
    for side in SIDES:
        write_picture(seen.sides[side].picture, out / f"{side}.png")
    atomic_write(out / "maps.npz", dump_arrays(seen))
    text = json.dumps(told, indent=2, ensure_ascii=False, allow_nan=False)
    atomic_write(out / "summary.json", f"{text}\n".encode())
    atomic_write(out / "index.html", attention_page(seen).encode())
    return {
        "page": str(out / "index.html"),
        "arrays": str(out / "maps.npz"),
        "summary": str(out / "summary.json"),
        "overlays": overlays,
    }


def _table(seen: "Sighting") -> "Table":
    """Each word's figures, before → after."""
    from rich.table import Table

    from ..inspect.attention_report import word_figures

    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="dim")
    weight = "to the picture" if seen.looks_from_text else "of all attention"
    for column in ("word", "mass in the region", "overlap", "entropy", weight):
        table.add_column(column)
    for word in seen.words:
        before, after = word_figures(seen, word).values()
        table.add_row(word, *(_change(before[name], after[name], form) for name, form in FORMS.items()))
    return table


def _change(before: float | None, after: float | None, form: str) -> str:
    return "-" if before is None or after is None else f"{before:{form}} → {after:{form}}"
