from collections.abc import Callable
from pathlib import Path

import pytest

from documents.facts import Found, find_facts
from reading import is_same_company, true_facts

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
    totals = dates = companies = 0
    boxes = sorted(shared("receipts").glob("*.box.csv"))
    for box in boxes:
        true = true_facts(box.with_name(box.name.replace(".box.csv", ".key.json")))
        found = find_facts(true_text(box))
        totals += found.total == true.total
        dates += found.date == true.date
        companies += is_same_company(true.company, found.company)
    assert len(boxes) == 40
    assert (totals, dates) >= (39, 39)
    assert companies >= 34


def true_text(box: Path) -> str:
    """The lines of a receipt, cells of the same height joined from left to right."""
    cells = [line.split(",", 8) for line in box.read_text(encoding="utf-8", errors="replace").splitlines()]
    rows: list[tuple[int, int, list[tuple[int, str]]]] = []
    for cell in sorted((cell for cell in cells if len(cell) == 9), key=lambda cell: int(cell[1])):
        left, top, bottom = int(cell[0]), int(cell[1]), int(cell[7])
        row = next((row for row in rows if row[0] < (top + bottom) / 2 < row[1]), None)
        if row is None:
            row = (top, bottom, [])
            rows.append(row)
        row[2].append((left, cell[8]))
    return "\n".join(" ".join(text for _, text in sorted(row[2])) for row in rows)
