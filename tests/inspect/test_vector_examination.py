"""What `inspect` says of seals that change no weights."""

from collections.abc import Callable
from pathlib import Path

import pytest
from seal_examples import random_seal
from vector_examples import inverted_seal, network_seal

from sealsmith.adapters import Seal, write_seal
from sealsmith.bases import Base
from sealsmith.cli import main
from sealsmith.inspect.examination import examine


def test_words_and_networks_are_counted_as_parts(tiny_base: Base, tmp_path: Path) -> None:
    seal = random_seal(tiny_base, ("to_k",))
    seal.embeddings = inverted_seal(tiny_base, 3).embeddings
    seal.networks = network_seal(tiny_base).networks
    write_seal(tmp_path / "seal.safetensors", seal)
    found = examine(tmp_path / "seal.safetensors", tiny_base)
    text, unet = found.components
    assert (text.component, text.kinds, text.ranks, text.matched, text.share) == (
        "text_encoder", {"vectors": 1}, {"3": 1}, 1, 0
    )  # fmt: skip
    assert unet.kinds == {"lora": len(seal.layers), "hypernetwork": len(seal.networks)}
    assert (unet.matched, found.verdict) == (unet.num_layers, "fits")


def test_vectors_of_a_known_family_are_held_against_its_architecture(tiny_sdxl: Base, tmp_path: Path) -> None:
    seal = inverted_seal(tiny_sdxl, 2)
    write_seal(tmp_path / "seal.safetensors", seal)
    found = examine(tmp_path / "seal.safetensors")
    assert (found.verdict, set(found.misshapen)) == (
        "other family",
        {"text_encoder.token_embedding.sks", "text_encoder_2.token_embedding.sks"},
    )
    assert examine(tmp_path / "seal.safetensors", tiny_sdxl).verdict == "fits"


@pytest.mark.parametrize(("example", "kind"), [(inverted_seal, "vectors"), (network_seal, "hypernetwork")])
def test_the_command_prints_them(
    tiny_base: Base,
    tiny_base_folder: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    example: Callable[[Base], Seal],
    kind: str,
) -> None:
    path = tmp_path / "seal.safetensors"
    write_seal(path, example(tiny_base))
    assert main(["inspect", str(path), "--base", str(tiny_base_folder)]) == 0
    printed = capsys.readouterr().out
    assert "KiB" in printed
    assert kind in printed
    assert "verdict: fits" in printed
    assert "strongest" not in printed
