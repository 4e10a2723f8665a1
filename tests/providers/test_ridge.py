import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import train_sentiment
from cim.ports.judging import Sentiment
from cim.providers.minilm import MiniLM
from cim.providers.ridge import Ridge
from documents.sentiment import label
from judged_texts import documents

PLEASED = "I love this camera. It is wonderful, and the staff were very kind to us."
ANGRY = "This is the worst service that I have ever had. I am very angry and disappointed."


@pytest.fixture(scope="module")
def rated(shared: Callable[[str], Path]) -> train_sentiment.Rated:
    return train_sentiment.load(shared("sentiment"))


@pytest.fixture(scope="module")
def ridge(embedding: MiniLM) -> Ridge:
    return Ridge(embedding)


def test_pleased_is_above_neutral_is_above_angry(ridge: Ridge) -> None:
    fulfilled: Sentiment = ridge
    assert fulfilled.score(PLEASED) > 0.3
    assert abs(fulfilled.score("The meeting is on Tuesday at ten.")) < 0.2
    assert fulfilled.score(ANGRY) < -0.2


def test_neutral_sentences_do_not_drown_a_clear_word(ridge: Ridge) -> None:
    letter = "The goods were sent on Monday. The meeting is at ten in the office. The map is enclosed. " * 3
    assert ridge.score(letter + ANGRY) < ridge.score(letter) - 0.15


def test_a_till_slip_has_no_mood(ridge: Ridge) -> None:
    slip = "PINE HARDWARE LTD\nLED LAMP 18.90\nHAMMER 27.73\nTOTAL 46.63\nCASH 50.00\nCHANGE 3.37\nGreat!"
    assert ridge.score(slip) == pytest.approx(0.0, abs=0.1)


def test_a_kind_word_on_a_slip_counts_for_less_than_by_itself(ridge: Ridge) -> None:
    thanks = "Thank you for your visit, we love to see you here."
    slip = (
        "LED LAMP 18.90\nHAMMER 500G 27.73\nWOOD SCREW BOX 4X40 29.70\nTOTAL 76.33\nCASH 100.00\nCHANGE 23.67"
    )
    assert 0 < ridge.score(f"{slip}\n{slip}\n\n{thanks}") < 0.8 * ridge.score(thanks)


@pytest.mark.parametrize("text", ["", "   \n ", "12.50\n13.90"])
def test_no_words_are_neutral(ridge: Ridge, text: str) -> None:
    assert ridge.score(text) == 0.0


def test_scores_stay_between_the_ends(ridge: Ridge) -> None:
    assert -1 <= ridge.score("awful terrible worst " * 3) < ridge.score("great wonderful love " * 3) <= 1


def test_training_again_gives_the_same_weights(rated: train_sentiment.Rated) -> None:
    told = json.loads(train_sentiment.WEIGHTS.read_bytes())
    head = train_sentiment.train(rated + train_sentiment.own())
    # The int8 kernels of another processor change a vector by about a hundredth of its
    # length; a wrong penalty, scale or row of data changes the weights by far more.
    gap = np.linalg.norm(head.weights - np.array(told["weights"]))
    assert gap < 0.05 * np.linalg.norm(head.weights)
    assert head.bias == pytest.approx(told["bias"], abs=0.02)


def test_held_back_texts_are_judged_well(rated: train_sentiment.Rated) -> None:
    found = train_sentiment.folds(rated, train_sentiment.own())
    r, sign = train_sentiment.quality(found, rated.ratings)
    assert r > 0.65
    assert sign > 0.79
    slope = np.polyfit(found, rated.ratings, 1)[0]
    assert slope == pytest.approx(1.0, abs=0.15)


def test_letters_have_the_mood_of_their_writer(ridge: Ridge) -> None:
    calm = (
        "We regret that the cloth does not match the sample. We must ask you to take it back at your expense."
    )
    plain = (
        "We have recorded your new address. Your pension will be paid on the last working day of each month."
    )
    thanks = "Thank you with all my heart. Your staff were so kind to my mother, and she is well again."
    assert [label(ridge.score(text)) for text in (calm, plain, thanks)] == ["negative", "neutral", "positive"]


def test_documents_that_were_held_out_are_named_as_their_writer_felt(ridge: Ridge) -> None:
    papers = documents("held_out")
    scores = [ridge.score(paper.body) for paper in papers]
    named = [label(score) == paper.label for score, paper in zip(scores, papers, strict=True)]
    assert sum(named) >= 0.75 * len(papers)
    complaints = [score for score, paper in zip(scores, papers, strict=True) if paper.kind == "complaint"]
    assert {label(score) for score in complaints} == {"negative"}
