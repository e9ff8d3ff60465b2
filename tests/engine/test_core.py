"""The whole engine in its process: seals from a store, pictures over a socket, each the one of the plain path."""

import asyncio
import os
import signal
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
from seal_examples import random_seal, state

from sealsmith.adapters import dump_seal, parse_seal
from sealsmith.bases import Base
from sealsmith.engine.client import EngineClient
from sealsmith.engine.core import DrawingCore, open_core
from sealsmith.engine.messages import Done, Draw, Failed, Loading, Preview, Queued, Rgb, SealAt, Step, is_last
from sealsmith.engine.store import SealStore, digest_of, open_store
from sealsmith.engine.supervisor import Launch
from sealsmith.errors import ConfigError
from sealsmith.generate import Request, generate
from sealsmith.generate.recipe import parse_json

ENVIRON = {"PYTHONPATH": str(Path(__file__).parents[2] / "src"), "OMP_NUM_THREADS": "1"}


def stored(folder: Path, *files: bytes) -> list[SealAt]:
    store = SealStore(open_store(folder.as_uri()))
    return [SealAt(asyncio.run(store.put(data)), "0.8") for data in files]


def with_nan(data: bytes) -> bytes:
    tensors = {key: tensor.clone() for key, tensor in state(parse_seal(data)).items()}
    next(iter(tensors.values())).view(-1)[0] = float("nan")
    return safetensors.torch.save(tensors)


def largest_difference(base: Base, draw: Draw, data: bytes, rgb: Rgb) -> int:
    """In levels, from the picture that the plain path draws with the seal in `data` at 0.8."""
    request = Request(draw.prompt, seed=draw.seed, num_steps=draw.num_steps, guidance=draw.guidance)
    (picture,) = generate(base, request, [(parse_seal(data), 0.8)])
    drawn = np.frombuffer(rgb.data, np.uint8).reshape(rgb.height, rgb.width, 3)
    return int(np.abs(drawn.astype(int) - np.asarray(picture.image).astype(int)).max())


@pytest.mark.timeout(900)  # two processes open a base, on a machine that may be busy
def test_drawn_in_another_process_with_seals_from_a_store(
    tiny_base: Base, tiny_base_folder: Path, tmp_path: Path
) -> None:
    data = dump_seal(random_seal(tiny_base, ("to_q", "to_v")))
    good, nan = stored(tmp_path / "store", data, with_nan(data))
    config = {
        "base": str(tiny_base_folder),
        "store": (tmp_path / "store").as_uri(),
        "cache_folder": str(tmp_path / "cache"),
    }
    draw = Draw("a", "a red wax seal", seals=(good,), seed=3, num_steps=3, guidance=3.0, preview_every=2)

    async def use() -> tuple[list[object], list[object]]:
        async with EngineClient(Launch("sealsmith.engine.core:open_core", config, ENVIRON)) as engine:
            assert engine.welcome is not None
            assert engine.welcome.about["base_digest"] == tiny_base.digest
            drawing = asyncio.create_task(collected(engine, draw))
            others = await asyncio.gather(
                *(
                    collected(engine, Draw(name, "x", seals=(seal,), num_steps=3))
                    for name, seal in {
                        "nan": nan,
                        "none": SealAt("0" * 64),
                        "odd": SealAt("0", "loud"),
                    }.items()
                )
            )
            events = await drawing
            assert engine.pid is not None
            os.kill(engine.pid, signal.SIGKILL)
            again = await collected(
                engine, Draw("b", draw.prompt, seals=(good,), seed=3, num_steps=3, guidance=3.0)
            )
            return events + again, [each[-1] for each in others]

    async def collected(engine: EngineClient, request: Draw) -> list[object]:
        return [event async for event in engine.draw(request)]

    events, failures = asyncio.run(use())
    codes = [failure.code for failure in failures if isinstance(failure, Failed)]
    assert codes == ["seal-format", "seal-missing", "config"]
    first = [event for event in events if event.id == "a"]  # type: ignore[attr-defined]
    assert [type(event) for event in first] == [Queued, Loading, Step, Step, Preview, Step, Done]
    done, again = (event for event in events if isinstance(event, Done))
    assert largest_difference(tiny_base, draw, data, done.picture) <= 1
    assert again.picture == done.picture
    (use_,) = parse_json(done.recipe).seals
    assert (use_.file_hash, use_.strength) == (digest_of(data), 0.8)
    assert (tmp_path / "cache" / f"{digest_of(data)}.safetensors").exists()


def test_a_late_seal_wakes_the_loop(tiny_base: Base, tiny_base_folder: Path, tmp_path: Path) -> None:
    (seal,) = stored(tmp_path, dump_seal(random_seal(tiny_base, ("to_q",))))
    woken: list[None] = []
    core = open_core({"base": str(tiny_base_folder), "store": tmp_path.as_uri()}, lambda: woken.append(None))
    assert isinstance(core, DrawingCore)
    core.submit(Draw("a", "x", seals=(seal,), num_steps=1))
    events = []
    while not any(is_last(event) for event in events):
        core.step()
        events += core.events()
    assert isinstance(events[-1], Done)
    assert woken
    core._exchange.check_integrity()
    assert core._exchange._ledger.pinned_bytes == 0
    core.close()


@pytest.mark.parametrize(
    ("config", "what"),
    [
        ({}, "store"),
        ({"store": "memory:///", "colour": "red"}, "colour"),
        ({"store": "memory:///", "settings": {"max_rows": 1}}, "max_rows"),
        ({"store": "memory:///", "shares": {"a": {"weight": -1}}}, "weight"),
    ],
)
def test_a_wrong_configuration_is_named(config: dict[str, object], what: str) -> None:
    with pytest.raises(ConfigError, match=what):
        open_core(config, lambda: None)
