"""What others call the families of bases: kohya's trainers, ModelSpec, A1111 and the registries of models.

Only names; what a family is stands in `bases/`.
"""

import re

KOHYA_VERSIONS = {"sd1": "sd_v1", "sd2": "sd_v2", "sdxl": "sdxl_base_v1-0", "flux": "flux1"}
"""`ss_base_model_version` of a family; A1111 knows SDXL by the "sdxl_" in front."""
ARCHITECTURES = {
    "sd1": "stable-diffusion-v1",
    "sd2": "stable-diffusion-v2-768-v",
    "sdxl": "stable-diffusion-xl-v1-base",
    "flux": "flux-1-dev",
}
"""`modelspec.architecture` of a family, without the "/lora"."""
A1111_VERSIONS = {"sd1": "SD1", "sd2": "SD2", "sdxl": "SDXL", "flux": "Flux"}
"""`sd version` of A1111's sidecars."""

_BEGINNINGS = {
    "stablediffusionv1": "sd1",
    "stablediffusion1": "sd1",
    "sdv1": "sd1",
    "sd1": "sd1",
    "stablediffusionv2": "sd2",
    "stablediffusion2": "sd2",
    "sdv2": "sd2",
    "sd2": "sd2",
    "stablediffusionxl": "sdxl",
    "sdxl": "sdxl",
    "pony": "sdxl",
    "illustrious": "sdxl",
    "noobai": "sdxl",
    "flux1": "flux",
    "fluxdev": "flux",
    "fluxschnell": "flux",
    "sealworld": "sealworld",
}


def family_named(text: str) -> str:
    """Our name of the family that a base version, an architecture or a registry's base model names.

    Spelling plays no part: "SD 1.5", "sd_v1", "stable-diffusion-v1/lora" are all "sd1". Empty for a family we
    do not have, "SD 3" and "Flux.2" among them.
    """
    letters = re.sub(r"[^a-z0-9]", "", text.lower())
    if letters == "flux":
        return "flux"
    return next((family for start, family in _BEGINNINGS.items() if letters.startswith(start)), "")
