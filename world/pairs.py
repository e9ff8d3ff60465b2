"""Two held-out glyphs taught as seals and called in one picture: how often both are found, by each way of mixing.

    python -m world.pairs --pairs 2 --jobs 2
    python -m world.pairs --pairs 2 --no-advice

Teaches the seals with the defaults, draws each pair's prompts with each seal alone and with every mix, and asks
`sealsmith conflicts` for its advice. Seals and cells lie below `world/runs/pairs/`; what is there is not done
again, so the command can be stopped and repeated. Prints a table in Markdown; differences from the sum are over
the same prompts and seeds, with 95 % intervals over pairs and prompts.

A pair costs two trainings and about 130 pictures, its advice 170 more, passes of their own counted.
"""

import argparse
import hashlib
import json
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch

from sealsmith.adapters import Seal, atomic_write, read_seal, write_seal
from sealsmith.bases import Base
from sealsmith.generate import generate_batch
from sealsmith.generate.mixing import MIXES
from sealsmith.inspect.conflict import weight_conflicts
from sealsmith.score import LoadedJudge, record_reference, reference_embedding
from sealsmith.score.conflict_search import search_space
from sealsmith.score.conflicts import PairSettings, measure_conflict
from sealsmith.score.pairs import Find, PairPlan, find_seals, plan_pairs
from sealsmith.score.record import reference_of
from sealsmith.score.statistics import mean, wilson_interval
from sealsmith.train import TrainConfig, train

from .ablation_table import difference
from .glyphs import RUNS
from .seals import picture_set, seal_glyphs
from .workers import opened_base, opened_judge, spread, taught_digest

FOLDER = RUNS / "pairs"
TRIGGERS = ("sks", "zwx")
ALONE, ADVICE = "alone", "advice"
Pair = tuple[str, str]
"""Two glyphs."""


@dataclass(frozen=True)
class Terms:
    """What all cells have in common."""

    base: str
    steps: int
    sampling_steps: int | None
    num_prompts: int = 8
    num_seeds: int = 2

    def folder(self, digest: str) -> Path:
        """Where seals and cells on these terms lie; `digest`: of the base and its default training."""
        text = json.dumps(asdict(self) | {"base": digest}, sort_keys=True)
        return FOLDER / hashlib.sha256(text.encode()).hexdigest()[:12]


def seal_path(folder: Path, glyph: str, trigger: str) -> Path:
    return folder / f"{glyph.replace(' ', '-')}-{trigger}.safetensors"


def cell_path(folder: Path, pair: Pair, way: str) -> Path:
    return folder / f"{'+'.join(pair).replace(' ', '-')}" / f"{way}.json"


def teach(terms: Terms, folder: Path, glyph: str, trigger: str) -> None:
    """Writes the seal of one glyph, with its look in its header."""
    base, config = opened_base(terms.base), TrainConfig(trigger=trigger, num_steps=terms.steps)
    with TemporaryDirectory() as place:
        pictures = picture_set(glyph, trigger, Path(place))
        reference = reference_embedding(opened_judge(), pictures.portraits)
        seal = train(base, pictures, config, Path(place) / "training").seal
        write_seal(seal_path(folder, glyph, trigger), record_reference(seal, reference))


def measure(terms: Terms, folder: Path, pair: Pair, way: str) -> None:
    """Writes the cell of a pair: one mix's observations, or those of each seal alone, or the advice."""
    base, judge = opened_base(terms.base), opened_judge()
    seals = [read_seal(seal_path(folder, *named)) for named in zip(pair, TRIGGERS, strict=True)]
    settings = PairSettings(terms.num_prompts, terms.num_seeds, num_steps=terms.sampling_steps)
    cell: dict[str, Any]
    if way == ADVICE:
        space = search_space(base, weight_conflicts(base, seals), len(seals))
        report = measure_conflict(base, seals, space, judge, settings)
        cell = report.to_dict() | {"advised": asdict(report.advised)}
    else:
        plans = plan_pairs(base, seals, terms.num_prompts, terms.num_seeds, settings.seed)
        cell = observations(base, seals, plans, way, judge, terms.sampling_steps)
    path = cell_path(folder, pair, way)
    path.parent.mkdir(parents=True, exist_ok=True)
    atomic_write(path, json.dumps(cell).encode())


def observations(
    base: Base,
    seals: Sequence[Seal],
    plans: Sequence[PairPlan],
    way: str,
    judge: LoadedJudge,
    steps: int | None,
) -> dict[str, list[tuple[str, float]]]:
    """(prompt, value) of every picture: each seal found, both found, and the lesser likeness."""
    references = torch.stack([reference_of(seal) for seal in seals])
    if way == ALONE:
        found: list[list[Find]] = [[] for _ in plans]
        for index, seal in enumerate(seals):
            requests = [plan.request(seals, steps, index) for plan in plans]
            pictures = generate_batch(base, requests, [(seal, 1.0)])
            for row, finds in zip(found, find_seals(pictures, judge, references), strict=True):
                row.append(finds[index])
    else:
        requests = [plan.request(seals, steps, mix=way) for plan in plans]
        found = find_seals(generate_batch(base, requests, [(seal, 1.0) for seal in seals]), judge, references)
    rows = list(zip([plan.prompt(seals) for plan in plans], found, strict=True))
    return {
        "each": [(prompt, float(find.is_found)) for prompt, finds in rows for find in finds],
        "both": [(prompt, float(all(find.is_found for find in finds))) for prompt, finds in rows],
        "likeness": [(prompt, min(find.similarity for find in finds)) for prompt, finds in rows],
    }


def markdown(cells: dict[str, list[dict[str, Any]]]) -> str:
    """The table of every way's cells; `cells` has them pair by pair in one order."""
    lines = [
        "| way | pairs | each found | both found | lesser likeness | both, less the sum | likeness, less the sum |"
    ]
    lines.append("| --- |" + " ---: |" * 6)
    for way, done in cells.items():
        if way == ADVICE or not done:
            continue
        figures = [_share(done, "each"), _share(done, "both"), f"{mean(_values(done, 'likeness')):.3f}"]
        is_compared = way not in (ALONE, "sum") and len(done) == len(cells.get("sum", []))
        figures += [_less(done, cells["sum"], key) if is_compared else "" for key in ("both", "likeness")]
        lines.append(f"| {way} | {len(done)} | {' | '.join(figures)} |")
    if advised := cells.get(ADVICE):
        both = mean([cell["advised"]["both"]["value"] for cell in advised])
        likeness = mean([cell["advised"]["both"]["likeness"] for cell in advised])
        lines.append(f"| {ADVICE} | {len(advised)} | | {_percent(both)} | {likeness:.3f} | | |")
        lines += ["", *(f"- {' and '.join(cell['seals'])}: {cell['advice']}" for cell in advised)]
    return "\n".join(lines)


def _values(cells: Sequence[dict[str, Any]], figure: str) -> list[float]:
    return [value for cell in cells for _, value in cell[figure]]


def _share(cells: Sequence[dict[str, Any]], figure: str) -> str:
    values = _values(cells, figure)
    low, high = wilson_interval(round(sum(values)), len(values))
    return f"{_percent(mean(values))} ({_percent(low)} – {_percent(high)})"


def _less(cells: Sequence[dict[str, Any]], sums: Sequence[dict[str, Any]], figure: str) -> str:
    runs, defaults = ([[(p, v) for p, v in cell[figure]] for cell in group] for group in (cells, sums))
    value, (low, high) = difference(runs, defaults)
    return f"{value:+.3f} ({low:+.3f} – {high:+.3f})"


def _percent(share: float) -> str:
    return f"{share:.0%}".replace("%", " %")


def _do(jobs: int, work: Callable[..., None], tasks: Sequence[tuple[Any, ...]]) -> None:
    """Every task in one of `jobs` processes; an error ends it all, what is written stays."""
    for done, (task, _) in enumerate(spread(jobs, work, tasks), start=1):
        print(f"{done} of {len(tasks)}: {work.__name__} {task[2:]}", file=sys.stderr)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--base", default="sealworld")
    parser.add_argument("--pairs", type=int, default=2, help="how many pairs of held-out glyphs")
    parser.add_argument("--steps", type=int, default=TrainConfig.num_steps, help="of each training")
    parser.add_argument("--sampling-steps", type=int, help="of each picture")
    parser.add_argument("--no-advice", action="store_true", help="measure the mixes alone")
    parser.add_argument("--jobs", type=int, default=1, help="processes, the threads shared out")
    arguments = parser.parse_args()
    terms = Terms(arguments.base, arguments.steps, arguments.sampling_steps)
    folder = terms.folder(taught_digest(opened_base(arguments.base)))
    folder.mkdir(parents=True, exist_ok=True)
    names = seal_glyphs(2 * arguments.pairs)
    pairs: list[Pair] = list(zip(names[::2], names[1::2], strict=True))
    named = [(glyph, trigger) for pair in pairs for glyph, trigger in zip(pair, TRIGGERS, strict=True)]
    ways = (ALONE, *MIXES, *(() if arguments.no_advice else (ADVICE,)))
    untaught = [(terms, folder, *one) for one in named if not seal_path(folder, *one).exists()]
    _do(arguments.jobs, teach, untaught)
    wanted = [(pair, way) for way in ways for pair in pairs]
    missing = [(terms, folder, *one) for one in wanted if not cell_path(folder, *one).exists()]
    _do(arguments.jobs, measure, missing)
    print(f"{asdict(terms)}, base {opened_base(arguments.base).digest}\n")
    print(markdown({way: [json.loads(cell_path(folder, p, way).read_text()) for p in pairs] for way in ways}))


if __name__ == "__main__":
    main()
