"""Vectors and hypernetworks in files: others' are read, ours are read back, and by stock diffusers."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import save, save_file
from seal_examples import equal_layers, random_seal
from torch import Tensor
from vector_examples import inverted_seal, network_seal

from sealsmith.adapters import Seal, dump_seal, fit_seal, merge_seals, parse_seal, read_seal, write_seal
from sealsmith.adapters.convert import converted
from sealsmith.adapters.embeddings import Embeddings
from sealsmith.adapters.formats import write_layers
from sealsmith.adapters.merge import MergeSettings
from sealsmith.adapters.tensor_file import parse_tensor_file
from sealsmith.bases import Base
from sealsmith.errors import ConfigError, SealFormatError, SealShapeError


def equal_embeddings(one: Embeddings, other: Embeddings) -> bool:
    mine, theirs = (
        {(word, name): each for word, vectors in both.items() for name, each in vectors.items()}
        for both in (one, other)
    )
    return mine.keys() == theirs.keys() and all(torch.equal(mine[key], theirs[key]) for key in mine)


@pytest.mark.parametrize("name", ["tiny_base", "tiny_sdxl", "tiny_flux"])
@pytest.mark.parametrize("num_vectors", [1, 3])
def test_a_textual_inversion_is_read_back(
    request: pytest.FixtureRequest, name: str, num_vectors: int
) -> None:
    seal = inverted_seal(request.getfixturevalue(name), num_vectors)
    data = dump_seal(seal)
    again = parse_seal(data)
    assert equal_embeddings(again.embeddings, seal.embeddings)
    assert (again.header, again.layers, again.unknown) == (seal.header, {}, ())
    assert dump_seal(again) == data


@pytest.mark.parametrize("norms", [False, True])
def test_a_hypernetwork_is_read_back(tiny_base: Base, norms: bool) -> None:
    seal = network_seal(tiny_base, activation="tanh", norms=norms)
    again = parse_seal(dump_seal(seal))
    assert again.networks.keys() == seal.networks.keys()
    assert again.unknown == ()
    for path, network in seal.networks.items():
        read = again.networks[path]
        assert read.activation == "tanh"
        assert read.tensors.keys() == network.tensors.keys()
        assert all(torch.equal(read.tensors[key], tensor) for key, tensor in network.tensors.items())


@pytest.mark.parametrize("dialect", ["diffusers", "kohya"])
def test_all_kinds_of_parts_live_in_one_file(tiny_base: Base, dialect: str) -> None:
    seal = random_seal(tiny_base, ("to_k",))
    seal.embeddings = {
        **inverted_seal(tiny_base, 2, "sks").embeddings,
        **inverted_seal(tiny_base, 1, "zwx").embeddings,
    }
    seal.networks = network_seal(tiny_base).networks
    again = parse_seal(dump_seal(seal, dialect))
    assert equal_embeddings(again.embeddings, seal.embeddings)
    assert again.networks.keys() == seal.networks.keys()
    assert equal_layers(again, seal)
    assert again.unknown == ()


def test_stock_diffusers_loads_a_textual_inversion(tiny_base: Base, tmp_path: Path) -> None:
    seal = inverted_seal(tiny_base, 3, trigger="glyph")
    write_seal(tmp_path / "seal.safetensors", seal)
    tiny_base.pipeline.load_textual_inversion(tmp_path / "seal.safetensors")
    ids = tiny_base.tokenizer.convert_tokens_to_ids(["glyph", "glyph_1", "glyph_2"])
    table = tiny_base.text_encoder.get_input_embeddings().weight
    assert torch.equal(table[ids], seal.embeddings["glyph"]["text_encoder"])


FOREIGN: dict[str, tuple[dict[str, Tensor], dict[str, str], dict[str, tuple[str, ...]], str]] = {
    "A1111's of Stable Diffusion 1": ({"emb_params": torch.ones(2, 768)}, {}, {"glyph": ("text_encoder",)}, "sd1"),
    "A1111's of Stable Diffusion 2": ({"emb_params": torch.ones(2, 1024)}, {}, {"glyph": ("text_encoder",)}, "sd2"),
    "of SDXL": (
        {"clip_l": torch.ones(2, 768), "clip_g": torch.ones(2, 1280)},
        {},
        {"glyph": ("text_encoder", "text_encoder_2")},
        "sdxl",
    ),
    "of Flux": (
        {"clip_l": torch.ones(1, 768), "t5": torch.ones(1, 4096)},
        {},
        {"glyph": ("text_encoder", "text_encoder_2")},
        "flux",
    ),
    "diffusers'": ({"<cat-toy>": torch.ones(768)}, {}, {"<cat-toy>": ("text_encoder",)}, "sd1"),
    "the first pivotal ones'": (
        {"<s1>": torch.ones(768), "<s2>": torch.ones(768)},
        {"<s1>": "<embed>", "<s2>": "<embed>"},
        {"<s1>": ("text_encoder",), "<s2>": ("text_encoder",)},
        "sd1",
    ),
    "bundled": (
        {
            "bundle_emb.my.word.string_to_param.*": torch.ones(1, 768),
            "bundle_emb.other.clip_l": torch.ones(1, 768),
            "bundle_emb.other.clip_g": torch.ones(1, 1280),
        },
        {},
        {"my.word": ("text_encoder",), "other": ("text_encoder", "text_encoder_2")},
        "sdxl",
    ),
}  # fmt: skip


@pytest.mark.parametrize("kind", FOREIGN)
def test_foreign_vectors_are_read(tmp_path: Path, kind: str) -> None:
    tensors, metadata, words, family = FOREIGN[kind]
    path = tmp_path / "glyph.safetensors"
    save_file(tensors, path, metadata or None)
    seal = read_seal(path)
    assert {word: tuple(vectors) for word, vectors in seal.embeddings.items()} == words
    assert all(each.ndim == 2 for vectors in seal.embeddings.values() for each in vectors.values())
    assert (seal.header.family, seal.header.method) == (family, "textual-inversion")
    assert seal.header.trigger == " ".join(words)


def test_vectors_beside_a_foreign_lora_are_read(tiny_base: Base) -> None:
    lora = parse_seal(dump_seal(random_seal(tiny_base, ("to_k",)), "kohya"))
    tensors = write_layers(lora.layers, "kohya", "sd1").tensors
    tensors["bundle_emb.glyph.string_to_param.*"] = torch.ones(1, 768)
    seal = parse_seal(save(tensors))
    assert seal.layers.keys() == lora.layers.keys()
    assert (seal.header.trigger, seal.header.method, seal.unknown) == ("glyph", "pivotal", ())


def test_one_unknown_tensor_is_still_no_seal() -> None:
    with pytest.raises(SealFormatError, match="holds no layers of a seal"):
        parse_seal(save({"thing": torch.ones(3, 5)}))


def test_half_a_hypernetwork_is_refused(tiny_base: Base) -> None:
    tensors = parse_tensor_file(dump_seal(network_seal(tiny_base)), "seal").tensors
    tensors.pop(next(name for name in tensors if name.endswith("1.bias")))
    with pytest.raises(SealFormatError, match=r"is not whole: see '1\.bias'"):
        parse_seal(save(tensors))


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        (torch.full((1, 32), torch.nan), "NaN or infinity"),
        (torch.ones(80, 32), "expected 1 to 75"),
        (torch.ones(1, 1, 32), "expected 1 to 75"),
    ],
)
def test_bad_vectors_are_never_written(tiny_base: Base, vectors: Tensor, message: str) -> None:
    seal = inverted_seal(tiny_base)
    seal.embeddings = {"sks": {"text_encoder": vectors}}
    with pytest.raises((SealFormatError, SealShapeError), match=message):
        dump_seal(seal)


def test_every_part_is_accounted_for(tiny_base: Base) -> None:
    seal = inverted_seal(tiny_base)
    seal.networks = dict(network_seal(tiny_base).networks)
    network = next(iter(seal.networks.values()))
    seal.networks["unet.nowhere"] = network
    fit = fit_seal(tiny_base.components, "sealworld", seal)
    counts = {part.component: (part.matched, part.total) for part in fit.components}
    num_networks = len(seal.networks)
    assert counts == {"text_encoder": (1, 1), "unet": (num_networks - 1, num_networks)}
    assert (fit.matched, fit.total, fit.verdict) == (num_networks, num_networks + 1, "fits partly")
    assert fit.unmatched == ("unet.nowhere",)


def test_another_number_format_holds_all_parts(tiny_base: Base) -> None:
    seal = inverted_seal(tiny_base)
    seal.networks = network_seal(tiny_base).networks
    half, lost = converted(seal, "diffusers", "fp16")
    assert lost == {}
    assert {each.dtype for each in half.embeddings["sks"].values()} == {torch.float16}
    assert all(network.weights[0].dtype == torch.float16 for network in half.networks.values())


def test_vectors_are_never_merged_away(tiny_base: Base) -> None:
    seals: list[tuple[Seal, float]] = [
        (random_seal(tiny_base, ("to_k",)), 1.0),
        (inverted_seal(tiny_base), 1.0),
    ]
    with pytest.raises(ConfigError, match="holds vectors or hypernetworks, which cannot be merged"):
        merge_seals(seals, MergeSettings(), "both")


def test_a_file_of_one_word_is_a_few_kilobytes(tiny_base: Base) -> None:
    seal = inverted_seal(tiny_base, 1)
    seal.embeddings = {"sks": {"text_encoder": torch.ones(1, 768)}}
    assert len(dump_seal(seal)) < 8 * 1024
