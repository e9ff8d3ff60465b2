"""Whether a stranger's SVG may be drawn: it must be self-contained, plain, and of a bearable size.

Entities, scripts, and references to anything outside the document are refused, and so is one that grows
without bound when its references are followed. Not for: drawing it (sealsmith.stage).
"""

import codecs
import re
import xml.parsers.expat
from dataclasses import dataclass, field
from typing import NoReturn

from ..errors import PictureError

MAX_SVG_BYTES = 4 << 20
MAX_ELEMENTS = 50_000
"""Elements drawn, those behind `use` and `url(#...)` counted as often as they are referred to."""
MAX_DEPTH = 120
MAX_PROPORTION = 16.0

_FORBIDDEN = {
    "script": "a script",
    "foreignobject": "foreign content",
    "image": "an embedded or linked picture",
}
_OUTSIDE = re.compile(r"url\(\s*+['\"]?\s*+(?!['\"\s]|#)|@import", re.IGNORECASE)
_INSIDE = re.compile(r"url\(\s*+['\"]?\s*+#([^'\")\s]+)", re.IGNORECASE)
_UNIT = re.compile(r"(px|pt|pc|mm|cm|in|em|ex)$")
_PLAIN = "Export it as a plain SVG with all shapes converted to paths, or as a PNG with transparency."


@dataclass(eq=False)
class _Element:
    children: list["_Element"] = field(default_factory=list)
    refers_to: list[str] = field(default_factory=list)


def check_svg(data: bytes, name: str) -> tuple[str, tuple[str, ...]]:
    """The document as text, and remarks for the user, once it is known to be safe to draw.

    `name` is for messages. Raises: PictureError.
    """
    if len(data) > MAX_SVG_BYTES:
        raise PictureError(f"{name} has {len(data)} bytes; an SVG may have {MAX_SVG_BYTES}", _PLAIN)
    utf16 = data.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE))
    try:
        text = data.decode("utf-16" if utf16 else "utf-8-sig")
        inspector = _Inspector(name)
        inspector.parse(text)
    except UnicodeDecodeError as error:
        raise PictureError(f"{name} is not UTF-8 text: {error.reason}", _PLAIN) from error
    except xml.parsers.expat.ExpatError as error:
        raise PictureError(f"{name} is not a well-formed SVG: {error}", _PLAIN) from error
    inspector.check_growth()
    if "text" not in inspector.tags:
        return text, ()
    return text, (f"{name} has text in it, drawn in this computer's fonts; convert it to paths to be sure",)


class _Inspector:
    """Walks a document once, refuses what it must not hold, and keeps who refers to whom."""

    def __init__(self, name: str):
        self.name = name
        self.tags: set[str] = set()
        self.by_id: dict[str, _Element] = {}
        self.root = _Element()
        self._open = [self.root]
        self._num_elements = 0
        self._in_style = False

    def parse(self, text: str) -> None:
        parser = xml.parsers.expat.ParserCreate()
        parser.buffer_text = True  # a reference must not hide where the parser cuts its chunks
        parser.EntityDeclHandler = lambda *_: self._refuse("declares an entity")
        parser.ProcessingInstructionHandler = lambda *_: self._refuse("has a processing instruction")
        parser.StartElementHandler = self._start
        parser.EndElementHandler = self._end
        parser.CharacterDataHandler = self._characters
        parser.Parse(text, True)

    def check_growth(self) -> None:
        """Refuse references that run in circles or multiply ("billion laughs" by `use`)."""
        known: dict[_Element, int] = {}
        if self._grown(self.root, known, 0) > MAX_ELEMENTS:
            self._refuse(f"draws more than {MAX_ELEMENTS} elements")

    def _grown(self, element: _Element, known: dict[_Element, int], depth: int) -> int:
        """How many elements are drawn for one, itself included; 0 in `known` means: still being counted."""
        if depth > MAX_DEPTH or known.get(element) == 0:
            self._refuse("has elements nested or referring to each other without end")
        if element not in known:
            known[element] = 0
            inside = element.children + [self.by_id[i] for i in element.refers_to if i in self.by_id]
            known[element] = 1 + sum(self._grown(other, known, depth + 1) for other in inside)
        return known[element]

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        tag = tag.rpartition(":")[2].lower()
        if not self.tags and tag != "svg":
            self._refuse(f"begins with <{tag}>, not <svg>")
        if not self.tags:
            self._check_proportions(attributes)
        self.tags.add(tag)
        self._num_elements += 1
        if tag in _FORBIDDEN:
            self._refuse(f"holds {_FORBIDDEN[tag]}")
        if self._num_elements > MAX_ELEMENTS or len(self._open) > MAX_DEPTH:
            self._refuse(f"has more than {MAX_ELEMENTS} elements, or more than {MAX_DEPTH} inside each other")
        element = _Element()
        for key, value in attributes.items():
            self._attribute(element, tag, key.rpartition(":")[2].lower(), value)
        self._open[-1].children.append(element)
        self._open.append(element)
        self._in_style = tag == "style"

    def _attribute(self, element: _Element, tag: str, key: str, value: str) -> None:
        if key.startswith("on"):
            self._refuse(f"has a script in {key}")
        if key == "id":
            self.by_id.setdefault(value, element)
        if key in ("href", "src") and tag != "a":
            if not value.strip().startswith("#"):
                self._refuse(f"refers to something outside itself: {value[:80]!r}")
            element.refers_to.append(value.strip()[1:])
        self._check_references(value)
        element.refers_to += _INSIDE.findall(value)

    def _characters(self, text: str) -> None:
        if self._in_style:
            self._check_references(text)

    def _end(self, tag: str) -> None:
        self._open.pop()
        self._in_style = False

    def _check_references(self, value: str) -> None:
        if _OUTSIDE.search(value):
            self._refuse(f"refers to something outside itself: {value.strip()[:80]!r}")

    def _check_proportions(self, attributes: dict[str, str]) -> None:
        """Width and height must be stated, finite, and not those of a thread."""
        numbers = [_number(part) for part in re.split(r"[\s,]+", attributes.get("viewBox", "").strip())]
        width, height = _number(attributes.get("width", "")), _number(attributes.get("height", ""))
        sizes: list[tuple[float | None, float | None]] = (
            [(numbers[2], numbers[3])] if len(numbers) == 4 else []
        )
        sizes += [(width, height)] if width and height else []
        if not sizes:
            self._refuse("states no size: neither a viewBox nor width and height in numbers")
        for wide, high in sizes:
            if not wide or not high or not 1 / MAX_PROPORTION <= wide / high <= MAX_PROPORTION:
                self._refuse(
                    f"has a size of {wide} x {high}; one side may be {MAX_PROPORTION:g} times the other"
                )

    def _refuse(self, problem: str) -> NoReturn:
        raise PictureError(f"{self.name} {problem}", _PLAIN)


def _number(text: str) -> float | None:
    """A length, its unit ignored; None for percentages, words, zero, negative and absurd sizes."""
    try:
        number = float(_UNIT.sub("", text.strip()))
    except ValueError:
        return None
    return number if 1e-6 < number < 1e7 else None
