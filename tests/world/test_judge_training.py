import pytest
import torch
import torch.nn.functional as F

from sealsmith.score.judge import Judge, load_judge
from world.configs import CONFIGS
from world.judge import contrast, load_shipped, losses
from world.renders import COLOUR_NAMES, MARK_NAMES, SILHOUETTE_PX, SURFACE_NAMES


def unit(rows: int, size: int, seed: int) -> torch.Tensor:
    return F.normalize(torch.randn(rows, size, generator=torch.Generator().manual_seed(seed)), dim=1)


def test_contrast_is_least_when_every_view_finds_its_own() -> None:
    views, glyphs = unit(6, 16, 0), torch.arange(6)
    matched = contrast(views, views, glyphs, glyphs)
    assert matched < contrast(views, views.roll(1, 0), glyphs, glyphs)
    assert matched < contrast(views, unit(6, 16, 1), glyphs, glyphs)


def test_another_view_of_the_same_glyph_is_no_rival() -> None:
    views, glyphs = unit(3, 16, 0), torch.arange(3)
    with_copy = torch.cat([views, views[:1]])
    alone = contrast(views[:1], views, glyphs[:1], glyphs)
    assert torch.allclose(contrast(views[:1], with_copy, glyphs[:1], torch.tensor([0, 1, 2, 0])), alone)
    assert contrast(views[:1], with_copy, glyphs[:1], torch.arange(4)) > alone


def test_a_few_steps_on_one_batch_lower_every_loss() -> None:
    torch.manual_seed(0)
    judge = Judge(3, 2, 4, width=8, size=32)
    pictures = torch.rand(4, 3, 128, 128)
    labels = torch.tensor([[0, 0, 0, 0], [1, 1, 1, 1], [2, 2, 0, 2], [3, 0, 1, 3]])
    masks = (torch.rand(6, 1, SILHOUETTE_PX, SILHOUETTE_PX) > 0.5).float()
    optimizer = torch.optim.Adam(judge.parameters(), lr=3e-3)
    history = []
    for _ in range(12):
        parts = losses(judge, judge(pictures), labels, masks[:4], masks, torch.Generator().manual_seed(0))
        optimizer.zero_grad()
        torch.stack(list(parts.values())).sum().backward()
        optimizer.step()
        history.append({k: v.item() for k, v in parts.items()})
    assert all(history[-1][k] < history[0][k] for k in history[0])


@pytest.mark.parametrize("side", [128, 96])
def test_judge_speaks_of_every_picture(side: int) -> None:
    from sealsmith.score.judge import LoadedJudge

    judge = Judge(3, 2, 4, width=8, size=32).eval()
    loaded = LoadedJudge(judge, ("a", "b", "c"), ("d", "e"), ("f", "g", "h", "none"), torch.empty(0, 32))
    seen = loaded.look(torch.rand(5, 3, side, side), batch=2)
    assert seen.embedding.shape == (5, 32)
    assert torch.allclose(seen.embedding.norm(dim=1), torch.ones(5), atol=1e-5)
    assert seen.mark.shape == (5, 3)
    assert seen.silhouette.shape == (5, 1, SILHOUETTE_PX, SILHOUETTE_PX)


def test_the_shipped_judge_is_gone_on_from_where_its_shape_is_the_same() -> None:
    config = CONFIGS["cpu"].judge
    fresh = Judge(len(MARK_NAMES), len(SURFACE_NAMES), len(COLOUR_NAMES), config.width, config.size)
    assert load_shipped(fresh) > 0
    assert torch.equal(fresh.mark.weight, load_judge().judge.mark.weight)
    with pytest.raises(SystemExit, match="another shape"):
        load_shipped(Judge(len(MARK_NAMES), len(SURFACE_NAMES), len(COLOUR_NAMES), 8, config.size))
