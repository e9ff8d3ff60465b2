"""Pictures as training takes them: a folder, a zip or one logo, read into a `PictureSet` or refused clearly.

What can be wrong with a single file is met in the `picture_*` files beside this one; here is what a set is.
Nothing is written and nothing is unpacked to disk. Not for: latents, batches or losses.
"""

import hashlib
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import Literal

import numpy as np
from PIL import Image, ImageOps
from scipy.ndimage import grey_closing, grey_dilation

from ..errors import PictureError, PictureSetError
from ..stage import EMBLEM_PX, SCENE_PX, Scene, is_svg, placed_emblem, render_scene
from ..stage.captions import caption as scene_caption
from ..stage.letters import letter_emblem
from ..stage.scene import ALL_MARKS
from .logo import DEFAULT_CONTEXTS, is_drawing, logo_scenes, picture_emblem, svg_emblem
from .picture_captions import (
    CAPTION_SUFFIXES,
    class_noun_of,
    has_word,
    kohya_folder,
    read_captions,
    with_trigger,
)
from .picture_decode import decode_mask, decode_picture
from .picture_files import SourceFile, list_folder, open_file, open_zip
from .picture_notes import Notes

PICTURE_SUFFIXES = (".png", ".jpg", ".jpeg", ".webp", ".gif")
OTHER_PICTURE_SUFFIXES = (
    ".heic", ".heif", ".avif", ".bmp", ".tif", ".tiff", ".psd", ".svg", ".jxl", ".jp2", ".dng",
)  # fmt: skip
"""Pictures to their owners but not read here: named in the warnings, so that none goes missing silently."""
WINDOW_PX = (8, 8)
"""Half of this lies between a logo's strokes and its region's border; gaps narrower than this are inside."""
MAX_HELD_BYTES = 4 << 30
"""Decoded pictures of a set, together."""

_EMPTY = "Put PNG, JPEG or WebP pictures into it."


@dataclass(frozen=True)
class TrainingPicture:
    """One picture to learn from: upright, 8-bit RGB, flattened on white, in its own proportions."""

    image: Image.Image
    caption: str | None
    """With the trigger in place of `[trigger]`. None where the user wrote none."""
    mask: Image.Image | None = None
    """Mode L, of the picture's size; white is what counts."""
    repeats: int = 1
    source: str = ""
    """Its path inside the set, or which scene it is of a logo."""
    is_portrait: bool = True
    """Whether it shows the seal and nothing of its kind beside it."""
    region: Image.Image | None = None
    """Mode L, of the picture's size; white is where the seal is. None: nobody has said."""


@dataclass(frozen=True)
class PictureSet:
    """Everything a training learns from."""

    pictures: tuple[TrainingPicture, ...]
    warnings: tuple[str, ...]
    digest: str
    """SHA-256 over pixels, captions, masks and repeats, whatever the files are called."""
    kind: Literal["folder", "zip", "logo"]
    """One photo by itself counts as a folder of one."""
    class_noun: str | None = None
    """The noun that kohya folder names agree on, e.g. "dog"."""

    @property
    def portraits(self) -> list[Image.Image]:
        """The pictures by which to judge what the seal looks like."""
        return [picture.image for picture in self.pictures if picture.is_portrait]


def read_picture_set(
    path: str | Path,
    *,
    trigger: str,
    class_noun: str,
    strict: bool = False,
    logo_pictures: int = 24,
    logo_contexts: Sequence[tuple[str, str]] = DEFAULT_CONTEXTS,
    wide_company: bool = False,
    logo_px: int = SCENE_PX,
    seed: int = 0,
) -> PictureSet:
    """The pictures in a folder, in a zip, or made from one logo file (SVG, or a picture that is a drawing).

    A picture that cannot be used is skipped and named in `warnings`; with `strict` it is refused. The last
    five arguments are for logos: how many pictures to make of them, in which (mark, surface) contexts, whether
    those with something beside the logo are wide, for bases that draw wide pictures, and how high they are at
    least: as high as the base's pictures, so that none of them is enlarged.
    Raises: PictureSetError, PictureError; ConfigError for contexts that don't exist.
    """
    path, notes = Path(path), Notes(strict)
    try:
        if path.is_dir():
            return _read_files(nullcontext(list_folder(path, notes)), path, "folder", trigger, notes)
        if not path.is_file():
            found = "is neither a file nor a folder" if path.exists() else "does not exist"
            raise PictureSetError(f"{path} {found}", "Pass a folder or zip of pictures, or one logo file.")
        with path.open("rb") as stream:
            packed = stream.read(2) == b"PK"
    except OSError as error:
        raise PictureSetError(
            f"{path} cannot be read: {error.strerror}", "Check its access rights."
        ) from error
    if packed or path.suffix.lower() == ".zip":
        return _read_files(open_zip(path), path, "zip", trigger, notes)
    scale = max(logo_px / SCENE_PX, 1.0)
    mask = _logo_mask(path, round(EMBLEM_PX * scale), notes)
    if mask is None:
        return _read_files(nullcontext(_with_company(path)), path, "folder", trigger, notes)
    emblem = f"{trigger} {class_noun}".strip()
    scenes = logo_scenes(emblem, logo_pictures, logo_contexts, wide_company, seed)
    return _logo_set(path.name, emblem, mask, scenes, scale, notes)


def fit(image: Image.Image, size_px: tuple[int, int]) -> Image.Image:
    """The largest middle part of these proportions, resized to `size_px` (Lanczos); in the picture's own mode."""
    return ImageOps.fit(image, size_px, Image.Resampling.LANCZOS)


def _logo_mask(path: Path, side_px: int, notes: Notes) -> np.ndarray | None:
    """Emblem mask [side_px, side_px] of one file by itself, None when it is a photo."""
    data = open_file(path).read()
    if is_svg(data) and not data.startswith((b"\x89PNG", b"\xff\xd8", b"RIFF", b"GIF8")):
        mask, remarks = svg_emblem(data, path.name, side_px)
        notes.sentences += remarks
        return mask
    if path.suffix.lower() not in PICTURE_SUFFIXES:
        raise PictureSetError(
            f"{path} is neither a folder, a zip, nor a picture that can be read",
            "Pass a folder or zip of pictures, or one logo as SVG or PNG.",
        )
    decoded = decode_picture(data, path.name)
    if not is_drawing(decoded.image):
        notes.say(f"{path.name} is taken for a photo, so one picture is all there is to learn from; add more")
        return None
    notes.sentences += decoded.remarks
    if decoded.image.mode == "RGB":
        notes.say(
            f"{path.name} is taken for a logo on an even background; put it in a folder to train on it as is"
        )
    return picture_emblem(decoded.image, path.name, side_px)


def _logo_set(
    name: str, emblem: str, mask: np.ndarray, scenes: Sequence[Scene], scale: float, notes: Notes
) -> PictureSet:
    held_bytes = 4 * round(SCENE_PX * scale) * round(sum(scene.width_px for scene in scenes) * scale)
    if held_bytes > MAX_HELD_BYTES:
        raise _too_large(len(scenes), "Make fewer pictures of the logo.")
    pictures = tuple(
        TrainingPicture(
            Image.fromarray(render_scene(scene, _masks(scene, emblem, mask), scale)),
            scene_caption(scene),
            region=_region(scene, emblem, mask, scale),
            source=f"{name} #{number}",
            is_portrait=len(scene.placements) == 1,
        )
        for number, scene in enumerate(scenes, 1)
    )
    return PictureSet(pictures, tuple(notes.sentences), _digest(pictures), "logo")


def _masks(scene: Scene, emblem: str, logo: np.ndarray) -> list[np.ndarray]:
    """What each placement bears: the logo, which the scene calls `emblem`, or a letter."""
    names = [place.emblem for place in scene.placements]
    return [logo if name == emblem else letter_emblem(name[-1], len(logo)) for name in names]


def _region(scene: Scene, emblem: str, logo: np.ndarray, scale: float) -> Image.Image:
    """Where a scene shows the logo: its strokes and what lies between them, as far as a latent is wide.

    Found in the scene's own pixels, whatever the picture's are.
    """
    [place] = [place for place in scene.placements if place.emblem == emblem]
    strokes = placed_emblem(logo, place, ALL_MARKS[place.mark].fill, (scene.width_px, SCENE_PX))
    whole = grey_closing(grey_dilation(strokes, WINDOW_PX), WINDOW_PX)
    region = Image.fromarray(np.asarray(whole * 255, np.uint8))
    return region.resize((round(scene.width_px * scale), round(SCENE_PX * scale)), Image.Resampling.BILINEAR)


def _with_company(path: Path) -> list[SourceFile]:
    """A picture and the caption and mask files that lie beside it."""
    names = [path.stem + suffix for suffix in CAPTION_SUFFIXES] + [f"{path.stem}.mask.png"]
    return [open_file(path)] + [open_file(p) for p in map(path.with_name, names) if p.is_file()]


def _read_files(
    opened: AbstractContextManager[list[SourceFile]],
    path: Path,
    kind: Literal["folder", "zip"],
    trigger: str,
    notes: Notes,
) -> PictureSet:
    with opened as files:
        files = _without_regularisation(files, notes)
        chosen, masks = _sorted_out(files, notes)
        captions = read_captions(files, notes)
        pictures = _read_pictures(chosen, masks, captions, notes)
    if not pictures:
        told = f": {'; '.join(notes.sentences[:3])}" if notes.sentences else ""
        raise PictureSetError(f"{path} has no picture to train on{told}", _EMPTY)
    named, noun = _with_class_nouns(pictures, trigger, notes)
    _note_duplicates(named, notes)
    if trigger:
        _note_missing_trigger(named, trigger, notes)
    return PictureSet(tuple(named), tuple(notes.sentences), _digest(named), kind, noun)


def _without_regularisation(files: list[SourceFile], notes: Notes) -> list[SourceFile]:
    """The files less those of kohya's `reg` folder: pictures of the class, never to be learnt as the seal."""
    kept = [file for file in files if "reg" not in file.path.parts[:-1]]
    if 0 < len(kept) < len(files):
        notes.say(
            f"{len(files) - len(kept)} files in reg/ are left out: prior preservation makes its own pictures"
        )
    return kept if kept else files


def _sorted_out(
    files: list[SourceFile], notes: Notes
) -> tuple[list[SourceFile], dict[PurePosixPath, SourceFile]]:
    """Pictures, and masks by the key of the picture they belong to."""
    pictures: list[SourceFile] = []
    masks: dict[PurePosixPath, SourceFile] = {}
    for file in files:
        suffix, stem = file.path.suffix.lower(), file.path.stem
        if suffix in OTHER_PICTURE_SUFFIXES:
            what = "an SVG is read only by itself, as a logo" if suffix == ".svg" else f"{suffix} is not read"
            notes.skip(
                PictureError(f"{file.name} is left out: {what}", "Save it as PNG or JPEG."), "convert it"
            )
        elif suffix not in PICTURE_SUFFIXES:
            continue
        elif stem.endswith(".mask"):
            masks[_mask_key(file.path.with_name(stem.removesuffix(".mask") + ".png"))] = file
        elif "masks" in file.path.parts[:-1]:
            masks[_mask_key(file.path)] = file
        else:
            pictures.append(file)
    for key in masks.keys() - {_mask_key(picture.path) for picture in pictures}:
        notes.say(f"{masks[key].name} is a mask without a picture")
    return pictures, masks


def _mask_key(path: PurePosixPath) -> PurePosixPath:
    """What a picture and its mask have in common: the path less its suffix and the folders that say which."""
    folders = [part for part in path.parts[:-1] if part not in ("masks", "images", "img")]
    return PurePosixPath(*folders, path.stem)


def _read_pictures(
    files: list[SourceFile],
    masks: dict[PurePosixPath, SourceFile],
    captions: dict[PurePosixPath, str],
    notes: Notes,
) -> list[tuple[TrainingPicture, str]]:
    """Each usable picture, and the words its kohya folder has for it."""
    pictures: list[tuple[TrainingPicture, str]] = []
    held_bytes = 0
    for file in files:
        folder = kohya_folder(file.path, notes)
        if folder.repeats == 0:
            notes.say(f"{file.name} is left out: its folder says 0 repeats")
            continue
        try:
            decoded = decode_picture(file.read(), file.name)
        except PictureError as error:
            notes.skip(error)
            continue
        notes.sentences += decoded.remarks
        image, mask = decoded.flattened()
        mask = _own_mask(masks.get(_mask_key(file.path)), image, notes) or mask
        text = captions.get(file.path.with_suffix("")) or None
        pictures.append((TrainingPicture(image, text, mask, folder.repeats, file.name), folder.words))
        held_bytes += image.width * image.height * (3 if mask is None else 4)
        if held_bytes > MAX_HELD_BYTES:
            raise _too_large(
                len(pictures), "Use fewer pictures, or reduce them to the base's resolution first."
            )
    return pictures


def _too_large(num_pictures: int, remedy: str) -> PictureSetError:
    return PictureSetError(
        f"the first {num_pictures} pictures alone take over {MAX_HELD_BYTES >> 30} GiB of memory", remedy
    )


def _own_mask(file: SourceFile | None, image: Image.Image, notes: Notes) -> Image.Image | None:
    if file is None:
        return None
    try:
        return decode_mask(file.read(), file.name, image.size)
    except PictureError as error:
        notes.skip(error, "its picture goes without this mask")
        return None


def _with_class_nouns(
    pictures: list[tuple[TrainingPicture, str]], trigger: str, notes: Notes
) -> tuple[list[TrainingPicture], str | None]:
    """The pictures with the trigger in their captions, and the noun their folders agree on.

    Where folders disagree, a picture without a caption is captioned with its own folder's noun, and the set
    has none.
    """
    nouns = {noun for _, words in pictures if (noun := class_noun_of(words, trigger))}
    named = []
    for picture, words in pictures:
        text = picture.caption
        if text is None and len(nouns) > 1 and (noun := class_noun_of(words, trigger)):
            text = f"[trigger] {noun}"
        named.append(replace(picture, caption=with_trigger(text, trigger) if text else None))
    if len(nouns) > 1:
        notes.say(
            f"folders name several classes ({', '.join(sorted(nouns))}); each keeps its own in its captions"
        )
    return named, nouns.pop() if len(nouns) == 1 else None


def _note_duplicates(pictures: Sequence[TrainingPicture], notes: Notes) -> None:
    first: dict[bytes, str] = {}
    for picture in pictures:
        key = hashlib.sha256(repr(picture.image.size).encode() + picture.image.tobytes()).digest()
        if key in first:
            notes.say(f"{picture.source} is the same picture as {first[key]}: it counts twice")
        first.setdefault(key, picture.source)


def _note_missing_trigger(pictures: Sequence[TrainingPicture], trigger: str, notes: Notes) -> None:
    captions = [picture.caption for picture in pictures if picture.caption]
    lacking = sum(not has_word(caption, trigger) for caption in captions)
    if lacking:
        notes.say(
            f"{lacking} of {len(captions)} captions do not say the trigger {trigger!r}: "
            "it is inserted for training; write [trigger] where it belongs"
        )


def _digest(pictures: Sequence[TrainingPicture]) -> str:
    digest = hashlib.sha256()
    for picture in pictures:
        digest.update(repr((picture.image.size, picture.caption, picture.repeats)).encode())
        digest.update(picture.image.tobytes())
        digest.update(picture.mask.tobytes() if picture.mask else b"-")
    return digest.hexdigest()
