"""`sealsmith demo`: the main job end to end, from one logo to a page that shows what became of it."""

import json
import time
from contextlib import ExitStack
from importlib.resources import as_file, files
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..errors import ConfigError
from .console import console, print_json
from .options import BaseOption, DeviceOption

if TYPE_CHECKING:
    from ..bases import Base
    from ..inspect import AttentionMaps
    from ..score import Scorecard
    from ..train import TrainResult

SHOWN_TRAINING_PICTURES = 16


def demo_command(
    out: Annotated[
        Path, typer.Option("--out", "-o", help="Folder for the page, the seal and the pictures.")
    ] = Path("demo"),
    logo: Annotated[
        Path | None, typer.Option(help="A logo (SVG, PNG with alpha); ours if not given.")
    ] = None,
    base: BaseOption = "sealworld",
    device: DeviceOption = "cpu",
    steps: Annotated[int, typer.Option(help="Optimizer steps.")] = 400,
    seed: Annotated[int, typer.Option(help="Same logo, same seed, same seal.")] = 0,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of the page's path.")
    ] = False,
) -> None:
    """The main job end to end: from one logo to a seal, pictures and a scorecard."""
    started = time.perf_counter()

    from ..adapters import check_writable, write_seal
    from ..bases import open_base
    from ..score import DemoStory, demo_page, scorecard_table
    from ..train import TrainConfig
    from ..train.picture_set import pictures_for
    from ..train.precision import wanted_for
    from .training import report, train_with_bar

    check_writable(out / "index.html")
    config = TrainConfig(
        num_steps=steps, seed=seed, checkpoint_every=max(1, steps // 4), num_checkpoints_scored=2
    )
    opened = open_base(base, device, wanted_for(config, device=device))
    with ExitStack() as stack:
        logo = logo or stack.enter_context(as_file(files("sealsmith.cli").joinpath("mark.svg")))
        console.print(f"logo: {logo}")
        pictures = pictures_for(opened, logo, config)
        if pictures.kind != "logo":
            raise ConfigError(
                f"{str(logo)!r} is a picture set, not a logo", "`sealsmith train` learns from picture sets"
            )
        result, card = train_with_bar(
            opened, pictures, config, out / "training", resume=False, overwrite=True, is_scored=True
        )
        assert card is not None
        write_seal(out / "seal.safetensors", result.seal)
        maps = look_inside(opened, result, card)
        story = DemoStory(
            seal=result.seal,
            card=card,
            logo=logo,
            training_pictures=[picture.image for picture in pictures.pictures[:SHOWN_TRAINING_PICTURES]],
            losses=result.losses,
            checkpoint_steps=result.checkpoint_steps,
            chosen_step=result.chosen_step,
            attention=maps,
            train_seconds=result.seconds,
            total_seconds=time.perf_counter() - started,
            seal_bytes=(out / "seal.safetensors").stat().st_size,
            base_bytes=sum(path.stat().st_size for path in opened.folder.glob("*/*.safetensors")),
        )
        write_results(out, card, demo_page(story))
    console.print(scorecard_table(card))
    console.print(f"\nopen this page: {(out / 'index.html').resolve()}")
    if as_json:
        print_json(
            {"page": str(out / "index.html"), "pictures": str(out / "pictures"), **report(result, card)}
        )
    else:
        typer.echo(str(out / "index.html"))


def look_inside(base: "Base", result: "TrainResult", card: "Scorecard") -> "AttentionMaps":
    """Attention before and after the seal, for the prompt and seed of the scorecard's best picture."""
    from ..inspect import attention_maps
    from ..score import best_shots

    shot = best_shots(card)[0]
    header = result.seal.header
    colour = [shot.context.colour] if shot.context.colour else []
    words = [header.trigger, header.class_noun, *colour, shot.context.mark, shot.context.surface]
    return attention_maps(base, shot.prompt, [(result.seal, 1.0)], shot.seed, words=words)


def write_results(out: Path, card: "Scorecard", page: str) -> None:
    """Writes the page, the scorecard as `score --json` prints it, and the pictures that call the seal."""
    from ..adapters import atomic_write
    from ..generate import write_picture

    for old in (out / "pictures").glob("[0-9][0-9]-*.png"):  # an earlier demo's
        old.unlink()
    called = [shot for shot in card.shots if shot.subject == "trigger"]
    for number, shot in enumerate(called, 1):
        name = f"{number:02d} {shot.context.mark} on {shot.context.surface}".replace(" ", "-")
        write_picture(shot.drawn, out / "pictures" / f"{name}.png")
    text = json.dumps(card.to_dict(), indent=2, ensure_ascii=False, allow_nan=False)
    atomic_write(out / "scorecard.json", f"{text}\n".encode())
    atomic_write(out / "index.html", page.encode())
