"""Names that a package offers but whose modules are imported only when one of them is asked for.

The rooms that need PyTorch have parts that need none, such as a prompt's syntax or a recipe. Whoever imports such a
part must not wait for the rest of its package.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any


def lazy_names(package: str, names_by_module: Mapping[str, Sequence[str]]) -> Callable[[str], Any]:
    """A package's `__getattr__`, which imports the module that has the name.

    No name may be a module's of the package as well: once imported, the module would hide it.
    """
    homes = {name: module for module, names in names_by_module.items() for name in names}

    def find(name: str) -> Any:
        if name not in homes:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        return getattr(importlib.import_module(f"{package}.{homes[name]}"), name)

    return find
