"""What must not be imported: PyTorch for `--help`, anything at all by side effect."""

import importlib
import inspect
import json
import subprocess
import sys

import pytest

from sealsmith.cli.frame import COMMANDS

HEAVY = ("torch", "diffusers", "transformers", "peft", "scipy", "numpy", "PIL", "pydantic")

PROGRAM = """
import json, sys
from sealsmith.cli import main
status = main({arguments!r})
print(json.dumps(dict(status=status, modules=sorted(sys.modules))), file=sys.stderr)
"""


def modules_after(*arguments: str) -> set[str]:
    program = PROGRAM.format(arguments=list(arguments))
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    seen = json.loads(ended.stderr)
    assert seen["status"] == 0
    return set(seen["modules"])


@pytest.mark.parametrize("arguments", [("--help",), ("--version",), ()])
def test_help_imports_nothing_heavy(arguments: tuple[str, ...]) -> None:
    assert not modules_after(*arguments) & set(HEAVY)


@pytest.mark.parametrize("room", ["catalog", "jobs", "jobs.worker", "jobs.process"])
def test_what_a_server_imports_has_no_torch(room: str) -> None:
    program = f"import sys, sealsmith.{room}; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 0


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_s_help_imports_no_torch(command: str) -> None:
    assert "torch" not in modules_after(command, "--help")


def test_the_server_imports_no_torch() -> None:
    rooms = ("app", "local_service", "catalog_service", "listening", "log")
    program = "import json, sys; import " + ", ".join(f"sealsmith.server.{room}" for room in rooms)
    ended = subprocess.run(
        [sys.executable, "-c", f"{program}; print(json.dumps(sorted(sys.modules)))"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert "torch" not in json.loads(ended.stdout)


@pytest.mark.parametrize(
    "package",
    ["sealsmith.adapters", "sealsmith.bases", "sealsmith.generate", "sealsmith.score", "sealsmith.train"],
)
def test_a_lazy_package_has_every_name_it_offers(package: str) -> None:
    module = importlib.import_module(package)
    assert all(not inspect.ismodule(getattr(module, name)) for name in module.__all__)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = module.nothing
