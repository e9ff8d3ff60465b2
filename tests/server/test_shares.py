"""What tenants share is shared fairly: no pictures make way for whoever keeps more, and no training is endless."""

from typing import Any

import httpx2
import pytest
from shared import Headers, Shared

from sealsmith.errors import ConfigError
from sealsmith.server import orders
from sealsmith.server.limits import MAX_TRAINING
from sealsmith.server.trainings import check_bounds


def drawn(http: httpx2.Client, headers: Headers, **wish: Any) -> dict[str, Any]:
    order: dict[str, Any] = http.post(
        "/v1/images", json={"prompt": "x", "steps": 1, **wish}, headers=headers
    ).json()
    with http.stream("GET", order["events_url"], headers=headers) as events:
        events.read()
    return order


def kept(http: httpx2.Client, headers: Headers, order: dict[str, Any]) -> bool:
    return http.get(f"/v1/images/{order['id']}/pictures/0", headers=headers).status_code == 200


@pytest.mark.parametrize("bound", ["MAX_KEPT_BYTES", "MAX_KEPT_ORDERS"])
def test_one_who_draws_much_pushes_out_their_own_oldest_pictures(
    shared: Shared, monkeypatch: pytest.MonkeyPatch, bound: str
) -> None:
    for name in ("many", "few"):
        shared.tenant(f"{name} {bound}")
    many, few = (shared.key(f"{name} {bound}") for name in ("many", "few"))
    book = shared.running.service.orders
    with shared.running.client() as http:
        others = sum(order.is_over for order in book._orders.values())
        first = drawn(http, few)
        size = max(
            order.kept_bytes for order in book.of_tenant(shared.catalog.tenants.named(f"few {bound}").id)
        )
        at_most = others + 6 if bound == "MAX_KEPT_ORDERS" else _all_bytes(shared) + int(5.5 * size)
        monkeypatch.setattr(orders, bound, at_most)
        theirs = [drawn(http, many) for _ in range(12)]
        last = drawn(http, few)
        assert kept(http, few, first)
        assert kept(http, few, last)
        mine = [kept(http, many, order) for order in theirs]
        assert mine == sorted(mine), "not the oldest went"
        assert 0 < sum(mine) < len(mine)
        book.check_integrity()


def _all_bytes(shared: Shared) -> int:
    return sum(order.kept_bytes for order in shared.running.service.orders._orders.values())


@pytest.mark.parametrize("name", MAX_TRAINING)
def test_a_setting_has_its_bound(name: str) -> None:
    check_bounds({name: MAX_TRAINING[name]})
    for value in (MAX_TRAINING[name] + 1, 10**30, float("inf"), float("nan")):
        with pytest.raises(ConfigError, match=f"{name} is .*at most {MAX_TRAINING[name]}"):
            check_bounds({name: value})


@pytest.mark.parametrize(
    ("settings", "more", "sentence"),
    [
        ({"preview_prompts": ["x"] * 16}, {"preview_prompts": ["x"] * 17}, "17 preview_prompts"),
        ({"preview_every": 2}, {"preview_every": 1}, "800 previews"),
        (
            {"num_steps": 400, "preview_prompts": ["x"], "preview_every": 1},
            {"num_steps": 401},
            "401 previews",
        ),
        ({"num_steps": 1600, "preview_every": 9}, {"preview_prompts": ["x"] * 3}, "534 previews"),
        ({"preview_prompts": [], "preview_every": 1}, {"preview_prompts": None}, "800 previews"),
        ({"num_steps": 10_000}, {"checkpoint_every": 99}, "102 checkpoints"),
        ({"checkpoint_every": 4}, {"checkpoint_every": 3}, "134 checkpoints"),
    ],
)
def test_what_comes_every_so_many_steps_is_bounded_in_all(
    settings: dict[str, Any], more: dict[str, Any], sentence: str
) -> None:
    check_bounds(settings)
    with pytest.raises(ConfigError, match=f"there would be {sentence}; this service takes at most"):
        check_bounds(settings | more)


@pytest.mark.parametrize("value", [0, -1, 0.5, "1", None, [], True])
@pytest.mark.parametrize("name", ["num_steps", "preview_every", "checkpoint_every", "preview_prompts"])
def test_what_is_no_number_of_steps_is_left_to_the_training_to_refuse(name: str, value: Any) -> None:
    check_bounds({"num_steps": 100, "preview_every": 1, "preview_prompts": ["x"], name: value})


def test_a_training_beyond_its_bounds_is_refused_and_leaves_nothing(shared: Shared) -> None:
    tenant = shared.tenant("eager")
    svg = b"<svg xmlns='http://www.w3.org/2000/svg' width='64' height='64'><circle cx='32' cy='32' r='20'/></svg>"
    with shared.running.client(headers=shared.key("eager")) as http:
        for settings in ('{"num_steps": 1000000}', '{"batch_size": 1e9}', '{"preview_every": 1}'):
            fields = {"trigger": "zwx", "settings": settings}
            refused = http.post("/v1/trainings", files={"file": ("logo.svg", svg)}, data=fields)
            assert (refused.status_code, refused.json()["error"]["code"]) == (400, "config")
            assert "at most" in refused.json()["error"]["message"]
    assert shared.catalog.tenants.usage(tenant).storage_bytes == 0
