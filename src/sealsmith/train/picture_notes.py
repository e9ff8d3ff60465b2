"""What reading a picture set has to tell its user: sentences in order, or the first problem raised."""

from dataclasses import dataclass, field

from ..errors import InputError


@dataclass
class Notes:
    """`sentences` so far. When `strict`, whatever would be left out or guessed is refused instead."""

    strict: bool = False
    sentences: list[str] = field(default_factory=list)

    def say(self, sentence: str) -> None:
        """Note something the user should know, although nothing was lost."""
        self.sentences.append(sentence)

    def skip(self, error: InputError, consequence: str = "it is skipped") -> None:
        """Note that something could not be used as it is; raises `error` itself when strict."""
        if self.strict:
            raise error
        self.sentences.append(f"{error}; {consequence}")
