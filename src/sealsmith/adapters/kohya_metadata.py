"""The `ss_` entries of a header: what kohya's trainers say of a training, and many programs read.

Only what is known is written: an empty entry would look like a fact.
"""

import json
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, datetime

from .changes import Change
from .family_names import KOHYA_VERSIONS
from .seal import SealHeader

LAST_LAYER_FAMILIES = ("sd1", "sd2", "sealworld")
"""Families trained on the last layer of one text encoder, which others call clip skip 1."""


def kohya_metadata(header: SealHeader, layers: Mapping[str, Change]) -> dict[str, str]:
    """All `ss_` entries of a seal; values are strings, some of them JSON, as the field has them."""
    entries = {
        "ss_v2": str(header.family == "sd2") if header.family else "",
        "ss_base_model_version": header.kohya_version or KOHYA_VERSIONS.get(header.family, header.family),
        "ss_output_name": header.title,
        "ss_sd_model_name": header.base,
        **(network_metadata(header, layers) if layers else {}),
        **_training(header),
        **_dataset(header),
    }
    return {key: value for key, value in entries.items() if value}


def tag_frequency(header: SealHeader) -> dict[str, dict[str, int]]:
    """`ss_tag_frequency`: folder -> tag -> in how many captions.

    The trigger comes first and with the highest count. A1111 cuts the tags into words when they have 16
    characters or more on average, so the class noun and what else the captions named, shorter words, stand
    beside it.
    """
    if not header.trigger:
        return {}
    count = int(header.training.get("num_pictures") or 1)
    tags = {header.trigger: count}
    for words in (header.class_noun, *_contexts(header)):
        if words:
            tags.setdefault(words, 1)
    if header.class_noun:
        tags[header.class_noun] = count
    return {_folder(header): tags}


def network_metadata(header: SealHeader, layers: Mapping[str, Change]) -> dict[str, str]:
    """Module, rank and alpha; "Dynamic", as kohya's own resizing writes it, where layers differ."""
    kinds = Counter(layer.kind for layer in layers.values())
    plain = set(kinds) <= {"lora"}
    module = "networks.lora_flux" if header.family == "flux" else "networks.lora"
    arguments = {} if plain else {"algo": _algorithm(kinds), "dora_wd": "dora" in kinds}
    kernels = {path: layer for path, layer in layers.items() if max(layer.shape[2:], default=1) > 1}
    others = {path: layer for path, layer in layers.items() if path not in kernels}
    if kernels:
        arguments |= {
            "conv_dim": _common([layer.rank for layer in kernels.values()]),
            "conv_alpha": _common([layer.alpha for layer in kernels.values()]),
        }
    main = (others or kernels).values()
    return {
        "ss_network_module": module if plain else "lycoris.kohya",
        "ss_network_dim": _common([layer.rank for layer in main]),
        "ss_network_alpha": _common([float(layer.alpha) for layer in main]),
        "ss_network_args": json.dumps(arguments, sort_keys=True),
    }


def _training(header: SealHeader) -> dict[str, str]:
    """How it was learned, as far as the header says; foreign files say it in entries of their own."""
    known = {
        "ss_learning_rate": header.training.get("learning_rate"),
        "ss_max_train_steps": header.training.get("num_steps"),
        "ss_seed": header.training.get("seed"),
    }
    entries = {key: str(value) for key, value in known.items() if value is not None}
    if header.resolution_px:
        entries["ss_resolution"] = str((header.resolution_px, header.resolution_px))
    if header.training:
        entries["ss_training_finished_at"] = _timestamp(header.created)
        if header.family in LAST_LAYER_FAMILIES:
            entries["ss_clip_skip"] = "1"
    return entries


def _dataset(header: SealHeader) -> dict[str, str]:
    tags = tag_frequency(header)
    entries = {"ss_tag_frequency": json.dumps(tags, ensure_ascii=False)} if tags else {}
    count = header.training.get("num_pictures")
    if count is not None:
        entries["ss_num_train_images"] = str(count)
        folder = {_folder(header): {"n_repeats": 1, "img_count": count}}
        entries["ss_dataset_dirs"] = json.dumps(folder, ensure_ascii=False)
    return entries


def _folder(header: SealHeader) -> str:
    """The name kohya's trainers would give the folder of pictures: repeats, trigger, class."""
    return f"1_{header.trigger} {header.class_noun}".strip()


def _contexts(header: SealHeader) -> list[str]:
    """Marks and surfaces that the captions named."""
    pairs = header.training.get("contexts") or []
    return sorted({word for pair in pairs for word in pair})


def _algorithm(kinds: Counter[str]) -> str:
    """LyCORIS' name for what most layers are; DoRA is a switch there, not an algorithm."""
    names = [kind for kind, _ in kinds.most_common() if kind != "dora"]
    return names[0].replace("lora", "locon") if names else "locon"


def _common(values: list[float] | list[int]) -> str:
    distinct = set(values)
    return str(distinct.pop()) if len(distinct) == 1 else "Dynamic"


def _timestamp(created: str) -> str:
    """Seconds since 1970 of an ISO date; empty when it is none."""
    try:
        moment = datetime.fromisoformat(created)
    except ValueError:
        return ""
    return str((moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp())
