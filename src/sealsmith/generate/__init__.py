"""The plain path from a prompt to a picture, one request at a time: what every faster path is tested against.

Not for: serving many requests, or learning seals (train/).
"""

from typing import TYPE_CHECKING

from ..lazy import lazy_names

if TYPE_CHECKING:
    from .picture_file import read_recipe, write_picture
    from .pipeline import generate, generate_batch, generate_each
    from .prompt import FittedPrompt, fit_prompt, insert_trigger
    from .quantised import fuse_then_quantise, generate_quantised
    from .recipe import Recipe, SealUse, dump_parameters, parse_parameters
    from .request import Picture, Request

__all__ = [
    "FittedPrompt",
    "Picture",
    "Recipe",
    "Request",
    "SealUse",
    "dump_parameters",
    "fit_prompt",
    "fuse_then_quantise",
    "generate",
    "generate_batch",
    "generate_each",
    "generate_quantised",
    "insert_trigger",
    "parse_parameters",
    "read_recipe",
    "write_picture",
]

__getattr__ = lazy_names(
    __name__,
    {
        "picture_file": ("read_recipe", "write_picture"),
        "pipeline": ("generate", "generate_batch", "generate_each"),
        "prompt": ("FittedPrompt", "fit_prompt", "insert_trigger"),
        "quantised": ("fuse_then_quantise", "generate_quantised"),
        "recipe": ("Recipe", "SealUse", "dump_parameters", "parse_parameters"),
        "request": ("Picture", "Request"),
    },
)
