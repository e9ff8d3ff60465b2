"""What keeps a seal from leaking: one setting of its training changed at a time, over held-out glyphs.

    python -m world.ablation --jobs 2
    python -m world.ablation --glyphs 4 --only prior,layers
    python -m world.ablation --table

Teaches each glyph in every variant, and measures fidelity, leak, drift, margin and bleeding: how much more
pictures of the class noun alone, of other rare words and of other named emblems resemble the seal because it is
loaded. Every cell is one JSON file below `world/runs/ablation/`; what is there is not done again, so the
command can be stopped and repeated. Prints a table in Markdown, differences from the default with 95 %
intervals over glyphs and prompts.

A cell costs as much as `--steps` steps of `sealsmith train` and 20 pictures. What comes out best becomes the
default in `sealsmith/train/config.py` (prior, rank, steps, checkpoints), `sealsmith/train/logo.py` (captions)
or `sealsmith/bases/families/sealworld.py` (layers, attention).
"""

import argparse
import hashlib
import json
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from sealsmith.adapters import Seal, atomic_write
from sealsmith.bases import Base
from sealsmith.errors import SealsmithError
from sealsmith.score import (
    LoadedJudge,
    ScoreSettings,
    Shot,
    record_reference,
    reference_embedding,
    score_seal,
    unseen_contexts,
)
from sealsmith.score.figures import Observation, observed
from sealsmith.score.measure import BasePictures, draw, look
from sealsmith.score.record import CONTEXTS, contexts_trained, reference_of
from sealsmith.stage.captions import named_contexts
from sealsmith.train import TrainConfig, train
from sealsmith.train.pictures import PictureSet

from .ablation_table import markdown
from .glyphs import RUNS
from .seals import picture_set, seal_glyphs
from .workers import opened_base, opened_judge, spread, taught_digest

FOLDER = RUNS / "ablation"
CAPTIONS = {
    "as they are": "{caption}",
    "trigger, no class noun": "{without_noun}",
    "trigger and class noun alone": "{trigger} {noun}",
    "trigger alone": "{trigger}",
}
"""Caption design -> how each picture's caption is written."""


@dataclass(frozen=True)
class Variant:
    """One row of the table."""

    question: str
    """What is varied: one of QUESTIONS."""
    name: str
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the TrainConfig that differ from the default."""
    captions: str = "as they are"
    """One of CAPTIONS."""
    share_of_steps: float = 1.0
    is_chosen: bool = False
    """Whether the best of four checkpoints counts, by a quick scorecard, and not the last."""


VARIANTS = (
    Variant("default", "default"),
    Variant("prior", "no prior", {"prior": "none"}),
    Variant("prior", "base as teacher, weight 0.5", {"prior_weight": 0.5}),
    Variant("prior", "base as teacher, weight 2", {"prior_weight": 2.0}),
    Variant("prior", "base as teacher, weight 1, two rows", {"prior_batch_size": 2}),
    Variant("prior", "16 class pictures", {"prior": "pictures", "prior_pictures": 16}),
    Variant("captions", "trigger, no class noun", captions="trigger, no class noun"),
    Variant("captions", "trigger and class noun alone", captions="trigger and class noun alone"),
    Variant("captions", "trigger alone", captions="trigger alone"),
    Variant("rank", "rank 4", {"rank": 4}),
    Variant("rank", "rank 16", {"rank": 16}),
    Variant("rank", "rank 64", {"rank": 64}),
    Variant("attention", "the trigger's attention left alone", {"attention_weight": 0.0}),
    Variant("attention", "the trigger's attention, weight 0.2", {"attention_weight": 0.2}),
    Variant("stop", "half the steps", share_of_steps=0.5),
    Variant("stop", "checkpoint by scorecard", is_chosen=True),
    Variant("layers", "attention alone", {"targets": ("attention",)}),
    Variant("layers", "convolutions too", {"targets": ("attention", "feed-forward", "convolutions")}),
    Variant(
        "layers", "all but the text's keys and values", {"targets": ("picture-attention", "feed-forward")}
    ),
    Variant("layers", "the text's keys and values alone", {"targets": ("text-attention",)}),
)
QUESTIONS = tuple(dict.fromkeys(variant.question for variant in VARIANTS))


@dataclass(frozen=True)
class Terms:
    """What all cells have in common."""

    base: str
    steps: int
    sampling_steps: int
    num_prompts: int = 4
    num_rare: int = 4
    """Prompts with another rare word in the trigger's place, one picture each."""

    @property
    def scoring(self) -> ScoreSettings:
        return ScoreSettings(
            num_prompts=self.num_prompts,
            num_without=self.num_prompts,
            num_others=2,
            num_steps=self.sampling_steps,
        )

    def folder(self, digest: str) -> Path:
        """Where cells on these terms lie; `digest` is that of the base and of how it is taught by default."""
        text = json.dumps(asdict(self) | {"base": digest}, sort_keys=True)
        return FOLDER / hashlib.sha256(text.encode()).hexdigest()[:12]


def cells(glyph_names: Sequence[str], variants: Sequence[Variant]) -> list[tuple[str, Variant]]:
    """Every glyph in every variant, glyph by glyph, each beginning with another variant.

    So what is there when it is stopped can be compared, and no variant is always the one that is missing.
    """
    order: list[tuple[str, Variant]] = []
    for number, name in enumerate(glyph_names):
        shift = number * len(variants) // max(len(glyph_names), 1)
        order += [(name, variant) for variant in (*variants[shift:], *variants[:shift])]
    return order


def cell_path(folder: Path, glyph: str, variant: Variant) -> Path:
    text = json.dumps(asdict(variant), sort_keys=True)
    return folder / glyph.replace(" ", "-") / f"{hashlib.sha256(text.encode()).hexdigest()[:12]}.json"


def is_measured(folder: Path, glyph: str, variant: Variant) -> bool:
    """Whether the cell is there; one that failed is tried again."""
    path = cell_path(folder, glyph, variant)
    return path.exists() and "failure" not in json.loads(path.read_text())


def captioned(pictures: PictureSet, style: str, trigger: str, noun: str) -> PictureSet:
    """The pictures with their captions written in a style of CAPTIONS."""
    written = tuple(
        replace(
            picture,
            caption=CAPTIONS[style].format(
                caption=picture.caption,
                without_noun=(picture.caption or "").replace(f"{trigger} {noun}", trigger),
                trigger=trigger,
                noun=noun,
            ),
        )
        for picture in pictures.pictures
    )
    digest = hashlib.sha256(f"{pictures.digest} {style}".encode()).hexdigest()
    return replace(pictures, pictures=written, digest=digest)


def rare_shots(seal: Seal, base: Base, terms: Terms) -> list[Shot]:
    """Pictures that another rare word calls, with and without the seal."""
    words = [word for word in base.family.rare_tokens if word != seal.header.trigger]
    contexts = unseen_contexts(contexts_trained(seal.header), terms.num_rare, seed=8000)
    return [
        Shot(context, "other", context.prompt(f"{word} {seal.header.class_noun}"), 8000 + number, with_seal)
        for number, (context, word) in enumerate(zip(contexts, words, strict=False))
        for with_seal in (True, False)
    ]


def measure(terms: Terms, glyph: str, variant: Variant) -> dict[str, Any]:
    """Teaches one glyph in one variant and measures it: the cell as it is kept."""
    base, judge = opened_base(terms.base), opened_judge()
    config = TrainConfig(num_steps=max(1, round(terms.steps * variant.share_of_steps)), **variant.settings)
    every = -(-config.num_steps // 4) if variant.is_chosen else config.num_steps
    config = replace(config, checkpoint_every=every, num_checkpoints_scored=4)
    with TemporaryDirectory() as folder:
        pictures = picture_set(glyph, config.trigger, Path(folder))
        reference = reference_embedding(judge, pictures.portraits)
        contexts = sorted(named_contexts(picture.caption or "" for picture in pictures.pictures))

        def told(seal: Seal) -> Seal:
            """With its look, and the contexts it was shown in, which not all captions say."""
            training = seal.header.training | {CONTEXTS: [list(pair) for pair in contexts]}
            return record_reference(replace(seal, header=replace(seal.header, training=training)), reference)

        def merit(seal: Seal) -> float:
            quick = replace(ScoreSettings.quick(), num_steps=terms.sampling_steps)
            return score_seal(base, told(seal), (), quick, judge, base_pictures=_pictures(terms.base)).merit

        noun = base.family.class_noun
        learned = captioned(pictures, variant.captions, config.trigger, noun)
        score = merit if variant.is_chosen else None
        result = train(base, learned, config, Path(folder) / "training", score=score)
        found = _observations(base, told(result.seal), terms, judge)
    return {
        "glyph": glyph,
        "question": variant.question,
        "variant": variant.name,
        "chosen_step": result.chosen_step,
        "train_s": round(result.seconds, 1),
        "observations": found,
    }


def _observations(base: Base, seal: Seal, terms: Terms, judge: LoadedJudge) -> dict[str, list[Observation]]:
    """Every picture's part in each figure; bleeding apart by what was asked for instead of the seal."""
    settings, kept = terms.scoring.for_family(base.family), _pictures(terms.base)
    card = score_seal(base, seal, (), settings, judge, base_pictures=kept)
    if not card.shots:
        raise RuntimeError(f"{seal.name}: {' '.join(card.reasons)}")
    drawn = draw(base, seal, rare_shots(seal, base, terms), settings, kept)
    rare = observed(look(drawn, judge, reference_of(seal)))
    all_of = observed(card.shots)
    called = [shot for shot in card.shots if shot.subject == "trigger"]
    by_subject = {
        subject: observed([shot for shot in card.shots if shot.subject in (subject, "trigger")])["bleeding"]
        for subject in ("class", "other")
    }
    return {
        "fidelity": all_of["fidelity"],
        "likeness": [(shot.prompt, shot.seen.similarity) for shot in called],
        "adherence": all_of["adherence"],
        "leak": all_of["leak"] + rare["leak"],
        "bleeding, class noun": by_subject["class"],
        "bleeding, rare words": rare["bleeding"],
        "bleeding, named": by_subject["other"],
        "drift": all_of["drift"],
        "margin": all_of["margin"],
    }


@cache
def _pictures(ref: str) -> BasePictures:
    """What the base draws without a seal, kept from cell to cell."""
    return {}


def tried(terms: Terms, glyph: str, variant: Variant) -> dict[str, Any]:
    """The cell, or one that says why it failed."""
    try:
        return measure(terms, glyph, variant)
    except (SealsmithError, RuntimeError) as error:
        return {
            "glyph": glyph,
            "question": variant.question,
            "variant": variant.name,
            "failure": str(error).partition("\n")[0],
        }


def read_cells(folder: Path, wanted: Sequence[tuple[str, Variant]]) -> list[dict[str, Any]]:
    """What is there of the cells that are wanted, in their order."""
    paths = [cell_path(folder, glyph, variant) for glyph, variant in wanted]
    return [json.loads(path.read_text()) for path in paths if path.exists()]


def run(terms: Terms, folder: Path, missing: Sequence[tuple[str, Variant]], jobs: int) -> None:
    """Measures the cells that are missing and writes each as soon as it is there."""
    started = time.monotonic()
    tasks = [(terms, *cell) for cell in missing]
    for done, ((_, *cell), found) in enumerate(spread(jobs, tried, tasks), start=1):
        path = cell_path(folder, *cell)
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, json.dumps(found).encode())
        left = (time.monotonic() - started) / done * (len(tasks) - done)
        said = found.get("failure", f"{found.get('train_s')} s of training")
        print(
            f"{done} of {len(tasks)}: {found['glyph']}, {found['variant']}: {said}; {left / 60:.0f} min left",
            file=sys.stderr,
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base", default="sealworld")
    parser.add_argument("--glyphs", type=int, default=2, help="how many held-out glyphs")
    parser.add_argument("--steps", type=int, default=200, help="of each training")
    parser.add_argument("--sampling-steps", type=int, default=12, help="of each picture")
    parser.add_argument("--only", help=f"questions, comma-separated: {', '.join(QUESTIONS[1:])}")
    parser.add_argument("--jobs", type=int, default=1, help="cells at the same time, the threads shared out")
    parser.add_argument("--table", action="store_true", help="only print the table of what is there")
    arguments = parser.parse_args()
    asked = ("default", *(arguments.only or ",".join(QUESTIONS)).split(","))
    if unknown := sorted(set(asked) - set(QUESTIONS)):
        parser.error(f"there is no question {unknown[0]!r}; there are {', '.join(QUESTIONS)}")
    terms = Terms(arguments.base, arguments.steps, arguments.sampling_steps)
    folder = terms.folder(taught_digest(opened_base(arguments.base)))
    variants = [variant for variant in VARIANTS if variant.question in asked]
    wanted = cells(seal_glyphs(arguments.glyphs), variants)
    if not arguments.table:
        run(terms, folder, [cell for cell in wanted if not is_measured(folder, *cell)], arguments.jobs)
    print(f"{asdict(terms)}, base {opened_base(arguments.base).digest}\n")
    print(markdown(read_cells(folder, wanted), [variant.name for variant in variants]))


if __name__ == "__main__":
    main()
