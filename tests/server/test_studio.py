"""The studio's files as a browser gets them: what is there, what it may do, and that it is the sources' own."""

import gzip
import re
from pathlib import Path

import httpx2
import pytest
from fresh_studio import digest_of_sources, is_fresh
from pydantic import SecretStr
from shared import Shared

from sealsmith.cli.studio import studio_address
from sealsmith.server.app import document
from sealsmith.server.studio import FOLDER, POLICY, TYPES, files


@pytest.fixture(scope="module")
def page(client: httpx2.Client) -> httpx2.Response:
    return client.get("/")


def assets(page: httpx2.Response) -> list[str]:
    return re.findall(r'(?:src|href)="\./(assets/[^"]+)"', page.text)


def test_the_build_is_of_the_sources_that_are_there() -> None:
    assert is_fresh(), "make studio"


def test_a_changed_or_renamed_source_is_noticed(tmp_path: Path) -> None:
    for name in ("index.html", "package.json", "package-lock.json", "sources.ts", "tsconfig.json"):
        (tmp_path / name).write_text(name)
    (tmp_path / "vite.config.ts").touch()
    (tmp_path / "src" / "ui").mkdir(parents=True)
    source = tmp_path / "src" / "ui" / "a.ts"
    seen = set()
    for text in ("", "x", "y"):
        source.write_text(text)
        seen.add(digest_of_sources(tmp_path))
    source.rename(source.with_name("b.ts"))
    assert len(seen | {digest_of_sources(tmp_path)}) == 4


def test_the_page_comes_without_a_key_and_is_always_asked_for(shared: Shared) -> None:
    with shared.running.client() as client:
        answer = client.get("/")
        assert answer.status_code == 200
        assert answer.headers["content-type"] == "text/html; charset=utf-8"
        assert answer.headers["cache-control"] == "no-cache"
        assert all(client.get(f"/{name}").status_code == 200 for name in assets(answer))
        assert client.get("/v1/seals").status_code == 401


def test_what_the_page_names_is_there_for_ever(client: httpx2.Client, page: httpx2.Response) -> None:
    names = assets(page)
    assert {Path(name).suffix for name in names} == {".js", ".css", ".svg"}
    for name in names:
        answer = client.get(f"/{name}")
        assert answer.headers["content-type"] == TYPES[Path(name).suffix]
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert answer.content == (FOLDER / name).read_bytes()


def test_no_script_or_style_stands_in_the_page_itself(page: httpx2.Response) -> None:
    assert page.headers["content-security-policy"] == POLICY
    assert not re.search(r"<style|\sstyle=|\son\w+=|javascript:", page.text)
    assert re.findall(r"<script[^>]*>(.*?)</script>", page.text, re.DOTALL) == [""]
    assert "//" not in re.sub(r"<!--.*?-->", "", page.text, flags=re.DOTALL)


def test_what_a_browser_has_is_not_sent_again(client: httpx2.Client, page: httpx2.Response) -> None:
    for path in ("/", f"/{assets(page)[0]}"):
        tag = client.get(path).headers["etag"]
        again = client.get(path, headers={"if-none-match": f'"other", W/{tag}'})
        assert (again.status_code, again.content) == (304, b"")
        assert client.get(path, headers={"if-none-match": '"other"'}).status_code == 200


def test_files_are_packed_for_who_can_unpack(client: httpx2.Client) -> None:
    with client.stream("GET", "/", headers={"accept-encoding": "br, gzip;q=0.8"}) as packed:
        assert packed.headers["content-encoding"] == "gzip"
        data = b"".join(packed.iter_raw())
    plain = client.get("/", headers={"accept-encoding": "identity"})
    assert "content-encoding" not in plain.headers
    assert gzip.decompress(data) == plain.content
    head = client.head("/", headers={"accept-encoding": "identity"})
    assert (head.content, head.headers["content-length"]) == (b"", str(len(plain.content)))


@pytest.mark.parametrize(
    "path", ["/assets/none.js", "/assets/..%2f..%2fstudio.py", "/assets/%2e%2e/index.html", "/build.json"]
)
def test_nothing_else_is_served(client: httpx2.Client, path: str) -> None:
    answer = client.get(path)
    assert (answer.status_code, answer.json()["error"]["code"]) == (404, "route-missing")


def test_the_studio_is_no_part_of_the_document() -> None:
    assert not {"/", "/assets/{name}"} & document()["paths"].keys()


def test_the_studio_is_small() -> None:
    assert sum(len(file.packed) for file in files().values()) < 200_000


@pytest.mark.parametrize(
    ("host", "page"),
    [("127.0.0.1", "127.0.0.1"), ("0.0.0.0", "127.0.0.1"), ("::", "[::1]"), ("::1", "[::1]"), ("a.b", "a.b")],
)
def test_a_first_key_stands_behind_the_address(host: str, page: str) -> None:
    assert studio_address(host, 80, SecretStr("seal_0_x")) == f"http://{page}:80/#key=seal_0_x"
    assert studio_address(host, 80) == f"http://{page}:80/"
