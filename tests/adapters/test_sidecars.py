"""Laws of sidecars: what is read is what was written, nothing of anybody's is lost, nothing in one raises."""

import dataclasses
import json
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file

from sealsmith.adapters import SealHeader, hash_file, read_seal
from sealsmith.adapters.civitai import parse_version
from sealsmith.adapters.sidecars import MAX_SIDECAR_BYTES, facts_beside, write_found, write_sidecars
from sealsmith.errors import OutputError

HEADER = SealHeader(
    "sks", "emblem", "base", "01", "sdxl", 4, 4.0, ("to_q",), "mark", "2026-01-02", description="a mark"
)
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=2) | st.dictionaries(TEXT, inner, max_size=2),
    max_leaves=5,
)
KNOWN = ["description", "sd version", "activation text", "preferred weight", "negative text", "notes"]
API = ["id", "modelId", "name", "baseModel", "air", "trainedWords", "files", "model"]


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A seal file for tests that write its sidecars anew each time."""
    return framed(tmp_path_factory.mktemp("sidecars"))


@pytest.fixture
def seal(tmp_path: Path) -> Path:
    return framed(tmp_path)


def framed(folder: Path) -> Path:
    path = folder / "my.mark v1.safetensors"
    path.write_bytes((2).to_bytes(8, "little") + b"{}tensors")
    return path


def write_json(path: Path, value: Any) -> None:
    path.write_text(json.dumps(value))


def test_read_after_write_gives_the_header_back(seal: Path) -> None:
    written = write_sidecars(seal, HEADER, b"png")
    names = ["my.mark v1.json", "my.mark v1.civitai.info", "my.mark v1.preview.png"]
    assert [path.name for path in written] == names
    beside = facts_beside(seal)
    assert (beside.trigger, beside.words, beside.family, beside.description) == (
        "sks", ("sks",), "sdxl", "a mark",
    )  # fmt: skip
    assert beside.preview == written[2]
    assert beside.notes == ()
    assert beside.version is not None
    assert beside.version.has_file(hash_file(seal))


def test_without_sidecars_nothing_is_known(seal: Path) -> None:
    beside = facts_beside(seal)
    assert (beside.trigger, beside.version, beside.preview, beside.notes) == ("", None, None, ())


@settings(max_examples=25, deadline=None)
@given(st.dictionaries(TEXT.filter(lambda key: key not in KNOWN), JSON, max_size=4))
def test_fields_we_do_not_know_survive_rewriting(shared: Path, others: dict[str, Any]) -> None:
    own = {"preferred weight": 0.7, "notes": "mine", "negative text": "blurry"}
    write_json(shared.with_suffix(".json"), others | own | {"activation text": "old"})
    before = json.loads(shared.with_suffix(".json").read_text())
    write_sidecars(shared, HEADER)
    after = json.loads(shared.with_suffix(".json").read_text())
    changed = {"activation text": "sks", "description": "a mark", "sd version": "SDXL"}
    assert json.dumps(after, sort_keys=True) == json.dumps(before | changed, sort_keys=True)


@settings(max_examples=50)
@given(st.dictionaries(st.sampled_from(KNOWN) | TEXT, JSON), st.dictionaries(st.sampled_from(API), JSON))
def test_nothing_in_a_sidecar_raises_and_what_is_left_out_is_said(
    shared: Path, own: dict[str, Any], answer: dict[str, Any]
) -> None:
    write_json(shared.with_suffix(".json"), own)
    write_json(shared.with_suffix(".civitai.info"), answer)
    beside = facts_beside(shared)
    wrong = [
        key for key in KNOWN if key != "preferred weight" and not isinstance(own.get(key, ""), str | None)
    ]
    assert all(any(repr(key) in note for note in beside.notes) for key in wrong)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\xff\xfe{", "is not valid JSON"),
        (b"[" * 100_000, "is not valid JSON"),
        (b"[1]", "holds a list, not an object"),
        (b" " * (MAX_SIDECAR_BYTES + 1), "larger than"),
    ],
)
@pytest.mark.parametrize("ending", [".json", ".civitai.info"])
def test_a_broken_sidecar_is_left_out_with_a_note_and_never_replaced(
    seal: Path, data: bytes, reason: str, ending: str
) -> None:
    path = seal.with_suffix(ending)
    path.write_bytes(data)
    (sentence,) = facts_beside(seal).notes
    assert reason in sentence
    assert path.name in sentence
    with pytest.raises(OutputError, match=f"is not replaced: it .*{reason.removeprefix('is ')}"):
        write_sidecars(seal, HEADER)
    assert path.read_bytes() == data


def test_activation_text_comes_before_trained_words_and_its_first_word_is_the_trigger(seal: Path) -> None:
    write_json(seal.with_suffix(".civitai.info"), {"id": 1, "trainedWords": ["ohwx, red hat", "smile"]})
    assert facts_beside(seal).trigger == "ohwx"
    write_json(seal.with_suffix(".json"), {"activation text": "sks dog, smile", "preferred weight": 0.8})
    beside = facts_beside(seal)
    assert (beside.trigger, beside.preferred_strength) == ("sks dog", 0.8)
    assert beside.words == ("sks dog", "smile", "ohwx", "red hat")


def test_a_foreign_seal_without_trigger_takes_its_sidecars_and_one_with_keeps_its_own(tmp_path: Path) -> None:
    layer = "unet.mid_block.attentions.0.to_q"
    state = {f"{layer}.lora_A.weight": torch.ones(2, 5), f"{layer}.lora_B.weight": torch.ones(4, 2)}
    path = tmp_path / "dog.safetensors"
    write_json(path.with_suffix(".json"), {"activation text": "ohwx, smile"})
    save_file(state, path)
    assert read_seal(path).header.trigger == "ohwx"
    save_file(state, path, {"modelspec.trigger_phrase": "sks"})
    assert read_seal(path).header.trigger == "sks"


@pytest.mark.parametrize("number", ["", None, True])
def test_an_info_of_a_file_the_registry_does_not_know_is_still_read(seal: Path, number: Any) -> None:
    write_json(seal.with_suffix(".civitai.info"), {"id": number, "trainedWords": ["ohwx"]})
    assert facts_beside(seal).trigger == "ohwx"


@pytest.mark.parametrize("weight", ["x", 1e9, True, [1], 10**400])
def test_an_absurd_weight_is_left_out(seal: Path, weight: Any) -> None:
    write_json(seal.with_suffix(".json"), {"preferred weight": weight})
    beside = facts_beside(seal)
    assert beside.preferred_strength is None
    assert "'preferred weight' is no number" in beside.notes[0]


def test_the_registrys_own_answer_is_never_overwritten_by_ours(seal: Path) -> None:
    write_json(seal.with_suffix(".civitai.info"), {"id": 7, "trainedWords": ["theirs"], "extra": 1})
    before = seal.with_suffix(".civitai.info").read_bytes()
    assert seal.with_suffix(".civitai.info") not in write_sidecars(seal, HEADER)
    assert seal.with_suffix(".civitai.info").read_bytes() == before


@pytest.mark.parametrize(
    "text", ["sks, blue hair, smile", "blue hair, SKS", "(sks:1.2), smile", "sks emblem"]
)
def test_words_that_the_user_wrote_beside_the_trigger_stay(seal: Path, text: str) -> None:
    write_json(seal.with_suffix(".json"), {"activation text": text, "notes": "mine"})
    write_json(seal.with_suffix(".civitai.info"), {"trainedWords": ["smile", text]})
    write_sidecars(seal, HEADER)
    assert json.loads(seal.with_suffix(".json").read_text())["activation text"] == text
    assert json.loads(seal.with_suffix(".civitai.info").read_text())["trainedWords"] == ["smile", text]


@pytest.mark.parametrize("text", ["tasks, smile", "", 7, None])
def test_words_without_the_trigger_give_way_to_it(seal: Path, text: Any) -> None:
    write_json(seal.with_suffix(".json"), {"activation text": text})
    write_json(seal.with_suffix(".civitai.info"), {"trainedWords": [text]})
    write_sidecars(seal, HEADER)
    assert json.loads(seal.with_suffix(".json").read_text())["activation text"] == "sks"
    assert json.loads(seal.with_suffix(".civitai.info").read_text())["trainedWords"] == ["sks"]


def test_a_seal_without_a_trigger_takes_no_words_away(seal: Path) -> None:
    write_json(seal.with_suffix(".json"), {"activation text": "smile"})
    write_json(seal.with_suffix(".civitai.info"), {"trainedWords": ["smile"]})
    write_sidecars(seal, dataclasses.replace(HEADER, trigger=""))
    assert json.loads(seal.with_suffix(".json").read_text())["activation text"] == "smile"
    assert json.loads(seal.with_suffix(".civitai.info").read_text())["trainedWords"] == ["smile"]


def test_a_found_answer_is_kept_whole_and_fills_only_what_is_empty(seal: Path) -> None:
    answer = {"id": 7, "trainedWords": ["ohwx"], "baseModel": "Pony", "extra": {"a": [1]}}
    write_json(seal.with_suffix(".json"), {"sd version": "SD1", "mine": 1, "description": "mine"})
    write_found(seal, parse_version(answer), answer)
    assert json.loads(seal.with_suffix(".civitai.info").read_text()) == answer
    own = json.loads(seal.with_suffix(".json").read_text())
    assert (own["activation text"], own["sd version"], own["mine"]) == ("ohwx", "SD1", 1)
    assert own["description"] == "mine"
