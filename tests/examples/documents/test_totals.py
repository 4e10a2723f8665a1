import pytest

from documents.totals import find_total


@pytest.mark.parametrize(
    ("text", "total"),
    [
        ("TOTAL 80.90", "80.90"),
        ("TOTAL: RM80.90", "80.90"),
        ("T0TAI 80. 90", "80.90"),
        ("Total 8O.9O", "80.90"),
        ("Total RM 120", "120.00"),
        ("Grand Total = 92 80", "92.80"),
        ("Amount due 1,234.50", "1234.50"),
        ("Gesamt\nTotal 1.234,50", "1234.50"),
        ("TOTAL\n54.50", "54.50"),
        ("SUB TOTAL 7.00\nGST 6% 0.42\nNET TOTAL 7.40", "7.40"),
        ("Total 41.52\nRounding adj -0.02\nTotal 41.50", "41.50"),
        ("Total incl. GST 8.11\nRounding adjustment -0.01\nTotal rounded 8.10", "8.10"),
        (
            "Total RM 14.38\nRounding Adjustment RM .02\nRounding RM 14.40\nCash RM 20.00\nChange RM 5.60",
            "14.40",
        ),
        (
            "Total incl. GST @6% RM 22.90\nCash RM 23.00\nChange RM 0.10\nGST @6% included in total RM 1.30",
            "22.90",
        ),
        ("Due 19.20\nChange 0.80\n(Total included GST @ 6% : 1.09)", "19.20"),
        ("Total qty 7 51.42\nTotal 54.50\nCash 60.00\nChange 5.50", "54.50"),
        ("Total 6% supplies: 35.99\nTotal 0% supplies: 26.61\nTotal payable: 62.60", "62.60"),
        ("Balance after RM 31.40\nTotal RM 30.00", "30.00"),
        ("Subtotal 10.00\nTotal 10.00\nTotal savings 25.00", "10.00"),
        ("we paid 1,200.00 last year", None),
        ("", None),
    ],
)
def test_the_sum_to_pay(text: str, total: str | None) -> None:
    assert find_total(text.splitlines()) == total


def test_cash_less_change_speaks_for_a_total() -> None:
    assert find_total(["Total 70.00", "Total 80.90", "x", "Cash 100.00", "Change 19.10"]) == "80.90"
    assert find_total(["Total 80.90", "Total 70.00", "x", "Cash 100.00", "Change 19.10"]) == "80.90"


def test_a_misread_digit_is_put_right_by_the_other_sums() -> None:
    slip = ["Total excl. GST 51.42", "Total GST 3.08", "Total incl. GST 64.50"]
    assert find_total(slip) == "54.50"


def test_a_total_that_stands_twice_is_not_put_right_by_a_misread_change() -> None:
    slip = ["Total incl. GST 8.11", "Total rounded 8.10", "Cash 50.00", "Change 47.90"]
    assert find_total(slip) == "8.10"


def test_what_stands_below_the_tax_summary_does_not_count() -> None:
    slip = ["a", "b", "c", "d", "Total 80.90", "GST summary", "Grand total 99.90"]
    assert find_total(slip) == "80.90"


def test_a_slip_whose_labels_were_unreadable_gives_its_paid_sum() -> None:
    slip = ["Receipt", "Cashier 3", "Bread 3.20", "Milk 4.30", "Tctnl 7.50", "Cash 10.00", "Change 2.50"]
    assert find_total(slip) == "7.50"
