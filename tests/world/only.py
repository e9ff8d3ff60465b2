"""A Python that knows nothing but the standard library and what a rented GPU machine has, our code aside.

Copied as `sitecustomize.py` into a folder of `PYTHONPATH`, it holds for every process that is started with that.
"""

import importlib.machinery
import importlib.metadata
import re
import sys
from collections.abc import Iterable

THERE = ("torch", "transformers", "numpy", "scipy", "pillow", "diffusers")
OURS = ("sealsmith", "world", "runs", "small_world")


def plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def needed_by(names: Iterable[str]) -> set[str]:
    """The distributions `names` and whatever they require, extras aside."""
    found: set[str] = set()
    wanted = list(names)
    while wanted:
        name = plain(wanted.pop())
        if name in found:
            continue
        found.add(name)
        try:
            requirements = importlib.metadata.requires(name) or []
        except importlib.metadata.PackageNotFoundError:
            continue
        wanted += [re.split(r"[^\w.-]", r, maxsplit=1)[0] for r in requirements if "extra ==" not in r]
    return found


class Only:
    """Finds modules as Python does, but none of a distribution that is not there."""

    def __init__(self, there: Iterable[str]):
        distributions = needed_by(there)
        self.known = {
            module
            for module, homes in importlib.metadata.packages_distributions().items()
            if any(plain(home) in distributions for home in homes)
        }

    def find_spec(self, name: str, path: object = None, target: object = None) -> object:
        top = name.partition(".")[0]
        is_known = top in self.known or top in OURS or top in sys.stdlib_module_names or top.startswith("_")
        return importlib.machinery.PathFinder.find_spec(name, path) if path or is_known else None  # type: ignore[arg-type]

    def find_distributions(self, *arguments: object) -> object:
        return importlib.machinery.PathFinder.find_distributions(*arguments)  # type: ignore[arg-type]

    def invalidate_caches(self) -> None:
        importlib.machinery.PathFinder.invalidate_caches()


if __name__ == "sitecustomize":
    sys.meta_path[sys.meta_path.index(importlib.machinery.PathFinder)] = Only(THERE)
