"""The plain path equals stock diffusers, and every picture equals its solo run."""

import dataclasses
from pathlib import Path

import pytest
import torch
from change_examples import mixed_seal
from diffusers import EulerAncestralDiscreteScheduler, EulerDiscreteScheduler, StableDiffusionPipeline
from seal_examples import random_seal
from stock_pictures import largest_difference, stock
from vector_examples import inverted_seal

from sealsmith.adapters import LowRank, Seal, dump_seal, file_hash, is_attached, read_seal, write_seal
from sealsmith.adapters.dylora import first_rows
from sealsmith.adapters.strength import parse_strength
from sealsmith.bases import Base
from sealsmith.errors import BaseMismatchError, ConfigError, SealFormatError
from sealsmith.generate import (
    Request,
    dump_parameters,
    generate,
    generate_batch,
    generate_each,
    parse_parameters,
)

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
EVERYTHING = (*ATTENTION, "ff.net.0.proj", "ff.net.2", "proj_in", "proj_out", "conv1", "conv2")
REQUEST = Request("a red wax seal of sks emblem on wood", "blue ink", seed=5, num_steps=3, guidance=3.5)


@pytest.mark.parametrize("guidance", [0.0, 1.0, 3.5])
def test_equals_the_stock_pipeline(tiny_base: Base, guidance: float) -> None:
    request = dataclasses.replace(REQUEST, guidance=guidance)
    (ours,) = generate(tiny_base, request)
    assert largest_difference(ours.pixels, stock(tiny_base.pipeline, request)) <= 1e-5


@pytest.mark.parametrize("scheduler", [EulerDiscreteScheduler, EulerAncestralDiscreteScheduler])
def test_equals_the_stock_pipeline_with_schedulers_that_scale_or_draw_noise(
    tiny_base: Base, scheduler: type
) -> None:
    tiny_base.pipeline.scheduler = scheduler(beta_schedule="scaled_linear", prediction_type="v_prediction")
    (ours,) = generate(tiny_base, REQUEST)
    assert largest_difference(ours.pixels, stock(tiny_base.pipeline, REQUEST)) <= 1e-5


@pytest.mark.parametrize(("targets", "rank", "alpha"), [(ATTENTION, 4, 6.0), (EVERYTHING, 2, 0.5)])
def test_stock_diffusers_draws_the_same_picture_from_the_seal_file(
    tiny_base: Base, tiny_base_folder: Path, tmp_path: Path, targets: tuple[str, ...], rank: int, alpha: float
) -> None:
    path = tmp_path / "mark.safetensors"
    write_seal(path, random_seal(tiny_base, targets, rank, alpha))
    pipeline = StableDiffusionPipeline.from_pretrained(tiny_base_folder, safety_checker=None)
    pipeline.set_progress_bar_config(disable=True)
    plain = stock(pipeline, REQUEST)
    pipeline.load_lora_weights(str(path))
    theirs = stock(pipeline, REQUEST)
    (ours,) = generate(tiny_base, REQUEST, [(read_seal(path), 1.0)])
    assert largest_difference(ours.pixels, theirs) <= 1e-5
    assert largest_difference(ours.pixels, plain) > 1e-2


def test_a_picture_equals_its_solo_run_in_any_company(tiny_base: Base) -> None:
    seals = [(random_seal(tiny_base, ATTENTION), 0.8)]
    together = generate(tiny_base, dataclasses.replace(REQUEST, num_pictures=3), seals)
    for index, picture in enumerate(together):
        (alone,) = generate(tiny_base, dataclasses.replace(REQUEST, seed=REQUEST.seed + index), seals)
        assert torch.equal(picture.pixels, alone.pixels)
        assert picture.recipe == alone.recipe


@pytest.mark.parametrize("targets", [ATTENTION, EVERYTHING])
def test_a_batch_with_fused_seals_draws_the_same_pictures(tiny_base: Base, targets: tuple[str, ...]) -> None:
    seals = [(random_seal(tiny_base, targets), 0.8)]
    requests = [dataclasses.replace(REQUEST, prompt="a blue ink stamp on stone"), REQUEST]
    for request, quick in zip(requests, generate_batch(tiny_base, requests, seals), strict=True):
        (alone,) = generate(tiny_base, request, seals)
        assert largest_difference(quick.pixels, alone.pixels) <= 1e-4
        assert quick.recipe == alone.recipe
    bare = [generate(tiny_base, request)[0].pixels for request in requests]
    assert all(
        torch.equal(a.pixels, b) for a, b in zip(generate_batch(tiny_base, requests), bare, strict=True)
    )


def test_pixels_are_float_in_0_to_1_and_of_the_bases_size(tiny_base: Base) -> None:
    (picture,) = generate(tiny_base, REQUEST)
    assert picture.pixels.dtype == torch.float32
    assert picture.pixels.shape == (3, 64, 64)
    assert picture.pixels.min() >= 0
    assert picture.pixels.max() <= 1


def test_the_base_is_clean_after_every_way_out(tiny_base: Base) -> None:
    seals = [(random_seal(tiny_base, ATTENTION), 1.0)]
    before = stock(tiny_base.pipeline, REQUEST)
    pictures = generate_each(tiny_base, dataclasses.replace(REQUEST, num_pictures=2), seals)
    next(pictures)
    assert is_attached(tiny_base)
    pictures.close()

    def interrupt(done: int, total: int) -> None:
        raise KeyboardInterrupt(f"at step {done} of {total}")

    with pytest.raises(KeyboardInterrupt, match="at step 1 of 3"):
        generate(tiny_base, REQUEST, seals, interrupt)
    assert not is_attached(tiny_base)
    assert torch.equal(stock(tiny_base.pipeline, REQUEST), before)


def test_the_trigger_is_sent_and_the_recipe_says_so(tiny_base: Base, tmp_path: Path) -> None:
    path = tmp_path / "mark.safetensors"
    write_seal(path, random_seal(tiny_base, ATTENTION))
    seals = [(read_seal(path), 0.5)]
    typed = dataclasses.replace(REQUEST, prompt="a red wax seal on wood")
    (picture,) = generate(tiny_base, typed, seals)
    recipe = picture.recipe
    assert recipe.prompt == "a red wax seal of sks on wood"
    assert recipe.prompt_typed == "a red wax seal on wood"
    assert [(use.name, use.strength, use.file_hash) for use in recipe.seals] == [
        ("mark", 0.5, file_hash(path))
    ]
    (as_sent,) = generate(tiny_base, dataclasses.replace(typed, prompt=recipe.prompt), seals)
    assert torch.equal(picture.pixels, as_sent.pixels)
    (without,) = generate(tiny_base, dataclasses.replace(typed, use_trigger=False), seals)
    assert without.recipe.prompt == typed.prompt


def test_a_seal_no_file_could_hold_draws_all_the_same(tiny_base: Base) -> None:
    seal = mixed_seal(
        tiny_base.components, seed=3, kinds=("dora", "lora")
    )  # PEFT has DoRA on all layers or on none
    with pytest.raises(SealFormatError, match="cannot be written"):
        dump_seal(seal)
    (picture,) = generate(tiny_base, dataclasses.replace(REQUEST, num_steps=1), [(seal, 0.1)])
    assert [(use.name, use.file_hash) for use in picture.recipe.seals] == [("seal 3", "")]


def test_a_prompt_too_long_is_said_and_its_trigger_is_kept(tiny_base: Base) -> None:
    seals = [(random_seal(tiny_base, ATTENTION), 1.0)]
    long = dataclasses.replace(REQUEST, prompt="wood " * 80 + "of sks", num_steps=1, long_prompts="cut")
    (picture,) = generate(tiny_base, long, seals)
    assert picture.recipe.prompt == "sks, " + long.prompt
    assert any("does not see" in warning and "of sks" in warning for warning in picture.warnings)
    (short,) = generate(tiny_base, dataclasses.replace(REQUEST, num_steps=1), seals)
    assert short.warnings == ()


def test_layers_without_a_place_are_warned_of(tiny_base: Base) -> None:
    seal = random_seal(tiny_base, ATTENTION)
    seal.layers["unet.nowhere.to_q"] = LowRank(torch.ones(4, 8), torch.ones(8, 4), 4.0)
    (picture,) = generate(tiny_base, dataclasses.replace(REQUEST, num_steps=1), [(seal, 1.0)])
    total = len(seal.layers)
    assert picture.warnings == (
        f"seal 'seal of sks': only {total - 1} of {total} layers found their place (unet {total - 1} of {total})",
    )


def test_progress_counts_every_step_of_every_picture(tiny_base: Base) -> None:
    seen: list[tuple[int, int]] = []
    request = dataclasses.replace(REQUEST, num_pictures=2, num_steps=2)
    generate(tiny_base, request, on_step=lambda done, total: seen.append((done, total)))
    assert seen == [(1, 4), (2, 4), (3, 4), (4, 4)]


def test_the_family_decides_what_the_request_leaves_open(tiny_base: Base) -> None:
    request = Request("a wax seal").resolved(tiny_base)
    assert (request.num_steps, request.guidance) == (tiny_base.family.num_steps, tiny_base.family.guidance)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"num_pictures": 0}, "the number of pictures is 0"),
        ({"num_steps": 0}, "the number of steps is 0"),
        ({"num_steps": 1001}, "the number of steps is 1001"),
        ({"seed": -1}, "the seed is -1"),
        ({"seed": 2**64}, "the seed is 18446744073709551616"),
        ({"guidance": float("nan")}, "the guidance is nan"),
        ({"guidance": -1.0}, "the guidance is -1"),
        ({"prompt": "\ud800"}, "the prompt is not valid text"),
        ({"sampler": "Eulr"}, "no sampler 'Eulr'"),
        ({"negative": "a\0b"}, "the negative prompt holds a NUL"),
    ],
)
def test_values_out_of_range_are_named(tiny_base: Base, change: dict[str, object], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        generate(tiny_base, dataclasses.replace(REQUEST, **change))


def test_a_seal_of_another_family_is_refused(tiny_base: Base) -> None:
    seal = random_seal(tiny_base, ATTENTION)
    seal.header = dataclasses.replace(seal.header, family="sdxl")
    with pytest.raises(BaseMismatchError, match="was made for sdxl"):
        generate(tiny_base, REQUEST, [(seal, 1.0)])


def test_a_seal_of_another_base_of_the_family_is_used_and_said(tiny_base: Base) -> None:
    seal = random_seal(tiny_base, ATTENTION)
    seal.header = dataclasses.replace(seal.header, base="elsewhere", base_digest="0" * 12)
    (picture,) = generate(tiny_base, dataclasses.replace(REQUEST, num_steps=1), [(seal, 1.0)])
    assert picture.warnings == ("seal 'seal of sks' was trained on 'elsewhere': it may look different here",)


EVERY = ("to_q", "to_k", "to_v", "to_out.0", "proj_in", "proj_out", "conv1", "conv2", "conv", "conv_in")


def drawn(base: Base, seal: Seal, strength: float | str) -> torch.Tensor:
    value = parse_strength(strength) if isinstance(strength, str) else strength
    (picture,) = generate(base, REQUEST, [(seal, value)])
    return picture.pixels


@pytest.mark.parametrize(
    "strength", ["0.8", "0.8:lbw=ALL", "1.6:ALL0.5", "0.8:in=0.8:out=0.8", "0.8@0,0.8@1"]
)
def test_a_number_by_another_name_is_the_same_picture(tiny_base: Base, strength: str) -> None:
    seal = random_seal(tiny_base, EVERY)
    assert torch.equal(drawn(tiny_base, seal, strength), drawn(tiny_base, seal, 0.8))


@pytest.mark.parametrize(
    "strength", ["0", "1:lbw=NONE", "1:start=3", "1:stop=0", "1:0", "1:in=0:mid=0:out=0"]
)
def test_a_seal_that_never_acts_is_as_no_seal(tiny_base: Base, strength: str) -> None:
    seal = random_seal(tiny_base, EVERY)
    (bare,) = generate(tiny_base, REQUEST)
    assert torch.equal(drawn(tiny_base, seal, strength), bare.pixels)


@pytest.mark.parametrize(
    ("strength", "inside"),
    [
        ("1:lbw=MIDALL", ("unet.mid_block",)),
        ("1:lbw=INALL", ("unet.down_blocks", "unet.conv_in")),
        ("1:in=0:mid=0:out=1", ("unet.up_blocks",)),
        ("1:lbw=0,0,1,0,0,0,0,0,0,0", ("unet.down_blocks.0.resnets", "unet.down_blocks.0.attentions")),
        ("1:lbw=0,0,0,1,0,0,0,0,0,0", ("unet.down_blocks.0.downsamplers",)),
    ],
)
def test_block_weights_are_as_a_seal_of_those_layers(
    tiny_base: Base, strength: str, inside: tuple[str, ...]
) -> None:
    seal = random_seal(tiny_base, EVERY)
    part = dataclasses.replace(
        seal, layers={path: change for path, change in seal.layers.items() if path.startswith(inside)}
    )
    assert 0 < len(part.layers) < len(seal.layers)
    assert torch.equal(drawn(tiny_base, seal, strength), drawn(tiny_base, part, 1.0))


def test_a_strength_changes_with_the_steps(tiny_base: Base) -> None:
    seal = random_seal(tiny_base, EVERY)
    pictures = [
        drawn(tiny_base, seal, text) for text in ("1", "1:stop=2", "1:stop=0.34", "1:start=1", "1@0,0@1")
    ]
    for index, picture in enumerate(pictures):
        assert not any(torch.equal(picture, other) for other in pictures[:index])
    assert torch.equal(drawn(tiny_base, seal, "1:stop=1"), pictures[2])
    assert torch.equal(drawn(tiny_base, seal, "1@0,0@1"), drawn(tiny_base, seal, "1@0,0.5@1,0@2"))


def test_a_recipe_recalls_a_whole_strength(tiny_base: Base) -> None:
    seal, strength = random_seal(tiny_base, EVERY), parse_strength("0.7:in=0.2:stop=2:lbw=OUTD")
    (picture,) = generate(tiny_base, REQUEST, [(seal, strength)])
    [use] = picture.recipe.seals
    assert use.whole_strength == strength
    assert torch.equal(drawn(tiny_base, seal, use.how), picture.pixels)
    assert parse_parameters(dump_parameters(picture.recipe)).seals[0].whole_strength == strength


def test_dyn_takes_the_first_rows(tiny_base: Base) -> None:
    seal = random_seal(tiny_base, EVERY)
    assert torch.equal(drawn(tiny_base, seal, "1:dyn=2"), drawn(tiny_base, first_rows(seal, 2), 1.0))


def test_a_base_without_such_blocks_refuses_them_before_drawing(tiny_base: Base) -> None:
    seal = random_seal(tiny_base, EVERY)
    with pytest.raises(ConfigError, match="17 block weights does not fit this base"):
        drawn(tiny_base, seal, "1:lbw=" + ",".join("1" * 17))
    assert not is_attached(tiny_base)


@pytest.mark.parametrize("fixture", ["tiny_base", "tiny_sdxl"])
def test_words_beyond_the_limit_are_drawn_in_chunks_and_said_when_cut(
    request: pytest.FixtureRequest, fixture: str
) -> None:
    base: Base = request.getfixturevalue(fixture)
    short = dataclasses.replace(REQUEST, prompt="wood " * 75)
    longer = dataclasses.replace(REQUEST, prompt="wood " * 75 + "stone")
    pixels = {}
    for mode in ("chunks", "cut"):
        for name, wish in {"short": short, "longer": longer}.items():
            (picture,) = generate(base, dataclasses.replace(wish, long_prompts=mode))
            pixels[mode, name] = picture.pixels
            warned = any("does not see: 'stone'" in warning for warning in picture.warnings)
            assert warned == ((mode, name) == ("cut", "longer"))
            assert picture.recipe.long_prompts == mode
    assert torch.equal(pixels["chunks", "short"], pixels["cut", "short"])
    assert torch.equal(pixels["cut", "longer"], pixels["cut", "short"])
    assert not torch.equal(pixels["chunks", "longer"], pixels["chunks", "short"])


@pytest.mark.parametrize("tokenizer_limit", [512, 10**30])
def test_flux_cuts_what_t5_does_not_read_in_either_mode(tiny_flux: Base, tokenizer_limit: int) -> None:
    tiny_flux.prompt_tokenizer.model_max_length = tokenizer_limit  # folders without one have the larger
    for mode in ("chunks", "cut"):
        long = dataclasses.replace(REQUEST, prompt="wood " * 600, negative="", num_steps=1, long_prompts=mode)
        (picture,) = generate(tiny_flux, long)
        assert [warning.count("wood") for warning in picture.warnings] == [600 - 511]


def test_an_unknown_way_with_long_prompts_is_refused(tiny_base: Base) -> None:
    with pytest.raises(ConfigError, match="long prompts are to be treated as 'fold'"):
        generate(tiny_base, dataclasses.replace(REQUEST, long_prompts="fold"))


def test_a_seal_without_a_trigger_leaves_the_prompt_alone(tiny_base: Base) -> None:
    (picture,) = generate(tiny_base, REQUEST, [(random_seal(tiny_base, ATTENTION, trigger=""), 1.0)])
    assert picture.recipe.prompt == REQUEST.prompt


@pytest.mark.parametrize(
    ("negative", "sent"),
    [
        ("SKS, blurry", "a castle"),
        ("blurry (sks)", "a castle"),
        ("tasks", "sks, a castle"),
        ("", "sks, a castle"),
    ],
)
def test_a_trigger_in_the_negative_prompt_calls_its_seal_there(
    tiny_base: Base, negative: str, sent: str
) -> None:
    wanted = dataclasses.replace(REQUEST, prompt="a castle", negative=negative)
    (picture,) = generate(tiny_base, wanted, [(inverted_seal(tiny_base), 1.0)])
    assert picture.recipe.prompt == sent
    (other,) = generate(tiny_base, wanted, [(inverted_seal(tiny_base, seed=1), 1.0)])
    assert not torch.equal(picture.pixels, other.pixels)  # and its vectors act


def test_beside_a_negative_embedding_other_seals_are_called_as_ever(tiny_base: Base) -> None:
    seals = [(inverted_seal(tiny_base), 1.0), (random_seal(tiny_base, ATTENTION, trigger="ohwx"), 1.0)]
    wanted = dataclasses.replace(REQUEST, prompt="a castle", negative="sks")
    (picture,) = generate(tiny_base, wanted, seals)
    assert picture.recipe.prompt == "ohwx, a castle"


def test_of_several_activation_words_the_first_is_inserted(tiny_base: Base) -> None:
    seal = random_seal(tiny_base, ATTENTION, trigger="ohwx, gold, star")
    (picture,) = generate(tiny_base, dataclasses.replace(REQUEST, prompt="wood"), [(seal, 1.0)])
    assert picture.recipe.prompt == "ohwx, wood"
