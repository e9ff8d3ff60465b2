"""Seals of every method, from their files through a real core: each is served, says by which path, and is exact."""

import dataclasses
from pathlib import Path

import msgspec
from core_examples import largest_difference, played_core, stored
from order_examples import empty, on_convolutions, seals_of_every_kind, vectors, with_layers

from sealsmith.adapters import Seal, dump_seal, parse_seal
from sealsmith.bases import Base
from sealsmith.engine.messages import Done, Draw, Step

PATHS = {
    "rank 1": "bank", "rank 4": "bank", "rank 7": "bank", "pivotal": "bank", "text": "bank", "loha": "bank",
    "text alone": "plain", "vectors": "plain", "lokr": "merged", "full": "merged", "dora": "merged",
    "networks": "beside", "loha on convolutions": "bank", "lokr on convolutions": "bank",
}  # fmt: skip
"""LoRA, with vectors, with a text encoder's part, LoHa; text encoders alone; LoKr of full rank, DreamBooth, DoRA;
hypernetworks; LoHa and LoKr of low rank, their kernels flat."""


def seals_of_every_method(base: Base) -> dict[str, Seal]:
    seals = seals_of_every_kind(base)
    seals["text alone"] = with_layers(base, empty(seals["rank 1"]), "text_encoder", ("q_proj", "fc1"), "lora")
    for kind in ("loha", "lokr"):
        seals[f"{kind} on convolutions"] = on_convolutions(base, seals["rank 1"], kind)
    seals["vectors"] = dataclasses.replace(empty(seals["rank 1"]), embeddings={"sks": vectors(base)})
    return seals


def test_seals_of_every_method_are_served_together_and_alone_are_what_they_are(
    tiny_base: Base, tiny_base_folder: Path, tmp_path: Path
) -> None:
    seals = seals_of_every_method(tiny_base)
    assert seals.keys() == PATHS.keys()
    files = {key: dump_seal(seals[key], "kohya") for key in PATHS}
    places = dict(zip(PATHS, stored(tmp_path, *files.values()), strict=True))
    draws = [
        Draw(
            key,
            "a red wax seal of sks",
            negative="ink",
            seed=number,
            num_steps=2,
            guidance=3.0,
            tenant=key,
            seals=(at,),
        )
        for number, (key, at) in enumerate(places.items())
    ]
    with played_core(tiny_base_folder, tmp_path.as_uri()) as played:
        events = played.play(draws)
    for draw in draws:
        end = events[draw.id][-1]
        assert isinstance(end, Done), end
        assert {event.path for event in events[draw.id] if isinstance(event, Step)} == {PATHS[draw.id]}
        read = parse_seal(files[draw.id])
        assert largest_difference(tiny_base, draw, [read], end.picture) <= 1, draw.id
        bare = msgspec.structs.replace(draw, seals=())
        assert largest_difference(tiny_base, bare, [], end.picture) > 1, f"{draw.id} has no effect"
