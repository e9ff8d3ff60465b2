"""`sealsmith generate`: pictures of a prompt, with seals, as PNG files that carry their recipe."""

import secrets
from dataclasses import dataclass, replace
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
    Mix,
    MixOption,
    NegativeOption,
    NoTriggerOption,
    PictureOptions,
    PrecisionOption,
    SamplerOption,
    SealsFolderOption,
    SealsOption,
    SideOption,
    SlicingOption,
    TilingOption,
)
from .parameters import takes
from .picture_out import check_out, picture_path
from .seal_option import wanted_seals

if TYPE_CHECKING:
    from ..adapters import Seal
    from ..adapters.strength import Strength
    from ..bases import Base
    from ..generate import Picture, Recipe, Request


@dataclass(frozen=True)
class GenerateOptions(PictureOptions):
    """What `sealsmith generate` takes."""

    context: typer.Context
    prompt: Annotated[
        str | None, typer.Argument(help="What the picture shows; with --recall, the picture's if not given.")
    ] = None
    recall: Annotated[
        Path | None,
        typer.Option(
            metavar="PNG", help="Draw this picture again, by its recipe; what else is given differs."
        ),
    ] = None
    seal: SealsOption = None
    seals_folder: SealsFolderOption = Path("seals")
    num_pictures: Annotated[int, typer.Option("--num-pictures", "-n", help="How many pictures.")] = 1
    seed: Annotated[
        int | None, typer.Option(help="Seed of the first picture; random and said if not given.")
    ] = None
    steps: Annotated[int | None, typer.Option(help="Denoising steps; the base decides if not given.")] = None
    guidance: Annotated[
        float | None,
        typer.Option(help="Weight of the prompt; 1 or less: without guidance. The base decides."),
    ] = None
    sampler: SamplerOption = None
    negative: NegativeOption = ""
    out: Annotated[Path, typer.Option("--out", "-o", help="A folder, or a .png file.")] = Path("pictures")
    base: BaseOption = "sealworld"
    width: SideOption = None
    height: SideOption = None
    device: DeviceOption = "cpu"
    precision: PrecisionOption = "auto"
    memory: MemoryOption = "auto"
    vae_slicing: SlicingOption = None
    vae_tiling: TilingOption = None
    quantise: Annotated[
        str | None,
        typer.Option(
            help="Fuse the seals into the base, then quantise it: int8. Less memory, a small error."
        ),
    ] = None
    no_trigger: NoTriggerOption = False
    long_prompts: LongPromptsOption = LongPrompts.CHUNKS
    mix: MixOption = Mix.AUTO
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of paths.")] = False

    def was_given(self, name: str) -> bool:
        """Whether the user typed this one, rather than setting it or leaving it as it is."""
        source = self.context.get_parameter_source(name)
        return source is not None and source.name == "COMMANDLINE"


@takes(GenerateOptions)
def generate_command(options: GenerateOptions) -> None:
    """Draw pictures, with seals or without; print their paths."""
    check_out(options.out)
    if options.prompt is None and options.recall is None:
        raise ConfigError("no prompt is given", "write what the picture shows, or --recall PNG")

    from ..adapters import read_seal
    from ..bases import Wanted, open_base
    from ..generate import read_recipe
    from ..generate.mix_choice import choose_mix

    recipe = None if options.recall is None else read_recipe(options.recall)
    if recipe is not None:
        options = recalled(options, recipe)
    words, chosen = wanted_seals(
        options.prompt or "", options.negative, options.seals_folder, options.seal or []
    )
    seals = [(read_seal(path), strength) for path, strength in chosen]
    wanted = Wanted(options.precision, options.memory, options.vae_slicing, options.vae_tiling)
    base = open_base(options.base, options.device, wanted)
    note(f"plan: {base.plan}")
    is_same_base_wanted = recipe is not None and recipe.is_ours and not options.was_given("base")
    if recipe is not None and is_same_base_wanted and recipe.base_digest != base.digest:
        note(f"warning: {recipe.base!r} is not what it was when the picture was drawn; it may look different")
    seed = secrets.randbelow(2**32) if options.seed is None else options.seed
    request = options.request(words, seed, options.num_pictures, options.mix).resolved(base)
    if options.seed is None:
        note(f"seed: {seed}")
    wide_px, _ = base.pair_size_px
    if len(seals) > 1 and options.width is None and wide_px > base.picture_px:
        note(f"several seals: --width {wide_px} has room for two")
    if len(seals) > 1 and options.mix == Mix.AUTO and options.quantise is None:
        choice = choose_mix(base, request, seals)
        request = replace(request, mix=choice.mix)
        note(f"mix: {choice.mix}, because {choice.reason}")
    pictures, paths = _draw(
        base, request, seals, options.out, quiet=options.as_json, quantise=options.quantise
    )
    if options.as_json:
        report = _report(pictures, paths, [path for path, _ in chosen])
        print_json(report | {"plan": base.plan.to_dict()})


def recalled(options: GenerateOptions, recipe: "Recipe") -> GenerateOptions:
    """The options with what the recipe says for whatever the user did not type.

    A prompt or seals that were typed get their triggers as in any other picture; the recipe's own get them if they
    had them then. Raises: ConfigError for a seal that is not in the folder of seals.
    """
    from ..generate.recall import had_triggers, recalled_seals

    told: dict[str, Any] = {
        "prompt": recipe.prompt_typed,
        "negative": recipe.negative,
        "seed": recipe.seed,
        "steps": recipe.num_steps or None,
        "guidance": recipe.guidance if recipe.is_ours else recipe.guidance or None,
        "sampler": recipe.sampler or None,
        "width": recipe.width or None,
        "height": recipe.height or None,
        "quantise": recipe.quantised or None,
    }
    if recipe.base not in ("", Path(options.base).name, Path(options.base).stem):
        told["base"] = recipe.base
    if recipe.is_ours:
        told |= {"precision": recipe.precision, "long_prompts": recipe.long_prompts}
    if len(recipe.seals) > 1:
        told["mix"] = Mix(recipe.mix)
    if not options.was_given("seal"):
        found = recalled_seals(recipe, [options.seals_folder])
        told["seal"] = [f"{path}:{how}" for path, how in found]
        if not options.was_given("prompt"):
            told["no_trigger"] = not had_triggers(recipe, [path for path, _ in found])
    return replace(options, **{name: value for name, value in told.items() if not options.was_given(name)})


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
    from ..generate.prompt import has_trigger, main_trigger

    recipe = pictures[0].recipe
    if recipe.prompt != recipe.prompt_typed:
        triggers = dict.fromkeys(filter(None, (main_trigger(seal.trigger) for seal in recipe.seals)))
        typed = (recipe.prompt_typed, recipe.negative)
        inserted = [repr(word) for word in triggers if not any(has_trigger(text, word) for text in typed)]
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
        "sampler": recipe.sampler,
        "mix": recipe.mix,
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
