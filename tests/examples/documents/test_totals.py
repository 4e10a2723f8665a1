import pytest

from documents.totals import find_total


def total_of(text: str) -> str | None:
    found = find_total(text.splitlines())
    return found.value if found else None


def doubt_of(text: str) -> str | None:
    found = find_total(text.splitlines())
    return found.doubt if found else None


@pytest.mark.parametrize(
    ("text", "total"),
    [
        ("TOTAL 80.90", "80.90"),
        ("TOTAL: RM80.90", "80.90"),
        ("TOTAL:80.90", "80.90"),
        ("T0TAI 80. 90", "80.90"),
        ("T O T A L 80.90", "80.90"),
        ("Total 8O.9O", "80.90"),
        ("Total RMI1.40", "11.40"),
        ("Total RM 120", "120.00"),
        ("Grand Total = 92 80", "92.80"),
        ("Amount due 1,234.50", "1234.50"),
        ("Gesamt\nTotal 1.234,50", "1234.50"),
        ("TOTAL\n54.50", "54.50"),
        ("54.50\nTOTAL", "54.50"),
        ("Subtotal\nTax\nTotal\n50.00\n4.50\n54.50", "54.50"),
        ("SUB TOTAL 7.00\nGST 6% 0.42\nNET TOTAL 7.40", "7.40"),
        ("Total 41.52\nRounding adj -0.02\nTotal 41.50", "41.50"),
        ("Total incl. GST 8.11\nRounding adjustment -0.01\nTotal rounded 8.10", "8.10"),
        ("Total excl. GST 39.16\nGST 2.36\nTotal 41.52\nRounding adj -0.02\nTotal 41.50", "41.50"),
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
        ("GST payable 0.42\nVisa -7.42", "7.42"),
        ("Bill total: £23.40\nService charge 12.5% £2.93\nTotal to pay: £26.33", "26.33"),
        ("Subtotal 20.00\nTax 1.65\nTip 4.00\nTotal 25.65", "25.65"),
        ("we paid 1,200.00 last year", None),
        ("", None),
    ],
)
def test_the_sum_to_pay(text: str, total: str | None) -> None:
    assert total_of(text) == total


@pytest.mark.parametrize(
    ("text", "total"),
    [
        ("Vin 8,00\nTotal HT 29,55\nTVA 10% 2,95\nTOTAL TTC 32,50 €\nCB 32,50", "32.50"),
        ("NET À PAYER 18,90 EUR", "18.90"),
        ("SUMME EUR 3,68\nGegeben EUR 5,00\nRückgeld EUR 1,32\nMwSt 7% 0,24", "3.68"),
        ("Nettobetrag 100,00\nMwSt 19% 19,00\nGesamtbetrag 119,00 €", "119.00"),
        ("Zu zahlen 45,90 EUR\nBar 50,00\nZurück 4,10", "45.90"),
        ("Totale 12,40\nContanti 20,00\nResto 7,60", "12.40"),
        ("Base 10,00\nIVA 21% 2,10\nImporte 12,10\nEfectivo 20,00\nCambio 7,90", "12.10"),
        ("Totaal 18,90\nPin 18,90\nBTW 21% 3,28", "18.90"),
        ("Nasi 15.000\nTotal Rp 20.000\nTunai Rp 50.000\nKembali Rp 30.000", "20000.00"),
        ("Net 920.00\nVAT 19 % 174.80\nTotal amount due 1,094.80", "1094.80"),
        ("Total ¥1,200", "1200.00"),
    ],
)
def test_the_sum_to_pay_in_other_countries(text: str, total: str) -> None:
    assert total_of(text) == total


def test_cash_less_change_speaks_for_a_total() -> None:
    assert total_of("Total 70.00\nTotal 80.90\nx\nCash 100.00\nChange 19.10") == "80.90"
    assert total_of("Total 80.90\nTotal 70.00\nx\nCash 100.00\nChange 19.10") == "80.90"


def test_the_one_of_two_totals_that_the_lines_above_add_up_to_wins() -> None:
    goods = "Bread 2.50\nMilk 3.45\nEggs 2.20"
    assert total_of(f"{goods}\nTotal 8.15\nTotal 9.85") == "8.15"
    assert total_of(f"{goods}\nTotal 9.85\nTotal 8.15") == "8.15"


def test_a_charge_for_service_is_no_change() -> None:
    assert total_of("Total 23.40\nService charge 2.93\nTotal to pay 26.33\nCash 26.33") == "26.33"


def test_a_misread_digit_is_put_right_by_the_other_sums_and_the_doubt_says_so() -> None:
    slip = "Total excl. GST 51.42\nTotal GST 3.08\nTotal incl. GST 64.50"
    assert total_of(slip) == "54.50"
    doubt = doubt_of(slip)
    assert doubt is not None
    assert "64.50" in doubt
    assert "54.50" in doubt


def test_two_ways_of_reckoning_put_a_total_right_and_one_sum_of_goods_does_not() -> None:
    goods = "Bread 2.50\nMilk 3.50\nEggs 2.00\nTOTAL 3.00"
    assert total_of(goods) == "3.00"
    assert total_of(f"{goods}\nCash 10.00\nChange 2.00") == "8.00"


def test_a_total_whose_point_was_lost_is_put_right_by_what_was_paid() -> None:
    assert total_of("Net Amt RM 13600\nReceived 150.00\nChange 14.00") == "136.00"


def test_a_total_of_which_the_cents_were_lost_is_the_sum_that_begins_so() -> None:
    assert total_of("Oil 10.40\nRice 20.80\nTotal Sales 20. St") == "20.80"
    assert total_of("Invoice\nCashier 3\nOil 10.40\nTotal Sales 20. St") is None


def test_a_total_that_stands_twice_is_not_put_right_by_a_misread_change() -> None:
    assert total_of("Total incl. GST 8.11\nTotal rounded 8.10\nCash 50.00\nChange 47.90") == "8.10"


def test_sums_that_agree_leave_no_doubt() -> None:
    assert doubt_of("Bread 2.50\nMilk 3.50\nTotal 6.00") is None
    assert doubt_of("Total 6.00\nCash 10.00\nChange 4.00") is None
    assert doubt_of("Goods\nTotal 6.00") is None


@pytest.mark.parametrize(
    ("text", "other"),
    [
        ("Bread 2.50\nMilk 3.50\nTotal 9.85", "6.00"),
        ("Total 9.85\nCash 20.00\nChange 5.00", "15.00"),
        ("Subtotal 50.00\nTax 4.50\nTotal 61.20", "54.50"),
    ],
)
def test_sums_that_do_not_add_up_are_a_doubt(text: str, other: str) -> None:
    doubt = doubt_of(text)
    assert doubt is not None
    assert other in doubt


def test_what_stands_below_the_tax_summary_does_not_count() -> None:
    assert total_of("a\nb\nc\nd\nTotal 80.90\nGST summary\nGrand total 99.90") == "80.90"


def test_a_slip_whose_labels_were_unreadable_gives_its_paid_sum() -> None:
    slip = "Receipt\nCashier 3\nBread 3.20\nMilk 4.30\nTctnl 7.50\nCash 10.00\nChange 2.50"
    assert total_of(slip) == "7.50"


def test_a_payment_by_card_is_no_witness_for_itself() -> None:
    assert total_of("Goods 165.00\nSubtotal 105.00\nTotal Inclusive GST: 165.00\nMASTER 105.00") == "165.00"


def test_a_misread_total_is_put_right_by_a_sum_that_is_printed_twice() -> None:
    assert total_of("Goods 165.00\nTotal Inclusive GST: 465.00\nMASTER 165.00") == "165.00"


def test_what_speaks_for_a_sum_speaks_for_it_when_rounded_though_the_rounding_was_misread() -> None:
    slip = "Total excl. GST 39.16\nGST 2.36\nTotal incl. GST 41.52\nRounding adj -8.02\nTotal 41.50"
    assert total_of(slip) == "41.50"
