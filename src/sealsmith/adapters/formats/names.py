"""Which layers a module's spelling in a file means, and how layers are spelled in files: pure string functions.

Layers are known by canonical paths: component and diffusers' module path, text encoders without their
`text_model.` level ("unet.down_blocks.0.attentions.0.proj_in", "text_encoder.encoder.layers.0.mlp.fc1"). A file
is read without a base at hand, so names joined by `_` are taken apart by the words each family uses.
"""

from . import names_flux, names_text, names_unet
from .place import Place

KOHYA_PREFIXES = {
    "lora_unet_": "denoiser",
    "lora_transformer_": "denoiser",  # OneTrainer
    "lycoris_": "denoiser",  # LyCORIS around a module of its own, as SimpleTuner writes it
    "lora_te_": "text_encoder",
    "lora_te1_": "text_encoder",
    "lora_te2_": "text_encoder_2",
    "lora_te3_": "text_encoder_2",  # Flux's T5
}

_TEXT_PREFIXES = {
    "": {"text_encoder": "lora_te_", "text_encoder_2": "lora_te2_"},
    "sd1": {"text_encoder": "lora_te_"},
    "sd2": {"text_encoder": "lora_te_"},
    "sealworld": {"text_encoder": "lora_te_"},
    "sdxl": {"text_encoder": "lora_te1_", "text_encoder_2": "lora_te2_"},
    "flux": {"text_encoder": "lora_te1_", "text_encoder_2": "lora_te3_"},
}

_COMFY_TEXT = {
    "text_encoders.clip_l.transformer.": "text_encoder",
    "text_encoders.clip_h.transformer.": "text_encoder",  # Stable Diffusion 2
    "text_encoders.clip_g.transformer.": "text_encoder_2",
    "text_encoders.t5xxl.transformer.": "text_encoder_2",
}
_ORIGINAL_ROOTS = ("model.diffusion_model.", "diffusion_model.")
_COMPONENTS = ("unet", "transformer", "text_encoder", "text_encoder_2")
_PEFT_ROOT = "base_model.model."


def kohya_place(module: str) -> Place | None:
    """The layers behind a name like "lora_unet_down_blocks_0_...", or None when it is not understood."""
    for prefix, component in KOHYA_PREFIXES.items():
        if module.startswith(prefix):
            name = module.removeprefix(prefix)
            return _denoiser(name) if component == "denoiser" else _text(component, name)
    return None


def original_place(module: str) -> Place | None:
    """The layers behind a module of the original (not diffusers') models, e.g. "diffusion_model.img_in"."""
    module = module.removeprefix(_PEFT_ROOT)
    for prefix, component in _COMFY_TEXT.items():
        if module.startswith(prefix):
            return Place((f"{component}.{names_text.canonical(module.removeprefix(prefix))}",))
    for root in _ORIGINAL_ROOTS:
        module = module.removeprefix(root)
    name = module.replace(".", "_")
    return names_flux.fused(name) or _unet(names_unet.from_ldm(name))


def diffusers_place(module: str) -> Place | None:
    """The layer behind a dotted name of diffusers or PEFT, with or without its component in front."""
    module = module.removeprefix(_PEFT_ROOT)
    component, _, path = module.partition(".")
    if component in _COMPONENTS:
        if not path or "" in path.split("."):
            return None
        path = path.removeprefix(_PEFT_ROOT)
        is_text = component.startswith("text")
        path = names_text.canonical(path) if is_text else names_unet.canonical(path)
        return Place((f"{component}.{path}",))
    if component in names_unet.ROOTS:
        return Place((f"unet.{names_unet.canonical(module)}",))
    if component in names_flux.ROOTS:
        return Place((f"transformer.{names_unet.canonical(module)}",))
    return _bare_text(names_text.canonical(module))


def kohya_name(path: str, family: str) -> tuple[str, int] | None:
    """How kohya's files of `family` spell a layer: the name, and which part of that name's rows it is.

    The part is 0 for all but Flux's fused projections. None: files of that dialect cannot name the layer.
    """
    component, _, module = path.partition(".")
    index = 0
    if component in ("unet", "transformer"):
        if component == "transformer":
            name, index = names_flux.to_fused(module) or ("", 0)
        else:
            name = (names_unet.to_ldm(module) or "") if family == "sdxl" else module.replace(".", "_")
        name = f"lora_unet_{name}"
    else:
        prefix = _TEXT_PREFIXES.get(family, {}).get(component)
        if prefix is None:
            return None
        name = prefix + names_text.nested(module).replace(".", "_")
    place = kohya_place(name)
    if place is None or index >= len(place.paths) or place.paths[index] != path:
        return None
    return name, index


def diffusers_name(path: str) -> str:
    """How diffusers' files spell a layer: CLIP's with the `text_model.` level.

    Stock diffusers strips that level for encoders that no longer have it, and never adds it to one that does.
    """
    component, _, module = path.partition(".")
    return f"{component}.{names_text.nested(module)}" if component.startswith("text") else path


def _denoiser(name: str) -> Place | None:
    flux = names_flux.fused(name)
    if flux is not None:
        return flux
    module = names_flux.GRAMMAR.dotted(name)
    if module is not None:
        return Place((f"transformer.{module}",))
    return _unet(names_unet.GRAMMAR.dotted(name) or names_unet.from_ldm(name))


def _unet(module: str | None) -> Place | None:
    return None if module is None else Place((f"unet.{module}",))


def _bare_text(module: str) -> Place | None:
    """The layer of a text encoder saved by itself, as PEFT does: nothing says which of a base's two it is.

    CLIP's is taken for the first and T5's for the second, which is right for all bases that have only one CLIP.
    """
    for start, component in (("encoder.layers.", "text_encoder"), ("encoder.block.", "text_encoder_2")):
        if module.startswith(start) and names_text.GRAMMAR.dotted(module.replace(".", "_")) is not None:
            return Place((f"{component}.{module}",))
    return None


def _text(component: str, name: str) -> Place | None:
    module = names_text.GRAMMAR.dotted(name.removeprefix("text_model_"))
    return None if module is None else Place((f"{component}.{module}",))
