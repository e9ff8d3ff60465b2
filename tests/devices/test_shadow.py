"""Every command that computes, on a device that is not the CPU: no tensor meets one of another device."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from safetensors.torch import load_file

from sealsmith.adapters import read_seal
from sealsmith.bases import open_base
from sealsmith.train import TrainConfig, train
from sealsmith.train.pictures import read_picture_set

LOGO = Path(__file__).parents[2] / "examples/mark.svg"
METHODS = (
    "lora", "dora", "rslora", "loha", "lokr", "dreambooth", "textual-inversion", "pivotal", "hypernetwork",
)  # fmt: skip
ON = ("--device", "shadow")


def on_shadow(commands: dict[str, list[str]]) -> dict[str, dict[str, object]]:
    """What became of each command, all in one process that has the device."""
    command = [sys.executable, "-m", "tests.devices.shadow"]
    words = [["--debug", *words] for words in commands.values()]
    ended = subprocess.run(command, input=json.dumps(words), capture_output=True, text=True, timeout=1200)
    lines = [json.loads(line) for line in ended.stdout.splitlines() if line.startswith("{")]
    assert len(lines) == len(commands), ended.stderr[-4000:]
    return dict(zip(commands, lines, strict=True))


def training(base: Path, out: Path, *more: str) -> list[str]:
    """Three steps without a scorecard."""
    words = ["train", str(LOGO), "--base", str(base), "--trigger", "zwx", "--out", str(out), "--steps", "3"]
    return [*words, "--checkpoint-every", "2", "--no-score", *ON, *more]


@pytest.fixture(scope="module")
def ran(tiny_base_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, object]]:
    folder = tmp_path_factory.mktemp("shadow")
    base = ["--base", str(tiny_base_folder)]
    few = ["--prompts", "1", "--steps", "2"]
    one, other = (str(folder / name / "seal.safetensors") for name in ("lora", "dora"))
    pictures = str(folder / "pictures")

    def drawn(command: str, seal: str) -> list[str]:
        return [command, "a seal of zwx on wood", "--seal", seal, *base, *ON, "--steps", "2"]

    scored = [word for word in training(tiny_base_folder, folder / "scored") if word != "--no-score"]
    commands = {
        method: training(
            tiny_base_folder,
            folder / method,
            *("--method", method),
            *(("--prior", "none") if method in ("textual-inversion", "pivotal") else ()),
        )
        for method in METHODS
    }
    commands |= {
        "pissa": training(tiny_base_folder, folder / "pissa", "--init", "pissa"),
        "bf16": training(tiny_base_folder, folder / "bf16", "--precision", "bf16"),
        "scored": scored,
        "generate": [*drawn("generate", one), "--seal", f"{other}:0.5", "--mix", "masked", "--out", pictures],
        "attention": [*drawn("attention", one), "--out", str(folder / "attention")],
        "score": ["score", one, *base, *ON, *few, "--seeds", "1"],
        "sweep": [
            "sweep",
            one,
            *base,
            *ON,
            *few,
            "--x",
            "strength=0:1:1",
            "--out",
            str(folder / "sweep.png"),
        ],
        "inspect": ["inspect", one, *base, *ON, "--deep", "--prompts", "1"],
        "trigger": ["trigger", "suggest", "--count", "1", *base, *ON],
    }
    found = on_shadow(commands)
    return found | {"folder": {"path": str(folder)}}


@pytest.mark.timeout(1800)
@pytest.mark.parametrize(
    "name",
    [
        *METHODS,
        "pissa",
        "bf16",
        "scored",
        "generate",
        "attention",
        "score",
        "sweep",
        "inspect",
        "trigger",
    ],
)
def test_a_command_computes_where_it_is_told_to(ran: dict[str, dict[str, object]], name: str) -> None:
    assert ran[name]["status"] == 0, ran[name]["said"]


@pytest.mark.timeout(1800)
def test_a_seal_of_another_device_is_the_cpus(
    ran: dict[str, dict[str, object]], tiny_base_folder: Path, tmp_path: Path
) -> None:
    base = open_base(str(tiny_base_folder))
    pictures = read_picture_set(
        LOGO, trigger="zwx", class_noun=base.family.class_noun, wide_company=base.family.has_wide
    )
    here = train(base, pictures, TrainConfig(trigger="zwx", num_steps=3, checkpoint_every=2), tmp_path)
    path = Path(str(ran["folder"]["path"])) / "lora/seal.safetensors"
    there = read_seal(path)
    assert there.layers.keys() == here.seal.layers.keys()
    own, others = load_file(here.seal_path), load_file(path)
    for name in own:
        assert (own[name].float() - others[name].float()).abs().max() < 1e-3, name


@pytest.mark.timeout(1800)
def test_every_family_is_taught_on_another_device(
    tiny_sd1_folder: Path, tiny_sdxl_folder: Path, tiny_flux_folder: Path, tmp_path: Path
) -> None:
    folders = {"sd1": tiny_sd1_folder, "sdxl": tiny_sdxl_folder, "flux": tiny_flux_folder}
    commands = {
        f"{name} {precision}": training(folder, tmp_path / f"{name}-{precision}", "--precision", precision)
        for name, folder in folders.items()
        for precision in ("fp32", "bf16")
    }
    for name, found in on_shadow(commands).items():
        assert found["status"] == 0, (name, found["said"])


def test_what_is_on_two_devices_is_refused() -> None:
    """Or the other tests would prove nothing."""
    code = (
        "import torch; from tests.devices.shadow import begin; begin()\n"
        "try: torch.ones(2, device='shadow') + torch.ones(2)\n"
        "except RuntimeError as error: print(error)"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert "others on shadow" in ended.stdout, ended.stderr[-2000:]


@pytest.mark.timeout(900)
def test_a_training_goes_on_exactly_on_another_device(tiny_base_folder: Path, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "tests.devices.resuming", str(tiny_base_folder), str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert ended.stdout.splitlines()[-1:] == ["True"], ended.stderr[-4000:]


@pytest.mark.timeout(900)
def test_the_engine_draws_on_another_device_what_generate_draws_on_the_cpu(tiny_base_folder: Path) -> None:
    command = [sys.executable, "-m", "tests.devices.drawing", str(tiny_base_folder)]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert ended.returncode == 0, ended.stderr[-4000:]
    assert float(ended.stdout.splitlines()[-1]) < 1e-4
