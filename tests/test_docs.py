"""The documentation is complete and its links lead somewhere."""

import re
from pathlib import Path

import pytest

from sealsmith.cli import frame
from sealsmith.settings import ENV_PREFIX, Settings

ROOT = Path(__file__).parents[1]
CLI_PAGE = (ROOT / "docs" / "cli.md").read_text()
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")])


def section(heading: str) -> str:
    """The text under `## heading`, up to the next heading of its kind."""
    return CLI_PAGE.split(f"\n## {heading}\n", 1)[1].split("\n## ", 1)[0]


def documented(text: str) -> set[str]:
    """Options in the first column of a section's table."""
    rows = re.findall(r"^\| (`-[^|]*)\|", text, re.MULTILINE)
    return {option for row in rows for option in re.findall(r"(?<![\w-])--?[a-z][a-z-]*", row)}


@pytest.mark.parametrize("name", frame.COMMANDS)
def test_exactly_a_command_s_options_are_documented(name: str) -> None:
    options = {
        o for parameter in frame.load_command(name).params for o in parameter.opts if o.startswith("-")
    }
    assert documented(section(f"sealsmith {name}")) == options - {"-h", "--help"}


def test_exactly_the_options_before_the_command_are_documented() -> None:
    import typer

    options = {o for parameter in typer.main.get_command(frame.app).params for o in parameter.opts}
    assert documented(CLI_PAGE.split("\n## ", 1)[0]) == options | {"-h", "--help"}


def test_every_command_is_named_in_the_first_sentence() -> None:
    assert re.findall(r"`(\w+)`", CLI_PAGE.split("What a program")[0].split("...`:")[1]) == list(
        frame.COMMANDS
    )


def test_exactly_the_settings_are_documented() -> None:
    rows = re.findall(r"^\| `(\w+)` \| `(\w+)` \|", section("Settings"), re.MULTILINE)
    assert rows == [(key, f"{ENV_PREFIX}{key.upper()}") for key in Settings.model_fields]


@pytest.mark.parametrize("name", frame.COMMANDS)
def test_a_default_in_the_page_is_the_command_s(name: str) -> None:
    """Where a command has a default, the page's second column shows it; where it has none, words may."""
    defaults = {o: p.default for p in frame.load_command(name).params for o in p.opts}
    rows = re.findall(r"^\| `(--[a-z-]+)[^|]*\| ([^|]*) ?\|", section(f"sealsmith {name}"), re.MULTILINE)
    for option, shown in rows:
        default = defaults[option]
        if isinstance(default, int | float) and not isinstance(default, bool):
            assert float(shown) == default, option
        elif isinstance(default, str | Path) and str(default):
            assert shown.strip(" `") == str(default), option


def test_every_make_target_is_explained_in_the_makefile() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = {t for line in re.findall(r"^\.PHONY: (.*)$", makefile, re.MULTILINE) for t in line.split()}
    explained = set(re.findall(r"^#   make ([\w-]+)", makefile, re.MULTILINE))
    assert {t for t in targets if not t.startswith("world-")} == explained - {"world-"} | {"help"}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text())
    missing = [link for link in links if "://" not in link and not (page.parent / link).exists()]
    assert not missing


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_link_into_a_page_leads_to_a_heading(page: Path) -> None:
    links = re.findall(r"\]\(([^)#\s:]*)#([^)]+)\)", page.read_text())
    missing = [
        f"{file}#{anchor}"
        for file, anchor in links
        if anchor not in anchors(page.parent / (file or page.name))
    ]
    assert not missing


def anchors(page: Path) -> set[str]:
    """What a page's headings are called in links: lower case, hyphens for spaces, nothing else but letters."""
    headings = re.findall(r"^#+ (.*)$", page.read_text(), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


def test_ci_runs_the_readme_s_test_command() -> None:
    develop = (ROOT / "README.md").read_text().split("## Develop", 1)[1]
    command = develop.split("```")[1].strip()
    script = (ROOT / ".ci" / "run").read_text().splitlines()
    assert script[-1] == f"exec {command}"
    assert (ROOT / ".ci" / "run").stat().st_mode & 0o111
