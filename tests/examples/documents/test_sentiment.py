import pytest

from documents.sentiment import label


@pytest.mark.parametrize(
    ("score", "word"),
    [
        (-1, "negative"),
        (-0.13, "negative"),
        (-0.12, "neutral"),
        (0, "neutral"),
        (0.12, "neutral"),
        (0.13, "positive"),
    ],
)
def test_scores_have_names(score: float, word: str) -> None:
    assert label(score) == word
