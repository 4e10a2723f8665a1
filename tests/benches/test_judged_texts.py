from collections import Counter
from pathlib import Path

import pytest

from documents.kinds import GLOSSARY
from judged_texts import HALVES, JUDGED, documents, moods
from train_sentiment import OWN


@pytest.mark.parametrize("half", HALVES)
def test_each_half_has_some_documents_of_every_kind(half: str) -> None:
    kinds = Counter(paper.kind for paper in documents("held_out" if half == "held_out" else "development"))
    assert set(kinds) == set(GLOSSARY)
    assert min(kinds.values()) >= 6


def test_no_text_is_in_both_halves() -> None:
    seen, held = ({paper.body for paper in documents(half)} for half in HALVES)
    assert not seen & held
    first, second = ({mood.text for mood in moods(JUDGED / half / "sentences.tsv")} for half in HALVES)
    assert not first & second


def test_no_document_is_trained_on() -> None:
    trained = [mood.text for name in OWN for mood in moods(JUDGED / "development" / name)]
    sentences = [text for text in trained if len(text.split()) > 5]
    told = " ".join(" ".join(paper.body.split()) for paper in documents("held_out"))
    assert len(sentences) > 50
    assert not [text for text in sentences if text in told]


def test_moods_are_read_by_the_names_of_their_columns(tmp_path: Path) -> None:
    table = tmp_path / "rated.tsv"
    table.write_text('id\tmean_rating_-4_to_4\ttext\n1_2\t-3\tIt is "bad\n')
    assert [(mood.text, mood.rating) for mood in moods(table)] == [('It is "bad', -0.75)]
