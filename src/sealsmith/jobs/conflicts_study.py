"""The job `conflicts`: whether seals get on in one picture, as `sealsmith conflicts` finds out, with its pictures.

An attempt that is interrupted is made anew.
"""

import json
from collections.abc import Sequence
from typing import Any

from ..adapters.strength import dump_strength
from ..catalog import ArtefactKind, NewArtefact
from ..generate.seal_syntax import parse_tags
from ..score.company import CompanyStudy, study_company
from ..score.conflicts import ConflictReport, PairSettings, Scene
from ..score.conflicts_page import ranked
from ..train.progress import Progress
from .opening import opened_base, opened_seal
from .payload import parse_payload
from .study_files import image_file
from .study_payload import NAMES, ConflictsPayload
from .values import Outcome
from .work import Work

NUM_WORST = 16
"""Layers of every two seals that the result lists; the file of weights has all."""
WEIGHTS_NAME = "weights.json"


def run(work: Work) -> Outcome:
    """Compares and draws. Raises: what opening the seals and measuring raise; ConfigError, SealMissingError."""
    payload = parse_payload(work.job.payload, ConflictsPayload, NAMES[work.job.kind])
    seals = [opened_seal(work, use).seal for use in payload.seals]
    base = opened_base(work, payload.base)
    settings = PairSettings(payload.num_prompts, payload.num_seeds, payload.num_search, payload.num_steps)
    found = study_company(base, seals, settings, _Stages(work.progress))
    assert found.pictures is not None
    scenes = found.pictures.scenes
    return Outcome(
        result=found_of(found, [use.digest for use in payload.seals]),
        artefacts=(
            *(
                image_file(_name(n, m), view.image)
                for n, scene in enumerate(scenes, 1)
                for m, view in enumerate(scene.views, 1)
            ),
            _whole_weights(found),
        ),
    )


def found_of(found: CompanyStudy, digests: Sequence[str]) -> dict[str, Any]:
    """The study's result, of seals with these digests whose pictures were measured."""
    assert found.pictures is not None
    scenes = [_scene(n, scene) for n, scene in enumerate(found.pictures.scenes, 1)]
    return _told(found) | {"advised": _advised(found.pictures, digests), "scenes": scenes}


class _Stages:
    """Pictures for one thing after another, each a stage of the progress."""

    def __init__(self, progress: Progress):
        self._progress = progress

    def __call__(self, what: str, done: int, total: int) -> None:
        if done == 1:
            self._progress.start(what, total, done)
        else:
            self._progress.advance(done)


def _told(found: CompanyStudy) -> dict[str, Any]:
    """What `sealsmith conflicts --json` prints, of each two seals the worst layers alone."""
    told = found.to_dict()
    for pair, conflict in zip(told["weights"], found.weights, strict=True):
        paths = [layer.path for layer in ranked(conflict)[:NUM_WORST]]
        by_path = {layer["path"]: layer for layer in pair["layers"]}
        pair["layers"] = [by_path[path] for path in paths]
    return told


def _advised(report: ConflictReport, digests: Sequence[str]) -> dict[str, Any]:
    """The advice as a request for pictures takes it; whether it is another than the old way, and surely better."""
    way = report.advised
    strengths = [dump_strength(wish.strength) for tag in way.strengths for wish in parse_tags(tag).wishes]
    return {
        "seals": [
            {"name": digest, "strength": strength}
            for digest, strength in zip(digests, strengths, strict=True)
        ],
        "mix": way.mix,
        "guidance": way.guidance,
        "is_better": report.is_better,
        "is_sure": report.is_sure,
    }


def _scene(number: int, scene: Scene) -> dict[str, Any]:
    return {
        "prompt": scene.prompt,
        "seed": scene.seed,
        "views": [
            {"what": view.what, "found": list(view.found), "file": _name(number, m)}
            for m, view in enumerate(scene.views, 1)
        ],
    }


def _name(scene: int, view: int) -> str:
    return f"scene-{scene}-{view}.png"


def _whole_weights(found: CompanyStudy) -> NewArtefact:
    data = json.dumps(found.to_dict()["weights"]).encode()
    return NewArtefact(ArtefactKind.STUDY, data, "application/json", WEIGHTS_NAME)
