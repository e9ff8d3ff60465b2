"""The embedded base's tokenizer: CLIP's byte-pair encoding, with every word of the world a token of its own."""

import json
from pathlib import Path

from tokenizers import pre_tokenizers, trainers
from transformers import CLIPTokenizer

MAX_TOKENS = 77
START, END = "<|startoftext|>", "<|endoftext|>"


def build(words: list[str], folder: Path) -> CLIPTokenizer:
    """A tokenizer in which each of `words` is one token and any other text is pieces of them; saved in `folder`."""
    blank = CLIPTokenizer()
    trainer = trainers.BpeTrainer(
        vocab_size=1_000_000,  # no bound: merging ends when every word is whole
        min_frequency=1,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(),
        end_of_word_suffix="</w>",
        show_progress=False,
    )
    model = blank.backend_tokenizer
    model.train_from_iterator([w for word in sorted(set(words)) for w in (word, f" {word}")], trainer)
    learned = json.loads(model.to_str())["model"]
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    merges = [tuple(m) if isinstance(m, list) else tuple(m.split(" ")) for m in learned["merges"]]
    tokens = [*alphabet, *(letter + "</w>" for letter in alphabet), *("".join(m) for m in merges), START, END]
    folder.mkdir(parents=True, exist_ok=True)
    vocabulary = {token: i for i, token in enumerate(dict.fromkeys(tokens))}
    (folder / "vocab.json").write_text(json.dumps(vocabulary, ensure_ascii=False))
    (folder / "merges.txt").write_text("#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in merges))
    (folder / "tokenizer_config.json").write_text(
        json.dumps(
            {
                "tokenizer_class": "CLIPTokenizer",
                "model_max_length": MAX_TOKENS,
                "bos_token": START,
                "eos_token": END,
                "unk_token": END,
                "pad_token": END,
            },
            indent=2,
        )
    )
    return CLIPTokenizer.from_pretrained(folder)
