"""`sealsmith lookup`: which model a file is, as a registry knows it, and the words it was trained on."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from .console import note, print_json

if TYPE_CHECKING:
    from ..adapters.hashes import FileHashes
    from ..adapters.lookup import Found


def lookup_command(
    seal: Annotated[Path, typer.Argument(help="A seal file, of any tool.")],
    url: Annotated[
        str | None, typer.Option(metavar="ADDRESS", help="The registry; one that speaks Civitai's API.")
    ] = None,
    cache: Annotated[
        Path | None, typer.Option(help="Folder for answers; this system's caches if not given.")
    ] = None,
    offline: Annotated[
        bool, typer.Option("--offline", help="Answer from what is kept, and ask nobody.")
    ] = False,
    write_sidecar: Annotated[
        bool, typer.Option("--write-sidecar", help="Keep the answer beside the file, for other programs too.")
    ] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of words.")] = False,
) -> None:
    """Ask a registry which model a seal file is, and for its trigger words."""
    from ..adapters.answer_cache import default_cache_folder
    from ..adapters.hashes import hash_file
    from ..adapters.lookup import checked_url, opened_registry

    checked_url(url)
    hashes = hash_file(seal)
    with opened_registry(url, cache or default_cache_folder(), offline=offline) as registry:
        found = registry.look_up(hashes)
        for sentence in registry.notes:
            note(f"warning: {sentence}")
    if found is not None and write_sidecar:
        _write_sidecars(seal, found)
    if as_json:
        print_json(_report(hashes, found))
    else:
        _say(seal, found)


def _write_sidecars(seal: Path, found: "Found") -> None:
    from ..adapters.sidecars import write_found

    for path in write_found(seal, found.version, found.answer):
        note(f"sidecar: {path}")


def _say(seal: Path, found: "Found | None") -> None:
    """The trained words on stdout, one a line; what they belong to on stderr."""
    if found is None:
        note(f"the registry knows no file with the hashes of {seal}")
        return
    version = found.version
    note(f"{version.model.name} {version.name} for {version.base_model or 'an unnamed base'}".strip())
    if not found.is_confirmed:
        note(f"warning: found by {found.hash_name}, but the answer does not list this very file")
    if not version.triggers:
        note("it names no trained words")
    for word in version.triggers:
        typer.echo(word)


def _report(hashes: "FileHashes", found: "Found | None") -> dict[str, Any]:
    report: dict[str, Any] = {"found": found is not None, "hashes": hashes.by_name()}
    if found is None:
        return report
    version = found.version
    return report | {
        "trained_words": list(version.triggers),
        "model": version.model.name,
        "version": version.name,
        "base_model": version.base_model,
        "family": version.family,
        "air": version.air,
        "found_by": found.hash_name,
        "confirmed": found.is_confirmed,
        "from_cache": found.from_cache,
    }
