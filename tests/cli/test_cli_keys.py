"""`sealsmith keys`, `catalog` and `worker`: what they print, and what they refuse."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from sealsmith.catalog import Catalog, Scope, open_catalog
from sealsmith.catalog.places import default_data_folder, places
from sealsmith.cli import main
from sealsmith.jobs import Queue

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def run(tmp_path: Path, own_folder: None, capsys: pytest.CaptureFixture[str]) -> Run:
    def command(*arguments: str) -> tuple[int, str, str]:
        status = main([*arguments, "--data", str(tmp_path / "data")])
        return status, *capsys.readouterr()

    return command


@pytest.fixture
def opened(tmp_path: Path) -> Callable[[], Catalog]:
    where = places(tmp_path / "data")
    return lambda: open_catalog(where.database, where.store)


def test_a_key_is_made_rotated_and_revoked(run: Run, opened: Callable[[], Catalog]) -> None:
    status, first, err = run(
        "keys", "create", "--tenant", "maker", "--new-tenant", "--scope", "train", "--scope", "generate",
        "--name", "laptop", "--days", "30",
    )  # fmt: skip
    assert status == 0
    assert "the only time" in err
    with opened() as catalog:
        key = catalog.keys.authenticate(first.strip())
        assert (catalog.tenants.get(key.tenant).name, key.name) == ("maker", "laptop")
        assert key.scopes == {Scope.TRAIN, Scope.GENERATE}
    status, out, _ = run("keys", "rotate", key.prefix, "--json")
    rotated = json.loads(out)
    assert (status, rotated["scopes"], rotated["expires"]) == (
        0,
        ["generate", "train"],
        key.expires.isoformat(timespec="seconds"),  # type: ignore[union-attr]
    )
    assert run("keys", "revoke", rotated["prefix"]) == (0, f"{rotated['prefix']}\n", "")
    status, out, _ = run("keys", "list", "--json")
    listed = json.loads(out)["keys"]
    assert {key["prefix"]: key["state"] for key in listed} == {
        key.prefix: "revoked",
        rotated["prefix"]: "revoked",
    }
    assert "key" not in listed[0]
    status, out, _ = run("keys", "list", "--tenant", "maker")
    assert out.splitlines()[0].split()[:4] == ["prefix", "tenant", "scopes", "state"]
    assert len(out.splitlines()) == 3
    assert first.strip() not in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (("create", "--tenant", "maker"), "needs a tenant and a scope"),
        (("create", "--tenant", "maker", "--scope", "train"), "there is no tenant 'maker'"),
        (("create", "seal_0", "--tenant", "maker", "--scope", "train"), "takes no key"),
        (("list", "--scope", "train"), "--scope is not for `keys list`"),
        (("create", "--keep-minutes", "5"), "--keep-minutes is not for `keys create`"),
        (("rotate",), "`keys rotate` needs a key"),
        (("revoke", "seal_0"), "there is no key 'seal_0'"),
    ],
)
def test_what_makes_no_sense_is_one_sentence(run: Run, arguments: tuple[str, ...], sentence: str) -> None:
    status, out, err = run("keys", *arguments)
    assert (status, out) == (2, "")
    assert sentence in err
    assert "hint: " in err


def test_verify_says_what_is_wrong_and_repairs_it(run: Run, opened: Callable[[], Catalog]) -> None:
    with opened() as catalog:
        digest = catalog.seals.put_file(b"a leftover")
    status, out, _ = run("catalog", "verify")
    assert status == 1
    assert digest in out
    assert "--repair removes them" in out
    status, out, _ = run("catalog", "verify", "--repair", "--deep", "--json")
    found = json.loads(out)
    assert (status, found["num_removed"], found["is_sound"], found["lost"]) == (0, 1, True, [])
    assert run("catalog", "verify") == (0, "0 seals and other files are in the catalog\nall is well\n", "")


def test_a_worker_does_what_waits_and_says_so(run: Run, opened: Callable[[], Catalog]) -> None:
    with opened() as catalog:
        tenant = catalog.tenants.create("maker").id
        job = Queue(catalog).submit(tenant, "train", {"no": "training"}).id
    status, out, err = run("worker", "--once", "--json")
    assert (status, json.loads(out)) == (0, {"job": job, "kind": "train", "attempt": 1, "state": "failed"})
    assert "waits for jobs" in err
    with opened() as catalog:
        failure = Queue(catalog).get(tenant, job).failure
        assert failure is not None
        assert "the training asked for is not one" in failure.message


def test_settings_say_where_a_catalog_is_and_keep_the_password(
    own_folder: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SEALSMITH_DATA", str(tmp_path / "here"))
    assert main(["keys", "list"]) == 0
    assert (tmp_path / "here" / "catalog.db").exists()
    monkeypatch.setenv("SEALSMITH_DATABASE", "postgresql://me:secret@127.0.0.1:1/seals")
    assert main(["keys", "list"]) == 1
    captured = capsys.readouterr()
    assert "the database did not do it" in captured.err
    assert "secret" not in captured.err


def test_without_settings_it_is_this_user_s_data() -> None:
    home = Path("/home/me")
    assert default_data_folder({}, "linux", home) == home / ".local/share/sealsmith"
    assert default_data_folder({"XDG_DATA_HOME": "/data"}, "linux", home) == Path("/data/sealsmith")
    assert default_data_folder({}, "darwin", home) == home / "Library/Application Support/sealsmith"
    assert default_data_folder({}, "win32", home) == home / "AppData/Local/sealsmith/data"
