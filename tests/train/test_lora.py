"""LoRA through PEFT: what is adapted, how it starts, and that nothing stays behind."""

import math
from dataclasses import replace

import pytest
import torch
from peft import get_peft_model_state_dict
from unet_probe import predict

from sealsmith.bases import Base
from sealsmith.errors import ConfigError
from sealsmith.train import TrainConfig
from sealsmith.train.methods import find_method
from sealsmith.train.targets import endings, target_layers

LORA = find_method("lora")
ALL = ("attention", "feed-forward", "convolutions")


def test_an_untrained_lora_changes_nothing_and_leaves_nothing(tiny_base: Base) -> None:
    names, before = list(dict(tiny_base.unet.named_modules())), predict(tiny_base)
    with LORA.attached(tiny_base, TrainConfig(rank=4, targets=ALL)) as adapted:
        assert torch.equal(predict(tiny_base), before)
        trainable = [p for p in tiny_base.unet.parameters() if p.requires_grad]
        assert {id(p) for p in trainable} == {id(p) for p in adapted.parameters.values()}
    assert list(dict(tiny_base.unet.named_modules())) == names
    assert torch.equal(predict(tiny_base), before)


def test_the_base_is_restored_after_an_error(tiny_base: Base) -> None:
    names = list(dict(tiny_base.unet.named_modules()))
    with pytest.raises(ZeroDivisionError, match="division"), LORA.attached(tiny_base, TrainConfig(rank=4)):
        _ = 1 / 0
    assert list(dict(tiny_base.unet.named_modules())) == names


def test_switched_off_the_base_answers(tiny_base: Base) -> None:
    before = predict(tiny_base)
    with LORA.attached(tiny_base, TrainConfig(rank=4)) as adapted:
        with torch.no_grad():
            for parameter in adapted.parameters.values():
                parameter.normal_(generator=torch.Generator().manual_seed(2))
        assert not torch.allclose(predict(tiny_base), before)
        with adapted.off():
            assert torch.equal(predict(tiny_base), before)
        assert not torch.allclose(predict(tiny_base), before)
        assert all(p.requires_grad for p in adapted.parameters.values())


def test_the_state_has_pefts_own_keys_and_comes_back(tiny_base: Base) -> None:
    with LORA.attached(tiny_base, TrainConfig(rank=4, targets=ALL)) as adapted:
        state = adapted.state()
        theirs = get_peft_model_state_dict(tiny_base.unet, adapter_name="learner")
        assert {f"unet.{key}" for key in theirs} == state.keys()
        with torch.no_grad():
            for parameter in adapted.parameters.values():
                parameter.add_(1)
        adapted.load(state)
        assert all(torch.equal(tensor, state[key]) for key, tensor in adapted.state().items())


def test_the_start_is_gaussian_and_a_function_of_the_seed(tiny_base: Base) -> None:
    starts = []
    for seed in (0, 0, 1):
        with LORA.attached(tiny_base, TrainConfig(rank=8, seed=seed, targets=ALL)) as adapted:
            starts.append(adapted.state())
    down = torch.cat([tensor.flatten() for key, tensor in starts[0].items() if "lora_A" in key])
    assert math.isclose(down.std().item(), 1 / 8, rel_tol=0.05)
    assert all(torch.equal(starts[0][key], starts[1][key]) for key in starts[0])
    assert any(not torch.equal(starts[0][key], starts[2][key]) for key in starts[0])


def test_target_groups_find_their_layers_and_no_others(tiny_base: Base) -> None:
    groups = {group: set(target_layers(tiny_base, (group,))) for group in ALL}
    assert all(".attn" in name for name in groups["attention"])
    assert all(".attn" not in name for name in groups["feed-forward"])
    assert all(".resnets." in name for name in groups["convolutions"])
    assert not {"conv_in", "conv_out"} & set().union(*groups.values())
    assert set(target_layers(tiny_base, ALL)) == set().union(*groups.values())


def test_a_rank_larger_than_a_layer_is_refused_with_the_largest_that_fits(tiny_base: Base) -> None:
    LORA.check(tiny_base, TrainConfig(rank=32, targets=ALL))
    with pytest.raises(
        ConfigError, match=r"rank 33 is larger than layer \S+ \(\d+ inputs, 32 outputs\)"
    ) as error:
        LORA.check(tiny_base, TrainConfig(rank=33, targets=ALL))
    assert "is 32" in error.value.remedy


def test_an_unknown_method_gets_the_nearest_one() -> None:
    with pytest.raises(ConfigError, match="'loar'") as error:
        find_method("loar")
    assert "did you mean 'lora'" in error.value.remedy


def test_a_group_that_the_base_lacks_is_refused(tiny_base: Base) -> None:
    tiny_base.family = replace(tiny_base.family, conv_targets=("no_such_layer",))
    with pytest.raises(ConfigError, match="'convolutions'"):
        LORA.check(tiny_base, TrainConfig(rank=4, targets=ALL))


def test_the_halves_of_attention_make_it_whole(tiny_base: Base, tiny_flux: Base) -> None:
    text, picture = (
        set(target_layers(tiny_base, (half,))) for half in ("text-attention", "picture-attention")
    )
    assert text | picture == set(target_layers(tiny_base, ("attention",)))
    assert not text & picture
    assert {name.split(".", name.count(".") - 1)[-1] for name in text} == {"attn2.to_k", "attn2.to_v"}
    for half, layers in {"text-attention": text, "picture-attention": picture}.items():
        assert all(name.endswith(endings(tiny_base, (half,))) for name in layers)
    assert not any(name.endswith(endings(tiny_base, ("picture-attention",))) for name in text)
    with pytest.raises(ConfigError, match="'text-attention'"):
        target_layers(tiny_flux, ("text-attention",))
    assert target_layers(tiny_flux, ("picture-attention",)) == target_layers(tiny_flux, ("attention",))
