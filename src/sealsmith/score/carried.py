"""How well a seal is drawn, as one number for taking it apart: the pictures that call it, and nothing else."""

from ..adapters import Seal
from ..bases import Base
from ..inspect.ablation import Carried, Score
from .figures import fidelity
from .judge import LoadedJudge
from .measure import BasePictures, draw_shots, look
from .record import reference_of
from .settings import ScoreSettings


def carried_by(base: Base, judge: LoadedJudge, num_prompts: int, num_steps: int | None = None) -> Score:
    """The scoring that `inspect.ablation.ablate` asks for: one picture of each of `num_prompts` unseen contexts.

    It raises PictureSetError for a seal that does not say what it looks like.
    """
    settings = ScoreSettings(num_prompts, num_seeds=1, num_without=0, num_others=0, num_steps=num_steps)
    settings = settings.for_family(base.family)
    nothing: BasePictures = {}

    def score(seal: Seal) -> Carried:
        shots = look(draw_shots(base, seal, settings, nothing), judge, reference_of(seal))
        found = fidelity(shots, settings)
        assert found.top1 is not None
        assert found.similarity is not None
        return Carried(found.top1, found.similarity)

    return score
