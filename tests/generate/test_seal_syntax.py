"""Laws of tags: words and seals come apart and together without loss, and nothing malformed slips through."""

import re
from pathlib import Path

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save_file

from sealsmith.adapters.seal import file_name
from sealsmith.adapters.strength import constant, parse_strength
from sealsmith.errors import ConfigError
from sealsmith.generate.seal_syntax import SealWish, TaggedPrompt, dump_tags, find_seal, parse_tags

PIECES = st.sampled_from(
    ["a cat", ", ", " ", "\n", "<lora", "<LyCo:", "<", ">", "\\", ":", "(masterpiece:1.2)", "<3", "é", '"']
)
TEXT = st.text(max_size=20) | st.lists(PIECES, max_size=8).map("".join)
NAMES = TEXT.filter(str.strip)
STRENGTHS = st.sampled_from(
    ["1", "-0.5", "0.8@0,0.2@1", "1:unet=0.5", "1:in=0:mid=1:out=2", "0.7:stop=10:lbw=MIDALL", "1:lbw=1,0"]
).map(parse_strength)
TAGGED = st.builds(TaggedPrompt, TEXT, st.lists(st.builds(SealWish, NAMES, STRENGTHS), max_size=3).map(tuple))


@given(TAGGED)
def test_parse_after_dump_is_identity(prompt: TaggedPrompt) -> None:
    assert parse_tags(dump_tags(prompt)) == prompt


@given(TEXT.filter(lambda text: not re.search("<\\s*(lora|lyco|hypernet)", text, re.IGNORECASE)))
def test_a_prompt_without_tags_is_left_as_it_is(prompt: str) -> None:
    assert parse_tags(prompt) == TaggedPrompt(prompt)


@given(st.lists(PIECES, max_size=12).map("".join))
def test_a_tag_is_a_wish_or_an_error_but_never_words(prompt: str) -> None:
    try:
        words = parse_tags(prompt).words
    except ConfigError:
        return
    escaped = len(re.findall(r"(?<!\\)(?:\\\\)*\\<(?:lora|lyco)\b", prompt, re.IGNORECASE))
    assert len(re.findall(r"<(?:lora|lyco)\b", words, re.IGNORECASE)) <= escaped


@pytest.mark.parametrize(
    ("prompt", "words"),
    [
        ("a cat <lora:x:1> on a mat", "a cat on a mat"),
        ("a cat on a mat <lora:x:1>", "a cat on a mat"),
        ("<lora:x:1> a cat", "a cat"),
        ("<lora:x:1>, a cat", "a cat"),
        ("a cat, <lora:x:1>, a mat", "a cat, a mat"),
        ("a cat,<lora:x:1> <lyco:y:1>,a mat", "a cat, a mat"),
        ("a cat <lora:x:1><lora:y:1>", "a cat"),
        ("a  cat\n<lora:x:1>\na mat", "a  cat\na mat"),
        ("a<lora:x:1>b", "ab"),
        ("<lora:x:1>", ""),
        (r"a \<lora:x:1> cat", "a <lora:x:1> cat"),
    ],
)
def test_a_tag_takes_its_own_gap_with_it_and_no_word(prompt: str, words: str) -> None:
    assert parse_tags(prompt).words == words


@pytest.mark.parametrize(
    ("tag", "name", "strength"),
    [
        ("<lora:mark>", "mark", "1"),
        ("<lora:my mark v1.2:0.8>", "my mark v1.2", "0.8"),
        ("<lyco:logos/mark:0.8:0.4>", "logos/mark", "0.8:unet=0.4"),
        ("<LORA:mark:te=0.5:unet=1>", "mark", "te=0.5:unet=1"),
        ('<lora:"lora name":1:lbw=IND:stop=10>', "lora name", "1:lbw=IND:stop=10"),
        (r"<lora:a\:b\>c:2>", "a:b>c", "2"),
        ("<lora:mark_(v2)[x]:1:step=5-10>", "mark_(v2)[x]", "start=5:stop=10"),
        ("<lora:mark:1:0,0,1,0,0,0,0,0,0,0,0,0,0,0,0,0,0>", "mark", "lbw=0,0,1,0,0,0,0,0,0,0,0,0,0,0,0,0,0"),
        ("< lora : mark : 0.8 >", "mark", "0.8"),
        ("<lora:mark.safetensors:0.5@0,1@0.5>", "mark.safetensors", "0.5@0,1@0.5"),
        ("<lora:mark:1:in=0:mid=0.5:out=1>", "mark", "1:in=0:mid=0.5:out=1"),
    ],
)
def test_the_fields_tags_are_understood(tag: str, name: str, strength: str) -> None:
    assert parse_tags(f"a cat {tag}") == TaggedPrompt("a cat", (SealWish(name, parse_strength(strength)),))


@pytest.mark.parametrize(
    ("prompt", "problem"),
    [
        ("a cat <lora:mark:1", r"'<lora:mark:1' is not closed"),
        ("<lora:mark:1 <lora:other:1>", "is not closed"),
        ("<lora>", "'<lora>' names no seal"),
        ("<lora mark:1>", "is not of the form"),
        ("<lora:>", "names no seal"),
        ("<lora: :1>", "names no seal"),
        ('<lora:"":1>', "names no seal"),
        ("<lora:mark:>", "nothing between two"),
        ("<lora:mark:1::2>", "nothing between two"),
        ("<lora:mark:strong>", "in the tag '<lora:mark:strong>': 'strong' in 'strong' is no finite number"),
        ("<lora:mark:1:lbw=SIDES>", "in the tag .* no block weights called 'SIDES'"),
        ("<hypernet:mark:1>", "asks for a hypernetwork"),
    ],
)
def test_a_malformed_tag_is_refused_by_name(prompt: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as error:
        parse_tags(prompt)
    assert error.value.remedy


def test_a_tag_is_the_one_other_tools_read() -> None:
    wishes = (SealWish("mark", constant(0.8)), SealWish("other mark", parse_strength("1:0.5:lbw=INS")))
    assert (
        dump_tags(TaggedPrompt("a cat", wishes))
        == "a cat <lora:mark:0.8> <lora:other mark:1:unet=0.5:lbw=INS>"
    )


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    names = {
        "mark": None, "logos/mark": None, "logos/Fox v1.2": None, "logos/deep/owl": "The Owl",
        "twin a": "Twin", "twin b": "Twin", "BEAR": None,
        "lion/seal": None, "old/hare/seal": None,
    }  # fmt: skip
    for name, title in names.items():
        path = tmp_path / f"{name}.safetensors"
        path.parent.mkdir(parents=True, exist_ok=True)
        save_file({"a": torch.zeros(1)}, path, {"ss_output_name": title} if title else None)
    (tmp_path / "broken.safetensors").write_bytes(b"no seal")
    return tmp_path


@pytest.mark.parametrize(
    ("name", "found"),
    [
        ("mark", "mark"),
        ("logos/mark", "logos/mark"),
        ("logos\\mark.safetensors", "logos/mark"),
        ("Fox v1.2", "logos/Fox v1.2"),
        ("fox V1.2", "logos/Fox v1.2"),
        ("owl", "logos/deep/owl"),
        ("The Owl", "logos/deep/owl"),
        ("the owl", "logos/deep/owl"),
        ("bear.safetensors", "BEAR"),
        ("broken", "broken"),
        ("lion", "lion/seal"),
        ("Hare", "old/hare/seal"),
    ],
)
def test_a_seal_is_found_by_path_name_and_title(folder: Path, name: str, found: str) -> None:
    assert find_seal(name, [folder]) == folder / f"{found}.safetensors"


@pytest.mark.parametrize(
    ("name", "problem", "remedy"),
    [
        ("Twin", r"2 seals are called 'Twin': .*twin a.*twin b", "<lora:folder/name:0.8>"),
        ("seal", r"2 seals are called 'seal': .*lion/seal.*hare/seal", "<lora:folder/name:0.8>"),
        ("foxx v1.1", "there is no seal 'foxx v1.1' in", r"did you mean Fox v1\.2\?"),
        ("???", "there is no seal", "the seals there: BEAR"),
    ],
)
def test_what_is_not_one_seal_is_refused(folder: Path, name: str, problem: str, remedy: str) -> None:
    with pytest.raises(ConfigError, match=problem) as error:
        find_seal(name, [folder])
    assert re.search(remedy, error.value.remedy)


def test_trainings_seals_have_names_that_find_them(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(folder)
    for path in (Path("lion/seal.safetensors"), Path("old/hare/seal.safetensors"), Path("mark.safetensors")):
        assert find_seal(file_name(path), [Path()]) == path
    monkeypatch.chdir(folder / "lion")
    assert file_name(Path("seal.safetensors")) == "lion"


def test_a_folder_that_is_none_or_empty_is_said(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no folder of seals"):
        find_seal("mark", [tmp_path / "missing"])
    with pytest.raises(ConfigError, match=r"no \.safetensors file there"):
        find_seal("mark", [tmp_path])
