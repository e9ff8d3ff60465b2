"""Laws of the hub's folder: its card is what Hugging Face's own reader understands, whatever the header says."""

import dataclasses
from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from hypothesis import given, settings
from hypothesis import strategies as st

from sealsmith.adapters import SealHeader
from sealsmith.adapters.hub import GalleryPicture, card_facts, hub_card, write_hub_folder
from sealsmith.errors import OutputError

HEADER = SealHeader(
    "sks", "emblem", "someone/some-base", "01", "sd1", 4, 4.0, ("to_q",), "mark", "2026-01-02",
    license="mit", tags=("logo",), author="me", description="A mark.",
    scorecard={
        "verdict": "pass", "reasons": [], "settings": {"num_seeds": 2}, "diversity": 0.91234,
        "fidelity": {"top1": 0.875, "similarity": None, "ci": [0.7, 1.0]},
    },
)  # fmt: skip
TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=30)
NASTY = st.sampled_from(
    [
        "---\nlicense: evil", "yes", "1e3", "null", "- a: b", "`" * 4, "# no heading", "<b>x</b>",
        "a: 'b' \"c\"", "x\ny",
    ]
)  # fmt: skip
ANY = TEXT | NASTY


@settings(max_examples=25, deadline=None)
@given(trigger=ANY, title=ANY, licence=ANY, tags=st.lists(ANY, max_size=2), prompts=st.lists(ANY, max_size=2))
def test_the_hubs_own_reader_gets_every_word_back(
    trigger: str, title: str, licence: str, tags: list[str], prompts: list[str]
) -> None:
    header = dataclasses.replace(HEADER, trigger=trigger, title=title, license=licence, tags=tuple(tags))
    pictures = [GalleryPicture(b"", prompt) for prompt in prompts]
    card = ModelCard(hub_card(header, pictures), ignore_metadata_errors=False)
    facts = card.data.to_dict()
    assert facts == card_facts(header, pictures)
    assert facts.get("instance_prompt", "") == trigger
    assert [entry["text"] for entry in facts.get("widget", [])] == [prompt or "-" for prompt in prompts]
    assert card.text.lstrip().startswith("# ")


def test_the_card_has_what_people_look_for() -> None:
    card = ModelCard(hub_card(HEADER, [GalleryPicture(b"", "a red sks emblem", "blurry")]))
    assert card.data.to_dict() == {
        "tags": ["text-to-image", "diffusers", "lora", "template:sd-lora", "logo"],
        "base_model": "someone/some-base",
        "instance_prompt": "sks",
        "license": "mit",
        "library_name": "diffusers",
        "widget": [
            {
                "text": "a red sks emblem",
                "parameters": {"negative_prompt": "blurry"},
                "output": {"url": "images/01.png"},
            }
        ],
    }
    assert "<Gallery />" in card.text
    assert "## Trigger words\n\nWrite `sks` before the noun `emblem` in the prompt." in card.text
    assert 'from_pretrained("someone/some-base")' in card.text
    assert "| fidelity top1 | 0.875 |" in card.text
    assert "| diversity | 0.912 |" in card.text
    assert "Verdict: pass." in card.text
    assert "num" not in card.text


def test_a_card_without_facts_leaves_their_parts_out() -> None:
    bare = dataclasses.replace(HEADER, trigger="", base="my models/base", license="", scorecard=None, tags=())
    card = ModelCard(hub_card(bare))
    assert set(card.data.to_dict()) == {"tags", "library_name"}
    assert not any(word in card.text for word in ("<Gallery", "## Trigger", "## Scorecard"))


@given(TEXT | NASTY)
def test_nothing_a_header_says_becomes_markup(words: str) -> None:
    header = dataclasses.replace(
        HEADER, title=words, description=words, author=words, trigger=words, class_noun=words, scorecard=None
    )
    body = ModelCard(hub_card(header)).text
    headings = [line for line in body.splitlines() if line.startswith("#")]
    trigger = ["## Trigger words"] if words else []
    assert headings[1:] == [*trigger, "## Use it with diffusers"]


def test_markup_is_shown_as_it_is() -> None:
    words = "<img src=x>\n[a](b) *c* `d`"
    first, *_ = hub_card(dataclasses.replace(HEADER, title=words)).partition("---\n\n")[2].splitlines()
    assert first == r"# &lt;img src=x&gt; \[a\]\(b\) \*c\* \`d\`"
    card = hub_card(dataclasses.replace(HEADER, trigger="a``b`"))
    assert "Write ``` a``b` ``` before" in card


def test_the_folder_holds_weights_card_and_pictures(tmp_path: Path) -> None:
    pictures = [GalleryPicture(b"one", "a"), GalleryPicture(b"two", "b")]
    written = write_hub_folder(tmp_path / "hub", b"weights", HEADER, pictures)
    there = {path for path in (tmp_path / "hub").rglob("*") if path.is_file()}
    assert set(written) == there
    names = {str(path.relative_to(tmp_path / "hub")) for path in there}
    assert names == {"README.md", "pytorch_lora_weights.safetensors", "images/01.png", "images/02.png"}
    assert (tmp_path / "hub" / "images" / "02.png").read_bytes() == b"two"
    ModelCard.load(tmp_path / "hub" / "README.md")


def test_a_folder_with_something_in_it_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(OutputError, match="is not empty"):
        write_hub_folder(tmp_path, b"weights", HEADER)
    with pytest.raises(OutputError, match="cannot write to the folder"):
        write_hub_folder(tmp_path / "mine.txt", b"weights", HEADER)
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]
