"""`sealsmith generate`: pictures that can be recalled, paths on stdout, everything else on stderr."""

import dataclasses
import json
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from rich.console import Console
from seal_examples import random_seal

from sealsmith.adapters import write_seal
from sealsmith.adapters.strength import parse_strength
from sealsmith.bases import Base
from sealsmith.cli import main
from sealsmith.cli.picture_out import picture_path
from sealsmith.cli.seal_option import parse_seal_option
from sealsmith.errors import ConfigError
from sealsmith.generate import read_recipe

PROMPT = "a red wax seal on wood"


pytestmark = pytest.mark.usefixtures("own_folder")


@pytest.fixture
def seal_path(tiny_base: Base, tmp_path: Path) -> Path:
    path = tmp_path / "mark.safetensors"
    write_seal(path, random_seal(tiny_base, ("to_q", "to_k", "to_v", "to_out.0")))
    return path


def run(folder: Path, *arguments: str) -> int:
    return main(["generate", PROMPT, "--base", str(folder), "--steps", "1", *arguments])


def test_paths_on_stdout_and_the_inserted_trigger_on_stderr(
    tiny_base_folder: Path, seal_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert (
        run(tiny_base_folder, "--seal", f"{seal_path}:0.5", "-n", "2", "--seed", "7", "--out", "new/folder")
        == 0
    )
    out, err = capsys.readouterr()
    paths = [Path(line) for line in out.splitlines()]
    assert [path.parent for path in paths] == [Path("new/folder")] * 2
    assert "trigger: inserted 'sks' -> a red wax seal of sks on wood\n" in err
    recipes = [read_recipe(path) for path in paths]
    assert [recipe.seed for recipe in recipes] == [7, 8]
    assert [(use.name, use.strength) for use in recipes[0].seals] == [("mark", 0.5)]
    assert recipes[0].prompt_typed == PROMPT


def test_a_recipe_repeats_its_picture_to_the_byte(
    tiny_base_folder: Path, seal_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tiny_base_folder, "--seal", str(seal_path), "--out", "first.png") == 0
    recipe = read_recipe("first.png")
    assert f"seed: {recipe.seed}\n" in capsys.readouterr().err
    again = ("--seal", str(seal_path), "--seed", str(recipe.seed), "--out", "second.png")
    assert run(tiny_base_folder, *again) == 0
    assert Path("first.png").read_bytes() == Path("second.png").read_bytes()


def test_json_is_one_object(
    tiny_base_folder: Path, seal_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    status = run(
        tiny_base_folder, "--seal", str(seal_path), "--no-trigger", "--seed", "3", "--out", "o", "--json"
    )
    report = json.loads(capsys.readouterr().out)
    assert status == 0
    assert report["seeds"] == [3]
    assert report["prompt"] == report["prompt_typed"] == PROMPT
    assert report["seals"][0]["path"] == str(seal_path)
    assert all(Path(path).is_file() for path in report["paths"])


def test_nothing_is_overwritten(tiny_base_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    Path("p.png").write_bytes(b"mine")
    assert run(tiny_base_folder, "--seed", "1", "--out", "p.png") == 0
    assert capsys.readouterr().out == "p-2.png\n"
    assert Path("p.png").read_bytes() == b"mine"


def test_paths_stay_on_stdout_when_stderr_is_a_terminal(
    tiny_base_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sealsmith.cli.generate.console", Console(stderr=True, force_terminal=True))
    assert run(tiny_base_folder, "--seed", "1", "--out", "p.png") == 0
    out, err = capsys.readouterr()
    assert out == "p.png\n"
    assert "drawing" in err


def test_two_seals_mix(
    tiny_base_folder: Path, tiny_base: Base, seal_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write_seal("other.safetensors", random_seal(tiny_base, ("to_v",), rank=2, trigger="ohwx", seed=3))
    arguments = ("--seal", str(seal_path), "--seal", "other.safetensors:-0.5", "--out", "p.png")
    assert run(tiny_base_folder, *arguments) == 0
    recipe = read_recipe("p.png")
    assert [use.strength for use in recipe.seals] == [1.0, -0.5]
    assert recipe.prompt == "ohwx, a red wax seal of sks on wood"
    assert "--width 96 has room for two" in capsys.readouterr().err
    assert run(tiny_base_folder, *arguments, "--width", "64") == 0
    assert "has room" not in capsys.readouterr().err


def test_a_tag_in_the_prompt_is_a_seal_of_the_folder(
    tiny_base_folder: Path, tiny_base: Base, capsys: pytest.CaptureFixture[str]
) -> None:
    write_seal("seals/deep/My mark.safetensors", random_seal(tiny_base, ("to_q", "conv1")))
    tag, option = (
        "<lora:my mark:0.7:lbw=MIDALL:stop=0.5>",
        "seals/deep/My mark.safetensors:0.7:lbw=MIDALL:stop=0.5",
    )
    common = ("--base", str(tiny_base_folder), "--steps", "2", "--seed", "1")
    assert main(["generate", f"{PROMPT} {tag}", *common, "--out", "tag.png"]) == 0
    assert main(["generate", PROMPT, *common, "--seal", option, "--out", "option.png"]) == 0
    assert Path("tag.png").read_bytes() == Path("option.png").read_bytes()
    recipe = read_recipe("tag.png")
    assert (recipe.prompt_typed, recipe.seals[0].how) == (PROMPT, "0.7:stop=0.5:lbw=MIDALL")
    assert "inserted 'sks'" in capsys.readouterr().err


def test_what_a_picture_says_to_other_tools_draws_it_again(
    tiny_base_folder: Path, tiny_base: Base, tmp_path: Path
) -> None:
    folder = tmp_path / "mine"
    write_seal(folder / "mark.safetensors", random_seal(tiny_base, ("to_q",)))
    common = ("--base", str(tiny_base_folder), "--steps", "2", "--seed", "1", "--seals-folder", str(folder))
    assert main(["generate", "a seal <lora:mark:1:unet=0.5:start=1>", *common, "--out", "first.png"]) == 0
    with Image.open("first.png") as image:
        pasted = image.info["parameters"].splitlines()[0]
        pixels = image.tobytes()
    assert pasted == "sks, a seal <lora:mark:1:unet=0.5:start=1>"
    assert main(["generate", pasted, *common, "--out", "second.png"]) == 0
    with Image.open("second.png") as image:
        assert image.tobytes() == pixels


@pytest.mark.parametrize(
    ("prompt", "sentence"),
    [
        ("a <lora:mark", "error: the tag '<lora:mark' is not closed"),
        ("a <lora:mark:much>", "error: in the tag '<lora:mark:much>': 'much' in 'much' is no finite number"),
        ("a <lora:mark:1:lbw=1,0>", "error: a list of 2 block weights does not fit this base"),
        ("a <lora:marc:1>", "hint: did you mean mark?"),
    ],
)
def test_a_tag_that_means_nothing_here_is_refused(
    tiny_base_folder: Path, seal_path: Path, capsys: pytest.CaptureFixture[str], prompt: str, sentence: str
) -> None:
    assert (
        main(["generate", prompt, "--base", str(tiny_base_folder), "--seals-folder", str(seal_path.parent)])
        == 2
    )
    assert sentence in capsys.readouterr().err
    assert not Path("pictures").exists()


def test_a_tag_in_the_negative_prompt_is_refused(
    tiny_base_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tiny_base_folder, "--negative", "blue <lora:mark:1>") == 2
    assert "error: the negative prompt asks for a seal" in capsys.readouterr().err


def test_a_folder_of_seals_is_a_setting(tiny_base_folder: Path, seal_path: Path) -> None:
    Path("sealsmith.toml").write_text(f'seals_folder = "{seal_path.parent}"\n')
    arguments = ["generate", "a seal <lora:mark>", "--base", str(tiny_base_folder), "--steps", "1"]
    assert main([*arguments, "--out", "p.png"]) == 0
    assert read_recipe("p.png").seals[0].name == "mark"


def test_long_prompts_can_be_cut(tiny_base_folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = ["generate", "wood " * 90, "--base", str(tiny_base_folder), "--steps", "1", "--seed", "1"]
    assert main(arguments) == 0
    assert "does not see" not in capsys.readouterr().err
    assert main([*arguments, "--long-prompts", "cut"]) == 0
    assert "does not see" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["-n", "0"], "error: the number of pictures is 0"),
        (["--steps", "0"], "error: the number of steps is 0"),
        (["--guidance", "nan"], "error: the guidance is nan"),
        (["--seed", "-1"], "error: the seed is -1"),
        (["--seal", "mark.safetensors:nan"], "error: the strength of 'mark.safetensors' is 'nan'"),
        (["--seal", "mark.safetensors:much"], "error: the strength of 'mark.safetensors' is 'much'"),
        (["--seal", "missing.safetensors"], "error: cannot read the seal file 'missing.safetensors'"),
        (["--seal", "weights.ckpt"], "error: 'weights.ckpt' is not a .safetensors file"),
        (["--out", "picture.jpg"], "error: pictures are written as PNG, not .jpg"),
        (["--out", "file/below"], "error: cannot write 'file/below/picture.png'"),
        (["--out", "file"], "error: 'file' is a file, and no PNG"),
    ],
)
def test_bad_input_gets_a_sentence_and_leaves_nothing(
    tiny_base_folder: Path,
    seal_path: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    sentence: str,
) -> None:
    (tmp_path / "file").write_bytes(b"")
    before = set(tmp_path.rglob("*"))
    assert run(tiny_base_folder, *arguments) == 2
    out, err = capsys.readouterr()
    assert sentence in err
    assert "hint: " in err
    assert out == ""
    assert set(tmp_path.rglob("*")) == before


def test_a_seal_of_another_family_is_refused(
    tiny_base_folder: Path, tiny_base: Base, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seal = random_seal(tiny_base, ("to_q",))
    seal.header = dataclasses.replace(seal.header, base="elsewhere", family="flux")
    write_seal("other.safetensors", seal)
    assert run(tiny_base_folder, "--seal", "other.safetensors") == 2
    err = capsys.readouterr().err
    assert "error: seal 'other' was made for flux" in err
    assert "hint: open the base it was trained on" in err
    assert not (tmp_path / "pictures").exists()


@given(st.text("ab:/.0", min_size=1, max_size=8), st.floats(-9, 9))
def test_a_strength_is_the_number_behind_the_last_colon(file: str, strength: float) -> None:
    assert parse_seal_option(f"x{file}:{strength!r}") == (Path(f"x{file}"), strength)


def test_a_path_may_hold_colons(tmp_path: Path) -> None:
    assert parse_seal_option(r"C:\seals\mark.safetensors") == (Path(r"C:\seals\mark.safetensors"), 1.0)
    odd = tmp_path / "mark:0.5"
    odd.write_bytes(b"")
    assert parse_seal_option(str(odd)) == (odd, 1.0)
    assert parse_seal_option(f"{odd}:2") == (odd, 2.0)
    named = (odd, parse_strength("0.5:lbw=INS"))
    assert parse_seal_option(f"{odd}:0.5:lbw=INS") == named
    missing = Path("no such.safetensors")
    assert parse_seal_option(f"{missing}:0.5:lbw=INS") == (missing, named[1])
    with pytest.raises(ConfigError, match="is 'inf'"):
        parse_seal_option("mark.safetensors:inf")


@given(st.text(max_size=80), st.integers(0, 3), st.integers(1, 4))
def test_names_are_new_png_files_in_the_folder(
    tmp_path_factory: pytest.TempPathFactory, prompt: str, index: int, num_pictures: int
) -> None:
    folder = tmp_path_factory.getbasetemp()
    for out in (folder, folder / "one.png"):
        path = picture_path(out, prompt, 5, index, num_pictures)
        assert (path.parent, path.suffix) == (folder, ".png")
        assert not path.exists()


def test_an_output_with_an_impossible_name_is_refused(
    tiny_base_folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(tiny_base_folder, "--out", "a" * 300) == 2
    assert "error: cannot write to" in capsys.readouterr().err


def test_quantised_pictures_say_so_in_their_recipe(
    tiny_base_folder: Path, seal_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("torchao", reason="pip install 'sealsmith[quantised]' to run this")
    arguments = ["--seal", str(seal_path), "--seed", "7", "--out", "one.png", "--quantise", "int8"]
    assert run(tiny_base_folder, *arguments) == 0
    recipe = read_recipe(Path(capsys.readouterr().out.strip()))
    assert (recipe.quantised, recipe.seals[0].name) == ("int8", "mark")


def test_two_seals_are_mixed_as_asked_and_the_picture_says_how(
    tiny_base: Base, tiny_base_folder: Path, seal_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    other = seal_path.with_name("other.safetensors")
    write_seal(other, random_seal(tiny_base, ("to_q",), trigger="ohwx", seed=1))
    seals = ("--seal", str(seal_path), "--seal", str(other), "--seed", "1", "--json")
    for mix in ("switch", "masked"):
        assert run(tiny_base_folder, *seals, "--mix", mix, "--out", f"{mix}.png") == 0
        out, err = capsys.readouterr()
        assert json.loads(out)["mix"] == mix
        assert "mix:" not in err
        assert read_recipe(f"{mix}.png").mix == mix
    assert run(tiny_base_folder, *seals, "--out", "auto.png") == 0
    assert "mix: masked, because it was measured to be best on sealworld\n" in capsys.readouterr().err
    assert read_recipe("auto.png") == read_recipe("masked.png")
    assert run(tiny_base_folder, *seals, "--mix", "stir") == 2
    assert "'stir'" in capsys.readouterr().err
