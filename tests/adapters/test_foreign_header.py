"""Laws of foreign headers: nothing in one raises, what is readable is read, what is not is named."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sealsmith.adapters.family_names import family_named
from sealsmith.adapters.foreign_header import TrainingFolder, foreign_header

KEYS = [
    "ss_tag_frequency", "ss_network_args", "ss_network_dim", "ss_network_alpha", "ss_resolution",
    "ss_dataset_dirs", "ss_num_train_images", "ss_training_started_at", "ss_training_finished_at",
    "ss_base_model_version", "ss_v2", "ss_network_module", "modelspec.architecture", "modelspec.resolution",
    "modelspec.trigger_phrase", "modelspec.tags", "modelspec.date",
]  # fmt: skip
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=40)
@given(st.dictionaries(st.sampled_from(KEYS) | st.text(), st.text() | JSON.map(json.dumps)))
def test_no_header_raises_and_only_what_was_there_is_called_unreadable(metadata: dict[str, str]) -> None:
    facts = foreign_header(metadata)
    assert set(facts.unreadable) <= set(metadata)
    assert all(word and count >= 0 for word, count in facts.candidates)


@pytest.mark.parametrize(
    ("key", "text"),
    [
        ("ss_tag_frequency", "{'a': 1}"),
        ("ss_tag_frequency", "[" * 100_000),
        ("ss_tag_frequency", '{"a": 3}'),
        ("ss_tag_frequency", '{"a": {"b": "c"}}'),
        ("ss_tag_frequency", '{"a": {"b": %s}}' % ("9" * 5000)),
        ("ss_network_args", "[]"),
        ("ss_network_dim", "many"),
        ("ss_network_dim", "4.5"),
        ("ss_network_alpha", "nan"),
        ("ss_network_alpha", "1e999"),
        ("ss_training_started_at", "1e18"),
        ("ss_resolution", "(1, 2, 3)"),
        ("modelspec.resolution", "large"),
    ],
)
def test_an_entry_that_cannot_be_read_is_named_and_the_others_still_count(key: str, text: str) -> None:
    facts = foreign_header({key: text, "ss_output_name": "mark", "modelspec.author": "me"})
    assert facts.unreadable == (key,)
    assert (facts.title, facts.author) == ("mark", "me")


def test_a_header_of_kohyas_trainers() -> None:
    facts = foreign_header(
        {
            "ss_v2": "False", "ss_base_model_version": "sd_v1", "ss_network_module": "networks.lora",
            "ss_network_dim": "32", "ss_network_alpha": "16.0", "ss_network_args": '{"conv_dim": "4"}',
            "ss_output_name": "my_dog", "ss_sd_model_name": "v1-5.safetensors", "ss_resolution": "(512, 768)",
            "ss_num_train_images": "200", "ss_training_started_at": "1700000000.5",
            "ss_tag_frequency": '{"10_sks dog": {"sks dog": 20, "sitting": 7}, "2_dog": {"sitting": 1}}',
        }
    )  # fmt: skip
    assert facts.family == "sd1"
    assert (facts.rank, facts.alpha, facts.arguments) == (32, 16.0, {"conv_dim": "4"})
    assert facts.candidates == (("sks dog", 20), ("sitting", 8))
    assert facts.folders == (
        TrainingFolder("10_sks dog", 10, "sks dog"),
        TrainingFolder("2_dog", 2, "dog"),
    )
    assert (facts.resolution_px, facts.num_pictures) == ((512, 768), 200)
    assert facts.date == "2023-11-14T22:13:20+00:00"
    assert facts.trigger == ""
    header = facts.as_header(32, 16.0, ("to_q",))
    assert (header.title, header.family, header.kohya_version) == ("my_dog", "sd1", "sd_v1")
    assert (header.resolution_px, header.trigger, header.base_digest) == (768, "", "")


def test_captions_that_are_sentences_are_cut_into_words() -> None:
    captions = {"a photo of sks on a wooden table": 3, "sks in the snow behind the house": 2}
    facts = foreign_header({"ss_tag_frequency": json.dumps({"1_x": captions})})
    assert facts.candidates[0] == ("sks", 5)


def test_of_a_phrase_the_first_word_is_the_trigger() -> None:
    assert foreign_header({"modelspec.trigger_phrase": "sks dog, blue hat, smile"}).trigger == "sks dog"


@pytest.mark.parametrize(
    ("metadata", "family"),
    [
        ({"modelspec.architecture": "stable-diffusion-v1/lora"}, "sd1"),
        ({"modelspec.architecture": "stable-diffusion-xl-v1-base/lora"}, "sdxl"),
        ({"modelspec.architecture": "flux-1-dev/lora"}, "flux"),
        ({"modelspec.architecture": "stable-diffusion-v2-768-v/lora"}, "sd2"),
        ({"modelspec.architecture": "stable-diffusion-3-medium/lora", "ss_v2": "True"}, ""),
        ({"ss_base_model_version": "sdxl_base_v1-0", "ss_v2": "False"}, "sdxl"),
        ({"ss_v2": "True"}, "sd2"),
        ({"ss_v2": "False"}, ""),
        ({"ss_network_module": "networks.lora_flux"}, "flux"),
        ({}, ""),
    ],
)
def test_the_family_is_the_first_thing_that_names_one(metadata: dict[str, str], family: str) -> None:
    assert foreign_header(metadata).family == family


@pytest.mark.parametrize(
    ("name", "family"),
    [
        ("SD 1.5", "sd1"), ("SD 1.4", "sd1"), ("sd_v1", "sd1"), ("SD1", "sd1"), ("SD 2.1 768", "sd2"),
        ("sd_v2_v", "sd2"), ("SDXL 1.0", "sdxl"), ("sdxl_base_v1-0", "sdxl"), ("Pony", "sdxl"),
        ("Illustrious", "sdxl"), ("NoobAI", "sdxl"), ("Flux.1 D", "flux"), ("Flux.1 S", "flux"),
        ("flux1", "flux"), ("Flux", "flux"), ("Flux.2 D", ""), ("SD 3.5 Large", ""), ("Unknown", ""),
        ("", ""), ("sealworld-v1", "sealworld"),
    ],
)  # fmt: skip
def test_names_of_families_by_kohya_modelspec_a1111_and_registries(name: str, family: str) -> None:
    assert family_named(name) == family
