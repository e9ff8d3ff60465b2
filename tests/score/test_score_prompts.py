from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from sealsmith.score.prompts import Context, unseen_contexts
from sealsmith.stage import MARKS, SURFACES
from sealsmith.stage.captions import named_contexts

PAIRS = st.frozensets(st.tuples(st.sampled_from(list(MARKS)), st.sampled_from(list(SURFACES))), max_size=40)


@given(PAIRS, st.integers(1, 40), st.integers(0, 100))
def test_contexts_are_unseen_and_differ(seen, count, seed):
    contexts = unseen_contexts(seen, count, seed)
    assert len(contexts) == count
    assert len({context.pair for context in contexts}) == count
    assert not {context.pair for context in contexts} & seen
    assert all(
        (context.colour in MARKS[context.mark].colours) if context.colour else True for context in contexts
    )


@given(PAIRS, st.integers(0, 100))
def test_a_longer_list_begins_with_the_shorter_one(seen, seed):
    assert unseen_contexts(seen, 12, seed)[:4] == unseen_contexts(seen, 4, seed)


@given(st.integers(0, 1000))
def test_contexts_spread_over_marks_and_surfaces(seed):
    contexts = unseen_contexts(frozenset(), 8, seed)
    assert max(Counter(context.mark for context in contexts).values()) == 1
    assert max(Counter(context.surface for context in contexts).values()) == 1


def test_seen_pairs_come_last_when_nothing_else_is_left():
    everything = {(mark, surface) for mark in MARKS for surface in SURFACES}
    free = ("wax seal", "wood")
    contexts = unseen_contexts(everything - {free}, 3, 0)
    assert contexts[0].pair == free
    assert len(contexts) == 3


@given(PAIRS)
def test_what_prompts_say_is_read_back(pairs):
    captions = [Context(mark, None, surface).prompt("sks emblem") for mark, surface in pairs]
    assert named_contexts(captions) == pairs


def test_words_inside_other_words_are_not_seen():
    assert named_contexts(["a stickers of sks on woodland"]) == frozenset()
    assert named_contexts(["A Red WAX SEAL of sks on Wood"]) == {("wax seal", "wood")}


def test_prompts_have_the_right_article():
    assert Context("ink stamp", None, "wood").prompt("moon") == "an ink stamp of moon on wood"
    assert Context("ink stamp", "red", "wood").prompt("moon") == "a red ink stamp of moon on wood"
