"""Words for new seals over HTTP: what is suggested is good, what is taken is not, and bad words are told why."""

import httpx2
import pytest
from shared import Shared


def suggested(client: httpx2.Client, **asked: object) -> list[str]:
    answer = client.get("/v1/triggers/suggest", params=asked)
    assert answer.status_code == 200, answer.text
    found = answer.json()["suggestions"]
    assert all(each["why"] for each in found)
    return [each["word"] for each in found]


def checked(client: httpx2.Client, word: str) -> tuple[bool, str]:
    answer = client.get("/v1/triggers/check", params={"word": word})
    assert answer.status_code == 200, answer.text
    return answer.json()["is_good"], answer.json()["advice"]


def test_what_is_suggested_is_good_and_not_taken(client: httpx2.Client) -> None:
    words = suggested(client, n=2, class_noun="emblem")
    assert len(set(words)) == 2
    assert "sks" not in words, "it calls the seal `mark`"
    assert all(checked(client, word) == (True, "") for word in words)
    assert suggested(client, n=1, class_noun="emblem") == words[:1]


@pytest.mark.parametrize(
    ("word", "advice"),
    [
        ("a,b", "holds a comma"),
        ("  ", "is empty"),
        ("seal", "ordinary word"),
        ("dragon", "into 2 pieces"),
        ("sks", "calls the seal 'mark' already"),
        ("SKS", "calls the seal 'mark' already"),
        ("\u2603\u2603", "trigger"),
    ],
)
def test_a_bad_word_is_told_why(client: httpx2.Client, word: str, advice: str) -> None:
    is_good, told = checked(client, word)
    assert not is_good
    assert advice in told


def test_another_tenant_s_triggers_are_nobody_s_business(shared: Shared, seal_bytes: bytes) -> None:
    for name in ("taker of sks", "beginner"):
        shared.tenant(name)
    with shared.running.client(headers=shared.key("taker of sks")) as client:
        client.post("/v1/seals", files={"file": ("mark.safetensors", seal_bytes)})
        assert not checked(client, "sks")[0]
    with shared.running.client(headers=shared.key("beginner")) as client:
        assert checked(client, "sks") == (True, "")
