"""A request in company equals the request alone under `attach`, for every family."""

import dataclasses
import random
from collections.abc import Sequence

import pytest
import torch
from engine.engine_examples import resident
from seal_examples import random_seal
from torch import Tensor
from unet_probe import is_untouched, weights

from sealsmith.adapters import Seal, attached
from sealsmith.adapters.strength import parse_strength
from sealsmith.bases import Base, Conditioning, concatenate
from sealsmith.engine.adapted import Reading
from sealsmith.engine.bank import Bank, Rows, Use
from sealsmith.engine.pool import Pool

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")
UNET = (*ATTENTION, "ff.net.0.proj", "ff.net.2", "proj_in", "proj_out", "conv1", "conv2", "time_emb_proj")
FLUX = (*ATTENTION, "add_q_proj", "add_k_proj", "ff.net.2", "proj_mlp", "proj_out", "norm.linear")
FAMILIES = {"tiny_base": UNET, "tiny_sd1": UNET, "tiny_sdxl": UNET, "tiny_flux": FLUX}
EXACTNESS = 1e-5
Wish = tuple[tuple[int, float], ...]
"""The seals of one request with their strengths."""


class Studio:
    """A base, some seals of several ranks that are resident, and two rows of input for each request."""

    def __init__(self, base: Base, targets: tuple[str, ...], num_seals: int = 4):
        self.base = base
        self.pool = Pool(3000, 256)
        ranks = (4, 1, 13, 8, 2, 5)
        layers = [targets, targets, targets[:3], targets]
        self.seals = [
            random_seal(base, layers[i % 4], ranks[i % 6], alpha=0.5 * ranks[i % 6], seed=i)
            for i in range(num_seals)
        ]
        self.leases = [resident(self.pool, seal, f"seal {i}") for i, seal in enumerate(self.seals)]
        workings = base.family.workings
        with torch.no_grad():
            words = ("a red wax seal", "a blue ink stamp", "a dragon", "")
            self.texts = [workings.encode(base, word) for word in words]

    def use(self, wish: Wish) -> tuple[Use, ...]:
        return tuple(Use(self.leases[seal], strength) for seal, strength in wish)

    def weighted(self, wish: Wish) -> list[tuple[Seal, float]]:
        return [(self.seals[seal], strength) for seal, strength in wish]

    def rows(self, request: int) -> tuple[Tensor, Conditioning]:
        """The request's own latents, and what it is conditioned on: two rows, with its prompt and without."""
        generator = torch.Generator().manual_seed(request)
        latents = torch.randn(1, *self.base.latent_shape, generator=generator).expand(2, -1, -1, -1)
        return latents, concatenate([self.texts[request % 3], self.texts[3]])

    def predict(self, requests: Sequence[int]) -> Tensor:
        """[requests, 2, C, h, w]"""
        latents, texts = zip(*(self.rows(request) for request in requests), strict=True)
        with torch.no_grad():
            whole = self.base.family.workings.predict(
                self.base, torch.cat(latents), torch.tensor(500), concatenate(texts), 3.5
            )
        return whole.unflatten(0, (-1, 2))


@pytest.fixture(params=FAMILIES)
def studio(request: pytest.FixtureRequest) -> Studio:
    return Studio(request.getfixturevalue(request.param), FAMILIES[request.param])


@pytest.fixture
def small_studio(tiny_base: Base) -> Studio:
    return Studio(tiny_base, UNET, num_seals=6)


BATCH: tuple[Wish, ...] = (((0, 1.0),), (), ((2, 0.6), (1, -0.5)), ((0, 1.0),), ((3, 0.0),), ((2, 1.2),))


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize(("kernel", "fold_bytes"), [("reference", 0), ("cpu", 0), ("cpu", 1 << 28)])
def test_in_company_equals_alone(studio: Studio, kernel: str, fold_bytes: int) -> None:
    bank = Bank(studio.base, studio.pool, kernel, fold_bytes)
    with bank.composed([Rows(2, studio.use(wish)) for wish in BATCH]):
        together = studio.predict(range(len(BATCH)))
    for request, wish in enumerate(BATCH):
        with attached(studio.base, studio.weighted(wish)):
            alone = studio.predict([request])[0]
        assert (together[request] - alone).abs().max() <= EXACTNESS * max(1, float(alone.abs().max()))
    plain = studio.predict(range(len(BATCH)))
    assert (together - plain)[[0, 2, 3, 5]].abs().amax((1, 2, 3, 4)).min() > 1e-3


def test_triton_equals_the_cpu_in_a_whole_denoiser(tiny_base: Base) -> None:
    studio = Studio(tiny_base, ("mid_block.resnets.0.conv1", "mid_block.attentions.0.proj_in"))
    results = []
    for kernel in ("cpu", "triton"):
        with Bank(studio.base, studio.pool, kernel).composed(
            [Rows(2, studio.use(wish)) for wish in BATCH[:3]]
        ):
            results.append(studio.predict(range(3)))
    assert (results[0] - results[1]).abs().max() <= EXACTNESS * float(results[0].abs().max())


def test_a_history_of_batches_leaves_no_trace(small_studio: Studio) -> None:
    """Composed again and again, a batch gives what it gives in a fresh bank; at the end the base is as it was."""
    studio, draw = small_studio, random.Random(1)
    before = weights(studio.base)
    plain = studio.predict([0, 1])
    bank = Bank(studio.base, studio.pool, fold_bytes=1 << 22)
    for turn in range(8):
        wishes = [tuple((draw.randrange(6), draw.choice((1.0, 0.5))) for _ in range(draw.randrange(3)))
                  for _ in range(draw.randrange(1, 4))]  # fmt: skip
        batch = [Rows(2, studio.use(wish)) for wish in wishes]
        bank.compose(batch)
        result = studio.predict(range(len(wishes)))
        studio.pool.check_integrity()
        if turn % 4 == 3:
            bank.clear()
            with Bank(studio.base, studio.pool, "reference").composed(batch):
                fresh = studio.predict(range(len(wishes)))
            assert (result - fresh).abs().max() <= EXACTNESS * max(1, float(fresh.abs().max()))
    bank.clear()
    assert is_untouched(studio.base, before)
    assert not any("forward" in vars(module) for module in studio.base.denoiser.modules())
    assert torch.equal(studio.predict([0, 1]), plain)
    assert all(lease.pins == 0 for lease in studio.leases)


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("fold_bytes", [0, 1 << 28])
def test_one_picture_takes_another_s_place(small_studio: Studio, fold_bytes: int) -> None:
    """What was made for those who stay is kept; the newcomer, of the same rank or another, is read as if alone."""
    studio = small_studio
    newcomers: list[Wish] = [((0, 0.5),), ((0, -1.0),), ((3, 1.0),), (), ((3, 0.5),), ((1, 1.0), (4, 0.5))]
    wishes: list[Wish] = [((0, 0.9),), ((0, 0.7),), ((3, 0.8),)]
    history = [list(wishes)]
    for turn, newcomer in enumerate(newcomers):
        wishes[turn % 3] = newcomer
        history.append(list(wishes))
    expected = []
    for wishes in history:
        with Bank(studio.base, studio.pool, "reference").composed(
            [Rows(2, studio.use(wish)) for wish in wishes]
        ):
            expected.append(studio.predict(range(3)))
    bank = Bank(studio.base, studio.pool, fold_bytes=fold_bytes)
    seats = [Rows(2, studio.use(wish), Reading()) for wish in history[0]]
    for turn, wishes in enumerate(history):
        if turn:
            seats[(turn - 1) % 3] = Rows(2, studio.use(wishes[(turn - 1) % 3]), Reading())
        bank.compose(seats)
        for again in range(2):
            off = (studio.predict(range(3)) - expected[turn]).abs().max()
            assert off <= EXACTNESS * max(1, float(expected[turn].abs().max())), (turn, again)
    bank.clear()


@pytest.mark.usefixtures("library")
@pytest.mark.parametrize("fold_bytes", [0, 1 << 20, 1 << 28])
def test_any_history_of_comers_and_goers(small_studio: Studio, fold_bytes: int) -> None:
    """Four seats, one or two taken anew each turn, or by the neighbour's seal; room for all or few."""
    studio, draw = small_studio, random.Random(5)
    wishes: list[Wish] = [()] * 4
    history: list[tuple[list[Wish], list[int]]] = []
    for _ in range(30):
        taken = draw.sample(range(4), draw.choice((1, 1, 2)))
        for seat in taken:
            own = ((draw.randrange(6), draw.choice((1.0, 0.5))),)
            wishes[seat] = draw.choice((own, own, own, wishes[seat - 1], ()))
        history.append((list(wishes), taken))
    expected = []
    for wished, _ in history:
        with Bank(studio.base, studio.pool, "reference").composed(
            [Rows(2, studio.use(wish)) for wish in wished]
        ):
            expected.append(studio.predict(range(4)))
    bank = Bank(studio.base, studio.pool, fold_bytes=fold_bytes)
    seats = [Rows(2, (), Reading()) for _ in range(4)]
    for turn, (wished, taken) in enumerate(history):
        for seat in taken:
            seats[seat] = Rows(2, studio.use(wished[seat]), Reading())
        bank.compose(seats)
        if draw.random() < 0.2:
            continue  # a composition that no pass followed
        off = (studio.predict(range(4)) - expected[turn]).abs().max()
        assert off <= EXACTNESS * max(1, float(expected[turn].abs().max())), turn
    bank.clear()


def test_strengths_may_differ_by_layer_and_step(small_studio: Studio) -> None:
    """Two requests with schedules, each at a step of its own, as if each were alone at that step."""
    studio = small_studio
    schedules = (parse_strength("1:unet=0.2@0,1.4@1"), parse_strength("1:in=0.3:stop=0.5"))
    bank = Bank(studio.base, studio.pool, fold_bytes=1 << 28)
    for steps in ((0, 3), (1, 1), (2, 2), (3, 0)):
        uses = [(Use(studio.leases[i], schedules[i], steps[i], 4),) for i in range(2)]
        bank.compose([Rows(2, use) for use in uses])
        together = studio.predict([0, 1])
        bank.clear()
        for i in range(2):
            with attached(studio.base, [(studio.seals[i], schedules[i])]) as attachment:
                attachment.at(steps[i], 4)
                alone = studio.predict([i])[0]
            assert (together[i] - alone).abs().max() <= EXACTNESS * max(1, float(alone.abs().max()))


def test_nothing_is_arranged_between_steps_and_little_when_one_joins(
    small_studio: Studio, monkeypatch: pytest.MonkeyPatch
) -> None:
    studio = small_studio
    reads: list[str] = []
    read = Pool.read_all
    monkeypatch.setattr(Pool, "read_all", lambda pool, lease: (reads.append(lease.key), read(pool, lease))[1])
    bank = Bank(studio.base, studio.pool)
    first = Rows(2, studio.use(((0, 1.0),)))
    bank.compose([first])
    studio.predict([0])
    assert set(reads) == {"seal 0"}
    arranged = [id(layer._segments) for layer in bank._layers.values()]
    bank.compose([dataclasses.replace(first, uses=studio.use(((0, 1.0),)))])
    assert [id(layer._segments) for layer in bank._layers.values()] == arranged
    reads.clear()
    bank.compose([first, Rows(2, studio.use(((1, 1.0),)))])
    studio.predict([0, 1])
    assert set(reads) == {"seal 1"}
    reads.clear()
    bank.compose([Rows(2, studio.use(((1, 1.0),)))])
    studio.predict([1])
    assert not reads


def test_seals_in_the_batch_are_pinned_and_ended_leases_refused(small_studio: Studio) -> None:
    studio = small_studio
    bank = Bank(studio.base, studio.pool)
    bank.compose([Rows(2, studio.use(((0, 1.0), (1, 1.0))))])
    with pytest.raises(ValueError, match="in use 1 times"):
        studio.pool.free(studio.leases[0])
    bank.compose([Rows(2, studio.use(((1, 1.0),)))])
    studio.pool.free(studio.leases[0])
    before = studio.predict([0])
    with pytest.raises(ValueError, match="has ended"):
        bank.compose([Rows(2, studio.use(((2, 1.0), (0, 1.0))))])
    assert torch.equal(studio.predict([0]), before)
    assert (studio.leases[1].pins, studio.leases[2].pins) == (1, 0)
