"""A training's folder: may it be used, and what in it belongs to a training."""

from pathlib import Path

from ..adapters import check_writable
from ..errors import ConfigError, OutputError
from .checkpoint import RESUME_NAME, SEAL_NAME
from .extract import EXTRACTED_NAME
from .log import LOG_NAME


def check_folder(folder: Path, *, resume: bool, overwrite: bool) -> None:
    """Refuses a folder that no training could use; leaves it, and its absence, as they are.

    Raises: OutputError when it can't be written, ConfigError when it holds a training that neither is to be
    resumed nor overwritten.
    """
    try:
        is_file = folder.exists() and not folder.is_dir()
    except OSError as error:
        raise _unusable(folder, error) from error
    if is_file:
        raise OutputError(f"{str(folder)!r} is a file", "name a folder")
    check_writable(folder / SEAL_NAME)
    earlier = training_files(folder)
    if earlier and not (resume or overwrite):
        raise ConfigError(
            f"{folder} already holds a training ({earlier[0].name})",
            "add --resume to go on with it, --overwrite to begin anew, or choose another folder",
        )


def open_folder(folder: Path, *, resume: bool, overwrite: bool) -> None:
    """Makes the folder ready for a training, after checking it as `check_folder` does.

    `overwrite` removes what an earlier training wrote there, and nothing else; class pictures stay.
    """
    check_folder(folder, resume=resume, overwrite=overwrite)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path in training_files(folder) if overwrite else ():
            path.unlink()
    except OSError as error:
        raise _unusable(folder, error) from error


def training_files(folder: Path) -> list[Path]:
    """What a training wrote into the folder, class pictures left out."""
    names = (SEAL_NAME, RESUME_NAME, LOG_NAME, EXTRACTED_NAME)
    named = [folder / name for name in names if (folder / name).exists()]
    return [*named, *sorted(folder.glob("step-*.safetensors")), *sorted(folder.glob("previews/step-*.png"))]


def _unusable(folder: Path, error: OSError) -> OutputError:
    return OutputError(
        f"cannot use the folder {str(folder)!r}: {error.strerror}", "choose a folder you may write to"
    )
