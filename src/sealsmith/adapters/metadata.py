"""The strings in a seal file's header: ours, ModelSpec 1.0.1, kohya's minimum, and diffusers' LoRA config.

Only ours are read back; the rest is written so that other people's tools know what they have.
"""

from collections import Counter
from collections.abc import Mapping
from pathlib import Path

from pydantic import TypeAdapter, ValidationError

from .. import __version__
from ..errors import SealFormatError
from .changes import Change
from .checks import check_seal_header
from .identify import family_of
from .seal import SealHeader

OWN_KEY = "sealsmith"
HASH_KEY = "modelspec.hash_sha256"

_HEADER = TypeAdapter(SealHeader)


def dump_metadata(header: SealHeader, dialect_entries: Mapping[str, str], tensor_hash: str) -> dict[str, str]:
    """The metadata of a seal file, strings to strings, sorted by key.

    `dialect_entries` are what the tensors' dialect needs in it (`formats.header_entries`);
    `tensor_hash` is the SHA-256, in hex, of the bytes after the file's header.
    """
    entries = {
        "format": "pt",
        OWN_KEY: _HEADER.dump_json(header).decode(),
        **dialect_entries,
        **_model_spec(header, tensor_hash),
        **_kohya(header, tensor_hash),
    }
    return dict(sorted(entries.items()))


def parse_metadata(metadata: Mapping[str, str], name: str) -> SealHeader:
    """The header that `dump_metadata` wrote.

    Raises: SealFormatError naming the file `name`: missing or absurd values.
    """
    try:
        header = _HEADER.validate_json(metadata[OWN_KEY], strict=True)
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(step) for step in first["loc"]) or "header"
        raise SealFormatError(
            f"{name!r} has a damaged header: {where}: {first['msg']}", "fetch or copy the file again"
        ) from error
    check_seal_header(header)
    return header


def foreign_header(metadata: Mapping[str, str], layers: Mapping[str, Change], name: str) -> SealHeader:
    """What can be known of a file that another tool wrote; what cannot is empty."""
    ranks = Counter((change.rank, change.alpha) for change in layers.values())
    [((rank, alpha), _)] = ranks.most_common(1)
    return SealHeader(
        trigger=metadata.get("modelspec.trigger_phrase", ""),
        class_noun="",
        base=metadata.get("ss_sd_model_name", ""),
        base_digest="",
        family=family_of(layers),
        rank=rank,
        alpha=alpha,
        targets=(),
        title=metadata.get("modelspec.title", metadata.get("ss_output_name", Path(name).stem)),
        created=metadata.get("modelspec.date", ""),
    )


def _model_spec(header: SealHeader, tensor_hash: str) -> dict[str, str]:
    entries = {
        "sai_model_spec": "1.0.1",
        "architecture": f"{header.architecture or header.family}/lora",
        "implementation": "diffusers",
        "title": header.title,
        "date": header.created,
        "hash_sha256": f"0x{tensor_hash}",
        "trigger_phrase": header.trigger,
        "usage_hint": f"write {header.trigger!r} before {header.class_noun!r}",
    }
    if header.resolution_px:
        entries["resolution"] = f"{header.resolution_px}x{header.resolution_px}"
    return {f"modelspec.{key}": value for key, value in entries.items()}


def _kohya(header: SealHeader, tensor_hash: str) -> dict[str, str]:
    return {
        "ss_v2": "False",
        "ss_base_model_version": header.kohya_version or header.family,
        "ss_network_module": "networks.lora",
        "ss_network_dim": str(header.rank),
        "ss_network_alpha": str(header.alpha),
        "ss_network_args": "{}",
        "ss_output_name": header.title,
        "ss_sd_model_name": header.base,
        "ss_training_comment": f"sealsmith {__version__}",
        "sshs_model_hash": tensor_hash,
    }
