"""`sealsmith catalog`: whether what the database says and what the store holds agree."""

from dataclasses import asdict
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated

import typer

from .console import print_json
from .opened_catalog import opened_catalog
from .options import DatabaseOption, DataOption, StoreOption

if TYPE_CHECKING:
    from ..catalog import Verification


class Action(StrEnum):
    """What to do with the catalog."""

    VERIFY = "verify"


def catalog_command(
    action: Annotated[Action, typer.Argument(help="What to do.")],
    repair: Annotated[bool, typer.Option("--repair", help="Remove files that nothing needs.")] = False,
    deep: Annotated[bool, typer.Option("--deep", help="Read every file and prove its hash.")] = False,
    data: DataOption = None,
    database: DatabaseOption = None,
    store: StoreOption = None,
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object instead of sentences.")
    ] = False,
) -> None:
    """Prove that the catalog's rows and files agree, and repair what can be."""
    with opened_catalog(data, database, store) as (catalog, _):
        found = catalog.verify(repair=repair, deep=deep)
    if as_json:
        print_json(asdict(found) | {"is_sound": found.is_sound})
    else:
        for sentence in sentences(found):
            typer.echo(sentence)
    if not found.is_sound:
        raise typer.Exit(1)


def sentences(found: "Verification") -> list[str]:
    """What was found, for people."""
    said = [f"{found.num_rows} seals and other files are in the catalog"]
    said += [f"{lost.why}: {lost.path}, of tenant {lost.tenant}; import it again" for lost in found.lost]
    said += [f"needed by nothing: {path}" for path in found.leftovers]
    if found.leftovers:
        hint = "" if found.num_removed else "; --repair removes them"
        said.append(f"{found.num_removed} of {len(found.leftovers)} leftovers were removed{hint}")
    said += [f"the database complains: {complaint}" for complaint in found.complaints]
    return [*said, "all is well" if found.is_sound else "not all is well"]
