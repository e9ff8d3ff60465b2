"""How much of its trigger's attention lies where the seal is, before and after: over seals, several prompts each.

    python -m world.attention comparison/*/lora/seed-0/seal.safetensors

Prints a line a seal, of four prompts at fixed seeds as `sealsmith attention` draws and measures them: the part of
the trigger's attention that lies in the region where the pictures differ, before and after, and the ratio; the
ratio of what the region's places give the trigger; each the median over the prompts. Then the medians over seals.
"""

import argparse
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from sealsmith.adapters import Seal, read_seal
from sealsmith.bases import Base, open_base
from sealsmith.errors import ConfigError
from sealsmith.generate import Request
from sealsmith.inspect.attention import before_and_after
from sealsmith.inspect.attention_report import sighting

PROMPTS = (
    "a red wax seal of {} on wood",
    "a black ink stamp of {} on white paper",
    "a gold metal coin of {} on velvet",
    "a blue sticker of {} on parchment",
)
SEED = 50


@dataclass(frozen=True)
class Moved:
    """The medians over one seal's prompts."""

    before: float
    """Part of the trigger's attention that lies in the region."""
    after: float
    times: float
    """Of each prompt's parts, after / before."""
    level_times: float
    """Of what the region's places give the trigger, after / before."""


def moved(base: Base, seal: Seal, num_steps: int) -> Moved:
    """Where the attention of a seal's trigger went. Raises: ConfigError when the seal changes no picture."""
    trigger = seal.header.trigger
    pairs = []
    for number, prompt in enumerate(PROMPTS):
        text = prompt.format(f"{trigger} {seal.header.class_noun}")
        request = Request(text, seed=SEED + number, num_steps=num_steps)
        seen = sighting(before_and_after(base, request, [(seal, 1.0)], [trigger]))
        if seen.region is not None:
            pairs.append((seen.figures("before", trigger), seen.figures("after", trigger)))
    if not pairs:
        raise ConfigError(
            f"{seal.name!r} changes none of the pictures", "take one that was trained on this base"
        )
    parts = [(before.share or 0.0, after.share or 0.0) for before, after in pairs]
    levels = [(before.region_level or 0.0, after.region_level or 0.0) for before, after in pairs]
    return Moved(
        median(before for before, _ in parts),
        median(after for _, after in parts),
        median(after / before for before, after in parts),
        median(after / before for before, after in levels),
    )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("seals", nargs="+", type=Path, help="seal files, with their triggers")
    parser.add_argument("--base", default="sealworld")
    parser.add_argument("--steps", type=int, default=12, help="of each picture")
    arguments = parser.parse_args()
    base = open_base(arguments.base)
    print("| seal | in the region, before | after | times | level, times |")
    print("| --- | ---: | ---: | ---: | ---: |")
    found = []
    for path in arguments.seals:
        found.append(moved(base, read_seal(path), arguments.steps))
        print(_row(str(path), found[-1]), flush=True)
    names = ("before", "after", "times", "level_times")
    print(_row("median", Moved(*(median(getattr(each, name) for each in found) for name in names))))


def _row(name: str, each: Moved) -> str:
    return f"| {name} | {each.before:.2f} | {each.after:.2f} | {each.times:.2f} | {each.level_times:.2f} |"


if __name__ == "__main__":
    main()
