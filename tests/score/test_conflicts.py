"""What is measured of seals in company, and that advice is never surer than its proof."""

import dataclasses
import html
import json

import pytest
import torch
from judge_examples import random_judge
from seal_examples import random_seal

from sealsmith.adapters import Seal
from sealsmith.adapters.blocks import find_layout
from sealsmith.adapters.fit import adaptable
from sealsmith.adapters.strength import constant, parse_strength
from sealsmith.bases import Base
from sealsmith.errors import ConfigError, PictureSetError
from sealsmith.generate.mixing import MIXES
from sealsmith.generate.seal_syntax import parse_tags
from sealsmith.inspect.conflict import weight_conflicts
from sealsmith.score import LoadedJudge, conflicts, record_reference
from sealsmith.score.conflict_search import Company, SearchSpace, search, search_space
from sealsmith.score.conflicts import Meeting, PairSettings, Rise, Share, advise, measure_conflict
from sealsmith.score.conflicts_page import conflicts_page
from sealsmith.score.pairs import Find

FEW = PairSettings(num_prompts=2, num_seeds=1, num_search=1, num_steps=1)


@pytest.fixture
def seals(tiny_base: Base) -> list[Seal]:
    found = []
    for index, trigger in enumerate(("sks", "ohwx")):
        seal = random_seal(tiny_base, ("to_q", "to_out.0"), trigger=trigger, seed=index)
        look = torch.nn.functional.normalize(
            torch.randn(16, generator=torch.Generator().manual_seed(index)), dim=0
        )
        seal = record_reference(seal, look)
        found.append(dataclasses.replace(seal, header=dataclasses.replace(seal.header, title=trigger)))
    return found


def space_of(
    base: Base, crossed: dict[str, float] | None = None, spare: tuple[dict[str, float], ...] = ({}, {})
) -> SearchSpace:
    return SearchSpace(
        find_layout(adaptable(base.denoiser)), {"MID": 1.0} if crossed is None else crossed, spare, 4.0
    )


PLAIN = Company((constant(1), constant(1)))


def test_the_search_climbs_one_question_after_another(tiny_base: Base) -> None:
    """What is worth most here: masked, guidance 6, both at 0.75, the first tilted up, the worst blocks muted in the
    second."""
    asked: list[Company] = []

    def value(company: Company) -> float:
        asked.append(company)
        first, second = company.strengths
        worth = -abs(float(first) - 0.94) - abs(float(second) - 0.6) + (second.lbw != "") - (first.lbw != "")
        return worth + (company.mix == "masked") + (company.guidance or 4) / 10 - (first.stop is not None)

    best = search(PLAIN, space_of(tiny_base, {"MID": 0.7, "IN01": 0.2, "IN02": 0.1}), value)
    assert (best.mix, best.guidance) == ("masked", 6)
    assert [float(one) for one in best.strengths] == [0.94, 0.6]
    assert best.strengths[0].lbw == ""
    assert best.strengths[1].lbw.split(",").count("0.4") == 2
    assert len(asked) <= 1 + 3 + 2 + 3 + 2 + 3 + 2


def test_a_seal_is_tried_without_the_blocks_that_carry_little_of_it(tiny_base: Base) -> None:
    asked: list[Company] = []
    spare = ({"MID": 0.3, "IN01": 0.2, "IN02": 0.1, "OUT00": -0.5}, {"OUT01": 0.4, "OUT02": -0.4})
    search(PLAIN, space_of(tiny_base, {}, spare), lambda company: asked.append(company) or 0.0)
    off = [[one.lbw.split(",").count("0") for one in company.strengths] for company in asked]
    assert [counts for counts in off if any(counts)] == [[2, 0], [0, 1], [2, 1]]


def test_a_search_that_finds_nothing_better_stays_where_it_began(tiny_base: Base) -> None:
    assert search(PLAIN, space_of(tiny_base), lambda company: float(company == PLAIN)) == PLAIN


def test_masks_are_not_searched_where_they_cannot_be_drawn(tiny_base: Base, tiny_flux: Base) -> None:
    for base, has_masks in ((tiny_base, True), (tiny_flux, False)):
        pair = [random_seal(base, ("to_q",), trigger=word, seed=i) for i, word in enumerate(("sks", "zwx"))]
        space = search_space(base, weight_conflicts(base, pair), 2)
        assert ("masked" in space.mixes) == has_masks
        assert space.mixes[0] == "sum"
        three = [*pair, random_seal(base, ("to_q",), trigger="vlk", seed=2)]
        assert "masked" not in search_space(base, weight_conflicts(base, three), 3).mixes


def test_tags_can_be_pasted(seals: list[Seal]) -> None:
    company = Company((parse_strength("0.8:lbw=1,0.4,1,1,1,1,1,1,1,1,1,1,1,1:start=0.2"), constant(1.25)))
    words = company.tags(seals)
    assert words[1] == "<lora:ohwx:1.25>"
    assert tuple(wish.strength for wish in parse_tags(" ".join(words)).wishes) == company.strengths


@pytest.fixture
def kind_judge(monkeypatch: pytest.MonkeyPatch) -> LoadedJudge:
    """One that finds every seal everywhere it looks."""

    def find(pictures, judge, references):
        likeness = [float(picture.pixels.mean()) for picture in pictures]
        return [[Find(value, value - 0.1)] * len(references) for value in likeness]

    monkeypatch.setattr(conflicts, "find_seals", find)
    return random_judge()


def test_everything_asked_for_is_measured(
    tiny_base: Base, seals: list[Seal], kind_judge: LoadedJudge
) -> None:
    told: list[tuple[str, int, int]] = []
    report = measure_conflict(
        tiny_base, seals, space_of(tiny_base), kind_judge, FEW, lambda *words: told.append(words)
    )
    assert report.seals == ("sks", "ohwx")
    assert len(report.alone) == len(report.before.found) == 2
    assert report.num_pictures == len(told)
    assert report.before.strengths == ("<lora:sks:1>", "<lora:ohwx:1>")
    assert report.before.mix == "masked"
    assert report.before.words == "<lora:sks:1> <lora:ohwx:1> with --mix masked"
    assert report.trials[0].strengths == report.before.strengths
    assert (report.after is None) == (report.gain is None)
    assert {trial.mix for trial in report.trials} == set(MIXES)
    assert [len(scene.views) for scene in report.scenes] == [3 + (report.after is not None)] * 2
    json.dumps(report.to_dict(), allow_nan=False)
    page = conflicts_page(tiny_base, weight_conflicts(tiny_base, seals), report)
    assert html.escape(report.before.strengths[0]) in page
    assert page.count("<img") == sum(len(scene.views) for scene in report.scenes)


def test_another_tools_seal_is_called_by_the_familys_noun(
    tiny_base: Base, seals: list[Seal], kind_judge: LoadedJudge
) -> None:
    foreign = dataclasses.replace(seals[1], header=dataclasses.replace(seals[1].header, class_noun=""))
    report = measure_conflict(tiny_base, [seals[0], foreign], space_of(tiny_base), kind_judge, FEW)
    assert all("ohwx emblem " in scene.prompt for scene in report.scenes)


def test_seals_that_cannot_be_told_even_alone_are_compared_by_likeness(
    tiny_base: Base, seals: list[Seal]
) -> None:
    """The random judge finds nothing, and yet every candidate has its likeness."""
    report = measure_conflict(tiny_base, seals, space_of(tiny_base, {}), random_judge(), FEW)
    assert [share.value for share in report.alone] == [0, 0]
    assert {trial.both for trial in report.trials} == {0.0}
    assert len({trial.likeness for trial in report.trials}) > len(report.trials) / 2
    best = max(report.trials, key=lambda trial: trial.likeness)
    if report.after is not None:
        found = report.after
        assert (found.strengths, found.mix, found.guidance) == (best.strengths, best.mix, best.guidance)
    assert "sks and ohwx cannot be told from other emblems even alone" in report.advice


def test_without_a_search_there_is_no_other_advice(
    tiny_base: Base, seals: list[Seal], kind_judge: LoadedJudge
) -> None:
    settings = dataclasses.replace(FEW, num_search=0)
    report = measure_conflict(tiny_base, seals, space_of(tiny_base), kind_judge, settings)
    assert (report.after, report.trials) == (None, ())
    assert report.num_pictures == 2 * 3
    assert report.advice == "keep <lora:sks:1> <lora:ohwx:1> with --mix masked: nothing else was searched"


def test_a_seal_that_does_not_say_what_it_looks_like_is_refused(tiny_base: Base, seals: list[Seal]) -> None:
    blind = random_seal(tiny_base, ("to_q",), trigger="zwx")
    with pytest.raises(PictureSetError, match="no reference"):
        measure_conflict(tiny_base, [seals[0], blind], space_of(tiny_base), random_judge(), FEW)


@pytest.mark.parametrize(
    ("gain", "likeness", "words"),
    [
        (
            Rise(0.3, (0.1, 0.5)),
            Rise(0.1, (-0.1, 0.3)),
            "use <lora:b:2> with --mix switch --guidance 6 (both seals in 50%",
        ),
        (Rise(0.3, (-0.1, 0.5)), Rise(0.1, (-0.1, 0.3)), "that may be luck"),
        (Rise(0.0, (0.0, 0.0)), Rise(0.1, (0.05, 0.2)), "use <lora:b:2> with --mix switch --guidance 6 "),
        (
            Rise(0.0, (-0.1, 0.1)),
            Rise(-0.1, (-0.2, 0.1)),
            "what was best in the search, <lora:b:2>",
        ),
        (Rise(-0.1, (-0.2, 0.1)), Rise(0.2, (0.1, 0.3)), "did not help in other pictures"),
    ],
)
def test_advice_says_what_the_proof_says(gain: Rise, likeness: Rise, words: str) -> None:
    before, after = (
        Meeting((tag,), mix, guidance, (), Share(value, (0.0, 1.0), 0.5))
        for tag, mix, guidance, value in (
            ("<lora:a:1>", "sum", None, 0.5),
            ("<lora:b:2>", "switch", 6.0, 0.8),
        )
    )
    said = advise(before, after, gain, likeness, True)
    assert words in said
    is_sure = gain.ci[0] > 0 or likeness.ci[0] > 0
    assert said.startswith("keep") or ("luck" in said) != is_sure


@pytest.mark.parametrize("field", ["num_prompts", "num_seeds", "num_search"])
def test_settings_that_make_no_sense_are_refused(field: str) -> None:
    with pytest.raises(ConfigError, match=f"{field} is -1"):
        PairSettings(**{field: -1})
