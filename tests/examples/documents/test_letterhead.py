import pytest

from documents.letterhead import find_company


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
        ("Lindqvist Marine GmbH Oo", "Lindqvist Marine GmbH"),
        ("INVOICE\nBlue Heron Studio Inc\nBill to: Marlow", "Blue Heron Studio Inc"),
        ("Tax invoice\nDate 25/12/2018\n12345", None),
        ("", None),
    ],
)
def test_the_company_of_a_head(head: str, company: str | None) -> None:
    assert find_company(head.splitlines()) == company


def test_the_first_name_counts_where_no_legal_form_stands() -> None:
    assert find_company(["i The Copper Kettle a", "2 Harbour Square", "Tel 555"]) == "The Copper Kettle"


def test_a_customer_further_down_is_not_the_sender() -> None:
    assert find_company(["Oak Ltd", "Invoice", "Bill to", "Marlow Ltd"]) == "Oak Ltd"
