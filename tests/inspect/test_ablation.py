"""Switching groups of layers off says which of them carry a seal."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from seal_examples import random_seal

from sealsmith.adapters import Seal
from sealsmith.adapters.blocks import find_layout
from sealsmith.adapters.fit import adaptable
from sealsmith.bases import Base
from sealsmith.bases.architectures import PARTS, full_size
from sealsmith.errors import SealEffectError
from sealsmith.inspect.ablation import (
    OTHER,
    ROLES,
    Carried,
    Group,
    ablate,
    groups_of,
    role_of,
    role_shares,
    without,
)
from sealsmith.inspect.bars import carriers_plot

TARGETS = ("to_q", "to_k", "to_v", "to_out.0", "ff.net.2", "conv1")


@pytest.mark.parametrize("family", PARTS)
def test_every_layer_of_every_family_has_a_role(family: str) -> None:
    roles = {
        role_of(f"{component}.{path}")
        for component, module in full_size(family).items()
        for path in adaptable(module)
    }
    assert {"Q", "K", "V", "O", "feed-forward", "text encoder"} <= roles <= set(ROLES)


@pytest.mark.parametrize(
    ("path", "role"),
    [
        ("unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_k", "K"),
        ("transformer.transformer_blocks.0.attn.add_q_proj", "Q"),
        ("transformer.single_transformer_blocks.0.proj_mlp", "feed-forward"),
        ("text_encoder.encoder.layers.0.self_attn.k_proj", "text encoder"),
        ("unet.down_blocks.0.resnets.0.conv1", "convolutions"),
        ("unet.time_embedding.linear_1", OTHER),
        ("unet.down_blocks.0.resnets.0.time_emb_proj", OTHER),
    ],
)
def test_a_layer_s_role_is_what_it_does(path: str, role: str) -> None:
    assert role_of(path) == role


@settings(max_examples=30)
@given(st.dictionaries(st.sampled_from([f"unet.x.{end}" for end in (*TARGETS, "norm")]), st.floats(0, 1)))
def test_no_share_is_lost_among_the_roles(shares: dict[str, float]) -> None:
    assert sum(role_shares(shares).values()) == pytest.approx(sum(shares.values()))


def test_groups_of_a_kind_hold_every_layer_once(tiny_base: Base) -> None:
    seal = random_seal(tiny_base, TARGETS)
    groups = groups_of(seal.layers, find_layout(adaptable(tiny_base.denoiser)))
    for kind in ("role", "block"):
        paths = [path for group in groups if group.kind == kind for path in group.paths]
        assert sorted(paths) == sorted(seal.layers)
    assert {group.kind for group in groups_of(seal.layers)} == {"role"}


def test_the_group_that_is_missed_most_comes_first(tiny_base: Base) -> None:
    """A seal that is all in its values: likeness is 0.9 with them and 0.2 without."""
    seal = random_seal(tiny_base, TARGETS)
    told: list[tuple[int, int]] = []

    def score(one: Seal) -> Carried:
        has_values = any(path.endswith("to_v") for path in one.layers)
        return Carried(float(has_values), 0.9 if has_values else 0.2)

    groups = groups_of(seal.layers)
    found = ablate(seal, groups, score, on_group=lambda *count: told.append(count))
    assert found.whole == Carried(1.0, 0.9)
    assert found.carriers[0].name == "V"
    assert found.carriers[0].lost == pytest.approx(0.7)
    assert {group.lost for group in found.carriers[1:]} == {0.0}
    assert sum(group.share for group in found.groups) == pytest.approx(1)
    assert told == [(i, len(groups) + 1) for i in range(1, len(groups) + 2)]


def test_without_all_its_layers_a_seal_has_lost_everything(tiny_base: Base) -> None:
    seal = random_seal(tiny_base, ("to_q",))
    everything = Group("Q", "role", tuple(seal.layers))
    found = ablate(seal, [everything], lambda one: Carried(1.0, 0.8))
    assert found.groups[0].left is None
    assert found.groups[0].lost == 0.8
    with pytest.raises(SealEffectError, match="nothing is left"):
        without(seal, everything.paths)


def test_leaving_layers_out_leaves_the_seal_itself_alone(tiny_base: Base) -> None:
    seal = random_seal(tiny_base, TARGETS)
    before = dict(seal.layers)
    gone = next(iter(before))
    rest = without(seal, [gone])
    assert seal.layers == before
    assert rest.layers == {path: change for path, change in before.items() if path != gone}


def test_the_plot_has_a_row_for_every_group(tiny_base: Base) -> None:
    seal = random_seal(tiny_base, TARGETS)
    groups = groups_of(seal.layers)
    drawn = [
        carriers_plot(ablate(seal, part, lambda one: Carried(1.0, 0.8)), "x") for part in (groups[:1], groups)
    ]
    assert drawn[1].height - drawn[0].height == 22 * (len(groups) - 1)
    assert len(drawn[1].getcolors(maxcolors=10**6) or []) > 3
