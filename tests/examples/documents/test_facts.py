import time
from collections.abc import Callable
from pathlib import Path

import pytest

from cim.ports.reading import Word
from documents.facts import Found, Place, find_facts
from receipts import receipts, true_date, true_total

SLIP = """YONG & SON HARDWARE SDN BHD (519537-X)
NO 12, JALAN DEDAP 13
TEL 07-3523888
TAX INVOICE
Date: 25/12/2018 14:05
Cashier USER
LED LAMP 80.91
Total Sales (Excluding GST) 80.91
Total GST 0.00
Rounding -0.01
Total Sales (Inclusive of GST) : 80.90
CASH : 100.00
Change : 19.10
GST SUMMARY
Total : 80.91 0.00"""


def test_a_till_slip_tells_all_three() -> None:
    assert find_facts(SLIP) == Found("2018-12-25", "80.90", "YONG & SON HARDWARE SDN BHD")


@pytest.mark.parametrize("body", ["", "\n \n", "Once upon a time there was a girl.", "....", "0/0/0 0.00"])
def test_nothing_is_made_up(body: str) -> None:
    found = find_facts(body)
    assert (found.date, found.total) == (None, None)


def test_a_letter_has_no_total_although_it_names_a_sum() -> None:
    letter = (
        "Hart & Finch Ltd\n8 Orchard Row\n14 March 2025\nDear Ann,\nwe paid 1,200.00 for the gate last year."
    )
    assert find_facts(letter) == Found("2025-03-14", None, "Hart & Finch Ltd")


def test_facts_of_real_receipts_from_their_true_text(shared: Callable[[str], Path]) -> None:
    known = list(receipts(shared("receipts")))
    found = [find_facts(receipt.text) for receipt in known]
    pairs = list(zip(known, found, strict=True))
    assert len(known) == 40
    assert sum(facts.total == true_total(receipt) for receipt, facts in pairs) >= 39
    assert sum(facts.date == true_date(receipt) for receipt, facts in pairs) >= 39
    assert sum(letters(facts.company) == letters(receipt.key["company"]) for receipt, facts in pairs) >= 36
    # On paper that was read right, what is right is hardly ever doubted.
    assert sum(bool(facts.doubts) for facts in found) <= 3


def letters(name: str | None) -> str:
    return "".join(letter for letter in (name or "") if letter.isalnum())


def test_a_place_is_the_box_around_the_words_of_the_fact() -> None:
    body = "Oak Garden Ltd\nDate: 14 March 2025\n\nTOTAL RM 80. 90 only"
    found = find_facts(body, laid_out(body))
    assert {place.fact: place for place in found.places} == {
        "company": Place("company", 1, 0.0, 0.0, 0.28, 0.04),
        "date": Place("date", 1, 0.1, 0.1, 0.28, 0.04),
        "total": Place("total", 1, 0.1, 0.2, 0.28, 0.04),
    }


def test_a_place_holds_the_whole_word_that_a_fact_is_part_of() -> None:
    body = "Total(RM):80.90"
    assert find_facts(body, laid_out(body)).places == (Place("total", 1, 0.0, 0.0, 0.08, 0.04),)


def test_a_fact_put_right_has_the_place_of_what_is_printed() -> None:
    body = "Total excl. GST 51.42\nTotal GST 3.08\nTotal incl. GST 64.50"
    found = find_facts(body, laid_out(body))
    assert found.total == "54.50"
    assert found.places == (Place("total", 1, 0.3, 0.2, 0.08, 0.04),)
    assert [doubt.fact for doubt in found.doubts] == ["total"]


def test_a_place_names_the_page_of_its_words() -> None:
    body = "Dear Ann\n\nTotal 80.90"
    words = [*laid_out("Dear Ann"), *laid_out("Total 80.90", page=2)]
    assert [place.page for place in find_facts(body, words).places] == [2]


def test_words_that_are_not_those_of_the_text_give_no_places() -> None:
    words = laid_out("Total 80.90 Thank you")
    assert find_facts("Total 80.90", words) == Found(None, "80.90", None)


def test_a_fact_that_was_hardly_readable_is_a_doubt_unless_the_paper_says_it_again() -> None:
    body = "Total 80.90"
    assert [doubt.fact for doubt in find_facts(body, laid_out(body, sure=0.3)).doubts] == ["total"]
    paid = f"{body}\nCash 100.00\nChange 19.10"
    assert find_facts(paid, laid_out(paid, sure=0.3)).doubts == ()


def test_doubts_name_their_fact() -> None:
    found = find_facts("05/06/2018\nBread 2.50\nMilk 3.50\nTotal 9.85")
    assert [doubt.fact for doubt in found.doubts] == ["date", "total"]
    assert all(doubt.why for doubt in found.doubts)


@pytest.mark.parametrize(
    "body",
    [
        "1" * 1_000_000,
        "1,111" * 200_000,
        "01/02/2018 TOTAL 1.00 " * 50_000,
        "12 JAN " * 150_000,
        "A " * 500_000,
        "Total 1 22" + "!" * 1_000_000,
        "Total 1.00\nCash 2.00\n" * 20_000,
        "\n".join(f"Cash {i}.{i % 100:02}\nChange {i % 977}.50" for i in range(20_000)),
        "Total\n" * 100_000,
        "\u0149\u01f0\u0390\u1e96\u00df\ufb03 Total 1.00 " * 1_000,
        "\x00\x1c\x85\u2028Total\x0b1.00",
    ],
    ids=range(11),
)
def test_no_text_takes_long_or_raises(body: str) -> None:
    started = time.process_time()
    find_facts(body, [Word(word, 0.9, 0, 0, 1, 1, 1) for word in body.split()])
    assert time.process_time() - started < 20


def laid_out(body: str, *, page: int = 1, sure: float = 0.9) -> list[Word]:
    """The words of a text, each a tenth of the page to the right of the last, lines a tenth apart."""
    return [
        Word(word, sure, column / 10, row / 10, 0.08, 0.04, page)
        for row, line in enumerate(filter(None, body.splitlines()))
        for column, word in enumerate(line.split())
    ]
