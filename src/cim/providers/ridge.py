"""The mood of a text: a ridge regression on sentence vectors.

Its weights come from benches/train_sentiment.py: short texts that twenty people rated each
(Hutto and Gilbert, ICWSM 2014), and words and sentences of letters that this project wrote.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

from cim.ports.judging import Embedding
from cim.providers.weights import verified

__all__ = ["Ridge"]

_WEIGHTS = Path(__file__).with_name("ridge.json")
_SENTENCE_LIMIT = 60
_SHORT = 12
# Below this share of running text its mood counts for less: "Thank you, come again" on a till
# slip is no praise.
_MOSTLY_RUNNING = 0.7
# Running text is held together by such words; addresses, tables and till slips are not.
_JOINTS = frozenset({
    "a", "about", "after", "all", "am", "an", "and", "are", "as", "at", "be", "been", "but", "by", "can",
    "could", "did", "do", "for", "from", "had", "has", "have", "he", "her", "his", "i", "if", "in", "is",
    "it", "its", "me", "my", "no", "not", "of", "on", "or", "our", "she", "so", "that", "the", "their",
    "them", "there", "they", "this", "to", "us", "very", "was", "we", "were", "what", "when", "which",
    "who", "will", "with", "would", "you", "your",
})  # fmt: skip


class Ridge:
    """A ridge head on an embedding; fulfils `cim.ports.judging.Sentiment`.

    It was trained on single sentences, so a longer text is judged a sentence at a time.
    Most sentences of a business letter are neutral whatever its writer feels: each one
    counts by its strength, so that a few clear words are not drowned. A text without any
    running words (a till slip) is neutral.
    """

    def __init__(self, embedding: Embedding) -> None:
        told = json.loads(verified(_WEIGHTS))
        self._bias = float(told["bias"])
        self._weights = tuple(float(weight) for weight in told["weights"])
        self._embedding = embedding

    def score(self, text: str) -> float:
        """From -1 to 1; 0 is neutral. At most the first 60 sentences count."""
        sentences = list(_sentences(text))
        told = sum(len(sentence) for sentence in sentences) / max(1, len(" ".join(text.split())))
        scores = [self._score(vector) for vector in self._embedding.embed(sentences[:_SENTENCE_LIMIT])]
        strength = sum(abs(score) for score in scores)
        mood = sum(score * abs(score) for score in scores) / strength if strength else 0.0
        return mood * min(1.0, told / _MOSTLY_RUNNING)

    def _score(self, vector: tuple[float, ...]) -> float:
        value = self._bias + sum(weight * part for weight, part in zip(self._weights, vector, strict=True))
        return max(-1.0, min(1.0, value))


def _sentences(text: str) -> Iterator[str]:
    """The sentences of running text; a text of a few words as it is."""
    if len(text.split()) <= _SHORT and "\n" not in text.strip():
        if text.strip():
            yield text.strip()
        return
    for paragraph in re.split(r"\n\s*\n", text):
        joined = re.sub(r"(?<=\w)-\n(?=[a-z])", "", paragraph)
        for sentence in re.split(r"(?<=[.!?])[\"')]*\s+(?=[\"'(]*[A-Za-z])", " ".join(joined.split())):
            if _is_running(sentence):
                yield sentence


def _is_running(sentence: str) -> bool:
    words = re.findall(r"[^\s]+", sentence.lower())
    letters = sum(char.isalpha() or char.isspace() for char in sentence)
    joints = sum(word.strip(".,;:!?\"'()") in _JOINTS for word in words)
    return len(words) >= 3 and letters >= 0.8 * len(sentence) and joints >= 0.2 * len(words)
