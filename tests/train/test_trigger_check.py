"""Triggers: refused, warned about, or fine."""

import pytest

from sealsmith.bases import Base
from sealsmith.errors import TriggerError
from sealsmith.train.trigger_check import check_trigger


def test_a_rare_token_is_fine(tiny_base: Base) -> None:
    assert check_trigger("ohwx", tiny_base) == []


@pytest.mark.parametrize(("trigger", "flaw"), [("", "empty"), ("  ", "empty"), ("sks, red", "comma")])
def test_what_no_prompt_can_call_is_refused(tiny_base: Base, trigger: str, flaw: str) -> None:
    with pytest.raises(TriggerError, match=flaw) as error:
        check_trigger(trigger, tiny_base)
    assert "such as 'sks'" in error.value.remedy


@pytest.mark.parametrize(
    ("trigger", "flaw"),
    [("qxqxq", "into 5 pieces"), ("moss", "ordinary word"), ("Wood", "ordinary word"),
     ("sks moss", "into 2 pieces")],
)  # fmt: skip
def test_a_poor_trigger_is_warned_about_with_a_better_one(tiny_base: Base, trigger: str, flaw: str) -> None:
    [warning] = check_trigger(trigger, tiny_base)
    assert flaw in warning
    assert "such as 'sks'" in warning
