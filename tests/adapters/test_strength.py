"""Laws of strengths: text and value are one, and a factor says what its parts say."""

import math
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealsmith.adapters.blocks import FLUX, PRESETS, SD1, UNetLayout
from sealsmith.adapters.strength import (
    Curve,
    Moment,
    Strength,
    constant,
    dump_strength,
    parse_curve,
    parse_strength,
)
from sealsmith.errors import ConfigError

NUMBERS = st.floats(-3, 3).map(lambda value: value + 0.0)
PLACES = st.lists(st.floats(0, 1), min_size=2, max_size=4, unique=True)
STEP_PLACES = st.lists(st.integers(0, 40).map(float), min_size=2, max_size=4, unique=True)
CURVES = NUMBERS.map(lambda value: Curve(((0.0, value),))) | (PLACES | STEP_PLACES).flatmap(
    lambda places: st.tuples(*[st.tuples(st.just(place), NUMBERS) for place in sorted(places)])
).map(Curve)
STARTS = st.none() | st.just(Moment(0.25, "fraction")) | st.just(Moment(3.0, "steps"))
STOPS = st.none() | st.floats(0.5, 1).map(lambda value: Moment(value, "fraction"))
LISTS = st.sampled_from([17, 26]).flatmap(lambda n: st.lists(st.sampled_from("01"), min_size=n, max_size=n))
STRENGTHS = st.builds(
    Strength,
    te=CURVES,
    unet=st.none() | CURVES,
    te2=st.none() | CURVES,
    ins=st.none() | CURVES,
    mid=st.none() | CURVES,
    out=st.none() | CURVES,
    start=STARTS,
    stop=STOPS,
    lbw=st.sampled_from(["", *PRESETS]) | LISTS.map(",".join),
    lbwe=st.sampled_from(["", "ATTNDEEPON"]),
    dyn=st.none() | st.integers(1, 128),
)
PATHS = st.sampled_from(
    [
        "unet.down_blocks.0.attentions.0.transformer_blocks.0.attn1.to_q", "unet.conv_in", "unet.conv_out",
        "unet.mid_block.resnets.0.conv1", "unet.up_blocks.3.attentions.2.proj_in",
        "text_encoder.encoder.layers.0.self_attn.q_proj",
    ]
)  # fmt: skip


@given(STRENGTHS)
def test_parse_after_dump_is_identity(strength: Strength) -> None:
    assert parse_strength(dump_strength(strength)) == strength


@pytest.mark.parametrize(
    ("text", "strength"),
    [
        ("", constant(1)),
        ("0.8", constant(0.8)),
        ("0.8:0.5", replace(constant(0.8), unet=Curve(((0.0, 0.5),)))),
        ("0.8:0.5:16", replace(constant(0.8), unet=Curve(((0.0, 0.5),)), dyn=16)),
        ("unet=0.5", replace(constant(1), unet=Curve(((0.0, 0.5),)))),
        ("0.8:te=0.5", constant(0.5)),
        ("1:dyn=0", constant(1)),
        ("1:lbw=INS", replace(constant(1), lbw="INS")),
        ("1:MIDD", replace(constant(1), lbw="MIDD")),
        ("1:1,0,1", replace(constant(1), lbw="1,0,1")),
        ("1:w=1,0,1", replace(constant(1), lbw="1,0,1")),
        ("1:step=5-10", replace(constant(1), start=Moment(5, "steps"), stop=Moment(10, "steps"))),
        ("1:stop=0.5", replace(constant(1), stop=Moment(0.5, "fraction"))),
        ("1:stop=999999999:dyn=0016", replace(constant(1), stop=Moment(999999999, "steps"), dyn=16)),
        (f"1:start={'0' * 5000}1", replace(constant(1), start=Moment(1, "steps"))),
        ("0.8@0,0.2@1", Strength(Curve(((0.0, 0.8), (1.0, 0.2))))),
        ("0.8@0;0.2", Strength(Curve(((0.0, 0.8), (1.0, 0.2))))),
        ("in=0.5", replace(constant(1), ins=Curve(((0.0, 0.5),)))),
    ],
)
def test_the_fields_notation_is_understood(text: str, strength: Strength) -> None:
    assert parse_strength(text) == strength


@given(NUMBERS, PATHS, st.integers(1, 50).flatmap(lambda n: st.tuples(st.integers(0, n - 1), st.just(n))))
def test_a_number_is_the_same_everywhere_and_always(value: float, path: str, moment: tuple[int, int]) -> None:
    strength = constant(value)
    assert strength.factor(path, *moment) == value == float(strength) == strength.number
    assert strength.is_constant


@given(STRENGTHS, PATHS, st.integers(2, 30))
def test_constant_means_the_same_in_all_steps(strength: Strength, path: str, num_steps: int) -> None:
    factors = {strength.on(SD1).factor(path, step, num_steps) for step in range(num_steps)}
    assert len(factors) == 1 or not strength.is_constant


@given(STRENGTHS, st.integers(1, 30).flatmap(lambda n: st.tuples(st.integers(0, n - 1), st.just(n))))
def test_text_encoders_have_one_factor_a_prompt(strength: Strength, moment: tuple[int, int]) -> None:
    step, num_steps = moment
    path = "text_encoder.encoder.layers.0.self_attn.q_proj"
    assert strength.on(SD1).factor(path, step, num_steps) == strength.on(SD1).factor(path, 0, num_steps)


@given(STRENGTHS, PATHS, st.integers(1, 30).flatmap(lambda n: st.tuples(st.integers(0, n - 1), st.just(n))))
def test_block_weights_multiply(strength: Strength, path: str, moment: tuple[int, int]) -> None:
    plain = replace(strength, lbw="", lbwe="")
    resolved = strength.on(SD1)
    weight = resolved.blocks.weight(path) if resolved.blocks else 1.0
    assert resolved.factor(path, *moment) == weight * plain.factor(path, *moment)


@given(st.integers(1, 40), st.integers(0, 40), st.integers(1, 40))
def test_start_and_stop_count_steps(num_steps: int, start: int, length: int) -> None:
    strength = parse_strength(f"1:step={start}-{start + length}")
    active = [step for step in range(num_steps) if strength.factor("unet.conv_in", step, num_steps)]
    assert active == [step for step in range(num_steps) if start <= step < start + length]


@given(st.integers(1, 60), st.floats(0.001, 1))
def test_a_fraction_leaves_that_share_of_the_steps(num_steps: int, fraction: float) -> None:
    strength = parse_strength(f"1:stop={fraction!r}")
    active = sum(strength.factor("unet.conv_in", step, num_steps) for step in range(num_steps))
    assert abs(active - fraction * num_steps) <= 0.5


@given(CURVES, st.integers(1, 30).flatmap(lambda n: st.tuples(st.integers(0, n - 1), st.just(n))))
def test_a_curve_stays_between_its_points(curve: Curve, moment: tuple[int, int]) -> None:
    strengths = [strength for _, strength in curve.points]
    assert min(strengths) - 1e-9 <= curve.at(*moment) <= max(strengths) + 1e-9


def test_a_curve_is_straight_from_its_first_to_its_last_step() -> None:
    factors = [parse_curve("0.8@0,0.2@1").at(step, 4) for step in range(4)]
    assert all(map(math.isclose, factors, [0.8, 0.6, 0.4, 0.2]))
    assert [parse_curve("1@2,0@4").at(step, 9) for step in range(6)] == [1, 1, 1, 0.5, 0, 0]


def test_components_have_their_own_strength() -> None:
    strength = parse_strength("0.5:unet=0.8:te2=0.1:mid=2")
    paths = ("text_encoder.a", "text_encoder_2.a", "unet.conv_in", "unet.mid_block.a")
    assert [strength.factor(path, 0, 1) for path in paths] == [0.5, 0.1, 0.8, 2.0]


def test_presets_need_the_base_and_lists_bring_it_along() -> None:
    path = "unet.down_blocks.0.attentions.0.proj_in"
    assert parse_strength("1:lbw=" + ",".join("01" * 13)).factor(path, 0, 1) == 0
    with pytest.raises(ConfigError, match="'INS' differ from base to base"):
        parse_strength("1:lbw=INS").factor(path, 0, 1)
    assert parse_strength("1:lbw=INS").on(UNetLayout(2, 1)).factor(path, 0, 1) == 1


def test_thirds_are_refused_for_a_transformer() -> None:
    with pytest.raises(ConfigError, match="parts of a U-Net, this base is a transformer"):
        parse_strength("mid=0.5").on(FLUX)
    with pytest.raises(ConfigError, match="parts of a U-Net, this base is a transformer"):
        parse_strength("mid=0.5").factor("transformer.x_embedder", 0, 1)


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("much", "'much' in 'much' is no finite number"),
        ("nan", "no finite number"),
        ("1:inf", "no finite number"),
        ("1@x,0", "'x' in '1@x,0' is no finite number"),
        ("1:1:1:1", "4 numbers without a name"),
        ("1:strenght=2", "has no 'strenght'"),
        ("1:lbw=", "lbw= without a value"),
        ("1:stop=5:stop=6", "names stop twice"),
        ("1:MIDD:lbw=INS", "names lbw twice"),
        ("1:lbw=INSIDE", "no block weights called 'INSIDE'"),
        ("1:lbwe=ALL", "no lbwe='ALL'"),
        ("1:stop=2.5", "stop=2.5 is no moment"),
        ("1:start=-1", "start=-1 is no moment"),
        ("1:step=5", "step=5 is no pair"),
        ("1:step=5-6:stop=7", "step=5-6 is no pair of moments on its own"),
        ("1:step=6-5", "start at 6 and stop at 5: it never acts"),
        ("1@0,0@0", "has a moment twice"),
        ("1@-1,0@1", "one before the first step"),
        ("1:dyn=1.5", "dyn=1.5 is no number of rows"),
        ("1:dyn=1000000000", "dyn=1000000000 is no number of rows"),
        (f"1:dyn={'9' * 5000}", "is no number of rows"),
        ("1:stop=1000000000", "stop=1000000000 is no moment"),
        (f"1:stop={'9' * 300}", "is no moment"),
        (f"1:stop={'9' * 400}", "is no finite number"),
        (f"1:start={'9' * 5000}", "is no finite number"),
        (f"1:step=1-{'9' * 400}", "is no finite number"),
        (f"1@{'9' * 400},0@0", "is no finite number"),
        (f"{'9' * 5000}", "is no finite number"),
        (":", "'' in '' is no finite number"),
    ],
)
def test_what_means_nothing_is_refused_by_name(text: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=problem) as error:
        parse_strength(text)
    assert error.value.remedy
