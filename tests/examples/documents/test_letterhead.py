import pytest

from documents.letterhead import find_company
from documents.lines import Span


def company_of(lines: list[str]) -> str | None:
    found = find_company(lines)
    return found.value if found else None


@pytest.mark.parametrize(
    ("head", "company"),
    [
        ("TAN WOON YANN\nYONGFATT ENTERPRISE\n(JM0517726)", "YONGFATT ENTERPRISE"),
        ("99 SPEED MART S/B (519537-X)\nLOT P.T. 2811", "99 SPEED MART S/B"),
        ("99 SPEED MART 5/8 (519537-X)", "99 SPEED MART S/B"),
        ("PINTAR TRADING\nSDN BHD", "PINTAR TRADING SDN BHD"),
        ("POPULAR BOOK\nCO. (M) SDN BHD", "POPULAR BOOK CO. (M) SDN BHD"),
        ("UNIHAKKA INTERNATIONAL SON BHD", "UNIHAKKA INTERNATIONAL SDN BHD"),
        ("GARDENIA BAKERIES (KL) SDN BHD (139386 X)", "GARDENIA BAKERIES (KL) SDN BHD"),
        ("Hartwell & Finch Ltd @)\nGarden builders - hello@finch.example", "Hartwell & Finch Ltd"),
        ("The Copper Kettle Restaurant 4", "The Copper Kettle Restaurant"),
        ("PIER 4", "PIER 4"),
        ("Lindqvist Marine GmbH Oo", "Lindqvist Marine GmbH"),
        ("INVOICE\nBlue Heron Studio Inc\nBill to: Marlow", "Blue Heron Studio Inc"),
        ("Tax invoice\nDate 25/12/2018\n12345", None),
        ("", None),
    ],
)
def test_the_company_of_a_head(head: str, company: str | None) -> None:
    assert company_of(head.splitlines()) == company


def test_the_first_name_counts_where_no_legal_form_stands() -> None:
    assert company_of(["i The Copper Kettle a", "2 Harbour Square", "Tel 555"]) == "The Copper Kettle"


def test_a_customer_further_down_is_not_the_sender() -> None:
    assert company_of(["Oak Ltd", "Invoice", "Bill to", "Marlow Ltd"]) == "Oak Ltd"


def test_a_name_on_two_lines_has_two_places() -> None:
    found = find_company(["* PINTAR TRADING", "SDN BHD (1234-X)"])
    assert found is not None
    assert found.spans == (Span(0, 2, 16), Span(1, 0, 7))
