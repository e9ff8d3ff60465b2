"""From a picture's recipe back to the files it was drawn with.

The numbers of a recipe need nobody's help; its seals do, because a recipe knows them by name and hash.
"""

from collections.abc import Sequence
from pathlib import Path

from ..adapters import hash_file, read_seal
from ..adapters.seal import file_name
from ..errors import ConfigError, SealFormatError
from .prompt import has_trigger, main_trigger
from .recipe import Recipe, SealUse
from .seal_syntax import find_seal, seal_files


def recalled_seals(recipe: Recipe, folders: Sequence[Path]) -> list[tuple[Path, str]]:
    """The file of every seal in a picture, and its strength as `parse_strength` reads it.

    A seal is known by its tensors, whatever the file is called by now; without a hash in the recipe, by its name.
    Raises: ConfigError for a seal that is not there.
    """
    return [(_file(use, folders), use.how or repr(use.strength)) for use in recipe.seals]


def had_triggers(recipe: Recipe, seals: Sequence[Path]) -> bool:
    """Whether one of the prompts as they were sent has it, for the trigger of every seal that has one."""
    triggers = filter(None, (main_trigger(read_seal(path).header.trigger) for path in seals))
    texts = (recipe.prompt, recipe.negative)
    return all(any(has_trigger(text, trigger) for text in texts) for trigger in triggers)


def _file(use: SealUse, folders: Sequence[Path]) -> Path:
    if not use.tensor_hash:
        return find_seal(use.name, folders)
    files = [path for folder in folders for path in seal_files(folder)]
    by_name = sorted(files, key=lambda path: file_name(path) != use.name)  # its namesake is looked at first
    for path in by_name:
        if _tensor_hash(path).startswith(use.tensor_hash):
            return path
    where = " and ".join(repr(str(folder)) for folder in folders)
    raise ConfigError(
        f"the picture's seal {use.name!r} ({use.tensor_hash[:12]}) is not in {where}",
        "name its folder with --seals-folder, or the file, or another one, with --seal",
    )


def _tensor_hash(path: Path) -> str:
    """Empty for a file that is no seal: it cannot be the one."""
    try:
        return hash_file(path).tensors
    except SealFormatError:
        return ""
