"""So many requests a minute for a key, and so many for a tenant: no more, no less, and the answer says when."""

from collections.abc import Iterator
from dataclasses import replace

import httpx2
import pytest
from hypothesis import given
from hypothesis import strategies as st
from running import Running, beside
from shared import Shared

from sealsmith.catalog import Scope
from sealsmith.errors import RateError
from sealsmith.server import rates as buckets
from sealsmith.server.library import Caller
from sealsmith.server.rates import RateLimits, Rates, network_of


class Seconds:
    """A clock that stands still until it is moved."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


def caller(key: str, tenant: str = "ann") -> Caller:
    return Caller(tenant, frozenset({"generate"}), key)


@given(
    st.lists(st.tuples(st.floats(0, 30), st.sampled_from("abc")), max_size=60),
    st.integers(1, 20),
    st.integers(1, 40),
)
def test_in_no_minute_more_than_a_bucket_and_what_fills_it(
    asked: list[tuple[float, str]], of_key: int, of_tenant: int
) -> None:
    """Against the textbook: in any span of s seconds at most limit * (1 + s / 60) requests are let through."""
    clock = Seconds()
    rates = Rates(RateLimits(of_key, of_tenant), clock)
    taken: list[tuple[float, str]] = []
    for pause_s, key in asked:
        clock.now += pause_s
        try:
            rates.take(caller(key))
        except RateError:
            continue
        taken.append((clock.now, key))
    for limit, own in ((of_tenant, taken), *((of_key, [t for t in taken if t[1] == key]) for key in "abc")):
        for first in range(len(own)):
            for last in range(first, len(own)):
                span_s = own[last][0] - own[first][0]
                assert last - first + 1 <= limit * (1 + span_s / 60) + 1e-6


def test_who_waits_as_long_as_they_are_told_is_let_through() -> None:
    clock = Seconds()
    rates = Rates(RateLimits(of_key=6, of_tenant=9), clock)
    for _ in range(6):
        rates.take(caller("a"))
    for _ in range(3):
        rates.take(caller("b"))
    for key, whose in (("a", "key"), ("b", "tenant")):
        with pytest.raises(RateError, match=f"this {whose} may make") as refused:
            rates.take(caller(key))
        assert refused.value.retry_after_s is not None
        clock.now += refused.value.retry_after_s
        rates.take(caller(key))
    rates.take(caller("c", "bob"))


def test_no_limit_is_no_limit() -> None:
    rates = Rates(RateLimits(0, None), Seconds())
    for _ in range(10_000):
        rates.take(caller("a"))
        rates.take_stranger("10.0.0.1")


def test_strangers_count_by_address_and_never_for_a_key() -> None:
    clock = Seconds()
    rates = Rates(RateLimits(of_key=6, of_tenant=6, of_stranger=3), clock)
    for address in ("10.0.0.1", "2001:db8::1", "::ffff:10.0.0.2"):
        for _ in range(3):
            rates.take_stranger(address)
    for again in ("10.0.0.1", "::ffff:10.0.0.1", "2001:db8::ffff:1", "2001:db8::1%eth0", "10.0.0.2"):
        with pytest.raises(RateError, match="without a valid key") as refused:
            rates.take_stranger(again)
        assert refused.value.retry_after_s == 20
    rates.take_stranger("2001:db8:0:1::1")
    rates.take_stranger("10.0.0.3")
    rates.take(caller("10.0.0.1"))
    clock.now += 20
    rates.take_stranger("10.0.0.1")


def test_no_number_of_strangers_makes_a_key_s_bucket_full(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(buckets, "MAX_BUCKETS", 10)
    rates = Rates(RateLimits(of_key=1, of_stranger=1), Seconds())
    rates.take(caller("a"))
    for number in range(100):
        rates.take_stranger(f"10.0.0.{number}")
    assert len(rates._strangers._buckets) == 10
    with pytest.raises(RateError, match="this key may make"):
        rates.take(caller("a"))


@given(st.ip_addresses(), st.text(max_size=30))
def test_every_address_is_of_one_network(address: object, text: str) -> None:
    assert network_of(str(address)) == network_of(network_of(str(address)).partition("/")[0])
    network_of(text)


@pytest.fixture
def narrow(shared: Shared) -> Iterator[Running]:
    limits = RateLimits(of_key=3, of_tenant=5, of_stranger=4)
    service = replace(shared.running.service, rates=Rates(limits))
    with beside(shared.running, service) as running:
        yield running


def test_a_limited_client_is_told_so_in_its_dialect(shared: Shared, narrow: Running) -> None:
    shared.tenant("hasty")
    first, second = shared.key("hasty", Scope.GENERATE), shared.key("hasty", Scope.GENERATE)
    with narrow.client() as http:

        def refused(path: str, headers: dict[str, str]) -> httpx2.Response:
            answer = http.get(path, headers=headers)
            assert answer.status_code == 429, answer.text
            assert 1 <= int(answer.headers["retry-after"]) <= 20
            return answer

        for _ in range(3):
            assert http.get("/v1/me", headers=first).status_code == 200
        assert refused("/v1/seals", first).json()["error"]["code"] == "rate"
        assert refused("/v1/models", first).json()["error"]["type"] == "rate_limit_error"
        assert refused("/sdapi/v1/loras", first).json()["error"] == "rate"
        for _ in range(2):
            assert http.get("/v1/me", headers=second).status_code == 200
        assert "tenant" in refused("/v1/me", second).json()["error"]["message"]
        assert http.get("/v1/me", headers=shared.key("bob")).status_code == 200
        assert http.get("/healthz").status_code == 200


def test_who_has_no_valid_key_is_refused_for_a_while_and_a_valid_key_never(
    shared: Shared, narrow: Running
) -> None:
    wrong = [{}, {"authorization": "Nonsense"}, {"authorization": "Bearer x"}, shared.revoked_key("bob")]
    valid = shared.key("bob")
    with narrow.client() as http:
        assert [http.get("/v1/me", headers=headers).status_code for headers in wrong] == [401] * 4
        for headers in wrong:
            answer = http.get("/v1/me", headers=headers)
            assert (answer.status_code, answer.json()["error"]["code"]) == (429, "rate"), answer.text
            assert 1 <= int(answer.headers["retry-after"]) <= 15
        assert http.get("/sdapi/v1/loras").json()["error"] == "rate"
        assert http.get("/v1/me", headers=valid).status_code == 200
        assert http.get("/v1/me", headers={"x-forwarded-for": "192.0.2.7"}).status_code == 401, "a proxy's"
