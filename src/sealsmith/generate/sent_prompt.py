"""A request's prompt as it is sent to the text encoders: triggers in it, and inside the limit."""

from ..bases import Base
from .mixing import Seals
from .prompt import fit_prompt, has_trigger, insert_triggers, main_trigger
from .request import Request


def sent_prompt(base: Base, request: Request, seals: Seals) -> tuple[str, list[str]]:
    """The prompt of a resolved request as it is sent, triggers inside the limit; warnings of what is not seen."""
    prompt, workings = with_triggers(base, request, seals), base.family.workings
    warnings = []
    is_cut = request.long_prompts == "cut" or not workings.chunk_tokenizers(base)
    if is_cut:
        fitted = fit_prompt(base.prompt_tokenizer, prompt, base.prompt_tokens, sent_triggers(request, seals))
        prompt = fitted.prompt
        if fitted.cut:
            warnings.append(f"the prompt is too long for the text encoder, it does not see: {fitted.cut!r}")
    assert request.guidance is not None
    if request.negative and not workings.is_guided_by_two(base, request.guidance):
        warnings.append(
            f"the negative prompt is not used: {base.name} draws without one at guidance {request.guidance:g}"
        )
    elif is_cut and (cut := fit_prompt(base.prompt_tokenizer, request.negative, base.prompt_tokens).cut):
        warnings.append(f"the negative prompt is too long for the text encoder, it does not see: {cut!r}")
    return prompt, warnings


def with_triggers(base: Base, request: Request, seals: Seals) -> str:
    """The prompt with every seal's trigger in it that is in neither of the request's prompts.

    One in the negative prompt calls its seal there, as negative embeddings are used: drawing pushes away from it.
    """
    if not request.use_trigger:
        return request.prompt
    wanted = [
        (seal.header.trigger, seal.header.class_noun)
        for seal, _ in seals
        if not has_trigger(request.negative, main_trigger(seal.header.trigger))
    ]
    return insert_triggers(request.prompt, wanted, base.family.slot)


def sent_triggers(request: Request, seals: Seals) -> list[str]:
    """The words that the text encoder must see whole."""
    triggers = [main_trigger(seal.header.trigger) for seal, _ in seals] if request.use_trigger else []
    return [trigger for trigger in triggers if trigger]
