from collections.abc import Sequence

from cim.ports.judging import Embedding, Sentiment


class Letters:
    def embed(self, texts: Sequence[str]) -> list[tuple[float, ...]]:
        return [(1.0, 0.0) if "a" in text else (0.0, 1.0) for text in texts]


class Calm:
    def score(self, text: str) -> float:
        return 0.0


def test_whatever_has_the_methods_fulfils_the_contract() -> None:
    embedding: Embedding = Letters()
    sentiment: Sentiment = Calm()
    assert embedding.embed(["a", "b"]) == [(1.0, 0.0), (0.0, 1.0)]
    assert sentiment.score("anything") == 0.0
