"""A small picture of a seal, as text for a file's header."""

import base64
import io

from PIL import Image

THUMBNAIL_PX = 256
"""Side of the square, as ModelSpec 1.0.1 has it."""


def thumbnail(picture: Image.Image) -> str:
    """The middle of a picture as "data:image/jpeg;base64,...", 256 x 256, transparent parts on white."""
    side = min(picture.size)
    left, top = (picture.width - side) // 2, (picture.height - side) // 2
    square = picture.convert("RGBA").resize(
        (THUMBNAIL_PX, THUMBNAIL_PX), Image.Resampling.LANCZOS, (left, top, left + side, top + side)
    )
    flat = Image.new("RGB", square.size, "white")
    flat.paste(square, mask=square.getchannel("A"))
    buffer = io.BytesIO()
    flat.save(buffer, "JPEG", quality=85)
    return "data:image/jpeg;base64," + base64.b64encode(buffer.getvalue()).decode()
