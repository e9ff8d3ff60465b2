"""A plan is a function of figures: every choice has its reason, and more memory never makes it thriftier."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sealsmith.bases.plan import (
    AUTO,
    BYTES_PER_NUMBER,
    EXACT,
    LARGEST_PX,
    MEMORY_PLANS,
    USABLE,
    Machine,
    ModelSize,
    Plan,
    Wanted,
    needed_bytes,
    plan_for,
)
from sealsmith.errors import ConfigError

GIB = 2**30
THRIFT = MEMORY_PLANS[1:]
SD1 = ModelSize({"unet": 860_000_000, "text_encoder": 123_000_000, "vae": 84_000_000}, 256, 512, 512)
SDXL = ModelSize(
    {"unet": 2_570_000_000, "text_encoder": 123_000_000, "text_encoder_2": 695_000_000, "vae": 84_000_000},
    256,
    1024,
    1024,
    vae_overflows_fp16=True,
)
CPU = Machine("cpu", False, 16 * GIB, 16 * GIB)
GPU = Machine("cuda", True, 24 * GIB, 64 * GIB)
OLD_GPU = dataclasses.replace(GPU, has_bf16=False)

free = st.integers(0, 200 * GIB)
machines = st.builds(Machine, st.sampled_from(["cpu", "cuda", "mps"]), st.booleans(), free, free)
sizes = st.builds(
    ModelSize,
    st.dictionaries(
        st.sampled_from(["unet", "text_encoder", "text_encoder_2"]), st.integers(1, 10**11), min_size=1
    ).map(lambda parts: parts | {"vae": 10**8}),
    st.integers(8, 512),
    st.sampled_from([128, 512, 1024]),
    st.sampled_from([256, 512, 1024]),
    st.booleans(),
)
choices = st.builds(
    Wanted,
    st.sampled_from([AUTO, *BYTES_PER_NUMBER]),
    st.sampled_from(MEMORY_PLANS),
    st.sampled_from([None, True, False]),
    st.sampled_from([None, True, False]),
)


def with_free(machine: Machine, free_bytes: int) -> Machine:
    return dataclasses.replace(machine, free_bytes=free_bytes)


@given(sizes, machines, choices)
def test_every_choice_is_made_and_has_its_reason(size: ModelSize, machine: Machine, wanted: Wanted) -> None:
    plan = plan_for(size, machine, wanted)
    assert plan.precision in BYTES_PER_NUMBER
    assert plan.vae_precision in (plan.precision, "fp32")
    assert plan.memory in THRIFT
    fields = {field.name for field in dataclasses.fields(Plan)} - {"reasons"}
    assert plan.reasons.keys() == fields
    assert all(plan.reasons.values())
    assert plan.to_dict().keys() == fields | {"reasons"}
    assert plan == plan_for(size, machine, wanted)


@given(sizes, machines, choices)
def test_what_is_asked_is_done(size: ModelSize, machine: Machine, wanted: Wanted) -> None:
    plan = plan_for(size, machine, wanted)
    asked = {"precision": wanted.precision, "memory": wanted.memory, "vae_slicing": wanted.vae_slicing}
    for name, value in asked.items():
        if value not in (AUTO, None):
            assert getattr(plan, name) == value
            assert plan.reasons[name] == "as asked"
    if wanted.vae_tiling is not None:
        assert plan.tile_above_px == (size.tile_px if wanted.vae_tiling else None)
    assert plan_for(size, machine, EXACT) == Plan("fp32", "fp32", "none", False, None, {})


@given(sizes, machines, free, free)
def test_more_free_memory_never_makes_a_plan_thriftier(
    size: ModelSize, machine: Machine, one: int, other: int
) -> None:
    less, more = (
        plan_for(size, with_free(machine, free_bytes), Wanted("bf16")) for free_bytes in sorted((one, other))
    )
    assert THRIFT.index(more.memory) <= THRIFT.index(less.memory)
    if more.memory == less.memory:
        assert (less.tile_above_px or LARGEST_PX) <= (more.tile_above_px or LARGEST_PX)


@given(sizes, machines.filter(lambda machine: machine.kind == "cuda"))
def test_the_least_thrifty_plan_that_fits_is_chosen(size: ModelSize, machine: Machine) -> None:
    plan = plan_for(size, machine, Wanted())

    def fits(memory: str) -> bool:
        needed = needed_bytes(size, memory, plan.precision, plan.vae_precision)
        return needed <= USABLE * machine.free_bytes

    chosen = THRIFT.index(plan.memory)
    assert fits(plan.memory) or plan.memory == THRIFT[-1]
    assert not any(fits(memory) for memory in THRIFT[:chosen])


@given(sizes, machines, choices)
def test_pictures_no_larger_than_a_tile_are_never_tiled(
    size: ModelSize, machine: Machine, wanted: Wanted
) -> None:
    above_px = plan_for(size, machine, wanted).tile_above_px
    assert above_px is None or above_px >= size.tile_px


@pytest.mark.parametrize(
    ("machine", "size", "precision", "vae_precision"),
    [
        (CPU, SD1, "fp32", "fp32"),
        (with_free(CPU, 8 * GIB), SDXL, "bf16", "bf16"),
        (GPU, SD1, "bf16", "bf16"),
        (GPU, SDXL, "bf16", "bf16"),
        (OLD_GPU, SD1, "fp16", "fp16"),
        (OLD_GPU, SDXL, "fp16", "fp32"),
    ],
)
def test_half_precision_is_chosen_where_the_hardware_or_the_memory_wants_it(
    machine: Machine, size: ModelSize, precision: str, vae_precision: str
) -> None:
    plan = plan_for(size, machine, Wanted())
    assert (plan.precision, plan.vae_precision) == (precision, vae_precision)


@pytest.mark.parametrize(
    ("free_gib", "memory"), [(24, "none"), (8, "model-offload"), (4, "sequential-offload"), (0, THRIFT[-1])]
)
def test_sdxl_on_smaller_and_smaller_gpus(free_gib: int, memory: str) -> None:
    plan = plan_for(SDXL, with_free(GPU, free_gib * GIB), Wanted())
    assert plan.memory == memory
    assert plan.vae_slicing == (memory != "none")
    assert f"{free_gib}.0 GiB are free" in plan.reasons["memory"]


def test_weights_beyond_main_memory_are_said() -> None:
    machine = dataclasses.replace(with_free(GPU, 4 * GIB), free_ram_bytes=3 * GIB)
    assert "main memory has only 3.0 GiB for 6.5 GiB" in plan_for(SDXL, machine, Wanted()).reasons["memory"]


def test_the_line_for_people_names_what_was_chosen_and_why() -> None:
    assert str(plan_for(SDXL, OLD_GPU, Wanted(vae_tiling=True))) == (
        "fp16 (this GPU has no bf16), memory none (the whole needs 12.6 GiB and 24.0 GiB are free), "
        "VAE in fp32 (its numbers are too large for fp16), VAE tiled above 1024 px (as asked)"
    )


@pytest.mark.parametrize(
    ("asked", "message", "known"),
    [
        ({"precision": "fp8"}, "no precision 'fp8'", "bf16"),
        ({"memory": "disk"}, "no memory plan 'disk'", "none"),
    ],
)
def test_unknown_choices_are_refused(asked: dict[str, str], message: str, known: str) -> None:
    with pytest.raises(ConfigError, match=message) as error:
        Wanted(**asked)  # type: ignore[arg-type]
    assert known in error.value.remedy
