"""The page Prove, on studies that are done and on one that waits; and what axe says of it and of Teach."""

import json
import re
from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe
from browsing import PHONE, WIDE, Opening, Studio
from finished_work import meeting, scorecard, seal_of, study, training
from playwright.sync_api import Page, expect

from sealsmith.jobs import Queue

SCORE = {
    "scorecard": scorecard(),
    "pairs": [
        {"prompt": "a zwx emblem on moss", "seed": 7000, "before": "before-1.png", "after": "after-1.png"},
        {"prompt": "a zwx emblem of neon", "seed": 7002, "before": "before-2.png", "after": "after-2.png"},
    ],
}
SIDE = {"mass_in_region": 0.3, "overlap": 0.2, "entropy": 0.9, "weight": 0.1}
SHARPER = {**SIDE, "mass_in_region": 0.75, "entropy": 0.81}
ATTENTION = {
    "prompt": "a red zwx emblem",
    "seed": 5,
    "words": [
        {"word": "zwx", "is_trigger": True, "before": SIDE, "after": SHARPER},
        {"word": "red", "is_trigger": False, "before": SIDE, "after": SIDE},
    ],
    "files": [f"overlay-{side}-{word}.png" for side in ("before", "after") for word in (0, 1)]
    + ["picture-before.png", "picture-after.png"],
}  # fmt: skip
FIGURES = {"fidelity": 1.0, "likeness": 0.7, "adherence": 0.5, "leak": 0.0, "drift": 0.03}
SWEEP = {
    "axis": "strength",
    "cells": [
        {"value": value, "second_value": None, "figures": FIGURES, "file": f"cell-{number}.png"}
        for number, value in enumerate((0.4, 0.7, 1.0), 1)
    ],
    "recommended": {"value": 0.7, "reason": "fidelity 100%, 1 is out for its drift"},
    "sheet": "sheet.png",
}


@pytest.fixture
def prover(opening: Opening, world_seal: bytes, request: pytest.FixtureRequest) -> tuple[Studio, str]:
    """A tenant of this test's own, and its seal."""
    return proving(opening, world_seal, request.node.name)


def proving(opening: Opening, data: bytes, name: str, **options: Any) -> tuple[Studio, str]:
    tenant = re.sub(r"[^a-z0-9]+", "-", name)[-40:]
    studio = opening(tenant, **options)
    return studio, seal_of(studio.world, tenant, data, "fox")


def owl_of(studio: Studio, data: bytes) -> str:
    """A second seal of the tenant's."""
    return seal_of(studio.world, studio.tenant, data, "owl")


def cancel(studio: Studio, job: str) -> None:
    catalog = studio.world.catalog
    Queue(catalog).cancel(catalog.tenants.named(studio.tenant).id, job)


def studied(studio: Studio, seal: str) -> None:
    """A study of each kind, done."""
    study(studio.world, studio.tenant, "score", [seal], SCORE)
    study(studio.world, studio.tenant, "attention", [seal], ATTENTION, prompt="a red zwx emblem", seed=5)
    study(studio.world, studio.tenant, "sweep", [seal], SWEEP, axes=(("strength", (0.4, 0.7, 1.0)),))


def test_a_scorecard_is_questions_and_sentences_with_how_sure_they_are(prover: tuple[Studio, str]) -> None:
    studio, seal = prover
    study(studio.world, studio.tenant, "score", [seal], SCORE)
    page = studio.open("#/prove")
    page.get_by_role("link", name="fox").click()
    expect(page.get_by_role("heading", name="It has learned what it was taught.")).to_be_visible()
    expect(page.get_by_text("Measured on 8 prompts it was not taught with, 2 pictures each.")).to_be_visible()
    figure = page.locator(".prove-reading").filter(has_text="Is it this seal?")
    expect(figure).to_contain_text(
        "100% of the pictures that call it show this seal and not one of 1,000 others."
    )
    expect(figure.get_by_role("img")).to_have_accessible_name("100%, very likely between 80% and 100%")
    expect(page.get_by_text("Not measured: Does it know more than one picture?")).to_be_visible()


def test_a_seal_that_failed_says_why(prover: tuple[Studio, str]) -> None:
    studio, seal = prover
    study(
        studio.world,
        studio.tenant,
        "score",
        [seal],
        {"scorecard": scorecard(top1=0.3, margin=0.1), "pairs": []},
    )
    page = studio.open(f"#/prove/{seal}")
    expect(page.get_by_role("heading", name="It has not learned what it was taught.")).to_be_visible()
    expect(
        page.get_by_text("Its word makes no difference above noise: likeness changes by +0.1.")
    ).to_be_visible()
    expect(
        page.get_by_text("It is recognised in 30% of the pictures that call it; half are needed.")
    ).to_be_visible()
    page.get_by_role("tab", name="Before and after").click()
    expect(page.get_by_text("Nothing to compare yet")).to_be_visible()


def test_pairs_lie_under_a_line_that_the_keyboard_moves(prover: tuple[Studio, str]) -> None:
    studio, seal = prover
    study(studio.world, studio.tenant, "score", [seal], SCORE)
    page = studio.open(f"#/prove/{seal}?tab=compare")
    expect(page.get_by_role("img", name="With the seal: a zwx emblem on moss")).to_be_visible()
    line = page.get_by_role("slider")
    line.press("ArrowRight")
    expect(line).to_have_attribute("aria-valuetext", "49%")
    assert page.locator(".compare-over").evaluate("each => each.style.clipPath") == "inset(0px 0px 0px 51%)"
    page.get_by_role("button", name="Pair 2").click()
    expect(page.get_by_role("img", name="Without: a zwx emblem of neon")).to_be_visible()


def test_each_word_has_its_maps_and_what_they_say(prover: tuple[Studio, str]) -> None:
    studio, seal = prover
    study(studio.world, studio.tenant, "attention", [seal], ATTENTION, prompt="a red zwx emblem", seed=5)
    page = studio.open(f"#/prove/{seal}?tab=attention")
    expect(page.get_by_role("img", name="With the seal: where “zwx” acts")).to_be_visible()
    expect(page.get_by_text("Of what “zwx” does, 75% falls where the seal is, 30% before.")).to_be_visible()
    expect(page.get_by_text("its spread went down by 10%")).to_be_visible()
    page.get_by_role("button", name="red", exact=True).click()
    expect(page.get_by_text("“red” acts as widely with the seal as without it.")).to_be_visible()


def test_the_strength_to_use_is_taken_along(prover: tuple[Studio, str]) -> None:
    studio, seal = prover
    study(studio.world, studio.tenant, "sweep", [seal], SWEEP, axes=(("strength", (0.4, 0.7, 1.0)),))
    page = studio.open(f"#/prove/{seal}?tab=sweep")
    best = page.locator(".prove-cell").filter(has_text="Recommended")
    expect(best.get_by_role("heading")).to_contain_text("Strength 0.7")
    page.get_by_role("link", name="Use this strength").click()
    expect(page.get_by_role("slider", name="Strength of fox")).to_have_value("0.7")


def test_two_seals_in_one_picture_end_in_advice_that_is_taken_along(
    prover: tuple[Studio, str], other_seal: bytes
) -> None:
    studio, fox = prover
    owl = owl_of(studio, other_seal)
    study(studio.world, studio.tenant, "conflicts", [fox, owl], meeting([fox, owl]))
    page = studio.open(f"#/prove/{fox}")
    page.get_by_role("tab", name="Together").click()
    expect(page.get_by_role("heading", name="fox and owl get on better this way.")).to_be_visible()
    expect(page.get_by_text("Both are found in 75% of the pictures this way, in 44% before.")).to_be_visible()
    expect(page.get_by_text("The weaker one’s likeness: 0.4 before, 0.55 after.")).to_be_visible()
    tags = "<lora:fox:1.25:lbw=1,1,1,1,1,0.4,1,1,1,1> <lora:owl:0.94>"
    expect(page.get_by_text(tags)).to_be_visible()
    fox_s = page.locator(".prove-reading").filter(has=page.get_by_role("heading", name="fox", exact=True))
    expect(fox_s).to_contain_text("found in 94% of the pictures alone, in 50% together")
    expect(fox_s.get_by_role("img")).to_have_count(3)
    owl_s = page.locator(".prove-reading").filter(has=page.get_by_role("heading", name="owl", exact=True))
    expect(owl_s).to_contain_text("The other one is not in its way.")
    expect(
        page.get_by_text("On what fox listens to, owl answers 34% as loudly as fox itself.")
    ).to_be_visible()
    middle = page.locator(".prove-blocks > div").first
    expect(middle).to_have_text("Middle41%")
    for what, shows in (("fox alone", "fox"), ("Together", "owl"), ("With the advice", "fox and owl")):
        expect(page.get_by_role("img", name=f"{what}: a wax seal").first).to_be_visible()
        figure = page.locator(".prove-views figure").filter(has=page.get_by_text(what, exact=True))
        expect(figure).to_contain_text(f"Shows {shows}")
    page.get_by_role("button", name="emblem on slate").press("Enter")
    expect(page.get_by_role("img", name="emblem on slate")).to_have_count(4)
    page.get_by_role("link", name="Use in Make").press("Enter")
    expect(page.get_by_role("spinbutton", name="Strength of fox")).to_have_value("1.25")
    expect(page.get_by_role("spinbutton", name="Strength of owl")).to_have_value("0.94")
    expect(page.get_by_label("How they act together")).to_have_value("masked")
    page.get_by_text("Where and when it acts (limited)").click()
    expect(page.get_by_label("Block weights")).to_have_value("1,1,1,1,1,0.4,1,1,1,1")
    page.get_by_text("Steps, guidance").click()
    expect(page.get_by_label("Guidance")).to_have_value("6")
    page.get_by_label("Prompt").fill("a coin")
    page.get_by_label("Steps", exact=True).fill("2")
    page.get_by_role("radio", name="1", exact=True).check()
    page.get_by_role("button", name="Draw 1 picture").click()
    expect(page.locator("a.tile")).to_have_count(1)
    with studio.world.running.client() as client:
        [order] = client.get("/v1/images", headers=studio.headers).json()["orders"]
    recipe = json.loads(order["pictures"][0]["recipe"])
    assert (recipe["mix"], recipe["guidance"]) == ("masked", 6)
    assert [(use["name"], use["strength"]) for use in recipe["seals"]] == [("fox", 1.25), ("owl", 0.94)]
    page.get_by_label("How they act together").select_option("")
    page.get_by_role("link", name="Open picture 1").click()
    page.get_by_role("dialog").get_by_role("button", name="Use again").click()
    expect(page.get_by_label("How they act together")).to_have_value("masked")
    assert studio.complaints == []


def test_advice_that_did_not_help_is_not_given(prover: tuple[Studio, str], other_seal: bytes) -> None:
    studio, fox = prover
    owl = owl_of(studio, other_seal)
    study(studio.world, studio.tenant, "conflicts", [fox, owl], meeting([fox, owl], is_better=False))
    page = studio.open(f"#/prove/{owl}?tab=together")
    expect(page.get_by_role("heading", name="fox and owl are best left as they are.")).to_be_visible()
    expect(page.get_by_text("The best of 17 other ways did not help")).to_be_visible()
    expect(page.get_by_text("<lora:fox:1> <lora:owl:1>", exact=True)).to_be_visible()
    expect(page.get_by_role("img", name="The best that was tried: a wax seal")).to_be_visible()


def test_two_seals_are_chosen_and_waited_for_across_a_reload(
    prover: tuple[Studio, str], other_seal: bytes
) -> None:
    studio, fox = prover
    page = studio.open(f"#/prove/{fox}?tab=together")
    expect(page.get_by_text("There is no second seal to try it with")).to_be_visible()
    owl = owl_of(studio, other_seal)
    page.reload()
    expect(page.get_by_label("Together with")).to_have_value(owl)
    page.get_by_role("button", name="Try them together").press("Enter")
    expect(page.get_by_role("heading", name="It waits for its turn.")).to_be_visible()
    page.reload()
    expect(page.get_by_role("heading", name="It waits for its turn.")).to_be_visible()
    expect(page.get_by_text("together with owl", exact=True)).to_be_visible()
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_text("It was stopped.")).to_be_visible()
    assert studio.complaints == []


def test_the_chosen_tab_is_in_sight_on_a_phone(opening: Opening, world_seal: bytes) -> None:
    studio, fox = proving(opening, world_seal, "tabbed", viewport=PHONE, locale="ru-RU")
    page = studio.open(f"#/prove/{fox}?tab=together")
    expect(page.get_by_role("tab", name="Вместе")).to_be_in_viewport(ratio=0.9)


def test_a_study_that_waits_is_found_again_stopped_taken_up_and_removed(prover: tuple[Studio, str]) -> None:
    studio, seal = prover
    page = studio.open(f"#/prove/{seal}?tab=sweep")
    page.get_by_label("In steps of").fill("0.01")
    expect(page.get_by_text("more than 12 strengths")).to_be_visible()
    page.get_by_label("In steps of").fill("0.4")
    expect(page.get_by_text("0.4 · 0.8 · 1.2")).to_be_visible()
    page.get_by_role("button", name="Try the strengths").click()
    expect(page.get_by_role("heading", name="It waits for its turn.")).to_be_visible()
    assert "study=" in page.url
    page.reload()
    expect(page.get_by_role("heading", name="It waits for its turn.")).to_be_visible()
    page.get_by_role("button", name="Stop", exact=True).click()
    expect(page.get_by_text("It was stopped.")).to_be_visible()
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("heading", name="It waits for its turn.")).to_be_visible()
    page.get_by_role("button", name="Stop", exact=True).click()
    page.get_by_role("button", name="Remove", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Remove", exact=True).click()
    expect(page.get_by_text("It was stopped.")).to_have_count(0)
    assert studio.complaints == []


def test_a_finished_training_shows_what_it_chose_and_a_second_tab_the_same(opening: Opening) -> None:
    studio = opening("watcher")
    scores = {"30": 0.71, "60": 0.92, "90": 0.88}
    done = {"verdict": "pass", "chosen_step": 60, "scores": scores, "warnings": ["one picture is very small"]}
    job = training(studio.world, "watcher", done)
    page = studio.open("#/teach")
    page.get_by_role("link", name="fox").click()
    assert page.url.endswith(job)
    expect(page.get_by_role("heading", name="The model has learned your seal.")).to_be_visible()
    expect(page.get_by_text("one picture is very small")).to_be_visible()
    expect(page.get_by_text("The seal is the state after step 60, which scored best.")).to_be_visible()
    expect(page.get_by_role("row", name="60 0.92")).to_be_visible()
    expect(page.get_by_role("img", name="in 120 steps.")).to_be_visible()
    page.get_by_role("button", name="Step 30").click()
    expect(page.get_by_role("img", name="What it drew after step 30, picture 1")).to_be_visible()
    assert studio.complaints == []


def serious(page: Page) -> list[tuple[str, list[str]]]:
    """What axe calls serious or critical, with the elements it means."""
    return [
        (found["id"], [node["html"][:200] for node in found["nodes"]])
        for found in Axe().run(page).response["violations"]
        if found["impact"] in ("serious", "critical")
    ]


@pytest.mark.parametrize(
    ("scheme", "viewport", "locale"),
    [("light", WIDE, "en-GB"), ("dark", WIDE, "ru-RU"), ("light", PHONE, "ru-RU"), ("dark", PHONE, "en-GB")],
)
def test_axe_finds_nothing_serious_on_teach_and_prove(
    opening: Opening,
    world_seal: bytes,
    other_seal: bytes,
    scheme: str,
    viewport: dict[str, int],
    locale: str,
) -> None:
    name = f"{scheme}-{viewport['width']}"
    studio, seal = proving(opening, world_seal, name, color_scheme=scheme, viewport=viewport, locale=locale)
    page = studio.page
    studied(studio, seal)
    owl = owl_of(studio, other_seal)
    study(studio.world, studio.tenant, "conflicts", [seal, owl], meeting([seal, owl]))
    done = {"verdict": "pass", "chosen_step": 60, "scores": {"30": 0.7, "60": 0.9}}
    trainings = [training(studio.world, studio.tenant, done), training(studio.world, studio.tenant)]
    places = {
        "#/teach": ".teach-entry",
        f"#/teach/{trainings[0]}": ".teach-moment",
        f"#/teach/{trainings[1]}": ".teach-stage",
        "#/prove": ".prove-seal",
        f"#/prove/{seal}": ".prove-reading",
        f"#/prove/{seal}?tab=compare": ".compare",
        f"#/prove/{seal}?tab=attention": ".prove-sides img",
        f"#/prove/{seal}?tab=sweep": ".prove-cell",
        f"#/prove/{seal}?tab=together": ".prove-views img",
        f"#/make?seal={seal}&strength=1&seal={owl}&strength=0.94&mix=masked": ".seal-use",
    }
    for place, sign in places.items():
        studio.open(place)
        expect(page.locator(sign).first).to_be_visible()
        for summary in page.locator("summary").all():
            summary.click()
        assert serious(page) == [], place
        assert page.evaluate("document.documentElement.scrollWidth") <= viewport["width"], place
    cancel(studio, trainings[1])  # workers of other tests would take it up
    assert studio.complaints == []
