"""Laws of seal files: read after write is identity; same seal, same bytes; damage is refused, not read."""

import dataclasses
import json
import pickle
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors import safe_open
from safetensors.torch import save
from seal_examples import equal_layers, random_seal, state

from sealsmith.adapters import (
    LowRank,
    Seal,
    SealHeader,
    dump_seal,
    file_hash,
    parse_seal,
    read_seal,
    tensor_hash,
    write_seal,
)
from sealsmith.bases import Base
from sealsmith.errors import OutputError, SealFormatError, SealShapeError

HEADER = SealHeader(
    "sks",
    "emblem",
    "sealworld",
    "0123456789ab",
    "sealworld",
    2,
    3.0,
    ("to_q",),
    "mark",
    "2026-01-02T03:04:05Z",
)
LAYER = "unet.mid_block.attentions.0.to_q"


def small_seal(**changes: object) -> Seal:
    header = dataclasses.replace(HEADER, **changes)
    return Seal(header, {LAYER: LowRank(torch.ones(2, 5), torch.full((4, 2), 0.5), header.alpha)})


def test_layers_that_share_a_tensor_are_written_each_with_its_own() -> None:
    """As q, k and v do that were read from one fused layer."""
    down = torch.ones(2, 5)
    paths = [f"unet.mid_block.attentions.0.{leaf}" for leaf in ("to_q", "to_k", "to_v")]
    seal = Seal(
        HEADER, {path: LowRank(down, torch.full((4, 2), 1.0 + i), 3.0) for i, path in enumerate(paths)}
    )
    assert equal_layers(parse_seal(dump_seal(seal)), seal)


def tensors_of(seal: Seal) -> list[torch.Tensor]:
    return list(state(seal).values())


def with_header(data: bytes, change: dict[str, object]) -> bytes:
    """The file with some of its header's entries replaced."""
    length = int.from_bytes(data[:8], "little")
    text = json.dumps(json.loads(data[8 : 8 + length]) | change).encode()
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


TEXT = st.text(st.characters(exclude_categories=["Cs"]))


@given(
    trigger=TEXT.filter(str.strip),
    title=TEXT,
    alpha=st.floats(1e-3, 1e4),
    training=st.dictionaries(
        TEXT, st.none() | st.integers(-(2**53), 2**53) | TEXT | st.lists(st.floats(-1, 1))
    ),
    seed=st.integers(0, 2**31),
)
def test_parse_after_dump_is_identity(
    trigger: str, title: str, alpha: float, training: dict[str, object], seed: int
) -> None:
    seal = small_seal(trigger=trigger, title=title, alpha=alpha, training=training)
    generator = torch.Generator().manual_seed(seed)
    down, up = torch.randn(2, 5, generator=generator), torch.randn(4, 2, generator=generator)
    seal.layers = {LAYER: LowRank(down, up, alpha)}
    back = parse_seal(dump_seal(seal))
    assert back.header == seal.header
    assert equal_layers(back, seal)


def test_read_after_write_is_identity_on_a_whole_unet(tiny_base: Base, tmp_path: Path) -> None:
    seal = random_seal(tiny_base, ("to_q", "proj_in", "ff.net.2", "conv1"))
    write_seal(tmp_path / "mark.safetensors", seal)
    back = read_seal(tmp_path / "mark.safetensors")
    assert back.header == seal.header
    assert back.name == "mark"
    assert equal_layers(back, seal)


def test_the_same_seal_gives_the_same_bytes_in_every_process(tmp_path: Path) -> None:
    first, second = tmp_path / "1.safetensors", tmp_path / "2.safetensors"
    write_seal(first, small_seal())
    copy = f"from sealsmith.adapters import *; write_seal({str(second)!r}, read_seal({str(first)!r}))"
    subprocess.run(
        [sys.executable, "-c", copy], check=True, env={"OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "7"}
    )
    assert first.read_bytes() == second.read_bytes()


def test_other_peoples_tools_find_what_they_look_for(tmp_path: Path) -> None:
    path = tmp_path / "mark.safetensors"
    write_seal(path, small_seal(architecture="stable-diffusion-v1", kohya_version="sd_v1", resolution_px=128))
    with safe_open(path, "pt") as file:
        metadata = file.metadata()
    assert metadata["format"] == "pt"
    assert metadata["modelspec.sai_model_spec"] == "1.0.1"
    assert metadata["modelspec.architecture"] == "stable-diffusion-v1/lora"
    assert metadata["modelspec.resolution"] == "128x128"
    assert metadata["modelspec.trigger_phrase"] == "sks"
    assert metadata["modelspec.hash_sha256"] == "0x" + tensor_hash(path.read_bytes())
    assert (metadata["ss_network_dim"], metadata["ss_network_alpha"]) == ("2", "3.0")
    config = json.loads(metadata["lora_adapter_metadata"])
    assert config["unet.lora_alpha"] == 3
    assert config["unet.target_modules"] == ["mid_block.attentions.0.to_q"]


def test_a_new_title_changes_the_file_hash_but_not_the_tensor_hash(tmp_path: Path) -> None:
    one, two = tmp_path / "1.safetensors", tmp_path / "2.safetensors"
    write_seal(one, small_seal())
    write_seal(two, small_seal(title="another"))
    assert file_hash(one) != file_hash(two)
    assert tensor_hash(one.read_bytes()) == tensor_hash(two.read_bytes())


@settings(max_examples=200)
@given(st.data())
def test_one_changed_byte_is_refused_or_changes_nothing_but_words(data: st.DataObject) -> None:
    whole = dump_seal(small_seal())
    position = data.draw(st.integers(0, len(whole) - 1))
    byte = data.draw(st.integers(1, 255))
    damaged = bytearray(whole)
    damaged[position] ^= byte
    try:
        seal = parse_seal(bytes(damaged))
    except (SealFormatError, SealShapeError):
        return
    in_words = 8 <= position < 8 + int.from_bytes(whole[:8], "little")
    assert in_words
    assert all(torch.equal(a, b) for a, b in zip(tensors_of(seal), tensors_of(small_seal()), strict=True))


@given(st.integers(0, 2**31))
def test_a_truncated_file_is_refused(cut: int) -> None:
    whole = dump_seal(small_seal())
    with pytest.raises(SealFormatError, match=r"damaged|header|not a seal"):
        parse_seal(whole[: cut % len(whole)])


@given(st.binary(max_size=200))
def test_noise_is_refused(data: bytes) -> None:
    with pytest.raises(SealFormatError, match="noise"):
        parse_seal(data, "noise")


GOOD = dump_seal(small_seal())
OWN = json.loads(json.loads(GOOD[8 : 8 + int.from_bytes(GOOD[:8], "little")])["__metadata__"]["sealsmith"])


def with_own(change: dict[str, object]) -> bytes:
    """A good file but for some values in our part of its header."""
    return with_header(GOOD, {"__metadata__": {"sealsmith": json.dumps(OWN | change)}})


@pytest.mark.parametrize(
    ("data", "message"),
    [
        ((1 << 62).to_bytes(8, "little") + b"{}" * 20, "claims 4611686018427387904 bytes"),
        ((17 << 20).to_bytes(8, "little") + bytes(18 << 20), "absurd header: 17825792 of"),
        ((200_000).to_bytes(8, "little") + b"[" * 200_000, "unreadable header"),
        (save({}), "holds 0 tensors"),
        (save({"a": torch.zeros(2, dtype=torch.int64)}), "of type 'I64'"),
        (save({"a": torch.zeros(2)}), "no layers"),
        (with_header(GOOD, {"__metadata__": {"sealsmith": 3}}), "no table of tensors and strings"),
        (with_header(GOOD, {"__metadata__": {"sealsmith": "{}"}}), "damaged header: trigger"),
        (with_own({"rank": 10**9}), "absurd rank"),
        (with_own({"rank": "2"}), "damaged header: rank"),
        (with_own({"alpha": 0.0}), "absurd alpha"),
        (GOOD[:-1] + bytes([GOOD[-1] ^ 1]), "do not have the hash"),
    ],
)
def test_absurd_files_are_refused_with_their_fault(data: bytes, message: str) -> None:
    with pytest.raises(SealFormatError, match=message):
        parse_seal(data)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_values_that_are_not_finite_are_neither_written_nor_read(value: float, tmp_path: Path) -> None:
    seal = small_seal()
    tensors = state(seal)
    tensors[f"{LAYER}.lora_B.weight"][1, 1] = value
    with pytest.raises(SealFormatError, match=f"layer '{LAYER}' holds NaN or infinity in 'up'"):
        write_seal(tmp_path / "mark.safetensors", seal)
    metadata = {"sealsmith": json.dumps(OWN)}
    with pytest.raises(SealFormatError, match=r"lora_B\.weight' holds NaN or infinity"):
        parse_seal(save(tensors, metadata))
    assert not list(tmp_path.iterdir())


QUERIES = "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q"
KOHYA_LAYER = "lora_unet_down_blocks_0_attentions_0_transformer_blocks_0_attn1_to_q"


@pytest.mark.parametrize("alpha", [float("inf"), float("nan")])
def test_a_full_lokr_may_have_an_alpha_beyond_its_type(alpha: float) -> None:
    """LyCORIS' full dimension in fp16: the factors are whole, so alpha says nothing."""
    w1, w2 = torch.randn(2, 2), torch.randn(4, 3)
    whole = {
        f"{KOHYA_LAYER}.lokr_w1": w1.half(),
        f"{KOHYA_LAYER}.lokr_w2": w2.half(),
        f"{KOHYA_LAYER}.alpha": torch.tensor(alpha).half(),
    }
    read = parse_seal(save(whole))
    [change] = read.layers.values()
    assert torch.equal(change.delta(), torch.kron(w1.half().float(), w2.half().float()))
    again = parse_seal(dump_seal(read, "kohya"))
    assert torch.equal(again.layers[QUERIES].delta(), change.delta())


@pytest.mark.parametrize(
    "tensors",
    [
        {"lora_down.weight": torch.ones(2, 6), "lora_up.weight": torch.ones(8, 2)},
        {"lokr_w1": torch.ones(2, 2), "lokr_w2_a": torch.ones(4, 2), "lokr_w2_b": torch.ones(2, 3)},
        {f"hada_{end}": torch.ones(8, 2) for end in ("w1_a", "w2_a")}
        | {f"hada_{end}": torch.ones(2, 6) for end in ("w1_b", "w2_b")},
    ],
)
@pytest.mark.parametrize("alpha", [float("inf"), float("nan")])
def test_elsewhere_an_alpha_that_is_not_finite_is_refused_by_its_layer(
    tensors: dict[str, torch.Tensor], alpha: float
) -> None:
    file = {
        f"{KOHYA_LAYER}.{end}": tensor for end, tensor in (tensors | {"alpha": torch.tensor(alpha)}).items()
    }
    with pytest.raises(SealFormatError, match=f"^'mark': layer '{QUERIES}' has the absurd alpha {alpha}"):
        parse_seal(save(file), "mark")


def test_beside_an_infinite_alpha_a_weight_that_is_not_finite_is_still_found() -> None:
    file = {f"{KOHYA_LAYER}.alpha": torch.tensor(torch.inf)}
    file |= {
        f"{KOHYA_LAYER}.lokr_w1": torch.ones(2, 2),
        f"{KOHYA_LAYER}.lokr_w2": torch.full((4, 3), torch.nan),
    }
    with pytest.raises(SealFormatError, match=r"lokr_w2' holds NaN or infinity"):
        parse_seal(save(file))


def test_tensors_must_be_pairs_of_one_rank() -> None:
    lonely = {key: tensor for key, tensor in state(small_seal()).items() if "lora_A" in key}
    with pytest.raises(SealFormatError, match=f"layer '{LAYER}' has no 'up' tensor"):
        parse_seal(save(lonely, {"sealsmith": json.dumps(OWN)}))
    for down, up in ((torch.ones(3, 5), torch.ones(4, 2)), (torch.ones(2, 0), torch.ones(4, 2))):
        with pytest.raises(SealShapeError, match=f"layer '{LAYER}': down .* are no low-rank change"):
            dump_seal(Seal(HEADER, {LAYER: LowRank(down, up, 2.0)}))
    wide = LowRank(torch.ones(600, 5), torch.ones(8, 600), 2.0)
    with pytest.raises(SealShapeError, match="rank 600 is absurd for a layer of 8 x 5"):
        dump_seal(Seal(HEADER, {LAYER: wide}))


@pytest.mark.parametrize("alpha", [0.0, -1.0, float("nan"), float("inf")])
def test_an_absurd_alpha_of_a_layer_is_refused(alpha: float) -> None:
    with pytest.raises(SealFormatError, match="absurd alpha"):
        dump_seal(Seal(HEADER, {LAYER: LowRank(torch.ones(2, 5), torch.ones(4, 2), alpha)}))


def test_tensors_nobody_knows_are_reported() -> None:
    strange = state(small_seal()) | {"lora_unet_x": torch.zeros(2), "text": torch.ones(1)}
    assert parse_seal(save(strange, {"sealsmith": json.dumps(OWN)})).unknown == ("lora_unet_x", "text")


def test_a_foreign_file_is_read_with_what_it_says() -> None:
    seal = parse_seal(save(state(small_seal()), {"modelspec.trigger_phrase": "ohwx"}), "far/away.safetensors")
    assert (seal.header.trigger, seal.header.title, seal.header.base_digest) == ("ohwx", "away", "")
    assert seal.layers[LAYER].alpha == seal.layers[LAYER].rank == 2


def test_only_safetensors_files_are_opened(tmp_path: Path) -> None:
    path = tmp_path / "seal.bin"
    path.write_bytes(pickle.dumps({}))
    with pytest.raises(SealFormatError, match=r"is not a \.safetensors file"):
        read_seal(path)
    with pytest.raises(SealFormatError, match="No such file"):
        read_seal(tmp_path / "missing.safetensors")


def test_writing_below_a_file_is_an_output_error(tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(b"")
    with pytest.raises(OutputError, match="cannot write"):
        write_seal(tmp_path / "file" / "mark.safetensors", small_seal())


@pytest.mark.parametrize("names", [("seal", "lora", "step-000100"), ("lora", "step-000100"), ()])
def test_a_folder_is_no_seal_and_its_file_is_named(tmp_path: Path, names: tuple[str, ...]) -> None:
    for name in names:
        (tmp_path / f"{name}.safetensors").touch()
    with pytest.raises(SealFormatError, match="is a folder, not a seal file") as error:
        read_seal(tmp_path)
    wanted = (
        f"name the file in it: {tmp_path / names[0]}.safetensors" if names else "name a .safetensors file"
    )
    assert error.value.remedy == wanted
