from collections.abc import Sequence

import pytest

from cim.ports.judging import Embedding
from cim.providers.minilm import MiniLM
from documents.kinds import GLOSSARY, OTHER, gist, nearest, signs
from judged_texts import documents

LETTER = "Dear Ann,\n\nthe meeting is on Tuesday.\n\nYours sincerely,\nTom Oak"


class Same(Embedding):
    """An embedding to which all texts are alike: what is left is the words."""

    def embed(self, texts: Sequence[str]) -> list[tuple[float, ...]]:
        return [(1.0, 0.0)] * len(texts)


@pytest.fixture(scope="module")
def embedding() -> MiniLM:
    return MiniLM()


def test_every_kind_is_defined_in_one_line() -> None:
    assert list(GLOSSARY) == ["invoice", "receipt", "letter", "complaint", "report", "other"]
    assert all(text and "\n" not in text for text in GLOSSARY.values())


def test_documents_written_for_it_are_sorted_by_the_definitions(embedding: MiniLM) -> None:
    papers = [paper for half in ("development", "held_out") for paper in documents(half)]
    assert len(papers) >= 60
    judged = [(paper.kind, *nearest(paper.body, GLOSSARY, embedding)) for paper in papers]
    assert sum(kind == found for kind, found, _ in judged) >= 0.8 * len(papers)
    # A score is a confidence: where it is high, nearly all are right.
    sure = [kind == found for kind, found, score in judged if score > 0.8]
    assert len(sure) > 0.4 * len(papers)
    assert sum(sure) >= 0.9 * len(sure)


def test_a_glossary_of_someone_else_s_works_the_same_way(embedding: MiniLM) -> None:
    glossary = {
        "recipe": "A recipe that tells how to cook a dish: ingredients, flour, butter, minutes, serves.",
        "timetable": "A timetable of trains or buses: departure, arrival, line, weekdays, holidays.",
        OTHER: "Any other paper: a letter, an invoice, a poem.",
    }
    soup = "Onion soup\nServes four\nPeel the onions, fry them in butter and simmer for forty minutes."
    buses = "Line 14\nWeekdays\nDeparture 06:10 06:40\nArrival 06:55 07:25\nNot on holidays"
    found = [nearest(text, glossary, embedding)[0] for text in (soup, buses, LETTER)]
    assert found == ["recipe", "timetable", "other"]


def test_where_nothing_fits_it_is_other_without_a_definition_of_other(embedding: MiniLM) -> None:
    glossary = {"receipt": GLOSSARY["receipt"]}
    heron = "The heron is a wading bird that stands up to one metre tall and feeds on fish and frogs."
    kind, score = nearest(heron, glossary, embedding)
    assert kind == OTHER
    assert score > 0.5


def test_words_in_short_lines_weigh_more_than_in_running_text() -> None:
    glossary = {"menu": "A menu: starters, puddings.", "manual": "A manual: warning, switch."}
    rest = "he went on to {} with some care and it worked"
    starters = nearest("Starters\n" + rest.format("press the switch"), glossary, Same())
    switch = nearest("Switch\n" + rest.format("eat his starters"), glossary, Same())
    assert (starters[0], switch[0]) == ("menu", "manual")
    assert starters[1] == pytest.approx(switch[1])


def test_a_word_of_all_kinds_says_nothing() -> None:
    glossary = {"one": "One: paper, apple.", "two": "Two: paper, pear."}
    assert nearest("Paper\nPear", glossary, Same())[0] == "two"
    shared = nearest("Paper", glossary, Same())
    assert shared == nearest("Stone", glossary, Same())


@pytest.mark.parametrize("body", ["", " \n ", "12.50 13.90\n--- 7"])
def test_a_text_without_words_is_other_and_nothing_is_sure(body: str) -> None:
    assert nearest(body, GLOSSARY, Same()) == ("other", 0.0)
    assert nearest(LETTER, {}, Same()) == ("other", 0.0)


def test_signs_are_the_name_and_the_words_after_the_colon() -> None:
    assert signs("letter", "What one writes: Dear Sir, regards.") == {"letter", "dear", "sir", "regard"}
    assert signs("note", "A slip of paper") == {"note", "slip", "paper"}


def test_the_gist_keeps_lines_of_form_and_leaves_numbers_out() -> None:
    body = "Oak Ltd\n\nDear Ann,\n1234 5678\n" + "so we talk of gardens\n" * 100 + "Yours sincerely,\nTom Oak"
    told = gist(body, {"letter": signs("letter", GLOSSARY["letter"])})
    assert told.startswith("Dear Ann,. Yours sincerely,. Oak Ltd")
    assert told.endswith("Tom Oak")
    assert "1234" not in told
    assert len(told) < 800
    assert gist("", {}) == ""
