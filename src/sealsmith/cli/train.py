"""`sealsmith train`: pictures of a seal, or one logo, become a seal file and its scorecard."""

from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ConfigError
from .console import console, note, print_json
from .options import BaseOption

if TYPE_CHECKING:
    from rich.progress import Progress as Bar
    from rich.progress import TaskID

    from ..adapters import Seal
    from ..bases import Base
    from ..generate import Picture, Request
    from ..score import Scorecard
    from ..train import TrainConfig, TrainResult
    from ..train.pictures import PictureSet


def train_command(
    pictures: Annotated[
        Path, typer.Argument(help="A folder or zip of pictures, or one logo (PNG with alpha, SVG).")
    ],
    out: Annotated[Path, typer.Option("--out", "-o", help="Folder for the seal, checkpoints and previews.")],
    trigger: Annotated[str, typer.Option(help="The word that calls the seal; a rare one.")] = "sks",
    class_noun: Annotated[
        str | None, typer.Option(help="What the seal is; the base's own noun if not given.")
    ] = None,
    base: BaseOption = "sealworld",
    method: Annotated[
        str,
        typer.Option(
            help="How the seal changes the base: lora, dora, rslora, loha, lokr, dreambooth, "
            "textual-inversion, pivotal or hypernetwork."
        ),
    ] = "lora",
    rank: Annotated[int, typer.Option(help="Rank of the change; of hypernetworks their inner width.")] = 16,
    alpha: Annotated[float | None, typer.Option(help="Scale is alpha / rank; the rank if not given.")] = None,
    targets: Annotated[
        str | None,
        typer.Option(
            help="Comma-separated: attention, feed-forward, convolutions, everything. The base decides."
        ),
    ] = None,
    init: Annotated[
        str | None,
        typer.Option(help="How the change starts: gaussian, kaiming, pissa or olora. The method decides."),
    ] = None,
    train_text_encoder: Annotated[
        bool, typer.Option("--train-text-encoder", help="Train the text encoder too (dreambooth).")
    ] = False,
    vectors: Annotated[
        int, typer.Option(help="Vectors of a textual inversion: places the trigger takes in a prompt.")
    ] = 4,
    init_word: Annotated[
        str | None, typer.Option(help="What the vectors begin as; the class noun if not given.")
    ] = None,
    learning_rate: Annotated[
        float | None, typer.Option("--learning-rate", "--lr", help="Peak learning rate. The base decides.")
    ] = None,
    schedule: Annotated[
        str, typer.Option(help="Of the learning rate, after the warm-up: cosine or constant.")
    ] = "cosine",
    warmup: Annotated[int, typer.Option(help="Steps in which the learning rate rises.")] = 20,
    steps: Annotated[int, typer.Option(help="Optimizer steps.")] = 400,
    batch_size: Annotated[int, typer.Option(help="Pictures a step.")] = 2,
    gradient_accumulation: Annotated[int, typer.Option(help="Batches a step.")] = 1,
    seed: Annotated[int, typer.Option(help="Same pictures, same seed, same seal.")] = 0,
    min_snr: Annotated[
        float | None, typer.Option(help="Gamma of the min-SNR weighting, mostly 5; off if not given.")
    ] = None,
    caption_dropout: Annotated[
        float, typer.Option(help="Share of pictures shown without their caption.")
    ] = 0.02,
    prior: Annotated[
        str, typer.Option(help="What keeps other emblems as they were: none, pictures or adapter-off.")
    ] = "adapter-off",
    prior_weight: Annotated[float, typer.Option(help="Weight of the prior's loss.")] = 1.0,
    prior_pictures: Annotated[
        int, typer.Option(help="Class pictures the base draws for --prior pictures.")
    ] = 50,
    checkpoint_every: Annotated[int, typer.Option(help="Steps between checkpoints.")] = 100,
    preview_every: Annotated[
        int | None, typer.Option(help="Steps between previews; none if not given.")
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Refuse a set with an unusable picture; else skip it.")
    ] = False,
    resume: Annotated[
        bool, typer.Option("--resume", help="Go on from the folder's newest checkpoint.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Begin anew in a folder that holds a training.")
    ] = False,
    extract_lora: Annotated[
        int | None,
        typer.Option(help="Also write lora.safetensors: dreambooth's change at this rank, its loss stated."),
    ] = None,
    full_base: Annotated[
        bool, typer.Option("--full-base", help="Also write base/: the base with the seal in its weights.")
    ] = False,
    no_score: Annotated[
        bool, typer.Option("--no-score", help="Take the last checkpoint, and measure nothing.")
    ] = False,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of the seal's path.")
    ] = False,
) -> None:
    """Teach the base a seal from pictures or one logo file."""
    if resume and overwrite:
        raise ConfigError("--resume and --overwrite exclude each other", "give one of them")

    from ..train import TrainConfig
    from ..train.folder import check_folder

    config = TrainConfig(
        trigger=trigger,
        class_noun=class_noun,
        method=method,
        rank=rank,
        alpha=alpha,
        targets=None
        if targets is None
        else tuple(part.strip() for part in targets.split(",") if part.strip()),
        init=init,
        num_vectors=vectors,
        init_word=init_word,
        train_text_encoder=train_text_encoder,
        learning_rate=learning_rate,
        schedule=schedule,
        num_warmup_steps=warmup,
        num_steps=steps,
        batch_size=batch_size,
        gradient_accumulation=gradient_accumulation,
        seed=seed,
        min_snr_gamma=min_snr,
        caption_dropout=caption_dropout,
        prior=prior,
        prior_weight=prior_weight,
        prior_pictures=prior_pictures,
        checkpoint_every=checkpoint_every,
        preview_every=preview_every,
    )
    check_folder(out, resume=resume, overwrite=overwrite)
    _check_extraction(config, extract_lora)

    from ..bases import open_base
    from ..train.pictures import read_picture_set

    opened = open_base(base)
    noun = class_noun or opened.family.class_noun
    picture_set = read_picture_set(pictures, trigger=trigger, class_noun=noun, strict=strict, seed=seed)
    result, scorecard = train_and_score(
        opened, picture_set, config, out, resume=resume, overwrite=overwrite, is_scored=not no_score
    )
    if scorecard is not None:
        from ..score import scorecard_table

        console.print(scorecard_table(scorecard))
    also = _write_extraction(result.seal, extract_lora, out) if extract_lora else {}
    if full_base:
        from ..generate.fused_base import write_fused_base

        write_fused_base(opened, [(result.seal, 1.0)], out / "base", force=resume or overwrite)
        also["full_base"] = str(out / "base")
    if as_json:
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


def _write_extraction(seal: "Seal", rank: int, out: Path) -> dict[str, Any]:
    """A plain LoRA of the seal in `out`, its loss said on stderr; and both for `--json`."""
    from ..adapters import write_seal
    from ..train.extract import EXTRACTED_NAME, extract_lora

    extracted, loss = extract_lora(seal, rank)
    write_seal(out / EXTRACTED_NAME, extracted)
    note(f"{out / EXTRACTED_NAME}: rank {rank} misses {loss.relative:.1%} of the change (Frobenius norm)")
    return {"extracted": str(out / EXTRACTED_NAME), "extraction_loss": loss.relative}


def train_and_score(
    base: "Base",
    pictures: "PictureSet",
    config: "TrainConfig",
    out: Path,
    *,
    resume: bool,
    overwrite: bool,
    is_scored: bool,
) -> "tuple[TrainResult, Scorecard | None]":
    """A training with its progress on stderr, its checkpoint chosen by score; and the seal's scorecard.

    The scorecard is in the seal file's header too. Not scored, the last checkpoint is taken.
    """
    from ..train import train

    judging = Judging(base, pictures) if is_scored else None
    with _bar() as bar:
        result = train(
            base,
            pictures,
            config,
            out,
            progress=BarProgress(bar),
            score=judging.merit if judging and judging.can_judge else None,
            resume=resume,
            overwrite=overwrite,
        )
        if judging is None:
            return result, None
        seal, scorecard = judging.verdict(result.seal, bar)
    return replace(result, seal=seal), scorecard


class Judging:
    """Scores the checkpoints of one training and its seal, in contexts that its pictures leave unseen."""

    def __init__(self, base: "Base", pictures: "PictureSet"):
        from ..score import judge_of, reference_embedding

        self._base = base
        self._judge = judge_of(base.family)
        images = pictures.portraits
        self._reference = None if self._judge is None else reference_embedding(self._judge, images)
        self._base_pictures: dict[Request, Picture] = {}

    @property
    def can_judge(self) -> bool:
        """Whether a judge knows this base's pictures; without one there is nothing to choose checkpoints by."""
        return self._judge is not None

    def merit(self, seal: "Seal") -> float:
        """A quick score to choose a checkpoint by, larger is better."""
        from ..score import ScoreSettings, record_reference, score_seal

        seal = record_reference(seal, self._reference)
        return score_seal(
            self._base, seal, (), ScoreSettings.quick(), self._judge, base_pictures=self._base_pictures
        ).merit

    def verdict(self, seal: "Seal", bar: "Bar") -> "tuple[Seal, Scorecard]":
        """The full scorecard, its pictures counted on the bar; and the seal with it in its file's header."""
        from ..adapters import write_seal
        from ..score import record_reference, record_scorecard, score_seal

        task = bar.add_task("scorecard", total=None, loss="")
        seal = record_reference(seal, self._reference)
        scorecard = score_seal(
            self._base,
            seal,
            (),
            judge=self._judge,
            progress=lambda done, total: bar.update(task, completed=done, total=total),
            base_pictures=self._base_pictures,
        )
        seal = record_scorecard(seal, scorecard)
        assert seal.path is not None
        write_seal(seal.path, seal)
        return seal, scorecard


def report(result: "TrainResult", scorecard: "Scorecard | None") -> dict[str, Any]:
    """What `--json` prints."""
    return {
        "seal": str(result.seal_path),
        "chosen_step": result.chosen_step,
        "checkpoint_steps": list(result.checkpoint_steps),
        "scores": {str(step): value for step, value in result.scores.items()},
        "previews": [str(preview.path) for preview in result.previews],
        "seconds": round(result.seconds, 3),
        "loss": result.losses[-1],
        "warnings": list(result.warnings),
        "scorecard": None if scorecard is None else scorecard.to_dict(),
    }


def _bar() -> "Bar":
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    return Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[loss]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=console,
    )


class BarProgress:
    """A training's progress on a bar of rich: one line a stage, with the loss and the time left."""

    def __init__(self, bar: "Bar"):
        self._bar = bar
        self._task: TaskID | None = None

    def start(self, stage: str, total: int, done: int = 0) -> None:
        self._task = self._bar.add_task(stage, total=total, completed=done, loss="")

    def advance(self, done: int, loss: float | None = None) -> None:
        assert self._task is not None, "advance before start"
        self._bar.update(self._task, completed=done)
        if loss is not None:
            self._bar.update(self._task, loss=f"loss {loss:.4f}")

    def note(self, message: str) -> None:
        console.print(f"warning: {message}", markup=False)
