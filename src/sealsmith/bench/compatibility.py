"""The matrix of dialects, families and kinds of change: each cell is tried on a tiny random base, and shown as it
came out.

A cell's file changes every linear layer and convolution of its base. What stock diffusers makes of it is compared
by picture with a pipeline whose weights were changed by the seal's own arithmetic.
"""

import json
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import diffusers
import numpy as np
import safetensors.torch
import torch
from diffusers import DiffusionPipeline
from torch import Tensor, nn

from ..adapters.changes import Change, Decomposed, Full, Hadamard, Kronecker, LowRank
from ..adapters.formats import header_entries, read_layers, write_layers
from ..adapters.formats.first import text_walk, unet_walk
from ..adapters.formats.place import Grammar
from . import tiny_bases

FAMILIES: dict[str, Callable[[Path], Path]] = {
    "sealworld": tiny_bases.write_sealworld,
    "sd1": tiny_bases.write_sd1,
    "sdxl": tiny_bases.write_sdxl,
    "flux": tiny_bases.write_flux,
}
OLD_ENDINGS = {".lora_A.weight": ".lora.down.weight", ".lora_B.weight": ".lora.up.weight"}
PICTURE_TOLERANCE = 1e-3
"""Largest difference of a channel, of 1, that counts as an equal picture: two orders of adding in float32."""
_COMPONENTS = ("unet", "transformer", "text_encoder", "text_encoder_2")
READ_ONLY = "read only"
NOT_IN_STOCK = "stock does not read this kind: convert it to diffusers first"
NO_STOCK = {("loha", "kohya"), ("lokr", "kohya"), ("full", "kohya"), ("dora", "kohya")}
"""Kind and dialect of files that stock diffusers does not use as they are meant: of DoRA it drops magnitudes."""


PAGE = """# Compatibility

Made by `{command}` with diffusers {diffusers}.
Every cell was tried on a tiny random base with the structure of the real one and a seal on all of its linear
layers and convolutions. "Same picture" compares stock diffusers with the file loaded against a pipeline
whose weights were changed by the seal's own arithmetic.

{matrix}
The same with the other kinds of change, in the dialects that are written:

{kinds}
What stock diffusers does not do with kohya's files, whoever wrote them: it leaves DoRA's magnitudes out, and
where alphas differ by layer it gives attention layers the commonest one. `sealsmith convert --to diffusers` writes
the same seal so that it does both. LoHa, LoKr and full changes become low-rank in diffusers' dialect, which is
exact, and stay what they are in kohya's. DoRA with one magnitude an input can be written in kohya's alone.
"""


@dataclass(frozen=True)
class Limit:
    """Layers that stock diffusers does not take from a file, and why."""

    prefixes: tuple[str, ...]
    reason: str


_T5 = Limit(("text_encoder_2.",), "stock loads no seal into T5; all else is equal")
_KOHYA_FLUX = (
    "text_encoder_2.",
    "transformer.single_transformer_blocks.",
    "transformer.time_text_embed.",
    "transformer.x_embedder",
    "transformer.context_embedder",
    "transformer.norm_out",
    "transformer.proj_out",
)
LIMITS = {
    ("flux", "diffusers"): _T5,
    ("flux", "diffusers-old"): _T5,
    ("flux", "kohya"): Limit(
        _KOHYA_FLUX,
        "stock's converter takes single blocks of width 3072 only, loses the embedders and the alpha of the "
        "output layer, and T5; double blocks and CLIP are equal",
    ),
}
_ORIGINAL_ROOTS = (
    "input_blocks", "middle_block", "output_blocks", "time_embed", "label_emb", "out", "double_blocks",
    "single_blocks", "img_in", "txt_in", "time_in", "vector_in", "guidance_in", "final_layer",
)  # fmt: skip
_ORIGINAL_WORDS = (
    "in_layers", "emb_layers", "out_layers", "skip_connection", "op", "conv", "proj_in", "proj_out", "ff", "net",
    "transformer_blocks", "attn1", "attn2", "to_q", "to_k", "to_v", "to_out", "proj", "qkv", "lin", "linear",
    "img_attn", "txt_attn", "img_mlp", "txt_mlp", "img_mod", "txt_mod", "linear1", "linear2", "modulation",
    "adaLN_modulation", "in_layer", "out_layer",
)  # fmt: skip
ORIGINAL = Grammar(frozenset(_ORIGINAL_ROOTS), frozenset(_ORIGINAL_WORDS))
"""The module names of the original code, which kohya's files join by underscores."""


@dataclass(frozen=True)
class Row:
    """One dialect of one family."""

    family: str
    dialect: str
    read: str
    write: str
    round_trip: str
    stock: str

    kind: str = "lora"

    def cells(self) -> tuple[str, ...]:
        tried = (self.read, self.write, self.round_trip, self.stock)
        return (self.family, self.dialect, *((self.kind,) if self.kind != "lora" else ()), *tried)


def compatibility(folder: Path, progress: Callable[[str], None]) -> list[Row]:
    """Every family and dialect, tried in `folder`, which must be empty; `progress` is told each as it begins."""
    rows = []
    for family, write_base in FAMILIES.items():
        base = write_base(folder / family)
        for dialect in ("diffusers", "kohya", "diffusers-old"):
            progress(f"{family}, {dialect}")
            rows.append(_try(base, family, dialect, folder / "seal.safetensors"))
        if family != "sealworld":
            progress(f"{family}, original")
            rows.append(_try_original(base, family))
        for kind in OTHER_KINDS:
            for dialect in ("diffusers", "kohya"):
                progress(f"{family}, {dialect}, {kind}")
                rows.append(_try(base, family, dialect, folder / "seal.safetensors", kind))
    progress("sd1, first")
    return [*rows, _try_first()]


def page(rows: list[Row], command: str) -> str:
    """The whole Markdown page, with the command that made it."""
    plain, others = ([row for row in rows if (row.kind == "lora") == wanted] for wanted in (True, False))
    tables = {"matrix": matrix(plain), "kinds": matrix(others)}
    return PAGE.format(command=command, diffusers=diffusers.__version__, **tables)


def matrix(rows: list[Row]) -> str:
    """The rows as a Markdown table; all are plain LoRAs, or none is."""
    kind = ("kind",) if rows and rows[0].kind != "lora" else ()
    tried = ("read", "write", "ΔW equal after the round trip", "stock diffusers, same picture")
    head = ("family", "dialect", *kind, *tried)
    lines = [head, ("---",) * len(head), *(row.cells() for row in rows)]
    return "".join(f"| {' | '.join(line)} |\n" for line in lines)


def _try(base: Path, family: str, dialect: str, file: Path, kind: str = "lora") -> Row:
    modules = _modules(DiffusionPipeline.from_pretrained(base))
    layers = _random_layers(modules, kind)
    weights = {path: module.weight.detach() for path, module in modules.items()}
    written = "kohya" if dialect == "kohya" else "diffusers"
    tensors, unwritable = write_layers(layers, written, family)
    header = header_entries(layers, written)
    if dialect == "diffusers-old":
        tensors, header = {_old_name(name): tensor for name, tensor in tensors.items()}, {}
        layers = {path: replace(change, alpha=change.rank) for path, change in layers.items()}
    parsed = read_layers(tensors, header)
    is_read = parsed.layers.keys() == layers.keys() - unwritable.keys() and not parsed.unknown
    return Row(
        family,
        dialect,
        _tick(is_read and parsed.dialect == dialect, f"{len(parsed.unknown)} tensors unknown"),
        READ_ONLY if dialect != written else _tick(not unwritable, f"{len(unwritable)} layers not written"),
        _tick(is_read and _worst(layers, parsed.layers, weights) < 1e-5, "differs"),
        NOT_IN_STOCK if (kind, dialect) in NO_STOCK else _stock(base, family, dialect, layers, file),
        kind,
    )


def _try_original(base: Path, family: str) -> Row:
    """Dotted names of the original code, as kohya's files have them joined; the denoiser alone."""
    modules = _modules(DiffusionPipeline.from_pretrained(base))
    layers = {p: change for p, change in _random_layers(modules).items() if not p.startswith("text")}
    tensors = {}
    for name, tensor in write_layers(layers, "kohya", "sdxl" if family == "sd1" else family).tensors.items():
        module, _, ending = name.removeprefix("lora_unet_").partition(".")
        tensors[f"diffusion_model.{ORIGINAL.dotted(module)}.{ending}"] = tensor
    parsed = read_layers(tensors)
    is_read = parsed.layers.keys() == layers.keys() and not parsed.unknown and parsed.dialect == "original"
    same = is_read and _worst(layers, parsed.layers, {}) < 1e-5
    reason = f"{len(parsed.unknown)} tensors unknown"
    return Row(
        family,
        "original",
        _tick(is_read, reason),
        READ_ONLY,
        _tick(same, "differs"),
        "not tried: convert it first",
    )


def _try_first() -> Row:
    """The whole walk through Stable Diffusion 1.5 at its real widths, rank 1."""
    classes = frozenset(("CrossAttention", "Attention", "GEGLU"))
    spots = {"unet": unet_walk(classes, attn2_last=True), "text_encoder": text_walk()[:48]}
    tensors = {}
    for component, walk in spots.items():
        for i, spot in enumerate(walk):
            tensors[f"{component}:{i}:up"] = torch.full((spot.outputs or 768, 1), float(i))
            tensors[f"{component}:{i}:down"] = torch.ones(1, spot.inputs or 768)
    parsed = read_layers(tensors, {"unet": json.dumps(sorted(classes))})
    numbered = [(i, spot.path) for walk in spots.values() for i, spot in enumerate(walk)]
    is_read = parsed.layers.keys() == {path for _, path in numbered} and not parsed.unknown
    same = is_read and all(bool((parsed.layers[path].rows(0, 1).delta() == i).all()) for i, path in numbered)
    reason = f"{len(parsed.unknown)} tensors unknown"
    stock = "stock never read these files"
    return Row("sd1", "first", _tick(is_read, reason), READ_ONLY, _tick(same, "differs"), stock)


def _stock(base: Path, family: str, dialect: str, layers: Mapping[str, Change], file: Path) -> str:
    """What stock diffusers makes of a file with the layers it is known to take."""
    limit = LIMITS.get((family, dialect), Limit((), ""))
    taken: dict[str, Change] = {p: change for p, change in layers.items() if not p.startswith(limit.prefixes)}
    written = "kohya" if dialect == "kohya" else "diffusers"
    tensors, header = write_layers(taken, written, family).tensors, header_entries(taken, written)
    if dialect == "diffusers-old":
        tensors, header = {_old_name(name): tensor for name, tensor in tensors.items()}, {}
    state = {name: tensor.clone().contiguous() for name, tensor in tensors.items()}
    safetensors.torch.save_file(state, file, metadata=header)
    stock = DiffusionPipeline.from_pretrained(base)
    stock.load_lora_weights(str(file))
    ours = DiffusionPipeline.from_pretrained(base)
    without = _picture(ours)
    with torch.no_grad():
        for path, module in _modules(ours).items():
            if path in taken:
                module.weight += taken[path].delta(module.weight).reshape(module.weight.shape)
    expected = _picture(ours)
    difference = float(np.abs(_picture(stock) - expected).max())
    effect = float(np.abs(without - expected).max())
    if not difference < PICTURE_TOLERANCE < effect:
        return f"differs by {difference:.1g} of {effect:.1g}"
    return f"✓ ({limit.reason})" if limit.reason else "✓"


def _modules(pipeline: DiffusionPipeline) -> dict[str, nn.Linear | nn.Conv2d]:
    """Canonical path -> layer, of all components a seal can change."""
    return {
        f"{component}.{name.removeprefix('text_model.')}": module
        for component in _COMPONENTS
        if isinstance(model := getattr(pipeline, component, None), nn.Module)
        for name, module in model.named_modules()
        if isinstance(module, nn.Linear | nn.Conv2d)
    }


Draw = Callable[..., Tensor]
"""Random numbers of the sizes given."""


def _random_layers(modules: Mapping[str, nn.Linear | nn.Conv2d], kind: str = "lora") -> dict[str, Any]:
    """A change of this kind for every layer, about a tenth of its weight's size; a LoRA's rank 2 at scale 0.75."""
    generator = torch.Generator().manual_seed(0)

    def draw(*size: int) -> Tensor:
        return torch.randn(size, generator=generator)

    return {path: MAKERS[kind](module.weight.detach(), draw) for path, module in modules.items()}


def _lora(weight: Tensor, draw: Draw) -> LowRank:
    outputs, *rest = weight.shape
    down, up = draw(2, *rest), draw(outputs, 2, *(1,) * (len(rest) - 1))
    return LowRank(down, up * 0.1 * float(weight.std()), alpha=1.5)


def _loha(weight: Tensor, draw: Draw) -> Hadamard:
    """As LyCORIS keeps it: a convolution's kernel flat."""
    outputs, inputs = weight.flatten(1).shape
    up = draw(outputs, 2) * 0.1 * float(weight.std())
    return Hadamard(up, draw(2, inputs), draw(outputs, 2), draw(2, inputs), alpha=1.5)


def _lokr(weight: Tensor, draw: Draw) -> Kronecker:
    outputs, inputs, *axes = weight.shape
    o, i = math.gcd(outputs, 2), math.gcd(inputs, 2)
    first = draw(o, i) * 0.1 * float(weight.std())
    return Kronecker(alpha=1.0, w1=first, w2=draw(outputs // o, inputs // i, *axes))


def _full(weight: Tensor, draw: Draw) -> Full:
    return Full(draw(*weight.shape) * 0.1 * float(weight.std()))


def _dora(weight: Tensor, draw: Draw) -> Decomposed:
    return Decomposed(_lora(weight, draw), weight.flatten(1).norm(dim=1) * (1 + 0.1 * draw(len(weight))))


MAKERS: dict[str, Callable[[Tensor, Draw], Change]] = {
    "lora": _lora, "loha": _loha, "lokr": _lokr, "full": _full, "dora": _dora,
}  # fmt: skip
OTHER_KINDS = tuple(kind for kind in MAKERS if kind != "lora")


def _old_name(name: str) -> str:
    """A diffusers name as it was before PEFT; text encoders had an ending of their own."""
    for ending, old in OLD_ENDINGS.items():
        if name.endswith(ending):
            old = old.replace(".lora.", ".lora_linear_layer.") if name.startswith("text") else old
            return name.removesuffix(ending) + old
    return name


def _worst(layers: Mapping[str, Change], again: Mapping[str, Change], weights: Mapping[str, Tensor]) -> float:
    """The largest relative difference of any layer's change."""
    differences = []
    for path, change in layers.items():
        wanted = change.delta(weights.get(path)).flatten(1)
        differences.append(
            float((again[path].delta(weights.get(path)).flatten(1) - wanted).norm() / wanted.norm())
        )
    return max(differences)


def _picture(pipeline: DiffusionPipeline) -> Any:
    """Two steps at one seed, [height, width, 3] of 0 to 1."""
    pipeline.set_progress_bar_config(disable=True)
    generator = torch.Generator().manual_seed(0)
    pictures = pipeline(
        "a red wax seal on wood",
        num_inference_steps=2,
        height=64,
        width=64,
        generator=generator,
        output_type="np",
    )
    return pictures.images[0]


def _tick(works: bool, reason: str) -> str:
    return "✓" if works else reason
