"""What other tools wrote into a file's header, read for its facts: `modelspec.` and kohya's `ss_` entries.

Nothing here is trusted and nothing raises: an entry that cannot be read is named in `unreadable`, the others
still count. What we wrote ourselves is read by metadata.py.
"""

import json
import math
import re
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from .family_names import family_named
from .seal import SealHeader

MAX_CANDIDATES = 50
"""More words than that are captions, not triggers."""
LONG_TAG = 16
"""Mean length of tags, in characters, from which A1111 takes them for sentences and cuts them into words."""

_WORD = re.compile(r"[-_\w']{3,}")
_FOLDER = re.compile(r"(\d+)_(.*)", re.DOTALL)
_FINITE_YEARS = (0.0, 253402300799.0)
"""Seconds from 1970 to the end of 9999, as far as dates reach."""


@dataclass(frozen=True)
class TrainingFolder:
    """A folder of training pictures, named as kohya's trainers have it: "10_sks dog"."""

    name: str
    repeats: int
    words: str
    """Trigger and class noun, "sks dog"; the folder's name where it has no number in front."""


@dataclass(frozen=True)
class ForeignFacts:
    """What a header says, in our words; what it does not say is empty, 0 or None."""

    title: str = ""
    trigger: str = ""
    """Only where the header names one; else look at `candidates`."""
    candidates: tuple[tuple[str, int], ...] = ()
    """Words of the captions and how many captions had them, most frequent first."""
    folders: tuple[TrainingFolder, ...] = ()
    architecture: str = ""
    """As ModelSpec names it, without the kind of file, "/lora"."""
    base_version: str = ""
    """`ss_base_model_version` as it stands there."""
    family: str = ""
    """Ours: "sd1", "sd2", "sdxl", "flux", "sealworld"; empty for one we do not have."""
    base: str = ""
    resolution_px: tuple[int, int] | None = None
    """Width, height."""
    rank: int | None = None
    """None also where layers differ."""
    alpha: float | None = None
    module: str = ""
    arguments: Mapping[str, Any] | None = None
    """`ss_network_args`."""
    num_pictures: int | None = None
    date: str = ""
    """ISO 8601."""
    author: str = ""
    license: str = ""
    description: str = ""
    tags: tuple[str, ...] = ()
    merged_from: tuple[str, ...] = ()
    prediction_type: str = ""
    thumbnail: str = ""
    unreadable: tuple[str, ...] = ()
    """Names of the entries that held something else than they should."""

    def as_header(self, rank: int, alpha: float, targets: tuple[str, ...] = ()) -> SealHeader:
        """A header of ours with these facts; rank, alpha and targets as the tensors say."""
        width, height = self.resolution_px or (0, 0)
        return SealHeader(
            trigger=self.trigger,
            class_noun="",
            base=self.base,
            base_digest="",
            family=self.family,
            rank=rank,
            alpha=alpha,
            targets=targets,
            title=self.title,
            created=self.date,
            architecture=self.architecture,
            kohya_version=self.base_version,
            resolution_px=max(width, height),
            thumbnail=self.thumbnail,
            author=self.author,
            license=self.license,
            description=self.description,
            tags=self.tags,
            merged_from=self.merged_from,
            prediction_type=self.prediction_type,
        )


def foreign_header(metadata: Mapping[str, str]) -> ForeignFacts:
    """The facts in a header's strings. Never raises for what stands in them."""
    reader = _Reader(metadata)
    spec, kohya = reader.text_of("modelspec."), reader.text_of("ss_")
    frequency = reader.table("ss_tag_frequency")
    architecture = spec("architecture").partition("/")[0]
    return ForeignFacts(
        title=spec("title") or kohya("output_name"),
        trigger=_first_word(spec("trigger_phrase")),
        candidates=_candidates(reader, frequency),
        folders=tuple(_folder(name) for name in frequency or reader.table("ss_dataset_dirs")),
        architecture=architecture,
        base_version=kohya("base_model_version"),
        family=_family(architecture, kohya("base_model_version"), kohya("v2"), kohya("network_module")),
        base=kohya("sd_model_name"),
        resolution_px=reader.size("modelspec.resolution") or reader.size("ss_resolution"),
        rank=reader.count("ss_network_dim"),
        alpha=reader.number("ss_network_alpha"),
        module=kohya("network_module"),
        arguments=reader.table("ss_network_args") or None,
        num_pictures=reader.count("ss_num_train_images"),
        date=spec("date")
        or reader.moment("ss_training_finished_at")
        or reader.moment("ss_training_started_at"),
        author=spec("author"),
        license=spec("license"),
        description=spec("description"),
        tags=_listed(spec("tags")),
        merged_from=_listed(spec("merged_from")),
        prediction_type=spec("prediction_type"),
        thumbnail=spec("thumbnail"),
        unreadable=tuple(dict.fromkeys(reader.unreadable)),
    )


class _Reader:
    """Reads entries as the kind of value they should hold, and remembers those that held another."""

    def __init__(self, metadata: Mapping[str, str]):
        # "None" is what a trainer in Python writes for a setting that was not made.
        self._texts = {key: text for key, text in metadata.items() if text.strip() not in ("", "None")}
        self.unreadable: list[str] = []

    def text_of(self, prefix: str) -> Callable[[str], str]:
        """A function from an entry's name behind the prefix to its text, "" where there is none."""
        return lambda name: self._texts.get(prefix + name, "").strip()

    def table(self, key: str) -> dict[str, Any]:
        """A JSON object; {} where there is none."""
        if key not in self._texts:
            return {}
        try:
            value = json.loads(self._texts[key])
        except (ValueError, RecursionError):
            value = None
        return value if isinstance(value, dict) else self._refused(key, {})

    def number(self, key: str) -> float | None:
        if key not in self._texts:
            return None
        try:
            value = float(self._texts[key])
        except ValueError:
            value = math.nan
        return value if math.isfinite(value) else self._refused(key, None)

    def count(self, key: str) -> int | None:
        """A whole number; None too for "Dynamic", kohya's word for layers that differ."""
        if self._texts.get(key, "").strip() == "Dynamic":
            return None
        value = self.number(key)
        if value is None or (value.is_integer() and value >= 0):
            return None if value is None else int(value)
        return self._refused(key, None)

    def size(self, key: str) -> tuple[int, int] | None:
        """Width and height, from "1024x1024", "(512, 768)" or "512"."""
        if key not in self._texts:
            return None
        sides = [int(digits) for digits in re.findall(r"(?<!\d)\d{1,6}(?!\d)", self._texts[key])]
        if not 1 <= len(sides) <= 2 or 0 in sides:
            return self._refused(key, None)
        return sides[0], sides[-1]

    def moment(self, key: str) -> str:
        """ISO 8601 in UTC, from seconds since 1970; "" where there is none."""
        seconds = self.number(key)
        if seconds is None:
            return ""
        low, high = _FINITE_YEARS
        if not low < seconds < high:
            return self._refused(key, "")
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")

    def tags(self, frequency: Mapping[str, Any]) -> Counter[str]:
        """Tag -> count over all folders of `ss_tag_frequency`."""
        found: Counter[str] = Counter()
        for tags in frequency.values():
            if not isinstance(tags, dict):
                self._refused("ss_tag_frequency", None)
                continue
            for tag, count in tags.items():
                if isinstance(count, int) and not isinstance(count, bool) and count >= 0:
                    found[tag.strip()] += count
                else:
                    self._refused("ss_tag_frequency", None)
        return found

    def _refused(self, key: str, instead: Any) -> Any:
        self.unreadable.append(key)
        return instead


def _candidates(reader: _Reader, frequency: Mapping[str, Any]) -> tuple[tuple[str, int], ...]:
    """Tags with their counts, cut into words where they are sentences; ties in the order of the file."""
    tags = reader.tags(frequency)
    del tags[""]
    if tags and sum(map(len, tags)) / len(tags) >= LONG_TAG:
        words: Counter[str] = Counter()
        for tag, count in tags.items():
            for word in _WORD.findall(tag):
                words[word] += count
        tags = words
    return tuple(tags.most_common(MAX_CANDIDATES))


def _folder(name: str) -> TrainingFolder:
    match = _FOLDER.fullmatch(name)
    if match is None or len(match[1]) > 9:
        return TrainingFolder(name, 1, name)
    return TrainingFolder(name, int(match[1]), match[2].strip())


def _family(architecture: str, version: str, v2: str, module: str) -> str:
    """The first that names one: ModelSpec, the base's version, the switch for SD 2, the trainer's module."""
    named = family_named(architecture) or family_named(version)
    if named:
        return named
    if architecture or version:
        return ""
    if v2.lower() == "true":
        return "sd2"
    return "flux" if module.endswith("lora_flux") else ""


def _first_word(phrase: str) -> str:
    """The trigger of a phrase that may list several, "sks, blue hair, smile": what stands before the comma."""
    return phrase.partition(",")[0].strip()


def _listed(text: str) -> tuple[str, ...]:
    return tuple(dict.fromkeys(part for part in map(str.strip, text.split(",")) if part))
