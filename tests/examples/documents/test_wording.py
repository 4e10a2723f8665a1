import pytest

from documents.wording import in_capitals, read_words


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("T0TAI:", {"TOTAL"}),
        ("T O T A L", {"TOTAL"}),
        ("TO TAL", {"TO", "TAL", "TOTAL"}),
        ("TotalAmount", {"TOTAL", "AMOUNT"}),
        ("Cashier", {"CASHIER"}),
        ("Rückgeld", {"CHANGE"}),
        ("Service charge", {"SERVICE", "CHARGE"}),
        ("Chanqe", {"CHANGE"}),
    ],
)
def test_label_words_are_put_right(line: str, words: set[str]) -> None:
    assert read_words(line) == words


def test_in_capitals_every_letter_stays_in_its_place() -> None:
    line = "Straße ŉ ǰ ﬃ é"
    assert len(in_capitals(line)) == len(line)
    assert in_capitals("5. März à Évry") == "5. MARZ A EVRY"
