"""The settings that PEFT's `save_pretrained` puts beside its weights, of which the weights' scale is one.

PEFT writes `adapter_model.safetensors`, whose header says nothing, and `adapter_config.json`. Without the second
every layer would be taken for alpha = rank.
"""

from collections.abc import Mapping
from pathlib import Path

from ..errors import SealFormatError
from .formats import CONFIG_KEY

WEIGHTS_NAME = "adapter_model.safetensors"
CONFIG_NAME = "adapter_config.json"
MAX_CONFIG_BYTES = 4 << 20


def with_config_beside(metadata: Mapping[str, str], path: Path) -> Mapping[str, str]:
    """A file's metadata, with PEFT's settings as diffusers keeps them in the header, if they stand beside it.

    Raises: SealFormatError when they stand there and cannot be read.
    """
    config = path.with_name(CONFIG_NAME)
    if path.name != WEIGHTS_NAME or CONFIG_KEY in metadata or not config.exists():
        return metadata
    try:
        with config.open("rb") as file:
            data = file.read(MAX_CONFIG_BYTES + 1)
        if len(data) > MAX_CONFIG_BYTES:
            raise ValueError(f"it is larger than {MAX_CONFIG_BYTES} bytes")
        return {**metadata, CONFIG_KEY: data.decode()}
    except (OSError, ValueError) as error:
        raise SealFormatError(
            f"cannot read {str(config)!r}, which holds the alpha of {path.name!r}: {error}",
            "fetch it again, from where the weights came",
        ) from error
