"""A browser is sent to the studio with a key that nobody else on the machine can read."""

import html
import re
import stat
import webbrowser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from pydantic import SecretStr

from sealsmith.cli import studio
from sealsmith.cli.studio import private_page, shown_studio, studio_address

KEY = SecretStr("seal_0123456789ab_c-d_e")


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What stands on the command lines of browsers."""
    told: list[str] = []
    monkeypatch.setattr(studio, "has_display", lambda: True)
    monkeypatch.setattr(webbrowser, "open", told.append)
    return told


def path_of(page: str) -> Path:
    return Path(unquote(urlsplit(page).path))


def test_no_command_line_has_the_key_and_the_file_that_does_is_one_s_own_and_goes(
    opened: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    address = studio_address("127.0.0.1", 7860, KEY)
    with shown_studio(address, KEY, is_opened=True):
        [page] = opened
        assert KEY.get_secret_value() not in page
        file = path_of(page)
        assert stat.S_IMODE(file.stat().st_mode) == 0o600
        assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
        [sent_to] = re.findall(r'content="0; url=(.*)"', file.read_text("utf-8"))
        assert html.unescape(sent_to) == address
    assert not file.parent.exists()
    assert address in capsys.readouterr().err, "where there is no browser, it stands in the terminal"


def test_without_a_key_the_studio_itself_is_opened(opened: list[str]) -> None:
    with shown_studio(studio_address("0.0.0.0", 80), None, is_opened=True):
        assert opened == ["http://127.0.0.1:80/"]


def test_nothing_is_opened_that_is_not_wanted(opened: list[str]) -> None:
    with shown_studio(studio_address("127.0.0.1", 80, KEY), KEY, is_opened=False):
        assert opened == []


def test_the_file_is_gone_as_soon_as_a_browser_must_have_started() -> None:
    with private_page("http://127.0.0.1:80/#key=x", lasts_s=0.0) as page:
        while path_of(page).exists():
            pass
        assert path_of(page).parent.exists()
