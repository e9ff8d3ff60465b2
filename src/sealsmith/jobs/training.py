"""The job `train`: a tenant's pictures become a seal with its scorecard, as `sealsmith train` does it.

It goes on from the newest checkpoint in the job's folder. The seal is the same bytes however often it was
interrupted: its header states as its moment when the job was handed in, not when an attempt happened to end.
"""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image
from pydantic import TypeAdapter, ValidationError

from ..adapters import Seal, read_seal, write_seal
from ..adapters.thumbnail import thumbnail
from ..catalog import ArtefactKind, NewArtefact, SealFacts
from ..errors import ConfigError
from ..score import Scorecard, best_shots
from ..score.trained import train_and_score
from ..train import TrainConfig
from ..train.checkpoint import RESUME_NAME
from ..train.log import LOG_NAME
from ..train.picture_set import pictures_for
from ..train.pictures import PICTURE_SUFFIXES, PictureSet
from ..train.precision import wanted_for
from ..train.previews import FOLDER_NAME as PREVIEWS
from .opening import opened_base
from .train_payload import TrainPayload, parse_train_payload
from .values import NewSeal, Outcome
from .work import Relay, Work

UPLOAD_SUFFIXES = (*PICTURE_SUFFIXES, ".svg", ".zip")

_CONFIG = TypeAdapter(TrainConfig)


def run(work: Work) -> Outcome:
    """Trains, scores, and gives the seal. Raises: what training and scoring raise; ConfigError, MissingError."""
    payload = parse_train_payload(work.job.payload)
    config = config_of(payload)
    base = opened_base(work, payload.base, wanted_for(config, device=work.device))
    pictures = pictures_for(base, fetched_pictures(work, payload.pictures), config, payload.is_strict)
    folder = work.folder / "training"
    is_begun = (folder / RESUME_NAME).exists()
    showing = Showing(work, folder / PREVIEWS)
    result, card = train_and_score(
        base,
        pictures,
        config,
        folder,
        progress=showing,
        resume=is_begun,
        overwrite=not is_begun,
        is_scored=payload.is_scored,
    )
    showing.show()
    seal = dated(result.seal, work)
    facts = facts_of(seal, payload.name, thumbnail(portrait(card, pictures)))
    assert seal.path is not None
    curve = NewArtefact(ArtefactKind.CURVE, (folder / LOG_NAME).read_bytes(), "application/jsonl", LOG_NAME)
    return Outcome(
        result={
            "chosen_step": result.chosen_step,
            "scores": {str(step): round(score, 4) for step, score in result.scores.items()},
            "loss": result.losses[-1],
            "seconds": round(result.seconds, 3),
            "warnings": list(result.warnings),
            "verdict": card.verdict if card is not None else None,
        },
        seals=(NewSeal(seal.path.read_bytes(), facts),),
        artefacts=(curve,),
    )


def config_of(payload: TrainPayload) -> TrainConfig:
    """The training's settings. Raises: ConfigError naming the one that is wrong."""
    try:
        return _CONFIG.validate_json(json.dumps(payload.settings), strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"]))
        raise ConfigError(f"{where} is {str(first['input'])[:80]!r}", first["msg"]) from error


def fetched_pictures(work: Work, upload: str) -> Path:
    """The tenant's upload, in a folder of its own, under a name of ours with the suffix of its own.

    Raises: MissingError, StoreError; ConfigError for what can be no picture set.
    """
    name = work.catalog.artefacts.get(work.job.tenant, upload).name
    suffix = Path(name).suffix.lower()
    if suffix not in UPLOAD_SUFFIXES:
        raise ConfigError(f"{name!r} is no picture set", f"upload one of {', '.join(UPLOAD_SUFFIXES)}")
    path = work.folder / "pictures" / f"upload{suffix}"
    work.fetch(upload, path)
    return path


def dated(seal: Seal, work: Work) -> Seal:
    """The seal, in its file too, with the moment at which its job was handed in."""
    assert seal.path is not None
    created = work.job.created.isoformat(timespec="seconds")
    write_seal(seal.path, replace(seal, header=replace(seal.header, created=created)))
    return read_seal(seal.path)


def facts_of(seal: Seal, name: str = "", picture: str = "") -> SealFacts:
    """What the catalog keeps of a seal; `picture` where its header has no thumbnail."""
    header = seal.header
    return SealFacts(
        name=name or header.title or seal.name,
        base_digest=header.base_digest,
        family=header.family,
        trigger=header.trigger,
        class_noun=header.class_noun,
        method=header.method,
        title=header.title,
        base=header.base,
        rank=header.rank,
        num_layers=len(seal.layers) + len(seal.networks) + len(seal.embeddings),
        scorecard=header.scorecard,
        thumbnail=header.thumbnail or picture,
    )


def portrait(card: Scorecard | None, pictures: PictureSet) -> Image.Image:
    """What the seal looks like: its best picture of the scorecard, or one it was taught with."""
    shots = best_shots(card) if card is not None else []
    return shots[0].drawn.image if shots else pictures.portraits[0]


class Showing(Relay):
    """A training's progress, with its previews for the tenant to see as they are drawn."""

    def __init__(self, work: Work, folder: Path):
        super().__init__(work.progress.tell)
        self._work, self._folder = work, folder
        self._shown: set[str] = set()

    def advance(self, done: int, loss: float | None = None) -> None:
        super().advance(done, loss)
        self.show()

    def show(self) -> None:
        """Keeps what was drawn since the last time; of the last step, after the last advance."""
        for path in sorted(self._folder.glob("step-*.png")):
            if path.name not in self._shown:
                self._shown.add(path.name)
                self._work.keep(_preview(path))


def _preview(path: Path) -> NewArtefact:
    about: dict[str, Any] = {"step": int(path.stem.split("-")[1])}
    return NewArtefact(ArtefactKind.PREVIEW, path.read_bytes(), "image/png", path.name, about)
