"""API keys: who has the secret gets in, as long as it is valid, and nobody else; the secret is nowhere kept."""

from datetime import timedelta

import pytest
from fake_clock import FakeClock
from sqlalchemy import text

from sealsmith.catalog import Catalog, NewKey, Scope, Tenant
from sealsmith.errors import AuthError, ConfigError, ConflictError, MissingError


@pytest.fixture
def tenant(catalog: Catalog) -> Tenant:
    return catalog.tenants.create("maker")


def token_of(new: NewKey) -> str:
    return new.token.get_secret_value()


def refused(catalog: Catalog, token: str) -> bool:
    """In either way, where there are two."""
    ways = [catalog.keys.authenticate]
    if catalog.database.is_sqlite:
        ways.append(catalog.keys.authenticate_at_once)  # type: ignore[arg-type]
    for way in ways:
        with pytest.raises(AuthError, match="there is no valid key with this request"):
            way(token)
    return True


def test_a_key_opens_its_tenant_s_door_and_has_its_scopes_alone(catalog: Catalog, tenant: Tenant) -> None:
    new = catalog.keys.create(tenant.id, [Scope.GENERATE, Scope.TRAIN], "laptop")
    known = catalog.keys.authenticate(token_of(new))
    assert (known.tenant, known.id) == (tenant.id, new.key.id)
    assert known.scopes == {Scope.GENERATE, Scope.TRAIN}


def test_a_key_is_told_at_once_but_for_the_first_time_in_a_minute(
    catalog: Catalog, tenant: Tenant, clock: FakeClock
) -> None:
    token = token_of(catalog.keys.create(tenant.id, [Scope.GENERATE]))
    for _ in range(2):
        assert catalog.keys.authenticate_at_once(token) is None  # its use is to be written down
        known = catalog.keys.authenticate(token)
        at_once = catalog.keys.authenticate_at_once(token)
        if catalog.database.is_sqlite:
            assert at_once is not None
            assert (at_once.id, at_once.tenant, at_once.scopes) == (known.id, known.tenant, known.scopes)
        else:
            assert at_once is None
        clock.advance(61)


def test_no_other_token_is_valid(catalog: Catalog, tenant: Tenant) -> None:
    token = token_of(catalog.keys.create(tenant.id, [Scope.ADMIN]))
    other = token_of(catalog.keys.create(tenant.id, [Scope.ADMIN]))
    secret = token.split("_", 2)[2]
    changed = [token[:-1] + ("A" if token[-1] != "A" else "B"), token[:-1], token + "A", token.upper()]
    swapped = "_".join([*other.split("_", 2)[:2], secret])
    for wrong in ("", "seal", "seal__", secret, swapped, "seal_\0_x", "seal_é_x", "\udc80", *changed):
        assert refused(catalog, wrong)


def test_the_secret_is_256_bits_and_stands_nowhere(catalog: Catalog, tenant: Tenant) -> None:
    new = catalog.keys.create(tenant.id, [Scope.ADMIN])
    secret = token_of(new).split("_", 2)[2]
    assert len(secret) == 43  # 256 bits, 6 a character
    with catalog.database.reading() as session:
        rows = str(session.execute(text("SELECT * FROM api_keys")).all())
    assert new.key.id in rows
    assert secret not in rows
    assert secret not in repr(new)


def test_an_expired_or_revoked_key_is_refused(catalog: Catalog, tenant: Tenant, clock: FakeClock) -> None:
    short = catalog.keys.create(tenant.id, [Scope.GENERATE], lasts=timedelta(hours=1))
    lasting = catalog.keys.create(tenant.id, [Scope.GENERATE])
    clock.advance(3599)
    catalog.keys.authenticate(token_of(short))
    clock.advance(1)
    assert refused(catalog, token_of(short))
    catalog.keys.revoke(lasting.key.prefix)
    assert refused(catalog, token_of(lasting))
    revoked = catalog.keys.revoke(lasting.key.id).revoked
    clock.advance(60)
    assert catalog.keys.revoke(lasting.key.id).revoked == revoked == clock.now - timedelta(minutes=1)


def test_rotation_gives_another_key_of_the_same_rights_and_ends_the_old(
    catalog: Catalog, tenant: Tenant, clock: FakeClock
) -> None:
    old = catalog.keys.create(tenant.id, [Scope.TRAIN], "ci", lasts=timedelta(days=9))
    kept = catalog.keys.rotate(old.key.id, keep_old=timedelta(minutes=5))
    assert (kept.key.scopes, kept.key.name, kept.key.expires) == (old.key.scopes, "ci", old.key.expires)
    catalog.keys.authenticate(token_of(old))
    clock.advance(300)
    assert refused(catalog, token_of(old))
    newest = catalog.keys.rotate(kept.key.id)
    assert refused(catalog, token_of(kept))
    assert catalog.keys.authenticate(token_of(newest)).tenant == tenant.id
    with pytest.raises(ConflictError, match="not valid any more"):
        catalog.keys.rotate(old.key.id)


def test_the_last_use_is_known_to_the_minute(catalog: Catalog, tenant: Tenant, clock: FakeClock) -> None:
    new = catalog.keys.create(tenant.id, [Scope.GENERATE])
    assert catalog.keys.list(tenant.id)[0].last_used is None
    first = clock.now
    for seconds, known in ((0, 0), (59, 0), (1, 60)):
        clock.advance(seconds)
        catalog.keys.authenticate(token_of(new))
        assert catalog.keys.list()[0].last_used == first + timedelta(seconds=known)


def test_what_cannot_be_a_key_is_refused(catalog: Catalog, tenant: Tenant) -> None:
    with pytest.raises(ConfigError, match="without a scope"):
        catalog.keys.create(tenant.id, [])
    with pytest.raises(ConfigError, match="of no use"):
        catalog.keys.create(tenant.id, [Scope.TRAIN], lasts=timedelta(0))
    with pytest.raises(MissingError, match="no tenant 'nobody'"):
        catalog.keys.create("nobody", [Scope.TRAIN])
    with pytest.raises(MissingError, match="no key 'seal_0'"):
        catalog.keys.revoke("seal_0")
    assert catalog.keys.list() == ()
