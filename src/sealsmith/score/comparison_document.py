"""A comparison as a document: its table, what that says about common claims, and every method held against LoRA.

Nothing in it is written by hand but what the words mean: another comparison gives other sentences.
"""

from collections.abc import Mapping, Sequence

from .comparison import Comparison
from .comparison_columns import POINTS, THREE_DIGITS, TIMES, TWO_DIGITS, Unit
from .comparison_table import column_meanings, table
from .paired import Paired, paired_difference, paired_ratio
from .textbook import Claim, claims

_HELD: tuple[tuple[str, str, bool, Unit], ...] = (
    ("fidelity", "fidelity", False, POINTS),
    ("likeness", "similarity", False, TWO_DIGITS),
    ("adherence", "adherence", False, POINTS),
    ("leak", "leak", False, POINTS),
    ("bleeding", "bleeding", False, THREE_DIGITS),
    ("drift", "drift", False, THREE_DIGITS),
    ("composition", "composition", False, POINTS),
    ("time", "seconds", True, TIMES),
    ("steps to 90 %", "steps_to_most", True, TIMES),
)
"""Name, key, whether as a multiple, and how it is written."""
WORLD_RUNS = "world/runs"
"""Where the embedded base's own glyphs are fetched to; the repository does not have it."""
HOW_TO_MAKE_GLYPHS = f"""`{WORLD_RUNS}/` is not in the repository. This fetches the glyphs and writes five that the
base has never seen; the second seal is that of a sixth, taught with a trigger of its own:

```
make world-glyphs
mkdir -p {WORLD_RUNS}/methods/glyphs
python - <<END
from pathlib import Path
from world.seals import seal_glyphs, write_logo

for name in seal_glyphs(5):
    write_logo(name, Path("{WORLD_RUNS}/methods/glyphs"))
END
```"""
VERBS = {"holds": "hold", "does not hold": "do not hold"}
"""Of several claims."""


def comparison_document(
    comparison: Comparison, command: str, machine: Mapping[str, str | int], commit: str | None
) -> str:
    """The document in Markdown; `command` is what made the comparison, on what machine, from which commit."""
    parts = [
        "# Methods side by side",
        f"Every figure and every verdict on this page was computed and written by\n\n```\n{command}\n```",
        HOW_TO_MAKE_GLYPHS if WORLD_RUNS in command else "",
        _terms(comparison, machine, commit),
        "## The table",
        "\n".join(table(comparison)),
        "Behind each mean, in brackets: where the true one lies with 95 % confidence.",
        "\n".join(column_meanings(comparison)),
        "## What is commonly said",
        "A claim *holds* when the whole interval is on its side of the bar, *does not hold* when the whole "
        "interval is on the other, and is *not settled* in between. Differences and ratios are means over pairs "
        "of trainings on the same pictures with the same seed.",
        _summary(claims(comparison)),
        "\n".join(map(_claim, claims(comparison))),
        *_against(comparison),
        *_troubles(comparison),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def _terms(comparison: Comparison, machine: Mapping[str, str | int], commit: str | None) -> str:
    settings, cells = comparison.settings, comparison.cells
    budget = settings["budget"]
    spent = f"{budget['steps']} steps" if "steps" in budget else f"{budget['seconds']:g} seconds"
    seeds = sorted({cell.seed for cell in cells})
    subjects = sorted({cell.subject for cell in cells})
    threads = sorted({cell.facts.num_threads for cell in cells if cell.facts is not None})
    scoring = settings["scoring"]
    return (
        f"{len(subjects)} seal{'s' * (len(subjects) > 1)} ({', '.join(subjects)}) on {settings['base_name']} "
        f"({settings['base']}), {_plural(len(seeds), 'seed')} of each method, {spent} a training, rank "
        f"{settings['training']['rank']}: {_plural(len(cells), 'training')}. A scorecard has "
        f"{_plural(scoring['num_prompts'], 'prompt')} in contexts that no training saw, "
        f"{_plural(scoring['num_seeds'], 'picture')} of "
        f"each, {scoring['num_steps']} denoising steps. Trainings had {' or '.join(map(str, threads))} "
        f"thread{'s' * (threads != [1])} of {machine['processor']}, {machine['cores']} cores; torch "
        f"{machine['torch']}, sealsmith {machine['sealsmith']} at {commit or 'no commit'}."
    )


def _summary(found: Sequence[Claim]) -> str:
    counts = {
        verdict: sum(claim.verdict == verdict for claim in found)
        for verdict in ("holds", "does not hold", "not settled", "not measured")
    }
    said = [
        f"{count} {VERBS.get(verdict, verdict) if count > 1 else verdict}"
        for verdict, count in counts.items()
        if count
    ]
    return f"Of {_plural(len(found), 'claim')}: {', '.join(said)}." if found else ""


def _claim(claim: Claim) -> str:
    return f"- **{claim.says}.** *{claim.verdict.capitalize()}.* {claim.found}"


def _against(comparison: Comparison) -> list[str]:
    """Every other method held against LoRA, pair by pair; nothing where there is no LoRA or nothing else."""
    reference = comparison.reference
    others = [method for method in comparison.methods if method != reference]
    if reference is None or not others:
        return []
    found = {
        (name, method): _held(comparison, key, method, reference, is_ratio)
        for name, key, is_ratio, _ in _HELD
        for method in others
    }
    shown = [each for each in _HELD if any(found[each[0], method] for method in others)]
    lines = [
        "| method | pairs | " + " | ".join(name for name, *_ in shown) + " |",
        "| --- |" + " ---: |" * (1 + len(shown)),
    ]
    for method in others:
        cells = (_words(found[name, method], unit) for name, _, _, unit in shown)
        num_pairs = max((each.num_pairs for name, *_ in shown if (each := found[name, method])), default=0)
        lines.append(f"| `{method}` | {num_pairs} | " + " | ".join(cells) + " |")
    return [
        f"## Every method against `{reference}`",
        "What it has more than that (points are of a hundred), or how many times as much.",
        "\n".join(lines),
    ]


def _held(comparison: Comparison, key: str, method: str, reference: str, is_ratio: bool) -> Paired | None:
    held = paired_ratio if is_ratio else paired_difference
    return held(comparison.cells, key, method, reference)


def _words(found: Paired | None, unit: Unit) -> str:
    if found is None:
        return "–"
    low, high = map(unit.number, found.ci)
    return f"{unit.number(found.value)}{unit.name} ({low} to {high})"


def _troubles(comparison: Comparison) -> list[str]:
    """Trainings that failed, with their reasons, and what was not measured."""
    lines = [
        f"- `{cell.method}`, {cell.subject}, seed {cell.seed}: {cell.failure}"
        for cell in comparison.cells
        if cell.failure
    ]
    lines += [f"- {note}" for note in comparison.notes]
    return ["## What is missing", "\n".join(lines)] if lines else []


def _plural(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"
