"""A merged seal draws what its parts draw together, and says where it came from."""

import dataclasses
from pathlib import Path

import pytest
import torch
from seal_examples import random_seal
from unet_probe import predict

from sealsmith.adapters import MergeSettings, attached, merge_seals, read_seal, write_seal
from sealsmith.bases import Base
from sealsmith.errors import BaseMismatchError, SealEffectError

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")


def test_concatenated_seals_predict_what_they_do_side_by_side(tiny_base: Base, tmp_path: Path) -> None:
    seals = [
        (random_seal(tiny_base, (*ATTENTION, "conv1"), rank=4, alpha=7.0, seed=1), 0.7),
        (random_seal(tiny_base, ("to_v", "conv1"), rank=2, alpha=2.0, trigger="ohwx", seed=2), -0.3),
    ]
    merged = merge_seals(seals, MergeSettings(), "both")
    assert merged.loss.lost == 0
    write_seal(tmp_path / "both.safetensors", merged.seal)
    back = read_seal(tmp_path / "both.safetensors")
    with attached(tiny_base, seals):
        together = predict(tiny_base)
    with attached(tiny_base, [(back, 1.0)]):
        torch.testing.assert_close(predict(tiny_base), together, rtol=1e-4, atol=1e-5)


def test_the_header_keeps_every_trigger_and_the_common_base(tiny_base: Base) -> None:
    seals = [
        (random_seal(tiny_base, ("to_v",), trigger="sks"), 1.0),
        (random_seal(tiny_base, ("to_q",), trigger="ohwx"), 0.5),
    ]
    header = merge_seals(seals, MergeSettings("svd", rank=3), "both").seal.header
    origin = header.training["merge"]
    assert (header.trigger, header.class_noun, header.title) == ("sks", "emblem", "both")
    assert (header.base, header.base_digest) == (tiny_base.name, tiny_base.digest)
    assert (header.rank, header.targets) == (3, ("to_q", "to_v"))
    assert header.merged_from == ("seal of sks", "seal of ohwx")
    assert origin["triggers"] == ["sks", "ohwx"]
    assert [part["weight"] for part in origin["seals"]] == [1.0, 0.5]
    assert 0 < origin["relative_error"] < 1


def test_of_two_bases_none_is_named(tiny_base: Base) -> None:
    one, other = random_seal(tiny_base, ("to_v",)), random_seal(tiny_base, ("to_v",))
    other.header = dataclasses.replace(other.header, base="elsewhere", base_digest="0" * 12)
    header = merge_seals([(one, 1.0), (other, 1.0)], MergeSettings(), "both").seal.header
    assert (header.base, header.base_digest) == ("", "")


def test_seals_of_two_families_are_refused(tiny_base: Base) -> None:
    one, other = random_seal(tiny_base, ("to_v",)), random_seal(tiny_base, ("to_v",))
    other.header = dataclasses.replace(other.header, family="flux")
    with pytest.raises(BaseMismatchError, match="families flux, sealworld"):
        merge_seals([(one, 1.0), (other, 1.0)], MergeSettings(), "both")


def test_seals_that_cancel_each_other_out_are_refused(tiny_base: Base) -> None:
    seal = random_seal(tiny_base, ("to_q",))
    with pytest.raises(SealEffectError, match=r"with the weights \[0.5, -0.5\] nothing is left"):
        merge_seals([(seal, 0.5), (seal, -0.5)], MergeSettings(), "nothing")
