"""Textual inversion, pivotal training and hypernetworks: only their parts learn, and nothing stays behind."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor
from unet_probe import predict
from vector_examples import header

from sealsmith.adapters import Seal, attached
from sealsmith.bases import Base
from sealsmith.errors import Cancelled, ConfigError, TrainingError
from sealsmith.generate.prompt import token_ids
from sealsmith.train import TrainConfig, train
from sealsmith.train.methods import find_method
from sealsmith.train.methods.textual_inversion import MAX_NORM, WordTable
from sealsmith.train.pictures import PictureSet
from sealsmith.train.progress import Silent

METHODS = ("textual-inversion", "pivotal", "hypernetwork")
FAMILIES = ("tiny_base", "tiny_sd1", "tiny_sdxl", "tiny_flux")


def state_of(base: Base) -> dict[str, Tensor]:
    """Every weight of the base's parts a seal can change."""
    return {
        f"{name}.{key}": tensor.clone()
        for name, part in base.components.items()
        for key, tensor in part.state_dict().items()
    }


def own_hooks(base: Base) -> list[object]:
    """Hooks of ours; transformers has some of its own."""
    modules = [module for part in base.components.values() for module in part.modules()]
    hooks = [hook for m in modules for hook in (*m._forward_hooks.values(), *m._forward_pre_hooks.values())]
    return [hook for hook in hooks if hook.__module__.startswith("sealsmith")]


def tensors_of(seal: Seal) -> dict[str, Tensor]:
    """All that was learned, by name."""
    found = {f"{word}/{name}": each for word, both in seal.embeddings.items() for name, each in both.items()}
    for path, network in seal.networks.items():
        found |= {f"{path}/{name}": tensor for name, tensor in network.tensors.items()}
    return found | {path: change.delta() for path, change in seal.layers.items()}


def is_equal(one: Seal, other: Seal) -> bool:
    mine, theirs = tensors_of(one), tensors_of(other)
    return mine.keys() == theirs.keys() and all(torch.equal(mine[key], theirs[key]) for key in mine)


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("family", FAMILIES)
def test_only_the_seal_learns(
    request: pytest.FixtureRequest,
    picture_set: PictureSet,
    quick: TrainConfig,
    tmp_path: Path,
    method: str,
    family: str,
) -> None:
    if (method, family) == ("hypernetwork", "tiny_flux"):
        pytest.skip("Flux has no cross-attention; its refusal is tested below")
    base: Base = request.getfixturevalue(family)
    before, tokenizer = state_of(base), base.tokenizer
    config = replace(quick, method=method, num_vectors=2, num_steps=4)
    seal = train(base, picture_set, config, tmp_path / "out").seal
    after = state_of(base)
    assert after.keys() == before.keys()
    assert all(torch.equal(after[key], before[key]) for key in before)
    assert base.tokenizer is tokenizer
    assert not own_hooks(base)
    kinds = (bool(seal.layers), bool(seal.embeddings), bool(seal.networks))
    assert kinds == (method == "pivotal", method != "hypernetwork", method == "hypernetwork")
    if seal.embeddings:
        assert {name: len(each) for name, each in seal.embeddings["sks"].items()} == dict.fromkeys(
            base.family.text_encoders, 2
        )


@pytest.mark.parametrize("method", METHODS)
def test_interrupted_and_resumed_equals_uninterrupted(
    tiny_base: Base, picture_set: PictureSet, quick: TrainConfig, tmp_path: Path, method: str
) -> None:
    config = replace(quick, method=method, num_steps=6, checkpoint_every=2, num_vectors=2)
    whole = train(tiny_base, picture_set, config, tmp_path / "whole")
    for stop in (1, 3):
        folder = tmp_path / str(stop)
        with pytest.raises(Cancelled, match=f"stopped after step {stop} of 6"):
            train(tiny_base, picture_set, config, folder, progress=Stopping(stop))
        again = train(tiny_base, picture_set, config, folder, resume=True)
        assert again.losses == whole.losses
        assert is_equal(again.seal, whole.seal)


class Stopping(Silent):
    """The user stops the training after so many steps."""

    def __init__(self, stop: int):
        self._stop = stop
        self._stage = ""

    def start(self, stage: str, total: int, done: int = 0) -> None:
        self._stage = stage

    def advance(self, done: int, loss: float | None = None) -> None:
        if self._stage == "training" and done == self._stop:
            raise KeyboardInterrupt


@pytest.mark.parametrize("method", METHODS)
def test_what_was_trained_with_is_what_the_seal_does(
    tiny_base: Base, quick: TrainConfig, method: str
) -> None:
    config = replace(quick, method=method, num_vectors=2)
    with find_method(method).attached(tiny_base, config) as adapted:
        generator = torch.Generator().manual_seed(0)
        for parameter in adapted.parameters.values():
            parameter.data += torch.randn(parameter.shape, generator=generator) * 0.3
        text = tiny_base.family.workings.encode(tiny_base, "a red sks emblem").text
        trained = predict(tiny_base)
        seal = Seal(
            header(tiny_base, method),
            adapted.layers(),
            embeddings=adapted.embeddings(),
            networks=adapted.networks(),
        )
        with adapted.off():
            off = predict(tiny_base)
            plain = tiny_base.family.workings.encode(tiny_base, "a red sks emblem").text
    assert torch.equal(off, predict(tiny_base))
    assert torch.equal(plain, tiny_base.family.workings.encode(tiny_base, "a red sks emblem").text)
    with attached(tiny_base, [(seal, 1.0)]):
        # layers are kept in half precision
        atol = 1e-2 if method == "pivotal" else 1e-5
        torch.testing.assert_close(predict(tiny_base), trained, rtol=1e-4, atol=atol)
        torch.testing.assert_close(tiny_base.family.workings.encode(tiny_base, "a red sks emblem").text, text)


@pytest.mark.parametrize("init_word", [None, "star"])
def test_untrained_vectors_are_those_of_the_initial_word(
    tiny_base: Base, quick: TrainConfig, init_word: str | None
) -> None:
    encode, word = tiny_base.family.workings.encode, init_word or "emblem"
    count = len(token_ids(tiny_base.tokenizer, word))
    config = replace(quick, method="textual-inversion", num_vectors=count, init_word=init_word)
    with find_method("textual-inversion").attached(tiny_base, config):
        torch.testing.assert_close(encode(tiny_base, "a sks").text, encode(tiny_base, f"a {word}").text)


def test_vectors_never_become_longer_than_words_are(tiny_base: Base) -> None:
    table = WordTable(tiny_base, "text_encoder", "emblem", 3, unit=1.0)
    table.offset.data += 1e6
    longest = tiny_base.text_encoder.get_input_embeddings().weight.norm(dim=1).max()
    torch.testing.assert_close(table.vectors().norm(dim=1), (MAX_NORM * longest).expand(3))


def test_vectors_learn_before_the_layers(
    tiny_base: Base, picture_set: PictureSet, quick: TrainConfig, tmp_path: Path
) -> None:
    config = replace(quick, method="pivotal", num_steps=8, checkpoint_every=2)
    with find_method("pivotal").attached(tiny_base, config) as adapted:
        learning = []
        for step in range(config.num_steps):
            adapted.begin(step)
            learning.append(
                {key.endswith(".offset"): p.requires_grad for key, p in adapted.parameters.items()}
            )
    assert learning == [{True: True, False: False}] * 2 + [{True: False, False: True}] * 6


@pytest.mark.parametrize(
    ("family", "settings", "message"),
    [
        ("tiny_flux", {"method": "hypernetwork"}, "needs cross-attention"),
        ("tiny_base", {"method": "textual-inversion", "prior": "pictures"}, "learns nothing from class pictures"),
        ("tiny_base", {"method": "textual-inversion", "num_vectors": 60}, "leave no place for other words"),
        ("tiny_base", {"method": "pivotal", "init_word": " "}, "initial word ' ' is blank"),
        ("tiny_base", {"method": "hypernetwork", "train_text_encoder": True}, "leaves the text encoder as it is"),
    ],
)  # fmt: skip
def test_settings_that_cannot_work_are_refused(
    request: pytest.FixtureRequest,
    picture_set: PictureSet,
    quick: TrainConfig,
    tmp_path: Path,
    family: str,
    settings: dict[str, object],
    message: str,
) -> None:
    config = replace(quick, **settings)  # type: ignore[arg-type]
    with pytest.raises(ConfigError, match=message):
        train(request.getfixturevalue(family), picture_set, config, tmp_path / "out")
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("method", ["textual-inversion", "hypernetwork"])
def test_a_training_that_learned_nothing_is_reported(
    tiny_base: Base, picture_set: PictureSet, quick: TrainConfig, tmp_path: Path, method: str
) -> None:
    config = replace(quick, method=method, learning_rate=1e-12)
    with pytest.raises(TrainingError, match="which changes no picture"):
        train(tiny_base, picture_set, config, tmp_path / "out")


@pytest.mark.parametrize("method", ["textual-inversion", "pivotal"])
def test_every_step_shows_the_word(
    tiny_base: Base, picture_set: PictureSet, quick: TrainConfig, tmp_path: Path, method: str
) -> None:
    """A step without it would have no gradient at all."""
    config = replace(quick, method=method, caption_dropout=0.9, batch_size=1, prior="none")
    assert len(train(tiny_base, picture_set, config, tmp_path / "out").losses) == config.num_steps
