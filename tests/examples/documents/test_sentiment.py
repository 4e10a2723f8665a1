import pytest

from documents.sentiment import label


@pytest.mark.parametrize(
    ("score", "word"),
    [
        (-1, "negative"),
        (-0.11, "negative"),
        (-0.1, "neutral"),
        (0, "neutral"),
        (0.1, "neutral"),
        (0.11, "positive"),
    ],
)
def test_scores_have_names(score: float, word: str) -> None:
    assert label(score) == word
