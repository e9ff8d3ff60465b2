"""Asks a registry that speaks Civitai's API which model a file belongs to, by the file's hashes.

Nothing else in the project asks anybody anything: this runs when a user says so, and sends ten to sixty-four hex
digits and no more. Answers are bounded in size and time, validated, and kept (answer_cache.py).
"""

import json
import math
import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any

import httpx2

from .. import __version__
from ..errors import ConfigError, OutputError, RegistryError
from .answer_cache import AnswerCache, Kept
from .civitai import ModelVersion, parse_version
from .hashes import FileHashes

PATH = "/api/v1/model-versions/by-hash/"
RETRIED = frozenset({408, 429, 500, 502, 503, 504})


@dataclass(frozen=True)
class Patience:
    """How much a lookup puts up with."""

    timeout_s: float = 10.0
    """Longest silence of the server."""
    answer_s: float = 30.0
    """Longest time for one whole answer, however steadily it drips."""
    num_tries: int = 4
    first_wait_s: float = 1.0
    """Pause after the first try; doubles from try to try."""
    max_wait_s: float = 60.0
    """Longest pause between tries; a server that asks for a longer one is not asked again."""
    max_answer_bytes: int = 4 << 20

    def waits_s(self) -> list[float]:
        """The pauses between all the tries."""
        return [min(self.first_wait_s * 2**n, self.max_wait_s) for n in range(self.num_tries - 1)]


@dataclass(frozen=True)
class Clock:
    """What time is made of here, so that tests need none."""

    now: Callable[[], float] = time.time
    """Seconds since 1970."""
    sleep: Callable[[float], None] = time.sleep


@dataclass(frozen=True)
class Found:
    """What a registry knows about a file."""

    version: ModelVersion
    answer: Mapping[str, Any]
    """As it came, for `NAME.civitai.info`."""
    hash_name: str
    """The hash it was found by."""
    from_cache: bool
    is_confirmed: bool
    """Whether the answer lists this very file; an AutoV2 of 10 digits alone may be another's."""


@dataclass
class Registry:
    """The registry at one address, asked through a cache. Made by `opened_registry`."""

    url: str
    client: httpx2.Client
    cache: AnswerCache
    patience: Patience
    clock: Clock
    offline: bool
    notes: list[str] = field(default_factory=list)
    """What went wrong without stopping the lookup; sentences."""

    def look_up(self, hashes: FileHashes) -> Found | None:
        """The model version of a file, by AutoV2, then AutoV3, then SHA256; None when none of them is known.

        Raises: RegistryError when the registry cannot be asked or does not answer sensibly, or, offline, when
        no answer is kept.
        """
        named = {"AutoV2": hashes.autov2, "AutoV3": hashes.autov3, "SHA256": hashes.sha256}
        for name, digits in named.items():
            kept, from_cache = self._kept_or_asked(digits)
            if kept.answer is not None:
                version = parse_version(kept.answer)
                return Found(version, kept.answer, name, from_cache, version.has_file(hashes))
        return None

    def _kept_or_asked(self, digits: str) -> tuple[Kept, bool]:
        """The answer about a hash, and whether it came from the cache."""
        kept = self.cache.read(digits)
        if kept is not None and (self.offline or kept.is_fresh(self.clock.now())):
            return kept, True
        if self.offline:
            raise RegistryError(
                f"no answer about the hash {digits} is kept from {self.url}", "ask once without --offline"
            )
        kept = Kept(self._ask(digits), self.clock.now())
        try:
            self.cache.write(digits, kept)
        except OutputError as error:
            self.notes.append(f"the answer is not kept: {error}")
        return kept, False

    def _ask(self, digits: str) -> dict[str, Any] | None:
        """The registry's answer about one hash, None for "not found". Tries again where that may help."""
        waits_s = self.patience.waits_s()
        while True:
            try:
                return self._answer(digits)
            except _TryAgainError as failed:
                pause_s = max(failed.after_s, waits_s.pop(0)) if waits_s else math.inf
                if pause_s > self.patience.max_wait_s:
                    raise failed.error from failed
            self.clock.sleep(pause_s)

    def _answer(self, digits: str) -> dict[str, Any] | None:
        """One try. Raises: _TryAgainError, RegistryError."""
        try:
            status, retry_after, body = self._get(digits)
        except httpx2.RequestError as error:
            reason = str(error) or type(error).__name__
            raise _TryAgainError(self._error(f"cannot be reached: {reason}")) from error
        if status == 404:
            return None
        if status in RETRIED:
            after_s = retry_after_s(retry_after, self.clock.now())
            remedy = f"try again in {after_s:.0f} seconds" if after_s else "try again later"
            raise _TryAgainError(self._error(f"answered with status {status}", remedy), after_s)
        if status != 200:
            raise self._error(f"answered with status {status}")
        try:
            answer: dict[str, Any] = json.loads(body)
            parse_version(answer)
        except (ValueError, RecursionError) as error:
            raise self._error(f"sent no model version: {error}") from error
        return answer

    def _get(self, digits: str) -> tuple[int, str, bytes]:
        """One request: status, Retry-After, body. Raises: RegistryError for an answer too large or too slow."""
        body = bytearray()
        deadline = time.monotonic() + self.patience.answer_s
        with self.client.stream("GET", self.url + PATH + digits) as response:
            for chunk in response.iter_bytes():
                body += chunk
                if len(body) > self.patience.max_answer_bytes:
                    raise self._error(f"sent more than {self.patience.max_answer_bytes} bytes")
                if time.monotonic() > deadline:
                    raise self._error(f"took longer than {self.patience.answer_s:g} seconds to answer")
            return response.status_code, response.headers.get("retry-after", ""), bytes(body)

    def _error(self, what: str, remedy: str = "check the address, or try again later") -> RegistryError:
        return RegistryError(f"the registry at {self.url} {what}", remedy)


class _TryAgainError(Exception):
    """A failure that may pass: what to say if it does not, and the shortest pause the server asks for."""

    def __init__(self, error: RegistryError, after_s: float = 0.0):
        super().__init__(str(error))
        self.error, self.after_s = error, after_s


@contextmanager
def opened_registry(
    url: str | None,
    cache_folder: Path,
    patience: Patience | None = None,
    clock: Clock | None = None,
    offline: bool = False,
) -> Iterator[Registry]:
    """The registry at `url`, ready to be asked; with `offline` only its kept answers.

    Raises: ConfigError when there is no address, or it is no http(s) address.
    """
    address = checked_url(url)
    patience = patience or Patience()
    headers = {"user-agent": f"sealsmith/{__version__}", "accept": "application/json"}
    # Without "identity" a small answer could unpack to a huge one before its size is seen.
    headers["accept-encoding"] = "identity"
    with httpx2.Client(timeout=patience.timeout_s, headers=headers) as client:
        yield Registry(
            address, client, AnswerCache(cache_folder, address), patience, clock or Clock(), offline
        )


def checked_url(url: str | None) -> str:
    """A registry's address without a slash at its end. Raises: ConfigError."""
    remedy = "give the registry's address, as in --url https://registry.example, or set civitai_url"
    if not url:
        raise ConfigError("no registry to ask is set", remedy)
    try:
        parsed = httpx2.URL(url)
    except httpx2.InvalidURL as error:
        raise ConfigError(f"{url!r} is no address: {error}", remedy) from error
    if parsed.scheme not in ("http", "https") or not parsed.host or parsed.query or parsed.fragment:
        raise ConfigError(f"{url!r} is no address of a registry", remedy)
    return url.rstrip("/")


def retry_after_s(value: str, now: float) -> float:
    """Seconds that a Retry-After header asks to wait, given as such or as a date; 0 where it says neither."""
    if re.fullmatch(r"\d{1,9}", value.strip()):
        return float(value)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return 0.0
    return max(0.0, (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp() - now)
