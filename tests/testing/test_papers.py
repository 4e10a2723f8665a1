import random
from decimal import Decimal
from pathlib import Path

import pytest

from cim.providers.minilm import MiniLM
from cim.providers.pdfium import Pdfium
from cim.providers.ridge import Ridge
from cim.providers.tesseract import Tesseract
from cim.testing.papers import Paper, draw_papers
from documents.facts import find_facts
from documents.kinds import GLOSSARY, nearest
from documents.sentiment import label


@pytest.fixture(scope="module")
def papers(tmp_path_factory: pytest.TempPathFactory) -> list[Paper]:
    return draw_papers(tmp_path_factory.mktemp("papers"))


@pytest.fixture(scope="module")
def bodies(papers: list[Paper]) -> dict[str, str]:
    ocr, pdf = Tesseract(), Pdfium()
    told: dict[str, str] = {}
    for paper in papers:
        content = paper.path.read_bytes()
        if paper.path.suffix == ".pdf":
            told[paper.title] = "\n\n".join(page.text for page in pdf.pages(content))
        else:
            told[paper.title] = ocr.read(content).body
    return told


def test_the_same_seed_draws_the_same_bits(papers: list[Paper], tmp_path: Path) -> None:
    random.seed(7)
    again = draw_papers(tmp_path / "again")
    other = draw_papers(tmp_path / "other", seed=2)
    assert [a.path.read_bytes() for a in again] == [paper.path.read_bytes() for paper in papers]
    assert again[0].path.read_bytes() != other[0].path.read_bytes()


def test_there_is_a_paper_of_every_kind(papers: list[Paper]) -> None:
    assert {paper.kind for paper in papers} == set(GLOSSARY) - {"other"}
    assert len({paper.title for paper in papers}) == len(papers) == 9


def test_the_sums_on_the_papers_add_up(papers: list[Paper], bodies: dict[str, str]) -> None:
    for paper in papers:
        if paper.total is not None:
            assert f"{Decimal(paper.total):,.2f}" in bodies[paper.title]


def test_the_providers_find_what_is_true(papers: list[Paper], bodies: dict[str, str]) -> None:
    embedding = MiniLM()
    for paper in papers:
        body = bodies[paper.title]
        kind, _ = nearest(body, GLOSSARY, embedding)
        found = find_facts(body)
        assert (kind, found.date, found.total) == (paper.kind, paper.date, paper.total), paper.title
        if paper.company is not None:
            assert found.company == paper.company


def test_grain_in_a_coloured_band_is_not_taken_for_words(papers: list[Paper], bodies: dict[str, str]) -> None:
    bees = next(paper for paper in papers if paper.path.name == "report-bees.png")
    assert bodies[bees.title].startswith("Highmoor Beekeepers Association")


def test_the_complaint_sounds_angry_and_the_thanks_pleased(bodies: dict[str, str]) -> None:
    ridge = Ridge(MiniLM())
    assert label(ridge.score(bodies["The oven that will not heat"])) == "negative"
    assert label(ridge.score(bodies["Thanks from the harbour"])) == "positive"
    assert label(ridge.score(bodies["Screws and a lamp"])) == "neutral"
