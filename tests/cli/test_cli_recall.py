"""`sealsmith generate --recall`: the picture again, or all of it but what was given."""

import json
from pathlib import Path

import pytest
from PIL import Image
from PIL.PngImagePlugin import PngInfo
from seal_examples import random_seal
from vector_examples import inverted_seal

from sealsmith.adapters import write_seal
from sealsmith.bases import Base
from sealsmith.cli import main
from sealsmith.generate import read_recipe

PROMPT = "a red wax seal on wood"


pytestmark = pytest.mark.usefixtures("own_folder")


@pytest.fixture
def seals(tiny_base: Base, tmp_path: Path) -> Path:
    folder = tmp_path / "seals"
    write_seal(folder / "mark.safetensors", random_seal(tiny_base, ("to_q", "to_v")))
    write_seal(folder / "border.safetensors", random_seal(tiny_base, ("to_k",), trigger="brd", seed=3))
    return folder


def draw(folder: Path, *arguments: str) -> int:
    return main(["generate", *arguments, "--base", str(folder)])


@pytest.mark.parametrize("trigger", [(), ("--no-trigger",)])
def test_a_picture_is_recalled_to_the_byte(
    tiny_base_folder: Path, seals: Path, trigger: tuple[str, ...]
) -> None:
    made = ("--seal", f"{seals / 'mark.safetensors'}:0.5:stop=0.5", "--seal", f"{seals / 'border.safetensors'}:2",
            "--seed", "5", "--steps", "3", "--guidance", "2", "--sampler", "euler-a", "--negative", "blue",
            "--width", "48", "--height", "64", "--mix", "switch", "--long-prompts", "cut", *trigger)  # fmt: skip
    assert draw(tiny_base_folder, PROMPT, *made, "--out", "first.png") == 0
    (seals / "mark.safetensors").rename(seals / "renamed.safetensors")
    (seals / "mark.safetensors").write_bytes(b"no seal")  # a namesake of what was used
    Path("sealsmith.toml").write_text(f'base = "{tiny_base_folder}"\nsteps = 1\nguidance = 7\n')
    assert main(["generate", "--recall", "first.png", "--out", "second.png"]) == 0
    first, second = (read_recipe(path) for path in ("first.png", "second.png"))
    assert [use.tensor_hash for use in second.seals] == [use.tensor_hash for use in first.seals]
    with Image.open("first.png") as one, Image.open("second.png") as two:
        assert one.tobytes() == two.tobytes()
    assert (first.prompt, first.guidance, first.mix) == (second.prompt, second.guidance, second.mix)


def test_what_is_given_differs_and_the_rest_is_the_recipe_s(
    tiny_base_folder: Path, seals: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    made = ("--seal", f"{seals / 'mark.safetensors'}:0.5", "--seed", "5", "--steps", "2")
    assert draw(tiny_base_folder, PROMPT, *made, "--out", "first.png") == 0
    capsys.readouterr()
    border = str(seals / "border.safetensors")
    assert draw(tiny_base_folder, "--recall", "first.png", "--seal", border, "--seed", "6", "--json") == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["seeds"], report["steps"]) == ([6], 2)
    assert report["prompt"] == PROMPT.replace(" on", " of brd on")  # the other trigger went with its seal
    assert draw(tiny_base_folder, "a coin", "--recall", "first.png", "--out", "third.png") == 0
    recipe = read_recipe("third.png")
    assert (recipe.prompt, recipe.seed, recipe.seals[0].strength) == ("sks, a coin", 5, 0.5)


def test_what_another_tool_does_not_say_is_as_ever(tiny_base_folder: Path, seals: Path) -> None:
    chunks = PngInfo()
    chunks.add_text("parameters", "a coin on wood\nSteps: 2, Seed: 7, Size: 48x48, Version: v1.10")
    Image.new("RGB", (4, 4)).save("theirs.png", pnginfo=chunks)
    assert draw(tiny_base_folder, "a coin on wood", "--steps", "2", "--seed", "7", "--out", "plain.png") == 0
    assert draw(tiny_base_folder, "--recall", "theirs.png", "--out", "ours.png") == 0
    plain, recipe = read_recipe("plain.png"), read_recipe("ours.png")
    assert recipe.guidance == plain.guidance > 1
    assert (recipe.base, recipe.long_prompts, recipe.sampler) == (
        plain.base,
        plain.long_prompts,
        plain.sampler,
    )


def test_another_tool_s_picture_is_recalled_as_far_as_it_says(tiny_base_folder: Path, seals: Path) -> None:
    text = "a coin on wood <lora:mark:0.7>\nSteps: 2, Sampler: Euler a, CFG scale: 3, Seed: 7, Size: 48x48"
    chunks = PngInfo()
    chunks.add_text("parameters", text)
    Image.new("RGB", (4, 4)).save("theirs.png", pnginfo=chunks)
    assert draw(tiny_base_folder, "--recall", "theirs.png", "--out", "ours.png") == 0
    recipe = read_recipe("ours.png")
    assert recipe.prompt == "a coin on wood"  # theirs was sent without the trigger, so ours is
    assert (recipe.seed, recipe.num_steps, recipe.sampler, recipe.width) == (7, 2, "Euler a", 48)
    assert (recipe.seals[0].name, recipe.seals[0].strength) == ("mark", 0.7)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--recall", "first.png", "--seals-folder", "empty"], "error: the picture's seal 'mark' ("),
        (["--recall", "first.png", "--seals-folder", "none"], "error: there is no folder of seals 'none'"),
        (["--recall", "plain.png"], "error: 'plain.png' carries no recipe"),
        (["--recall", "missing.png"], "error: cannot read the picture 'missing.png'"),
        ([], "error: no prompt is given"),
    ],
)
def test_what_cannot_be_recalled_gets_a_sentence(
    tiny_base_folder: Path,
    seals: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    sentence: str,
) -> None:
    Image.new("RGB", (4, 4)).save("plain.png")
    Path("empty").mkdir()
    made = ("--seal", str(seals / "mark.safetensors"), "--seed", "5", "--steps", "1", "--out", "first.png")
    assert draw(tiny_base_folder, PROMPT, *made) == 0
    assert draw(tiny_base_folder, *arguments, "--out", "second.png") == 2
    err = capsys.readouterr().err
    assert sentence in err
    assert "hint: " in err
    assert not Path("second.png").exists()


def test_a_base_that_changed_under_its_name_is_said(
    tiny_base_folder: Path, tiny_sd1_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert draw(tiny_base_folder, PROMPT, "--seed", "1", "--steps", "1", "--out", "first.png") == 0
    name = tiny_base_folder.name
    Path(name).symlink_to(tiny_sd1_folder)
    capsys.readouterr()
    assert (
        main(["generate", "--recall", "first.png", "--out", "second.png", "--width", "64", "--height", "64"])
        == 0
    )
    assert f"warning: '{name}' is not what it was" in capsys.readouterr().err


def test_a_negative_embedding_is_recalled_in_its_place(
    tiny_base: Base, tiny_base_folder: Path, seals: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_seal(seals / "bad.safetensors", inverted_seal(tiny_base, trigger="bad"))
    made = ("--seal", str(seals / "bad.safetensors"), "--seal", str(seals / "mark.safetensors"))
    made += ("--negative", "bad, blurry", "--seed", "5", "--steps", "1")
    assert draw(tiny_base_folder, PROMPT, *made, "--out", "first.png") == 0
    assert "trigger: inserted 'sks' -> a red wax seal of sks on wood" in capsys.readouterr().err
    assert draw(tiny_base_folder, "--recall", "first.png", "--out", "second.png") == 0
    first, second = (read_recipe(path) for path in ("first.png", "second.png"))
    assert first.prompt == second.prompt == "a red wax seal of sks on wood"
