"""A judge with random weights: it sees nothing true, but always the same."""

import torch
import torch.nn.functional as F

from sealsmith.score import Judge, LoadedJudge
from sealsmith.stage import COLOURS, MARKS, SURFACES


def random_judge(num_distractors: int = 20, seed: int = 0) -> LoadedJudge:
    torch.manual_seed(seed)
    marks, surfaces, colours = tuple(MARKS), tuple(SURFACES), (*COLOURS, "none")
    judge = Judge(len(marks), len(surfaces), len(colours), width=8, size=16).eval().requires_grad_(False)
    return LoadedJudge(judge, marks, surfaces, colours, F.normalize(torch.randn(num_distractors, 16), dim=1))
