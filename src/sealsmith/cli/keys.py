"""`sealsmith keys`: who may ask a server, and for what."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from ..errors import ConfigError
from .console import note, print_json, print_rows
from .opened_catalog import opened_catalog
from .options import DatabaseOption, DataOption, StoreOption
from .parameters import takes

if TYPE_CHECKING:
    from ..catalog import Catalog, Key, NewKey


class Action(StrEnum):
    """What to do with keys."""

    CREATE = "create"
    LIST = "list"
    ROTATE = "rotate"
    REVOKE = "revoke"


class KeyScope(StrEnum):
    """`catalog.Scope`, known before the catalog is imported."""

    GENERATE = "generate"
    TRAIN = "train"
    ADMIN = "admin"


_ACTIONS_OF = {
    "tenant": (Action.CREATE, Action.LIST),
    "new_tenant": (Action.CREATE,),
    "scope": (Action.CREATE,),
    "name": (Action.CREATE,),
    "days": (Action.CREATE,),
    "keep_minutes": (Action.ROTATE,),
}
"""Options that not every action has."""


@dataclass(frozen=True)
class KeysOptions:
    """What `sealsmith keys` takes."""

    action: Annotated[Action, typer.Argument(help="What to do.")]
    key: Annotated[
        str | None, typer.Argument(help="rotate, revoke: the key, by how it begins (seal_0123456789ab).")
    ] = None
    tenant: Annotated[str | None, typer.Option(help="create: whose it is; list: whose keys.")] = None
    new_tenant: Annotated[
        bool, typer.Option("--new-tenant", help="create: make that tenant, with the default quota.")
    ] = False
    scope: Annotated[list[KeyScope] | None, typer.Option(help="create: what it is good for; repeatable.")] = (
        None
    )
    name: Annotated[str | None, typer.Option(help="create: what to call it.")] = None
    days: Annotated[
        float | None, typer.Option(help="create: how long it is valid; for good if not given.")
    ] = None
    keep_minutes: Annotated[
        float | None, typer.Option(help="rotate: how long the old one stays valid; 0 if not given.")
    ] = None
    data: DataOption = None
    database: DatabaseOption = None
    store: StoreOption = None
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False


@takes(KeysOptions)
def keys_command(options: KeysOptions) -> None:
    """Make, list, rotate and revoke the API keys of tenants."""
    _check(options)
    with opened_catalog(options.data, options.database, options.store) as (catalog, _):
        if options.action is Action.CREATE:
            _say_new(catalog, _created(catalog, options), options.as_json)
        elif options.action is Action.LIST:
            _say_all(catalog, options)
        else:
            assert options.key is not None, "checked"
            if options.action is Action.ROTATE:
                kept = timedelta(minutes=options.keep_minutes or 0.0)
                _say_new(catalog, catalog.keys.rotate(options.key, kept), options.as_json)
            else:
                _say(_facts(catalog, catalog.keys.revoke(options.key)), options.as_json, "prefix")


def _check(options: KeysOptions) -> None:
    """Raises: ConfigError for what the action does not take, or needs."""
    for name, actions in _ACTIONS_OF.items():
        if getattr(options, name) not in (None, False) and options.action not in actions:
            raise ConfigError(
                f"--{name.replace('_', '-')} is not for `keys {options.action}`",
                " or ".join(f"`sealsmith keys {action}` takes it" for action in actions),
            )
    takes_key = options.action in (Action.ROTATE, Action.REVOKE)
    if takes_key != (options.key is not None):
        sentence = "needs a key" if takes_key else f"takes no key, and was given {options.key!r}"
        raise ConfigError(f"`keys {options.action}` {sentence}", "`sealsmith keys list` shows all")
    if options.action is Action.CREATE and (options.tenant is None or not options.scope):
        raise ConfigError("`keys create` needs a tenant and a scope", "add --tenant NAME --scope generate")


def _created(catalog: "Catalog", options: KeysOptions) -> "NewKey":
    from ..catalog import Scope

    assert options.tenant is not None, "checked"
    tenants = catalog.tenants
    tenant = tenants.create(options.tenant) if options.new_tenant else tenants.named(options.tenant)
    lasts = None if options.days is None else timedelta(days=options.days)
    scopes = [Scope(scope.value) for scope in options.scope or ()]
    return catalog.keys.create(tenant.id, scopes, options.name or "", lasts)


def _say_new(catalog: "Catalog", new: "NewKey", as_json: bool) -> None:
    note("this is the only time that the key is shown: keep it")
    _say(_facts(catalog, new.key) | {"key": new.token.get_secret_value()}, as_json, "key")


def _say(facts: dict[str, Any], as_json: bool, shown: str) -> None:
    if as_json:
        print_json(facts)
    else:
        typer.echo(facts[shown])


def _say_all(catalog: "Catalog", options: KeysOptions) -> None:
    tenant = None if options.tenant is None else catalog.tenants.named(options.tenant).id
    keys = [_facts(catalog, key) for key in catalog.keys.list(tenant)]
    if options.as_json:
        print_json({"keys": keys})
        return
    columns = ("prefix", "tenant", "scopes", "state", "created", "expires", "last_used", "name")
    cells = [tuple(_cell(facts[column]) for column in columns) for facts in keys]
    print_rows([tuple(column.replace("_", " ") for column in columns), *cells])


def _facts(catalog: "Catalog", key: "Key") -> dict[str, Any]:
    """What is said of a key, as JSON has it."""
    return {
        "prefix": key.prefix,
        "tenant": catalog.tenants.get(key.tenant).name,
        "scopes": sorted(key.scopes),
        "name": key.name,
        "state": key.state(catalog.clock()),
        "created": _moment(key.created),
        "expires": _moment(key.expires),
        "last_used": _moment(key.last_used),
    }


def _moment(moment: datetime | None) -> str | None:
    return None if moment is None else moment.isoformat(timespec="seconds")


def _cell(value: Any) -> str:
    return ",".join(value) if isinstance(value, list) else str(value or "-")
