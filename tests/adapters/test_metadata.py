"""Laws of headers: what other programs read is there and true, and PEFT rebuilds every layer from it."""

import base64
import dataclasses
import io
import json
from collections.abc import Mapping

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from sealsmith.adapters import SealHeader
from sealsmith.adapters.changes import Change, Hadamard, LowRank
from sealsmith.adapters.foreign_header import foreign_header
from sealsmith.adapters.formats import header_entries
from sealsmith.adapters.kohya_metadata import kohya_metadata, tag_frequency
from sealsmith.adapters.metadata import dump_metadata, header_of_foreign, parse_metadata
from sealsmith.adapters.thumbnail import thumbnail

HEADER = SealHeader(
    "sks", "emblem", "some base", "0123", "sdxl", 4, 6.0, ("to_q",), "mark", "2026-01-02T03:04:05+00:00",
    training={
        "num_pictures": 12, "num_steps": 400, "learning_rate": 1e-4, "seed": 3, "pictures": "digest",
        "contexts": [["wax seal", "parchment"], ["ink stamp", "wood"]],
    },
    architecture="stable-diffusion-xl-v1-base", kohya_version="sdxl_base_v1-0", resolution_px=1024,
)  # fmt: skip
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)


def low_rank(rank: int = 4, alpha: float = 6.0, kernel: int = 0) -> LowRank:
    tail, ones = ((kernel, kernel), (1, 1)) if kernel else ((), ())
    return LowRank(torch.ones(rank, 8, *tail), torch.ones(8, rank, *ones), alpha)


LAYERS: Mapping[str, Change] = {"unet.a.to_q": low_rank(), "unet.a.to_k": low_rank()}


def dumped(
    header: SealHeader = HEADER,
    layers: Mapping[str, Change] = LAYERS,
    dialect: str = "diffusers",
    kept: Mapping[str, str] | None = None,
) -> dict[str, str]:
    own = header_entries(layers, dialect)
    return dump_metadata(header, layers, {"x": {}}, memoryview(b"tensors"), own, dialect, kept)


def test_everything_modelspec_demands_and_everything_known_is_there() -> None:
    header = dataclasses.replace(
        HEADER, author="me", license="mit", description="a mark", tags=("logo", "wax"),
        merged_from=("a", "b"), prediction_type="epsilon", thumbnail=thumbnail(Image.new("RGB", (9, 5))),
    )  # fmt: skip
    spec = {k.removeprefix("modelspec."): v for k, v in dumped(header).items() if k.startswith("modelspec.")}
    assert spec.pop("thumbnail").startswith("data:image/jpeg;base64,/9j/")
    assert spec.pop("hash_sha256").startswith("0x")
    assert spec == {
        "sai_model_spec": "1.0.1",
        "architecture": "stable-diffusion-xl-v1-base/lora",
        "implementation": "diffusers",
        "title": "mark",
        "resolution": "1024x1024",
        "date": "2026-01-02T03:04:05+00:00",
        "description": "a mark",
        "author": "me",
        "license": "mit",
        "tags": "logo, wax",
        "merged_from": "a, b",
        "trigger_phrase": "sks",
        "usage_hint": "write 'sks' before 'emblem'",
        "prediction_type": "epsilon",
    }


def test_kohyas_entries_are_those_of_his_trainers() -> None:
    entries = dumped()
    assert json.loads(entries["ss_tag_frequency"])["1_sks emblem"]["sks"] == 12
    assert json.loads(entries["ss_dataset_dirs"]) == {"1_sks emblem": {"n_repeats": 1, "img_count": 12}}
    del entries["ss_tag_frequency"], entries["ss_dataset_dirs"]
    assert {key: value for key, value in entries.items() if key.startswith("ss_")} == {
        "ss_v2": "False",
        "ss_base_model_version": "sdxl_base_v1-0",
        "ss_output_name": "mark",
        "ss_sd_model_name": "some base",
        "ss_network_module": "networks.lora",
        "ss_network_dim": "4",
        "ss_network_alpha": "6.0",
        "ss_network_args": "{}",
        "ss_learning_rate": "0.0001",
        "ss_max_train_steps": "400",
        "ss_seed": "3",
        "ss_resolution": "(1024, 1024)",
        "ss_num_train_images": "12",
        "ss_training_finished_at": "1767323045.0",
        "ss_training_comment": entries["ss_training_comment"],
    }


@given(trigger=TEXT.filter(str.strip), noun=TEXT)
def test_no_entry_is_empty_and_our_own_json_is_the_whole_truth(trigger: str, noun: str) -> None:
    header = dataclasses.replace(HEADER, trigger=trigger, class_noun=noun)
    entries = dumped(header)
    assert all(isinstance(value, str) and value for value in entries.values())
    assert list(entries) == sorted(entries)
    assert parse_metadata(entries, "seal") == header


@given(st.text("abcdefgh ", min_size=1, max_size=22).filter(str.strip))
def test_a1111_finds_the_trigger_whole_and_first(trigger: str) -> None:
    """A1111 keeps tags whole while they have less than 16 characters on average, and sorts them by count."""
    ((_, tags),) = tag_frequency(dataclasses.replace(HEADER, trigger=trigger)).items()
    assert sum(map(len, tags)) / len(tags) < 16
    assert sorted(tags, key=tags.__getitem__, reverse=True)[0] == trigger


@pytest.mark.parametrize(
    ("layers", "entries"),
    [
        (
            {"unet.a": low_rank(), "unet.b": low_rank(8, 2.0, kernel=3)},
            {"ss_network_dim": "4", "ss_network_args": '{"conv_alpha": "2.0", "conv_dim": "8"}'},
        ),
        (
            {"unet.a": low_rank(4, 6.0), "unet.b": low_rank(8, 6.0)},
            {"ss_network_dim": "Dynamic", "ss_network_alpha": "6.0"},
        ),
        ({"unet.b": low_rank(8, 2.0, kernel=3)}, {"ss_network_dim": "8", "ss_network_alpha": "2.0"}),
        (
            {"unet.a": Hadamard(torch.ones(8, 4), torch.ones(4, 8), torch.ones(8, 4), torch.ones(4, 8), 1.0)},
            {
                "ss_network_module": "lycoris.kohya",
                "ss_network_args": '{"algo": "loha", "dora_wd": false}',
            },
        ),
    ],
    ids=["convolutions", "ranks differ", "convolutions alone", "loha"],
)
def test_the_network_is_described_as_it_is(layers: dict[str, Change], entries: dict[str, str]) -> None:
    assert entries.items() <= kohya_metadata(HEADER, layers).items()


def test_what_another_tool_wrote_stays_but_for_the_tensors_facts() -> None:
    kept = {
        "ss_base_model_version": "sdxl_v0.9", "ss_tag_frequency": '{"a": {"b": 1}}', "ss_clip_skip": "2",
        "ss_network_dim": "99", "modelspec.author": "them", "modelspec.hash_sha256": "0xdead",
        "lora_adapter_metadata": "{}", "sshs_model_hash": "dead", "else": "x",
    }  # fmt: skip
    entries = dumped(dataclasses.replace(HEADER, training={}, kohya_version=""), kept=kept)
    same = ("ss_base_model_version", "ss_tag_frequency", "ss_clip_skip", "modelspec.author")
    assert {key: entries[key] for key in same} == {key: kept[key] for key in same}
    assert entries["ss_network_dim"] == "4"
    assert "dead" not in entries["modelspec.hash_sha256"] + entries["sshs_model_hash"]
    assert "else" not in entries
    assert "unet.r" in entries["lora_adapter_metadata"]


def test_what_our_header_no_longer_says_does_not_come_back_from_the_old_file() -> None:
    before = dumped(dataclasses.replace(HEADER, description="old", author="them"))
    after = dumped(dataclasses.replace(HEADER, author="me"), kept=before)
    assert "modelspec.description" not in after
    assert after == dumped(dataclasses.replace(HEADER, author="me"))


def test_a_foreign_header_has_what_its_words_say_and_the_family_its_layers_have() -> None:
    words = {"ss_base_model_version": "sd_v1", "modelspec.trigger_phrase": "ohwx", "modelspec.title": "dog"}
    wide = LowRank(torch.ones(4, 2048), torch.ones(8, 4), 2.0)
    named = header_of_foreign(words, LAYERS, "files/my dog.safetensors")
    assert (named.family, named.kohya_version, named.trigger, named.title) == ("sd1", "sd_v1", "ohwx", "dog")
    assert (named.rank, named.alpha, named.base_digest) == (4, 6.0, "")
    shown = header_of_foreign(words, {"unet.x.attn2.to_k": wide}, "my dog.safetensors")
    assert (shown.family, shown.kohya_version) == ("sdxl", "")
    assert header_of_foreign({}, LAYERS, "files/my dog.safetensors").title == "my dog"


def test_ours_beats_what_was_there_when_the_training_was_ours() -> None:
    entries = dumped(kept={"ss_seed": "7", "ss_training_comment": "mine"})
    assert (entries["ss_seed"], entries["ss_training_comment"]) == ("3", "mine")


def test_a_file_with_alpha_tensors_carries_no_config_for_diffusers() -> None:
    """Stock diffusers refuses a file that has both."""
    assert "lora_adapter_metadata" not in dumped(dialect="kohya")
    assert dumped(dialect="kohya")["modelspec.implementation"] == "sd-scripts"


@given(TEXT, TEXT, st.lists(st.text("abc", min_size=1), max_size=3, unique=True), st.integers(1, 9999))
def test_what_we_write_a_foreign_reader_understands(
    title: str, author: str, tags: list[str], side: int
) -> None:
    header = dataclasses.replace(HEADER, title=title, author=author, tags=tuple(tags), resolution_px=side)
    facts = foreign_header(dumped(header))
    assert facts.unreadable == ()
    assert (facts.title, facts.author) == (title.strip(), author.strip()) or "None" in (title, author)
    assert (facts.trigger, facts.family, facts.rank, facts.alpha) == ("sks", "sdxl", 4, 6.0)
    assert (facts.tags, facts.resolution_px, facts.num_pictures) == (tuple(tags), (side, side), 12)
    assert facts.candidates[0] == ("sks", 12)


@pytest.mark.parametrize("size", [(1, 1), (300, 40), (1000, 1000)])
@pytest.mark.parametrize("mode", ["RGB", "RGBA", "L"])
def test_a_thumbnail_is_a_square_jpeg_on_white(size: tuple[int, int], mode: str) -> None:
    text = thumbnail(Image.new(mode, size))
    image = Image.open(io.BytesIO(base64.b64decode(text.partition(",")[2])))
    assert (image.format, image.size) == ("JPEG", (256, 256))
    assert (image.getpixel((9, 9)) == (255, 255, 255)) == (mode == "RGBA")


@pytest.mark.parametrize("text", ["", "x", "https://elsewhere.example/a.jpg", "data:text/html;base64,AAAA"])
def test_only_a_jpeg_is_written_as_thumbnail(text: str) -> None:
    assert "modelspec.thumbnail" not in dumped(dataclasses.replace(HEADER, thumbnail=text))
