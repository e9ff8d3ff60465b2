"""`/v1/recipes` and `/v1/picture-sets`: what strangers' pictures say. Nothing of them is kept."""

from dataclasses import asdict
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, File, Form, UploadFile
from pydantic import Field

from .inspection import inspect_pictures, inspect_recipe
from .keyed_route import KeyedRoute
from .limits import MAX_PICTURE_BYTES, MAX_TEXT_CHARACTERS, MAX_WORD_CHARACTERS
from .picture_uploads import PicturesOf
from .schema import PictureSetBody, RecipeBody
from .service import Drawer, Keeper, ServiceOf
from .uploads import on_disk

Word = Annotated[str, Field(min_length=1, max_length=MAX_WORD_CHARACTERS)]

router = APIRouter(route_class=KeyedRoute, prefix="/v1", tags=["pictures"])


@router.post("/recipes", response_model=RecipeBody)
async def read_recipe(
    service: ServiceOf,
    caller: Drawer,
    file: Annotated[
        UploadFile,
        File(
            description=f"A PNG of {MAX_PICTURE_BYTES} bytes at most, with at most {MAX_TEXT_CHARACTERS} "
            "characters of text in it.",
            json_schema_extra={"maxLength": MAX_PICTURE_BYTES},
        ),
    ],
) -> RecipeBody:
    """How a picture was made, from the PNG itself."""
    async with on_disk(file, MAX_PICTURE_BYTES) as path:
        facts = await service.inspector.run(inspect_recipe, path, "the picture")
    return RecipeBody(recipe=dict(facts.recipe), parameters=facts.parameters)


@router.post("/picture-sets/check", response_model=PictureSetBody)
async def check_picture_set(
    service: ServiceOf,
    caller: Keeper,
    pictures: PicturesOf,
    trigger: Annotated[Word, Form(description="The word that is to call the seal.")],
    class_noun: Annotated[Word, Form(description="What the seal is.")] = "emblem",
) -> PictureSetBody:
    """Check pictures for a training: how many it would learn from, and what it would leave out."""
    inspect = partial(inspect_pictures, trigger=trigger, class_noun=class_noun)
    async with pictures.on_disk() as path:
        facts = await service.inspector.run(inspect, path, f"the {path.name}")
    return PictureSetBody(**_plain(asdict(facts)))


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    """Tuples as lists, as JSON has them."""
    return {key: list(value) if isinstance(value, tuple) else value for key, value in values.items()}
