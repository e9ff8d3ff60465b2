"""`sealsmith train`: pictures of a seal, or one logo, become a seal file and its scorecard."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ConfigError
from .console import console, note, print_json
from .options import BaseOption, DeviceOption
from .parameters import takes

if TYPE_CHECKING:
    from ..adapters import Seal
    from ..bases import Base
    from ..train import TrainConfig


@dataclass(frozen=True)
class TrainOptions:
    """What `sealsmith train` takes."""

    pictures: Annotated[
        Path, typer.Argument(help="A folder or zip of pictures, or one logo (PNG with alpha, SVG).")
    ]
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the seal, checkpoints and previews.")]
    trigger: Annotated[str, typer.Option(help="The word that calls the seal; a rare one.")] = "sks"
    class_noun: Annotated[
        str | None, typer.Option(help="What the seal is; the base's own noun if not given.")
    ] = None
    base: BaseOption = "sealworld"
    device: DeviceOption = "cpu"
    precision: Annotated[
        str,
        typer.Option(
            help="Of the base's weights: auto, fp32 or bf16; what is trained is in fp32. auto asks the GPU."
        ),
    ] = "auto"
    method: Annotated[
        str,
        typer.Option(
            help="How the seal changes the base: lora, dora, rslora, loha, lokr, dreambooth, "
            "textual-inversion, pivotal or hypernetwork."
        ),
    ] = "lora"
    rank: Annotated[int, typer.Option(help="Rank of the change; of hypernetworks their inner width.")] = 8
    alpha: Annotated[float | None, typer.Option(help="Scale is alpha / rank; the rank if not given.")] = None
    targets: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated: attention, feed-forward, convolutions, everything. The base decides."
        ),
    ] = None
    init: Annotated[
        str | None,
        typer.Option(help="How the change starts: gaussian, kaiming, pissa or olora. The method decides."),
    ] = None
    train_text_encoder: Annotated[
        bool, typer.Option("--train-text-encoder", help="Train the text encoder too (dreambooth).")
    ] = False
    vectors: Annotated[
        int, typer.Option(help="Vectors of a textual inversion: places the trigger takes in a prompt.")
    ] = 4
    init_word: Annotated[
        str | None, typer.Option(help="What the vectors begin as; the class noun if not given.")
    ] = None
    learning_rate: Annotated[
        float | None, typer.Option("--learning-rate", "--lr", help="Peak learning rate. The base decides.")
    ] = None
    schedule: Annotated[
        str, typer.Option(help="Of the learning rate, after the warm-up: cosine or constant.")
    ] = "cosine"
    warmup: Annotated[int, typer.Option(help="Steps in which the learning rate rises.")] = 20
    steps: Annotated[int, typer.Option(help="Optimizer steps.")] = 400
    batch_size: Annotated[int, typer.Option(help="Pictures a step.")] = 2
    gradient_accumulation: Annotated[int, typer.Option(help="Batches a step.")] = 1
    gradient_checkpointing: Annotated[
        bool,
        typer.Option("--gradient-checkpointing", help="Far less memory for half as much time again a step."),
    ] = False
    seed: Annotated[int, typer.Option(help="Same pictures, same seed, same seal.")] = 0
    min_snr: Annotated[
        float | None, typer.Option(help="Gamma of the min-SNR weighting, mostly 5; off if not given.")
    ] = None
    caption_dropout: Annotated[float, typer.Option(help="Share of pictures shown without their caption.")] = (
        0.02
    )
    prior: Annotated[
        str, typer.Option(help="What keeps other emblems as they were: none, pictures or adapter-off.")
    ] = "adapter-off"
    prior_weight: Annotated[float, typer.Option(help="Weight of the prior's loss.")] = 1.0
    attention_weight: Annotated[
        float | None,
        typer.Option(
            help="Weight of a loss that draws the trigger's attention to where the seal is. The base decides."
        ),
    ] = None
    prior_pictures: Annotated[
        int, typer.Option(help="Class pictures the base draws for --prior pictures.")
    ] = 50
    checkpoint_every: Annotated[int, typer.Option(help="Steps between checkpoints.")] = 100
    preview_every: Annotated[int | None, typer.Option(help="Steps between previews; none if not given.")] = (
        None
    )
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse a set with an unusable picture; else skip it.")
    ] = False
    resume: Annotated[bool, typer.Option("--resume", help="Go on from the folder's newest checkpoint.")] = (
        False
    )
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Begin anew in a folder that holds a training.")
    ] = False
    extract_lora: Annotated[
        int | None,
        typer.Option(help="Also write lora.safetensors: dreambooth's change at this rank, its loss stated."),
    ] = None
    full_base: Annotated[
        bool, typer.Option("--full-base", help="Also write base/: the base with the seal in its weights.")
    ] = False
    no_score: Annotated[
        bool, typer.Option("--no-score", help="Take the last checkpoint, and measure nothing.")
    ] = False
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of the seal's path.")
    ] = False

    def config(self) -> "TrainConfig":
        """What of it the training is to know. Raises: ConfigError."""
        from ..train import TrainConfig

        listed = None if self.targets is None else [part.strip() for part in self.targets.split(",")]
        return TrainConfig(
            trigger=self.trigger,
            class_noun=self.class_noun,
            method=self.method,
            rank=self.rank,
            alpha=self.alpha,
            targets=None if listed is None else tuple(filter(None, listed)),
            init=self.init,
            num_vectors=self.vectors,
            init_word=self.init_word,
            train_text_encoder=self.train_text_encoder,
            learning_rate=self.learning_rate,
            schedule=self.schedule,
            num_warmup_steps=self.warmup,
            num_steps=self.steps,
            batch_size=self.batch_size,
            gradient_accumulation=self.gradient_accumulation,
            gradient_checkpointing=self.gradient_checkpointing,
            seed=self.seed,
            min_snr_gamma=self.min_snr,
            caption_dropout=self.caption_dropout,
            prior=self.prior,
            prior_weight=self.prior_weight,
            attention_weight=self.attention_weight,
            prior_pictures=self.prior_pictures,
            checkpoint_every=self.checkpoint_every,
            preview_every=self.preview_every,
        )


@takes(TrainOptions)
def train_command(options: TrainOptions) -> None:
    """Teach the base a seal from pictures or one logo file."""
    if options.resume and options.overwrite:
        raise ConfigError("--resume and --overwrite exclude each other", "give one of them")

    from ..train.folder import check_folder

    out, config = options.out, options.config()
    check_folder(out, resume=options.resume, overwrite=options.overwrite)
    _check_extraction(config, options.extract_lora)

    from ..bases import open_base
    from ..train.picture_set import pictures_for
    from ..train.precision import wanted_for
    from .training import report, train_with_bar

    wanted = wanted_for(config, options.precision, options.device)
    base = open_base(options.base, options.device, wanted)
    note(f"{base.name} in {base.plan.precision} on {options.device}")
    pictures = pictures_for(base, options.pictures, config, options.strict)
    result, scorecard = train_with_bar(
        base,
        pictures,
        config,
        out,
        resume=options.resume,
        overwrite=options.overwrite,
        is_scored=not options.no_score,
    )
    if scorecard is not None:
        from ..score import scorecard_table

        console.print(scorecard_table(scorecard))
    also = _write_also(base, result.seal, options)
    if options.as_json:
        print_json(report(result, scorecard) | also)
    else:
        typer.echo(str(result.seal_path))


def _check_extraction(config: "TrainConfig", rank: int | None) -> None:
    """Raises: ConfigError for a LoRA that could not be extracted, before any work."""
    if rank is None:
        return
    if config.method != "dreambooth":
        raise ConfigError(
            f"--extract-lora is for the method dreambooth, and the method is {config.method!r}",
            "use `sealsmith merge` with a rank to make a seal smaller",
        )
    if rank < 1:
        raise ConfigError(f"--extract-lora is {rank}", "give a rank of 1 or more")


def _write_also(base: "Base", seal: "Seal", options: TrainOptions) -> dict[str, Any]:
    """Writes what is wanted besides the seal; where it is, and for `--json` how much it misses."""
    also = _write_extraction(seal, options.extract_lora, options.out) if options.extract_lora else {}
    if options.full_base:
        from ..generate.fused_base import write_fused_base

        folder = options.out / "base"
        write_fused_base(base, [(seal, 1.0)], folder, force=options.resume or options.overwrite)
        also["full_base"] = str(folder)
    return also


def _write_extraction(seal: "Seal", rank: int, out: Path) -> dict[str, Any]:
    """A plain LoRA of the seal in `out`, its loss said on stderr; and both for `--json`."""
    from ..adapters import write_seal
    from ..train.extract import EXTRACTED_NAME, extract_lora

    extracted, loss = extract_lora(seal, rank)
    write_seal(out / EXTRACTED_NAME, extracted)
    note(f"{out / EXTRACTED_NAME}: rank {rank} misses {loss.relative:.1%} of the change (Frobenius norm)")
    return {"extracted": str(out / EXTRACTED_NAME), "extraction_loss": loss.relative}
