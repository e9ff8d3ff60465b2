"""Batches and random streams are functions of the seed and the number."""

from collections import Counter
from dataclasses import replace

import torch
from hypothesis import given
from hypothesis import strategies as st

from sealsmith.bases import Conditioning
from sealsmith.train import TrainConfig
from sealsmith.train.batch import draw_batch, size_of_batch
from sealsmith.train.cache import Sized, TrainingData
from sealsmith.train.objectives import Diffusion
from sealsmith.train.streams import pick, stream
from sealsmith.train.trigger_attention import TriggerPlaces


@given(st.integers(1, 9), st.integers(1, 12), st.integers(0, 2**32))
def test_batches_end_to_end_visit_everything_equally_often(count: int, size: int, seed: int) -> None:
    visits = torch.cat([pick(count, batch, size, seed, "pictures") for batch in range(count)])
    assert torch.bincount(visits, minlength=count).tolist() == [size] * count


@given(st.integers(0, 2**32), st.integers(0, 1000))
def test_a_stream_depends_on_its_purpose_alone(seed: int, number: int) -> None:
    first = torch.rand(2, generator=stream(seed, "a", number))
    torch.rand(3)
    assert torch.equal(first, torch.rand(2, generator=stream(seed, "a", number)))
    assert not torch.equal(first, torch.rand(2, generator=stream(seed, "b", number)))
    assert not torch.equal(first, torch.rand(2, generator=stream(seed, "a", number + 1)))


def data(masks: torch.Tensor | None = None, regions: torch.Tensor | None = None) -> TrainingData:
    latents = torch.arange(3.0).view(3, 1, 1, 1).expand(3, 2, 4, 4)
    own = Sized(
        latents=latents,
        masks=masks,
        places=None if regions is None else TriggerPlaces(torch.arange(7.0).view(7, 1).expand(7, 5), regions),
        captions=torch.tensor([1, 2, 3]),
        order=torch.tensor([0, 1, 2, 2]),
        class_latents=latents + 10,
    )
    return TrainingData(
        sizes=(own,),
        class_captions=torch.tensor([4, 5, 6]),
        prompts=tuple("abcdefg"),
        texts=Conditioning(torch.arange(7.0).view(7, 1, 1), torch.arange(7.0).view(7, 1)),
        objective=Diffusion("epsilon", torch.linspace(1, 0, 50)),
    )


@given(st.integers(0, 50))
def test_latents_masks_and_captions_stay_together(number: int) -> None:
    config = TrainConfig(batch_size=3, prior_batch_size=2, caption_dropout=0)
    masks = torch.arange(3.0).view(3, 1, 1, 1).expand(3, 1, 4, 4) / 4
    batch = draw_batch(data(masks), config, number)
    assert batch.masks is not None
    picture = batch.latents[:, 0, 0, 0]
    assert torch.equal(batch.texts.text[:3, 0, 0], picture[:3] + 1)
    assert torch.equal(batch.masks[:3, 0, 0, 0], picture[:3] / 4)
    assert torch.equal(batch.texts.text[3:, 0, 0], picture[3:] - 10 + 4)
    assert torch.equal(batch.masks[3:], torch.ones(2, 1, 4, 4))
    assert batch.noise.shape == batch.latents.shape
    assert batch.times.shape == (5,)
    assert batch.texts.pooled is not None
    assert torch.equal(batch.texts.pooled[:, 0], batch.texts.text[:, 0, 0])


@given(st.integers(0, 50), st.sampled_from([0.0, 0.5]))
def test_the_trigger_s_place_is_that_of_the_row_s_own_text_and_picture(number: int, dropout: float) -> None:
    """Where a caption was dropped, the text is the empty prompt, and so are its columns."""
    config = TrainConfig(batch_size=3, prior_batch_size=2, caption_dropout=dropout)
    regions = torch.arange(3.0).view(3, 1, 1, 1).expand(3, 1, 4, 4) / 4
    batch = draw_batch(data(regions=regions), config, number)
    assert batch.focus is not None
    picture, text = batch.latents[:3, :1], batch.texts.text[:3, 0]
    assert torch.equal(batch.focus.regions, picture / 4)
    assert torch.equal(batch.focus.columns, text.expand(3, 5))
    is_kept = text[:, 0] == picture[:, 0, 0, 0] + 1
    assert torch.equal(is_kept, text[:, 0] != 0)
    assert dropout or is_kept.all()
    assert draw_batch(data(), config, number).focus is None


def test_caption_dropout_empties_its_share_and_never_the_prior() -> None:
    config = TrainConfig(batch_size=4, caption_dropout=0.5)
    texts = torch.stack([draw_batch(data(), config, number).texts.text[:, 0, 0] for number in range(100)])
    assert 0.4 < (texts[:, :4] == 0).float().mean() < 0.6
    assert not (texts[:, 4:] == 0).any()


def test_repeats_are_shown_as_often_as_asked() -> None:
    config = TrainConfig(batch_size=4, caption_dropout=0, prior="none")
    picture = draw_batch(data(), config, 0).latents[:4, 0, 0, 0]
    assert sorted(picture.tolist()) == [0, 1, 2, 2]


def test_a_batch_has_one_size_and_every_picture_its_turns() -> None:
    """Of four square showings and two wide pictures, six batches of two show each as often as it repeats."""
    [square] = data().sizes
    wide = Sized(
        latents=torch.tensor([5.0, 6.0]).view(2, 1, 1, 1).expand(2, 2, 4, 6),
        masks=None,
        places=None,
        captions=torch.tensor([4, 5]),
        order=torch.tensor([0, 1]),
        class_latents=torch.zeros(3, 2, 4, 6),
    )
    both = replace(data(), sizes=(square, wide))
    config = TrainConfig(batch_size=2, prior_batch_size=1, caption_dropout=0)
    shown: Counter[float] = Counter()
    for number in range(6):
        batch = draw_batch(both, config, number)
        shown.update(batch.latents[:2, 0, 0, 0].tolist())
        is_wide = batch.latents[:2, 0, 0, 0] > 4
        assert is_wide.all() or not is_wide.any()
        assert batch.latents.shape[3] == batch.noise.shape[3] == (6 if is_wide.any() else 4)
        assert torch.equal(
            batch.texts.text[:2, 0, 0], batch.latents[:2, 0, 0, 0] + (-1 if is_wide.any() else 1)
        )
    assert shown == {0.0: 2, 1.0: 2, 2.0: 4, 5.0: 2, 6.0: 2}


@given(st.lists(st.integers(1, 6), min_size=1, max_size=3), st.integers(0, 2**32))
def test_batches_of_a_size_are_numbered_without_gaps(counts: list[int], seed: int) -> None:
    found = [size_of_batch(counts, number, seed) for number in range(3 * sum(counts))]
    for size, count in enumerate(counts):
        assert [turn for one, turn in found if one == size] == list(range(3 * count))
