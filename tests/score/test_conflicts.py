"""What is measured of seals in company, and that advice is never surer than its proof."""

import dataclasses

import pytest
import torch
from judge_examples import random_judge
from seal_examples import random_seal

from sealsmith.adapters import Seal
from sealsmith.adapters.strength import constant, parse_strength
from sealsmith.bases import Base
from sealsmith.errors import ConfigError, PictureSetError
from sealsmith.generate.seal_syntax import parse_tags
from sealsmith.score import LoadedJudge, conflicts, record_reference
from sealsmith.score.conflicts import (
    Company,
    Meeting,
    PairSettings,
    Share,
    _advice,
    measure_conflict,
    search,
    tags,
)
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


def test_the_search_climbs_one_question_after_another(tiny_base: Base) -> None:
    """What is worth most here: both at 0.75, the first tilted up, and the worst blocks muted in the second."""
    asked: list[Company] = []

    def value(company: Company) -> float:
        asked.append(company)
        first, second = company
        return -abs(float(first) - 0.94) - abs(float(second) - 0.6) + (second.lbw != "") - (first.lbw != "")

    best = search((constant(1), constant(1)), {"MID": 0.7, "IN01": 0.2, "IN02": 0.1}, tiny_base, value)
    assert [float(one) for one in best] == [0.94, 0.6]
    assert best[0].lbw == ""
    assert best[1].lbw.split(",").count("0.4") == 2
    assert len(asked) <= 1 + 3 + 2 + 3


def test_a_search_that_finds_nothing_better_stays_where_it_began(tiny_base: Base) -> None:
    start = (constant(1), constant(1))
    assert search(start, {"MID": 1.0}, tiny_base, lambda company: float(company == start)) == start


def test_tags_can_be_pasted(seals: list[Seal]) -> None:
    company = (parse_strength("0.8:lbw=1,0.4,1,1,1,1,1,1,1,1,1,1,1,1"), constant(1.25))
    words = tags(seals, company)
    assert words[1] == "<lora:ohwx:1.25>"
    assert [wish.strength for wish in parse_tags(" ".join(words)).wishes] == list(company)


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
        tiny_base, seals, {"MID": 1.0}, kind_judge, FEW, lambda *words: told.append(words)
    )
    assert report.seals == ("sks", "ohwx")
    assert len(report.alone) == len(report.before.found) == 2
    assert report.num_pictures == len(told)
    assert report.before.strengths == ("<lora:sks:1>", "<lora:ohwx:1>")
    assert report.trials[0].strengths == report.before.strengths
    assert (report.after is None) == (report.gain is None)
    again = measure_conflict(tiny_base, seals, {"MID": 1.0}, kind_judge, FEW)
    assert again == report


def test_seals_that_cannot_be_told_even_alone_get_no_advice(tiny_base: Base, seals: list[Seal]) -> None:
    """The random judge finds nothing: no strength is better than another, so none is tried."""
    report = measure_conflict(tiny_base, seals, {"MID": 1.0}, random_judge(), FEW)
    assert [share.value for share in report.alone] == [0, 0]
    assert (report.after, report.trials) == (None, ())
    assert "sks and ohwx cannot be told even alone" in report.advice
    assert f"sks {report.alone[0].likeness:.2f} alone" in report.advice


def test_without_a_search_there_is_no_other_advice(
    tiny_base: Base, seals: list[Seal], kind_judge: LoadedJudge
) -> None:
    settings = dataclasses.replace(FEW, num_search=0)
    report = measure_conflict(tiny_base, seals, {}, kind_judge, settings)
    assert (report.after, report.trials) == (None, ())
    assert report.num_pictures == 2 * 3
    assert report.advice == "keep <lora:sks:1> <lora:ohwx:1>: no others were searched"


def test_a_seal_that_does_not_say_what_it_looks_like_is_refused(tiny_base: Base, seals: list[Seal]) -> None:
    blind = random_seal(tiny_base, ("to_q",), trigger="zwx")
    with pytest.raises(PictureSetError, match="no reference"):
        measure_conflict(tiny_base, [seals[0], blind], {}, random_judge(), FEW)


@pytest.mark.parametrize(
    ("gain", "interval", "words"),
    [
        (0.3, (0.1, 0.5), "use <lora:b:2> (both seals in 50% of the pictures before, 80% after)"),
        (0.3, (-0.1, 0.5), "that may be luck"),
        (0.0, (-0.1, 0.1), "keep <lora:a:1>: what was best in the search did not help"),
    ],
)
def test_advice_says_what_the_proof_says(gain: float, interval: tuple[float, float], words: str) -> None:
    before, after = (
        Meeting((tag,), (), Share(value, (0.0, 1.0), 0.5))
        for tag, value in (("<lora:a:1>", 0.5), ("<lora:b:2>", 0.8))
    )
    assert words in _advice(before, after, gain, interval, True)


@pytest.mark.parametrize("field", ["num_prompts", "num_seeds", "num_search"])
def test_settings_that_make_no_sense_are_refused(field: str) -> None:
    with pytest.raises(ConfigError, match=f"{field} is -1"):
        PairSettings(**{field: -1})
