"""The strings in a seal file's header: ours, ModelSpec 1.0.1, kohya's `ss_`, and what the dialect needs.

Ours hold the whole truth and are what we read back; the rest is written so that other people's tools know what
they have. What other tools wrote is read by foreign_header.py.
"""

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from .. import __version__
from ..errors import SealFormatError
from .changes import Change
from .checks import check_seal_header
from .embeddings import Embeddings
from .family_names import ARCHITECTURES
from .foreign_header import foreign_header
from .hashes import kohya_hashes
from .identify import family_of, family_of_embeddings
from .kohya_metadata import LAST_LAYER_FAMILIES, kohya_metadata, network_metadata
from .networks import Network
from .seal import SealHeader

OWN_KEY = "sealsmith"
HASH_KEY = "modelspec.hash_sha256"
THUMBNAIL = re.compile(r"data:image/jpeg;base64,[A-Za-z0-9+/]+={0,2}")
"""The one form of picture ModelSpec has in a header."""

_SPEC_WORDS = {"textual-inversion": "textual-inversion", "hypernetwork": "hypernetwork"}
"""Method -> what ModelSpec calls the kind of file, where that is no "lora"."""

_HEADER = TypeAdapter(SealHeader)


def dump_metadata(
    header: SealHeader,
    layers: Mapping[str, Change],
    entries: Mapping[str, Any],
    tensors: memoryview,
    dialect_entries: Mapping[str, str],
    dialect: str = "diffusers",
    kept: Mapping[str, str] | None = None,
) -> dict[str, str]:
    """The metadata of a seal file, strings to strings, sorted by key.

    `layers` by canonical path; `entries` are the tensors of the file's header (name -> dtype, shape, offsets),
    `tensors` the bytes behind it; `dialect_entries` what their dialect needs (`formats.header_entries`).
    `kept` is the metadata of the file the seal came from: what it says in `ss_` and `modelspec.` entries stays
    unless we know better.
    """
    kept = kept or {}
    spec = _model_spec(header, dialect)
    ours = OWN_KEY in kept  # then the header has all that our own `modelspec.` entries said
    foreign_spec = {
        key: text for key, text in kept.items() if key.startswith("modelspec.") and not (ours and key in spec)
    }
    training = _kohya(header, layers, {key: text for key, text in kept.items() if key.startswith("ss_")})
    model_hash, legacy_hash = kohya_hashes(entries, tensors, training)
    words = {
        **foreign_spec,
        **training,
        **{key: text for key, text in spec.items() if text},
        **dialect_entries,
        "format": "pt",
        OWN_KEY: _HEADER.dump_json(header).decode(),
        "sshs_model_hash": model_hash,
        "sshs_legacy_hash": legacy_hash,
        HASH_KEY: f"0x{model_hash}",
    }
    return dict(sorted(words.items()))


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


def header_of_foreign(
    metadata: Mapping[str, str],
    layers: Mapping[str, Change],
    name: str,
    embeddings: Embeddings | None = None,
    networks: Mapping[str, Network] | None = None,
) -> SealHeader:
    """What can be known of a file that another tool wrote; what cannot is empty.

    Rank and alpha are the most frequent ones of its layers; without any, the number of vectors or a network's
    narrowest layer. A word with vectors of its own is the trigger. Where the layers tell another family than the
    header's words, the layers are right.
    """
    embeddings, networks = embeddings or {}, networks or {}
    ranks = Counter((change.rank, change.alpha) for change in layers.values()) or Counter(
        (rank, float(rank)) for rank in _other_ranks(embeddings, networks)
    )
    [((rank, alpha), _)] = ranks.most_common(1)
    facts = foreign_header(metadata)
    header = replace(facts.as_header(rank, alpha), method=_method(bool(layers), bool(embeddings)))
    if embeddings:
        header = replace(header, trigger=" ".join(embeddings))
    family = family_of(layers) or family_of_embeddings(embeddings)
    if family and family != facts.family:
        header = replace(header, family=family, architecture="", kohya_version="")
    return header if header.title else replace(header, title=Path(name).stem)


def _other_ranks(embeddings: Embeddings, networks: Mapping[str, Network]) -> list[int]:
    vectors = [len(each) for word in embeddings.values() for each in word.values()]
    return vectors + [network.rank for network in networks.values()]


def _method(has_layers: bool, has_embeddings: bool) -> str:
    if has_embeddings:
        return "pivotal" if has_layers else "textual-inversion"
    return "lora" if has_layers else "hypernetwork"


def _kohya(header: SealHeader, layers: Mapping[str, Change], kept: Mapping[str, str]) -> dict[str, str]:
    """`ss_` entries, with those that were there: behind ours if the training is ours, before them if not."""
    comment = {"ss_training_comment": f"sealsmith {__version__}"}
    ours = kohya_metadata(header, layers)
    if header.training:
        return {**comment, **kept, **ours}
    return {**comment, **ours, **kept, **(network_metadata(header, layers) if layers else {})}


def _model_spec(header: SealHeader, dialect: str) -> dict[str, str]:
    """ModelSpec's entries but for the hash; empty where their content is not known."""
    side = header.resolution_px
    architecture = header.architecture or ARCHITECTURES.get(header.family, header.family)
    use_hint = f"write {header.trigger!r} before {header.class_noun!r}"
    known = {
        "sai_model_spec": "1.0.1",
        "architecture": f"{architecture}/{_SPEC_WORDS.get(header.method, 'lora')}" if architecture else "",
        "implementation": "diffusers" if dialect == "diffusers" else "sd-scripts",
        "title": header.title,
        "resolution": f"{side}x{side}" if side else "",
        "date": header.created,
        "description": header.description,
        "author": header.author,
        "license": header.license,
        "tags": ", ".join(header.tags),
        "merged_from": ", ".join(header.merged_from),
        "thumbnail": header.thumbnail if THUMBNAIL.fullmatch(header.thumbnail) else "",
        "trigger_phrase": header.trigger,
        "usage_hint": use_hint if header.trigger and header.class_noun else "",
        "prediction_type": header.prediction_type,
        "encoder_layer": "1" if header.training and header.family in LAST_LAYER_FAMILIES else "",
    }
    return {f"modelspec.{key}": value for key, value in known.items()}
