"""Laws of recipes: what a picture carries says how it was made, in our JSON and in A1111's text."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from hypothesis import assume, given
from hypothesis import strategies as st
from PIL import Image
from PIL.PngImagePlugin import PngInfo

from sealsmith.adapters.strength import constant
from sealsmith.errors import OutputError, PictureError
from sealsmith.generate import (
    Picture,
    Recipe,
    SealUse,
    dump_parameters,
    parse_parameters,
    read_recipe,
    write_picture,
)
from sealsmith.generate.mixing import MIXES
from sealsmith.generate.recipe import dump_json, parse_json

TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=80)
PROMPTS = TEXT | st.lists(
    st.sampled_from(
        ['a, b: "c"', "\n", "Négatif: ©", "Steps: 3, Seed: 4, Size: 1x1", "\\", "Negative prompt: x"]
    )
).map("".join)
NAMES = st.text("ab,: \"'\\é\n(1)", min_size=1, max_size=12).map(lambda name: f"m{name}k")
HASHES = st.text("0123456789abcdef", min_size=64, max_size=64)
HOWS = st.sampled_from(["", "0.8@0,0.2@1", "1:unet=0.5:stop=0.5:lbw=MIDALL"])
SEALS = st.builds(SealUse, NAMES, st.floats(-2, 2), TEXT, HASHES, HASHES, HOWS)
RECIPES = st.builds(
    Recipe,
    prompt=PROMPTS,
    prompt_typed=PROMPTS,
    negative=PROMPTS,
    seed=st.integers(0, 2**63 - 1),
    num_steps=st.integers(1, 1000),
    guidance=st.floats(0, 100),
    sampler=st.sampled_from(["DDIM", "Euler a"]),
    width=st.integers(8, 4096),
    height=st.integers(8, 4096),
    base=NAMES,
    base_digest=HASHES.map(lambda digest: digest[:12]),
    seals=st.lists(SEALS, max_size=3).map(tuple),
    version=st.just("sealsmith 0.1.0"),
    long_prompts=st.sampled_from(["chunks", "cut"]),
    mix=st.sampled_from(MIXES),
)
EXAMPLE = Recipe(
    "a wax seal of sks emblem on wood", "a wax seal of an emblem on wood", "", 1, 20, 4.0, "DDIM", 128, 128,
    "sealworld", "0123456789ab", (SealUse("mark", 0.8, "sks", "f" * 64, "0123456789abcdef" * 4),),
    "sealsmith 0.1.0",
)  # fmt: skip
PIXELS = torch.linspace(0, 1, 3 * 4 * 5).reshape(3, 4, 5)


@given(RECIPES)
def test_read_after_write_is_identity(tmp_path_factory: pytest.TempPathFactory, recipe: Recipe) -> None:
    path = tmp_path_factory.getbasetemp() / "recipe.png"
    write_picture(Picture(PIXELS, recipe), path)
    assert read_recipe(path) == recipe


@given(RECIPES)
def test_the_text_alone_gives_back_what_it_can_say(recipe: Recipe) -> None:
    assume("\nNegative prompt:" not in f"\n{recipe.negative}")
    assume(not any(": " in seal.name or ", " in seal.name for seal in recipe.seals))
    back = parse_parameters(dump_parameters(recipe))
    seals = tuple(
        SealUse(seal.name, float(seal.whole_strength), tensor_hash=seal.tensor_hash[:12], how=seal.how)
        for seal in recipe.seals
    )
    assert back == dataclasses.replace(recipe, prompt_typed=recipe.prompt, seals=seals)


def test_the_text_is_the_one_other_tools_know() -> None:
    assert dump_parameters(EXAMPLE) == (
        "a wax seal of sks emblem on wood <lora:mark:0.8>\n"
        "Steps: 20, Sampler: DDIM, CFG scale: 4, Seed: 1, Size: 128x128, Model hash: 0123456789ab, "
        'Model: sealworld, Lora hashes: "mark: 0123456789ab", Version: sealsmith 0.1.0'
    )
    assert "Long prompts: cut, " in dump_parameters(dataclasses.replace(EXAMPLE, long_prompts="cut"))
    with_negative = dump_parameters(dataclasses.replace(EXAMPLE, negative="blurry, grey"))
    assert with_negative.splitlines()[1] == "Negative prompt: blurry, grey"


def test_another_tools_text_is_understood(tmp_path: Path) -> None:
    text = (
        "castle, <lora:mark:0.7>\nNegative prompt: fog\nSteps: 28, Sampler: DPM++ 2M, Schedule type: Karras, "
        "CFG scale: 6.5, Seed: 7, Size: 768x512, Model hash: 6ce0161689, Model: v1-5, "
        'Lora hashes: "mark: aabbccddeeff"'
    )
    chunks = PngInfo()
    chunks.add_text("parameters", text)
    Image.new("RGB", (4, 4)).save(tmp_path / "theirs.png", pnginfo=chunks)
    recipe = read_recipe(tmp_path / "theirs.png")
    assert (recipe.prompt, recipe.negative) == ("castle,", "fog")
    assert (recipe.num_steps, recipe.sampler, recipe.guidance, recipe.seed) == (28, "DPM++ 2M", 6.5, 7)
    assert (recipe.width, recipe.height, recipe.base) == (768, 512, "v1-5")
    assert recipe.seals == (SealUse("mark", 0.7, tensor_hash="aabbccddeeff"),)


def test_tags_and_hashes_of_another_tool_meet_by_name() -> None:
    text = (
        "castle <lora:a:0.5:lbw=INS><lora:b>\nSteps: 1, Sampler: Euler a, Seed: 7, "
        'Lora hashes: "b: 111111111111, c: 222222222222"'
    )
    assert parse_parameters(text).seals == (
        SealUse("a", 0.5, how="0.5:lbw=INS"),
        SealUse("b", 1.0, tensor_hash="111111111111"),
        SealUse("c", 1.0, tensor_hash="222222222222"),
    )


def test_a_seal_that_never_was_in_a_file_has_no_hash() -> None:
    seals = (SealUse("made", 0.5), SealUse("mark", 0.8, tensor_hash="0123456789ab"))
    text = dump_parameters(dataclasses.replace(EXAMPLE, seals=seals))
    assert 'Lora hashes: "mark: 0123456789ab", ' in text
    assert parse_parameters(text).seals == seals
    assert "Lora hashes" not in dump_parameters(dataclasses.replace(EXAMPLE, seals=seals[:1]))


@pytest.mark.parametrize("strength", ["strong", f"1:stop={'9' * 400}", f"1:dyn={'9' * 5000}"])
def test_a_tag_that_cannot_be_read_stays_in_the_prompt(strength: str) -> None:
    text = f"castle <lora:mark:{strength}>\nSteps: 1, Sampler: Euler a, Seed: 7"
    recipe = parse_parameters(text)
    assert (recipe.prompt, recipe.seals) == (f"castle <lora:mark:{strength}>", ())


def test_a_recipe_from_before_whole_strengths_is_read() -> None:
    old = json.loads(dump_json(EXAMPLE))
    del old["long_prompts"], old["seals"][0]["how"]
    recipe = parse_json(json.dumps(old))
    assert recipe == EXAMPLE
    assert recipe.seals[0].whole_strength == constant(0.8)


def test_pixels_survive_and_the_pngs_text_is_readable_by_others(tmp_path: Path) -> None:
    picture = Picture(PIXELS, EXAMPLE)
    write_picture(picture, tmp_path / "p.png")
    with Image.open(tmp_path / "p.png") as image:
        assert image.tobytes() == picture.image.tobytes()
        assert image.info["parameters"] == dump_parameters(EXAMPLE)
    assert picture.image.getpixel((4, 3)) == (82, 169, 255)


def test_a_picture_without_a_recipe_is_refused(tmp_path: Path) -> None:
    Image.new("RGB", (4, 4)).save(tmp_path / "plain.png")
    with pytest.raises(PictureError, match=r"plain\.png' carries no recipe"):
        read_recipe(tmp_path / "plain.png")
    (tmp_path / "no.png").write_bytes(b"no picture")
    with pytest.raises(PictureError, match="cannot read the picture"):
        read_recipe(tmp_path / "no.png")


@pytest.mark.parametrize(
    ("key", "text", "message"),
    [
        ("sealsmith", '{"prompt": 1}', "recipe is damaged: prompt"),
        ("parameters", "only a prompt", "no settings in the last line"),
        ("parameters", "p\nSteps: many, Seed: 1, Size: 4x4", "is no number"),
    ],
)
def test_a_damaged_recipe_is_refused(tmp_path: Path, key: str, text: str, message: str) -> None:
    chunks = PngInfo()
    chunks.add_text(key, text)
    Image.new("RGB", (4, 4)).save(tmp_path / "p.png", pnginfo=chunks)
    with pytest.raises(PictureError, match=message):
        read_recipe(tmp_path / "p.png")


def test_only_png_is_written(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"not as 'p\.jpg'"):
        write_picture(Picture(PIXELS, EXAMPLE), tmp_path / "p.jpg")
