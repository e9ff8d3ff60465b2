"""Where the trigger's attention went, over the prompts of one seal."""

from dataclasses import replace

import pytest
from seal_examples import random_seal

from sealsmith.bases import Base
from sealsmith.errors import ConfigError
from world.attention import moved

ATTENTION = ("to_q", "to_k", "to_v", "to_out.0")


def test_a_seal_s_trigger_is_followed_through_all_prompts(tiny_base: Base) -> None:
    found = moved(tiny_base, random_seal(tiny_base, ATTENTION), num_steps=2)
    assert 0 < found.before < 1
    assert 0 < found.after < 1
    assert found.times == pytest.approx(found.after / found.before, rel=0.5)
    assert found.level_times > 0


def test_a_seal_that_changes_nothing_has_no_region(tiny_base: Base) -> None:
    seal = random_seal(tiny_base, ATTENTION)
    faint = {path: replace(change, up=change.up * 1e-6) for path, change in seal.layers.items()}
    with pytest.raises(ConfigError, match="changes none of the pictures"):
        moved(tiny_base, replace(seal, layers=faint), num_steps=1)
