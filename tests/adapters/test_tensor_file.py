"""Laws of reading tensor files: what safetensors wrote comes back bit for bit, uncopied, and nothing else opens."""

import math
import os
import stat
from pathlib import Path

import pytest
import torch
from file_examples import good_file, make_file, numbers, ones
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import save, save_file

from sealsmith.adapters.header_file import read_header
from sealsmith.adapters.magnitude import largest_magnitude
from sealsmith.adapters.tensor_file import parse_tensor_file, read_tensor_file
from sealsmith.errors import SealFormatError

FLOATS = (torch.float32, torch.float16, torch.bfloat16)


@st.composite
def states(draw: st.DrawFn) -> dict[str, torch.Tensor]:
    names = draw(st.lists(st.text(st.characters(categories=["L", "N"]), min_size=1), min_size=1, unique=True))
    generator = torch.Generator().manual_seed(draw(st.integers(0, 2**31)))
    shapes = st.lists(st.integers(1, 4), max_size=4)
    return {
        name: torch.randn(draw(shapes), generator=generator).to(draw(st.sampled_from(FLOATS)))
        for name in names
        if name != "__metadata__"
    }


@given(states(), st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), st.text("ab\n\"'{[")))
def test_what_safetensors_writes_comes_back(state: dict[str, torch.Tensor], words: dict[str, str]) -> None:
    file = parse_tensor_file(save(state, words or None), "file")
    assert file.metadata == words
    assert file.tensors.keys() == state.keys()
    for key, tensor in state.items():
        assert file.tensors[key].dtype == tensor.dtype
        assert torch.equal(file.tensors[key], tensor)


@given(states(), st.integers(0, 15))
def test_tensors_need_not_be_aligned(state: dict[str, torch.Tensor], padding: int) -> None:
    data = save(state)
    length = int.from_bytes(data[:8], "little")
    longer = (length + padding).to_bytes(8, "little") + data[8 : 8 + length] + b" " * padding
    file = parse_tensor_file(bytearray(longer + data[8 + length :]), "file")
    assert all(torch.equal(file.tensors[key], tensor) for key, tensor in state.items())


def test_the_order_in_the_header_is_free() -> None:
    good = good_file("kohya")
    backwards = dict(reversed(good.header.items()))
    file = parse_tensor_file(type(good)(good.dialect, backwards, good.data).dump(), "file")
    assert file.tensors.keys() == set(good.keys)


def test_reading_copies_nothing_and_writing_to_a_tensor_leaves_the_file_alone(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.ones(2, 3), "b": torch.ones(4)}, path)
    before = path.read_bytes()
    file = read_tensor_file(path)
    start = torch.frombuffer(file.tensor_bytes, dtype=torch.uint8).data_ptr()
    assert {tensor.data_ptr() - start for tensor in file.tensors.values()} == {0, 24}
    file.tensors["a"].fill_(7.0)
    assert path.read_bytes() == before
    assert torch.equal(read_tensor_file(path).tensors["a"], torch.ones(2, 3))


def test_a_file_may_be_replaced_while_its_tensors_live(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.ones(5000)}, path)
    file = read_tensor_file(path)
    (tmp_path / "new").write_bytes(save({"a": torch.zeros(3)}))
    (tmp_path / "new").replace(path)
    assert torch.equal(file.tensors["a"], torch.ones(5000))


def test_the_header_alone_says_what_the_whole_file_does(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.ones(2, 3), "b": torch.ones(4, dtype=torch.float16)}, path, {"title": "mark"})
    header = read_header(path)
    assert header == read_tensor_file(path).header
    assert {key: (entry.dtype, entry.shape) for key, entry in header.entries.items()} == {
        "a": ("F32", (2, 3)),
        "b": ("F16", (4,)),
    }
    assert header.metadata == {"title": "mark"}


def test_a_header_is_read_without_its_tensors(tmp_path: Path) -> None:
    """Seven GiB of hole behind it: reading them would take minutes."""
    path = tmp_path / "a.safetensors"
    size = 7 << 30
    big = make_file({"a": ("F16", (1,), b"\0\0")})
    big.header["a"] |= {"shape": [size // 2], "data_offsets": [0, size]}
    head = big.dump()[:-2]
    path.write_bytes(head)
    os.truncate(path, len(head) + size)
    assert read_header(path).entries["a"].shape == (size // 2,)


def test_types_that_are_converted_keep_their_values() -> None:
    values = (-448.0, 0.001953125, 1.0)  # the largest and the smallest of F8_E4M3
    eight_bit = torch.tensor(values).to(torch.float8_e4m3fn).view(torch.uint8).numpy().tobytes()
    file = make_file(
        {
            "half": ("F8_E4M3", (3,), eight_bit),
            "double": ("F64", (3,), numbers("F64", *values)),
            "x.alpha": ("I64", (), numbers("I64", 16)),
        }
    )
    tensors = parse_tensor_file(file.dump(), "file").tensors
    assert tensors["half"].dtype == torch.float16
    assert tensors["half"].tolist() == list(values)
    assert tensors["double"].dtype == torch.float32
    assert tensors["double"].tolist() == list(values)
    assert tensors["x.alpha"].dtype == torch.float32
    assert tensors["x.alpha"].item() == 16


def test_what_is_no_regular_file_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(SealFormatError, match="No such file"):
        read_tensor_file(tmp_path / "missing.safetensors")
    with pytest.raises(SealFormatError, match="Is a directory"):
        read_tensor_file(tmp_path)
    with pytest.raises(SealFormatError, match="null"):
        read_tensor_file(f"{tmp_path}/a\0b.safetensors")
    with pytest.raises(SealFormatError, match="cannot read the seal file"):
        read_header(tmp_path / ("x" * 300))
    os.mkfifo(tmp_path / "pipe.safetensors")
    with pytest.raises(SealFormatError, match="is a device or pipe"):
        read_header(tmp_path / "pipe.safetensors")
    (tmp_path / "zero.safetensors").symlink_to("/dev/zero")
    with pytest.raises(SealFormatError, match="is a device or pipe"):
        read_tensor_file(tmp_path / "zero.safetensors")


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_rights_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "a.safetensors"
    save_file({"a": torch.ones(1)}, path)
    path.chmod(stat.S_IWUSR)
    with pytest.raises(SealFormatError, match="Permission denied"):
        read_tensor_file(path)


def test_a_refusal_names_the_file_and_the_tensor() -> None:
    bad = make_file({"first": ones("F16", 4), "second": ("F16", (2,), numbers("F16", 1, math.nan))})
    with pytest.raises(SealFormatError, match=r"^'mark' is damaged: tensor 'second' holds NaN or infinity$"):
        parse_tensor_file(bad.dump(), "mark")


@given(st.lists(st.floats(-1000, 1000, width=16), max_size=40), st.sampled_from((*FLOATS, torch.float64)))
def test_the_largest_magnitude_is_that_of_all_numbers(values: list[float], dtype: torch.dtype) -> None:
    tensor = torch.tensor(values, dtype=dtype)
    assert largest_magnitude(tensor) == max(map(abs, tensor.tolist()), default=0.0)


@given(
    st.integers(1, 100), st.data(), st.sampled_from(FLOATS), st.sampled_from((math.nan, math.inf, -math.inf))
)
def test_one_bad_number_is_seen_wherever_it_stands(
    size: int, data: st.DataObject, dtype: torch.dtype, value: float
) -> None:
    tensor = torch.zeros(size, dtype=dtype)
    tensor[data.draw(st.integers(0, size - 1))] = value
    assert not math.isfinite(largest_magnitude(tensor))
    assert math.isnan(largest_magnitude(tensor)) == math.isnan(value)
