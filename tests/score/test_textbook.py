"""Claims follow the figures: turned over, the sentences turn over too."""

import math
from collections.abc import Sequence

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealsmith.score.cells import Cell, TrainingFacts
from sealsmith.score.comparison import Comparison
from sealsmith.score.comparison_document import WORLD_RUNS, comparison_document
from sealsmith.score.textbook import Bar, Claim, claims

MACHINE = {"processor": "a processor", "cores": 2, "torch": "2", "sealsmith": "0"}
SETTINGS = {
    "base": "abc", "base_name": "tiny", "budget": {"steps": 400}, "training": {"rank": 16},
    "scoring": {"num_prompts": 8, "num_seeds": 2, "num_steps": 20}, "denoiser_parameters": 1000,
}  # fmt: skip
SIZES = {"lora": 10_000, "dreambooth": 1_000_000, "textual-inversion": 3000}


def trained(
    method: str,
    rate: float,
    size: int | None = None,
    steps: float = 200,
    leak: float = 0.0,
    num_parameters: int = 990,
) -> list[Cell]:
    """Fifteen cells of a method, 16 pictures each; `rate` of them show the seal."""
    cells = []
    for number in range(15):
        facts = TrainingFacts(
            size or SIZES.get(method, 9000), num_parameters, 400, 60.0 + number, 90.0, 0.1, 1
        )
        hits = [
            (f"p{i // 2}", float(i < round(16 * rate) + (number % 3 - 1) * (0 < rate < 1))) for i in range(16)
        ]
        seen = {"fidelity": hits, "leak": [(f"p{i}", float(i < 16 * leak)) for i in range(16)],
                "drift": [("o", 0.01 * (1 + number % 2))], "composition": hits}  # fmt: skip
        curve = ((0, 0.0), (int(steps) + number % 3, 0.9), (400, 1.0))
        cells.append(
            Cell(method, number % 3, facts, "pass", (), seen, subject=f"glyph-{number // 3}", curve=curve)
        )
    return cells


def found(*groups: Sequence[Cell]) -> dict[str, Claim]:
    """Claims by their first words."""
    comparison = Comparison(SETTINGS, tuple(cell for group in groups for cell in group))
    return {claim.says: claim for claim in claims(comparison)}


def verdict(start: str, *groups: Sequence[Cell]) -> str:
    return next(claim.verdict for says, claim in found(*groups).items() if says.startswith(start))


@pytest.mark.parametrize(
    ("start", "right", "wrong"),
    [
        ("A LoRA shows the seal as reliably", (trained("lora", 0.9), trained("dreambooth", 0.9)),
         (trained("lora", 0.5), trained("dreambooth", 0.9))),
        ("A LoRA takes at most 5 %", (trained("lora", 0.9), trained("dreambooth", 0.9)),
         (trained("lora", 0.9, 100_000), trained("dreambooth", 0.9))),
        ("DreamBooth changes the whole", (trained("dreambooth", 0.9),),
         (trained("dreambooth", 0.9, num_parameters=500),)),
        ("A textual inversion takes", (trained("textual-inversion", 0.1),),
         (trained("textual-inversion", 0.1, 50_000),)),
        ("A textual inversion is less faithful", (trained("textual-inversion", 0.2), trained("lora", 0.9)),
         (trained("textual-inversion", 0.9), trained("lora", 0.2))),
        ("A LoRA leaks", (trained("lora", 0.9),), (trained("lora", 0.9, leak=0.5),)),
        ("Two LoRAs in one picture", (trained("lora", 0.9),), (trained("lora", 0.2),)),
        ("PiSSA learns faster", (trained("lora:pissa", 0.9, steps=100), trained("lora", 0.9)),
         (trained("lora:pissa", 0.9, steps=300), trained("lora", 0.9))),
        ("A hypernetwork lies between",
         (trained("textual-inversion", 0.2), trained("hypernetwork", 0.5), trained("lora", 0.9)),
         (trained("textual-inversion", 0.5), trained("hypernetwork", 0.2), trained("lora", 0.9))),
    ],
)  # fmt: skip
def test_a_verdict_turns_over_with_the_figures(
    start: str, right: Sequence[list[Cell]], wrong: Sequence[list[Cell]]
) -> None:
    assert verdict(start, *right) == "holds"
    assert verdict(start, *wrong) == "does not hold"


def test_the_sentence_has_the_figures() -> None:
    claim = next(
        claim
        for says, claim in found(trained("lora", 0.5), trained("dreambooth", 1.0)).items()
        if says.startswith("A LoRA shows")
    )
    assert claim.found.startswith("`lora` 50 %, `dreambooth` 100 %: -50.0 points (")
    assert claim.found.endswith(", 15 pairs).")


def test_an_interval_over_the_bar_settles_nothing_and_says_where_the_mean_is() -> None:
    lora, dreambooth = trained("lora", 0.5), trained("dreambooth", 0.5)
    dreambooth = [*dreambooth[1:], dreambooth[0]]  # every other one drifts more, and the next one less
    shuffled = [
        Cell(cell.method, place.seed, cell.facts, "pass", (), cell.observations, subject=place.subject)
        for cell, place in zip(dreambooth, lora, strict=True)
    ]
    claim = next(c for says, c in found(lora, shuffled).items() if says.startswith("DreamBooth moves"))
    assert claim.verdict == "not settled"
    assert "the interval leaves it open" in claim.found


def test_two_methods_that_show_nothing_are_not_called_equal() -> None:
    assert verdict("A LoRA shows", trained("lora", 0.0), trained("dreambooth", 0.0)) == "not settled"


def test_one_pair_settles_only_what_chance_has_no_part_in() -> None:
    one = [trained(method, 1.0)[:1] for method in ("lora", "dreambooth")]
    assert verdict("A LoRA shows", *one) == "not settled"
    assert verdict("A LoRA takes at most 5 %", *one) == "holds"


def test_claims_about_methods_that_are_not_there_are_left_out() -> None:
    assert all("DreamBooth" not in says for says in found(trained("lora", 0.9)))
    failed = [Cell("dreambooth", 0, failure="no memory", subject="glyph-0")]
    missing = found(trained("lora", 0.9), failed)
    assert {c.verdict for says, c in missing.items() if "DreamBooth" in says} == {"not measured"}


@given(st.floats(-1, 1), st.floats(0, 1), st.booleans())
def test_a_bar_is_passed_failed_or_neither(low: float, width: float, is_strict: bool) -> None:
    ci = (low, low + width)
    above, below = Bar(low=0, is_strict=is_strict).verdict(ci), Bar(high=0, is_strict=is_strict).verdict(ci)
    if low > 0:
        assert (above, below) == ("holds", "does not hold")
    if ci[1] < 0:
        assert (above, below) == ("does not hold", "holds")
    if low < 0 < ci[1]:
        assert (above, below) == ("not settled", "not settled")
    assert Bar().verdict(ci) == "holds"
    assert math.inf == Bar().high


def test_the_document_says_how_it_came_about_and_what_is_missing() -> None:
    cells = (*trained("lora", 0.9), *trained("lora:pissa", 0.9, steps=100))
    failed = Cell("dora", 1, failure="its process was ended by SIGKILL", subject="glyph-0")
    text = comparison_document(
        Comparison(SETTINGS, (*cells, failed), ("a note",)), "sealsmith compare x.svg", MACHINE, "c0ffee"
    )
    assert "```\nsealsmith compare x.svg\n```" in text
    assert "5 seals (glyph-0, glyph-1, glyph-2, glyph-3, glyph-4) on tiny (abc), 3 seeds" in text
    assert (
        "A scorecard has 8 prompts in contexts that no training saw, 2 pictures of each, 20 denoising steps."
        in text
    )
    assert "*Holds.* `lora:pissa` 101, `lora` 201: 0.50 × (" in text
    assert "| `lora:pissa` | 15 | 0.0 points (0.0 to 0.0) |" in text
    assert "- `dora`, glyph-0, seed 1: its process was ended by SIGKILL" in text
    assert text.endswith("- a note\n")
    assert "world-glyphs" not in text
    least = SETTINGS | {"scoring": {"num_prompts": 1, "num_seeds": 1, "num_steps": 20}}
    text = comparison_document(Comparison(least, cells, ()), "sealsmith compare x.svg", MACHINE, None)
    assert "A scorecard has 1 prompt in contexts that no training saw, 1 picture of each" in text


def test_a_document_about_the_world_s_glyphs_says_how_to_make_the_pictures() -> None:
    command = f"sealsmith compare {WORLD_RUNS}/methods/glyphs/almond.png"
    text = comparison_document(Comparison(SETTINGS, trained("lora", 0.9), ()), command, MACHINE, None)
    assert f"`{WORLD_RUNS}/` is not in the repository" in text
    assert "make world-glyphs\n" in text
