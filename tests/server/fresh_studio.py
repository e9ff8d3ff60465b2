"""Whether the studio in the package was built of the sources in web/: `python tests/server/fresh_studio.py`.

Needs no node: the build says what it was made of, by the digest that web/sources.ts computes, too.
"""

import hashlib
import json
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
WEB = ROOT / "web"
BUILD = ROOT / "src" / "sealsmith" / "server" / "static" / "build.json"
FILES = ("index.html", "package.json", "package-lock.json", "sources.ts", "tsconfig.json", "vite.config.ts")


def digest_of_sources(root: Path) -> str:
    """SHA-256 over the lines `path NUL sha256 LF` of all sources, sorted by path."""
    inside = (path.relative_to(root).as_posix() for path in (root / "src").rglob("*") if path.is_file())
    whole = hashlib.sha256()
    for name in sorted([*FILES, *inside]):
        digest = hashlib.sha256((root / name).read_bytes()).hexdigest()
        whole.update(f"{name}\0{digest}\n".encode())
    return whole.hexdigest()


def is_fresh() -> bool:
    built_of: str = json.loads(BUILD.read_text())["sources"]
    return built_of == digest_of_sources(WEB)


if __name__ == "__main__" and not is_fresh():
    sys.exit("error: the studio in the package was built of other sources than web/ has\nhint: make studio")
