"""From pictures to a seal: the training, top to bottom.

    check everything -> cache latents and texts -> attach -> steps -> detach -> choose the checkpoint

Not for: what a batch holds (batch.py), the objective (objectives.py) or the files (checkpoint.py).
"""

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import NamedTuple

import torch

from ..adapters import Seal, read_seal, write_seal
from ..bases import Base
from ..errors import Cancelled, TrainingError
from .batch import draw_batch
from .cache import TrainingData, encode_texts, prepare
from .caption_check import check_captions
from .checkpoint import RESUME_NAME, SEAL_NAME, TrainingState, checkpoint_path, identity, seal_header
from .config import TrainConfig, resolved
from .folder import open_folder
from .interrupts import interrupts_deferred
from .log import Log
from .losses import row_losses
from .methods import Adapted, find_method
from .objectives import check_objective
from .pictures import PictureSet
from .precision import Resting, check_plan, predicted, thrifty
from .previews import Preview, draw_previews, planned_previews
from .progress import Progress, Silent
from .schedule import checkpoint_steps, is_due, learning_rate
from .signal import check_gradient, check_pictures, check_progress, check_trainable
from .trigger_attention import attention_losses
from .trigger_check import check_trigger
from .verify import check_learned

Score = Callable[[Seal], float]
"""How good a seal is, larger is better."""


@dataclass(frozen=True)
class TrainResult:
    """A finished training."""

    seal: Seal
    seal_path: Path
    losses: tuple[float, ...]
    """One a step: the seal's part plus the weighted prior's."""
    checkpoint_steps: tuple[int, ...]
    chosen_step: int
    scores: dict[int, float]
    """Of the checkpoints that were scored, by step; empty without a score."""
    previews: tuple[Preview, ...]
    warnings: tuple[str, ...]
    seconds: float
    """Spent on steps, interruptions not counted."""
    num_parameters: int
    """How many numbers were trained, whatever the file holds of them."""


def train(
    base: Base,
    pictures: PictureSet,
    config: TrainConfig,
    folder: Path,
    *,
    progress: Progress | None = None,
    score: Score | None = None,
    resume: bool = False,
    overwrite: bool = False,
) -> TrainResult:
    """The seal of these pictures, written to `folder/seal.safetensors`, with how it came about.

    The folder also gets checkpoints, `log.jsonl` and previews. `resume` goes on from the folder's newest
    checkpoint, and the result is the uninterrupted training's, bit for bit on the CPU. The base is left as it
    was found, however this ends.
    Raises: ConfigError, TriggerError and OutputError before any work; TrainingError when a loss is not finite
    or nothing was learned; Cancelled, after saving a checkpoint, on KeyboardInterrupt.
    """
    progress = progress or Silent()
    config = checked(base, pictures, config)
    warnings = (*pictures.warnings, *check_trigger(config.trigger, base))
    open_folder(folder, resume=resume, overwrite=overwrite)
    for warning in warnings:
        progress.note(warning)

    state: TrainingState | None = None
    try:
        data = prepare(base, pictures, config, folder, progress)
        if pictures.kind != "logo":  # a logo's captions are our own
            check_captions(base, data, config.seed)
        with find_method(config.method).attached(base, config) as adapted, thrifty(base, config):
            check_trainable(adapted)
            state = beginning(base, pictures, config, adapted)
            if resume and not state.resume(folder):
                progress.note(f"nothing to resume in {folder}: starting from the beginning")
            run_steps(base, data, config, folder, state, progress)
            check_progress(state.losses, config.learning_rate)
        seal, scores = choose_checkpoint(base, config, folder, score, progress)
    except KeyboardInterrupt as interrupt:
        raise _cancelled(state, config, folder) from interrupt

    write_seal(folder / SEAL_NAME, seal)
    return _result(config, folder, state, replace(seal, path=folder / SEAL_NAME), scores, warnings)


def checked(base: Base, pictures: PictureSet, config: TrainConfig) -> TrainConfig:
    """The settings with everything decided for this base and these pictures.

    Raises: ConfigError and TrainingError for what cannot work.
    """
    method = find_method(config.method)
    config = resolved(method.completed(base, config), base, pictures)
    method.check(base, config)
    check_plan(base, method.bears_bf16(config))
    check_objective(base, config.min_snr_gamma)
    check_pictures(pictures)
    return config


def beginning(base: Base, pictures: PictureSet, config: TrainConfig, adapted: Adapted) -> TrainingState:
    """The training before its first step."""
    optimizer = torch.optim.AdamW(adapted.parameters.values(), weight_decay=config.weight_decay, fused=True)
    header = partial(seal_header, base, pictures, config)
    return TrainingState(adapted, optimizer, identity(base, pictures, config), header)


def run_steps(
    base: Base,
    data: TrainingData,
    config: TrainConfig,
    folder: Path,
    state: TrainingState,
    progress: Progress,
) -> None:
    """Takes the training from where it is to its last step, saving and drawing previews on the way."""
    progress.start("training", config.num_steps, done=state.step)
    parameters = list(state.adapted.parameters.values())
    resting = Resting.of(base, state.adapted.trains_text)
    with Log(folder, state.step) as log, resting.asleep():
        while state.step < config.num_steps:
            started = time.perf_counter()
            rate = learning_rate(config, state.step)
            state.adapted.begin(state.step)
            state.optimizer.zero_grad()
            losses = add_gradients(base, state.adapted, data, config, state.step)
            norm = torch.nn.utils.clip_grad_norm_(parameters, config.max_grad_norm)
            _check_finite(losses.loss, float(norm), state, config, folder)
            check_gradient(float(norm), state.step + 1)
            for group in state.optimizer.param_groups:
                group["lr"] = rate
            with interrupts_deferred():
                state.optimizer.step()
                state.losses.append(losses.loss)
                state.seconds += time.perf_counter() - started
                log.append({"step": state.step, **losses._asdict(), "lr": rate,
                            "seconds": round(state.seconds, 4)})  # fmt: skip

            progress.advance(state.step, losses.loss)
            if is_due(config.checkpoint_every, state.step, config.num_steps):
                state.save(folder)
            if previews := planned_previews(config, folder, state.step):
                with resting.awake():
                    draw_previews(base, previews)


class StepLosses(NamedTuple):
    """What one step lacked, without what it was weighed with but for the prior in `loss`."""

    loss: float
    """The seal's part plus the weighted prior's; by it a training is watched."""
    prior_loss: float
    attention_loss: float
    """How far the trigger's attention is from the seal; 0 where it is not taught."""


def add_gradients(
    base: Base, adapted: Adapted, data: TrainingData, config: TrainConfig, step: int
) -> StepLosses:
    """The step's losses, averaged over its batches; the gradients are in the parameters."""
    objective = data.objective
    total = torch.zeros(3, dtype=torch.float64)
    attention_weight = config.attention_weight or 0.0
    for part in range(config.gradient_accumulation):
        batch = draw_batch(data, config, step * config.gradient_accumulation + part)
        seal, prior = slice(batch.num_seal_rows), slice(batch.num_seal_rows, None)
        noisy = objective.add_noise(batch.latents, batch.noise, batch.times)
        wanted = objective.target(batch.latents, batch.noise, batch.times)
        if config.prior == "adapter-off":
            with torch.no_grad(), adapted.off():
                wanted[prior] = predicted(base, noisy[prior], batch.times[prior], batch.texts[prior])

        texts = encode_texts(base, data.prompts, batch.rows) if adapted.trains_text else batch.texts
        with attention_losses(base, batch.focus) as attention_parts:
            prediction = predicted(base, noisy, batch.times, texts)
            rows = row_losses(prediction, wanted, batch.masks)
            rows = rows * objective.weights(batch.times, config.min_snr_gamma)
            prior_loss = rows[prior].mean() if config.prior != "none" else rows.new_zeros(())
            attention = torch.stack(attention_parts).mean() if attention_parts else rows.new_zeros(())
            loss = rows[seal].mean() + config.prior_weight * prior_loss
            # Within the context: what gradient checkpointing goes through again is watched as it was at first.
            ((loss + attention_weight * attention) / config.gradient_accumulation).backward()
        parts = torch.stack([loss, prior_loss, attention]).detach().cpu().double()
        total += parts / config.gradient_accumulation
    return StepLosses(*total.tolist())


def choose_checkpoint(
    base: Base, config: TrainConfig, folder: Path, score: Score | None, progress: Progress
) -> tuple[Seal, dict[int, float]]:
    """The best of the last checkpoints by `score` (the later one of equals), else the last; and the scores.

    Raises: TrainingError when the chosen one is not finite or changes nothing.
    """
    steps = [s for s in checkpoint_steps(config) if checkpoint_path(folder, s).exists()]
    scores: dict[int, float] = {}
    if score is not None:
        candidates = steps[-config.num_checkpoints_scored :]
        progress.start("scoring", len(candidates))
        for number, step in enumerate(candidates):
            scores[step] = score(read_seal(checkpoint_path(folder, step)))
            progress.advance(number + 1)
    chosen = max(scores, key=lambda step: (scores[step], step)) if scores else steps[-1]
    seal = read_seal(checkpoint_path(folder, chosen))
    check_learned(base, seal)
    return seal, scores


def _result(
    config: TrainConfig,
    folder: Path,
    state: TrainingState,
    seal: Seal,
    scores: dict[int, float],
    warnings: tuple[str, ...],
) -> TrainResult:
    assert seal.path is not None
    previews = [p for s in range(1, config.num_steps + 1) for p in planned_previews(config, folder, s)]
    return TrainResult(
        seal=seal,
        seal_path=seal.path,
        losses=tuple(state.losses),
        checkpoint_steps=tuple(s for s in checkpoint_steps(config) if checkpoint_path(folder, s).exists()),
        chosen_step=seal.header.training["step"],
        scores=scores,
        previews=tuple(p for p in previews if p.path.exists()),
        warnings=warnings,
        seconds=state.seconds,
        num_parameters=sum(parameter.numel() for parameter in state.adapted.parameters.values()),
    )


def _check_finite(loss: float, norm: float, state: TrainingState, config: TrainConfig, folder: Path) -> None:
    if math.isfinite(loss) and math.isfinite(norm):
        return
    kept = "no checkpoint was written yet"
    if state.saved_step:
        kept = f"the last good checkpoint is {checkpoint_path(folder, state.saved_step)}"
    raise TrainingError(
        f"the training broke down at step {state.step + 1}: loss {loss}, gradient norm {norm}; {kept}",
        f"lower the learning rate (it was {config.learning_rate})",
    )


def _cancelled(state: TrainingState | None, config: TrainConfig, folder: Path) -> Cancelled:
    """The error that says what was kept. The parameters are whole: an update can't be interrupted."""
    if state is None or state.step == 0:
        if (folder / RESUME_NAME).exists():
            return Cancelled(
                f"stopped before going on; the checkpoint in {folder} is as it was", "go on with --resume"
            )
        return Cancelled(f"stopped before the first step; nothing to keep in {folder}", "start again")
    path = state.save(folder)
    return Cancelled(
        f"stopped after step {state.step} of {config.num_steps}; saved {path}",
        "the same command with --resume goes on from there",
    )
