"""`sealsmith generate`: pictures of a prompt, with seals, as PNG files that carry their recipe."""

import re
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ConfigError, OutputError
from .console import console, note, print_json
from .options import (
    BaseOption,
    DeviceOption,
    LongPrompts,
    LongPromptsOption,
    MemoryOption,
    NegativeOption,
    NoTriggerOption,
    PrecisionOption,
    SamplerOption,
    SealsFolderOption,
    SealsOption,
    SideOption,
    SlicingOption,
    TilingOption,
)
from .seal_option import parse_seal_option, plain_strength

if TYPE_CHECKING:
    from ..adapters import Seal
    from ..adapters.strength import Strength
    from ..bases import Base
    from ..generate import Picture, Request

_NAME_CHARACTERS = 48


def generate_command(
    prompt: Annotated[str, typer.Argument(help="What the picture shows.")],
    seal: SealsOption = None,
    seals_folder: SealsFolderOption = Path("seals"),
    num_pictures: Annotated[int, typer.Option("--num-pictures", "-n", help="How many pictures.")] = 1,
    seed: Annotated[
        int | None, typer.Option(help="Seed of the first picture; random and said if not given.")
    ] = None,
    steps: Annotated[int | None, typer.Option(help="Denoising steps; the base decides if not given.")] = None,
    guidance: Annotated[
        float | None,
        typer.Option(help="Weight of the prompt; 1 or less: without guidance. The base decides."),
    ] = None,
    sampler: SamplerOption = None,
    negative: NegativeOption = "",
    out: Annotated[Path, typer.Option("--out", "-o", help="A folder, or a .png file.")] = Path("pictures"),
    base: BaseOption = "sealworld",
    width: SideOption = None,
    height: SideOption = None,
    device: DeviceOption = "cpu",
    precision: PrecisionOption = "auto",
    memory: MemoryOption = "auto",
    vae_slicing: SlicingOption = None,
    vae_tiling: TilingOption = None,
    quantise: Annotated[
        str | None,
        typer.Option(
            help="Fuse the seals into the base, then quantise it: int8. Less memory, a small error."
        ),
    ] = None,
    no_trigger: NoTriggerOption = False,
    long_prompts: LongPromptsOption = LongPrompts.CHUNKS,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of paths.")] = False,
) -> None:
    """Draw pictures, with seals or without; print their paths."""
    check_out(out)

    from ..adapters import read_seal
    from ..bases import Wanted, open_base
    from ..generate import Request

    words, wished = read_prompt(prompt, negative, seals_folder)
    chosen = [parse_seal_option(text) for text in seal or []] + wished
    seals = [(read_seal(path), strength) for path, strength in chosen]
    opened = open_base(base, device, Wanted(precision, memory, vae_slicing, vae_tiling))
    note(f"plan: {opened.plan}")
    first_seed = secrets.randbelow(2**32) if seed is None else seed
    request = Request(
        words,
        negative,
        first_seed,
        num_pictures,
        steps,
        guidance,
        not no_trigger,
        width,
        height,
        long_prompts,
        sampler,
    ).resolved(opened)
    if seed is None:
        note(f"seed: {first_seed}")
    pictures, paths = _draw(opened, request, seals, out, quiet=as_json, quantise=quantise)
    if as_json:
        report = _report(pictures, paths, [path for path, _ in chosen])
        print_json(report | {"plan": opened.plan.to_dict()})


def read_prompt(
    prompt: str, negative: str, seals_folder: Path
) -> "tuple[str, list[tuple[Path, float | Strength]]]":
    """The words of a prompt, and the files and strengths of the seals that its tags ask for.

    Raises: ConfigError for a tag that cannot be read, names no seal, or stands in the negative prompt.
    """
    from ..generate.seal_syntax import find_seal, parse_tags

    tagged = parse_tags(prompt)
    if parse_tags(negative).wishes:
        raise ConfigError(
            f"the negative prompt asks for a seal: {negative!r}",
            "write the tag in the prompt; a negative strength, as <lora:name:-0.5>, pushes away from a seal",
        )
    wished = [(find_seal(wish.name, [seals_folder]), plain_strength(wish.strength)) for wish in tagged.wishes]
    return tagged.words, wished


def check_out(out: Path) -> None:
    """Refuses an output no picture could be written to. Raises: ConfigError for a format; OutputError."""
    from ..adapters.files import check_writable

    suffix = out.suffix.lower()
    try:
        is_folder, is_file = out.is_dir(), out.is_file()
    except OSError as error:
        raise OutputError(
            f"cannot write to {str(out)!r}: {error.strerror}", "choose a folder you may write to"
        ) from error
    if suffix in {".jpg", ".jpeg", ".webp", ".gif", ".bmp", ".tif", ".tiff"} and not is_folder:
        raise ConfigError(f"pictures are written as PNG, not {suffix}", "name a folder or a .png file")
    if is_file and suffix != ".png":
        raise OutputError(f"{str(out)!r} is a file, and no PNG", "name a folder or a .png file")
    check_writable(_folder(out) / "picture.png")


def picture_path(out: Path, prompt: str, seed: int, index: int, num_pictures: int) -> Path:
    """Where picture `index` goes: a name not taken yet, in the folder `out`, or `out` if that is a .png.

    Several pictures, or a name that is taken, get a number behind the name.
    """
    if _folder(out) == out:
        words = re.sub(r"[^a-z0-9]+", "-", prompt.lower())[:_NAME_CHARACTERS].strip("-") or "picture"
        wanted = out / f"{words}-{seed}.png"
    else:
        wanted = out if num_pictures == 1 else out.with_name(f"{out.stem}-{index + 1}{out.suffix}")
    path, number = wanted, 2
    while path.exists():
        path, number = wanted.with_name(f"{wanted.stem}-{number}{wanted.suffix}"), number + 1
    return path


def _draw(
    base: "Base",
    request: "Request",
    seals: "list[tuple[Seal, float | Strength]]",
    out: Path,
    quiet: bool,
    quantise: str | None,
) -> "tuple[list[Picture], list[Path]]":
    """Pictures and their paths, each written once it is finished, and printed at the end unless `quiet`."""
    from rich.progress import Progress

    from ..generate import generate_each, generate_quantised, write_picture

    pictures: list[Picture] = []
    paths: list[Path] = []
    try:
        with Progress(console=console, transient=True) as progress:
            task = progress.add_task("drawing", total=None)

            def on_step(done: int, total: int) -> None:
                progress.update(task, completed=done, total=total)

            each = (
                generate_each(base, request, seals, on_step)
                if quantise is None
                else generate_quantised(base, request, seals, quantise, on_step)
            )
            for index, picture in enumerate(each):
                recipe = picture.recipe
                path = picture_path(out, recipe.prompt, recipe.seed, index, request.num_pictures)
                write_picture(picture, path)
                pictures.append(picture)
                paths.append(path)
    finally:  # not sooner: while the bar runs on a terminal, rich sends stdout to stderr
        if pictures:
            _say(pictures)
        for path in paths if not quiet else []:
            typer.echo(str(path))
    return pictures, paths


def _say(pictures: "list[Picture]") -> None:
    """On stderr: which triggers were inserted, and whatever the pictures warn of, each warning once."""
    from ..generate import insert_trigger
    from ..generate.prompt import main_trigger

    recipe = pictures[0].recipe
    if recipe.prompt != recipe.prompt_typed:
        triggers = dict.fromkeys(filter(None, (main_trigger(seal.trigger) for seal in recipe.seals)))
        inserted = [repr(word) for word in triggers if insert_trigger(recipe.prompt_typed, word, "")[1]]
        done = (
            f"inserted {' and '.join(inserted)}" if inserted else "repeated in front, where it is not cut off"
        )
        note(f"trigger: {done} -> {recipe.prompt}")
    for warning in _warnings(pictures):
        note(f"warning: {warning}")


def _warnings(pictures: "list[Picture]") -> list[str]:
    return list(dict.fromkeys(warning for picture in pictures for warning in picture.warnings))


def _report(pictures: "list[Picture]", paths: list[Path], seal_paths: list[Path]) -> dict[str, Any]:
    recipe = pictures[0].recipe
    return {
        "paths": [str(path) for path in paths],
        "seeds": [picture.recipe.seed for picture in pictures],
        "prompt": recipe.prompt,
        "prompt_typed": recipe.prompt_typed,
        "negative": recipe.negative,
        "steps": recipe.num_steps,
        "guidance": recipe.guidance,
        "base": {"name": recipe.base, "digest": recipe.base_digest},
        "seals": [
            {
                "path": str(path),
                "name": use.name,
                "strength": use.strength,
                "how": use.how,
                "trigger": use.trigger,
                "hash": use.file_hash,
            }
            for path, use in zip(seal_paths, recipe.seals, strict=True)
        ],
        "warnings": _warnings(pictures),
    }


def _folder(out: Path) -> Path:
    """The folder pictures go to: `out` itself unless it names a .png file."""
    return out.parent if out.suffix.lower() == ".png" and not out.is_dir() else out
