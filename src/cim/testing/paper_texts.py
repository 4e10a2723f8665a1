"""The words of the drawn papers. People, companies and places are made up."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

_Colour = tuple[int, int, int]
_Sums = tuple[tuple[str, str, bool], ...]


@dataclass(frozen=True)
class Facts:
    """What is true of a paper: ISO date, decimal total, company."""

    date: str | None = None
    total: str | None = None
    company: str | None = None


@dataclass(frozen=True)
class Letter:
    """A letter on a company's or a person's paper."""

    head: str
    address: str
    accent: _Colour
    to: tuple[str, ...]
    date: str
    subject: str
    paragraphs: tuple[str, ...]
    closing: tuple[str, ...]
    facts: Facts


@dataclass(frozen=True)
class Slip:
    """A slip from a till; a sum is (label, amount, whether it is printed bold)."""

    head: str
    address: tuple[str, ...]
    accent: _Colour
    about: tuple[str, ...]
    items: tuple[tuple[str, str], ...]
    sums: _Sums
    farewell: tuple[str, ...]
    facts: Facts


@dataclass(frozen=True)
class Invoice:
    """A bill to a customer; a row is (description, quantity, price, amount)."""

    head: str
    address: str
    accent: _Colour
    to: tuple[str, ...]
    about: tuple[str, ...]
    rows: tuple[tuple[str, str, str, str], ...]
    sums: _Sums
    terms: str
    facts: Facts


@dataclass(frozen=True)
class Report:
    """A report in sections of (heading, text), and bars of (label, height) to draw."""

    head: str
    date: str
    accent: _Colour
    title: str
    sections: tuple[tuple[str, str], ...]
    facts: Facts
    bars: tuple[tuple[str, int], ...] = field(default=())

    def pages(self) -> Iterator[Sequence[tuple[str, str]]]:
        """The sections in two halves."""
        half = (len(self.sections) + 1) // 2
        yield self.sections[:half]
        yield self.sections[half:]


def pdf_page(report: Report, sections: Sequence[tuple[str, str]]) -> list[tuple[int, str]]:
    """The lines of one page of a report as (size, text)."""
    lines = [(18, report.head), (10, report.date), (10, ""), (16, report.title), (10, "")]
    for heading, text in sections:
        lines += [(13, heading), *((11, line) for line in textwrap.wrap(text, 82)), (11, "")]
    return lines


OFFER = Letter(
    head="Hartwell & Finch Ltd",
    address="Garden builders  -  8 Orchard Row, Millbrook  -  hello@hartwell-finch.example",
    accent=(46, 110, 78),
    to=("Mrs Edith Moran", "Willow House", "3 Church Lane, Millbrook"),
    date="14 March 2025",
    subject="Your question about new garden paths",
    paragraphs=(
        "Dear Mrs Moran,",
        "Thank you for showing us round your garden last week. We should be glad to lay the two paths "
        "that you described, one from the gate to the pond and one along the old wall.",
        "We suggest reclaimed brick, which suits the house and drains well. Our team could begin in the "
        "second week of May and would need about six working days. We would keep the roses covered while "
        "the work goes on.",
        "If this sounds right to you, please let us know which of the two patterns you prefer, and we will "
        "send a drawing and our terms. Do call me if you have any questions.",
    ),
    closing=("Yours sincerely,", "", "Thomas Finch", "Hartwell & Finch Ltd"),
    facts=Facts("2025-03-14", None, "Hartwell & Finch Ltd"),
)

THANKS = Letter(
    head="Lindqvist Marine GmbH",
    address="Boatyard and rigging  -  Hafenstrasse 21, Norderhaven",
    accent=(28, 84, 140),
    to=("Captain Jonas Reed", "Pilot Station, Pier 4", "Norderhaven"),
    date="June 2, 2025",
    subject="Thank you for a wonderful season",
    paragraphs=(
        "Dear Captain Reed,",
        "On behalf of everybody at the yard I want to thank you for your trust in us this spring. Working "
        "on your boat was a great pleasure, and we are delighted that she sails so well with her new mast.",
        "Your kind words about our riggers made their day. It is a joy to work for people who love their "
        "boats as much as we do.",
        "We would be happy to welcome you at our summer party on the quay at the end of the month. "
        "There will be good food, music and many friends. Please bring your family with you.",
    ),
    closing=("With warm regards,", "", "Maria Lindqvist", "Managing director"),
    facts=Facts("2025-06-02", None, "Lindqvist Marine GmbH"),
)

BAKERY = Slip(
    head="Morning Crumb Bakery Ltd",
    address=("17 Mill Street, Ashford", "Tel 0555 014 220"),
    accent=(150, 84, 34),
    about=("Receipt No 004127      Cashier: Ines", "Date: 24/12/2024  08:42"),
    items=(
        ("2 x Rye loaf", "7.60"),
        ("4 x Cinnamon bun", "6.40"),
        ("1 x Apple tart", "3.20"),
        ("1 x Coffee, large", "2.80"),
    ),
    sums=(
        ("Subtotal", "20.00", False),
        ("TOTAL", "20.00", True),
        ("Cash", "50.00", False),
        ("Change", "30.00", False),
    ),
    farewell=("Thank you! Please come again", "Goods can be exchanged within 3 days"),
    facts=Facts("2024-12-24", "20.00", "Morning Crumb Bakery Ltd"),
)

HARDWARE = Slip(
    head="PINE & NAIL HARDWARE SDN BHD",
    address=("(884412-K)", "No 12, Jalan Cempaka 3", "46200 Petaling Jaya", "GST ID 001122334455"),
    accent=(40, 40, 46),
    about=("TAX INVOICE  CS00031877", "Date: 07-02-2018   Time: 14:05", "Cashier: USER"),
    items=(("1  LED LAMP 12W", "18.90"), ("3  WOOD SCREW BOX 4X40", "29.70"), ("1  HAMMER 500G", "27.73")),
    sums=(
        ("Total (excluding GST)", "76.33", False),
        ("GST @6%", "4.58", False),
        ("Rounding", "-0.01", False),
        ("TOTAL RM", "80.90", True),
        ("Cash", "100.00", False),
        ("Change", "19.10", False),
    ),
    farewell=("Goods sold are not returnable", "Thank you"),
    facts=Facts("2018-02-07", "80.90", "PINE & NAIL HARDWARE SDN BHD"),
)

LUNCH = Slip(
    head="The Copper Kettle Restaurant",
    address=("2 Harbour Square, Eastquay", "Tel 0555 019 873"),
    accent=(140, 50, 40),
    about=("Receipt 1190   Table 6   Cashier: Lou", "Date: 19 SEP 2025  13:27"),
    items=(
        ("1 x Fish soup", "9.50"),
        ("1 x Mushroom pie", "12.80"),
        ("2 x Lemonade", "7.00"),
        ("1 x Plum cake", "5.40"),
    ),
    sums=(
        ("Subtotal", "34.70", False),
        ("Service 10%", "3.47", False),
        ("TOTAL", "38.17", True),
        ("Visa", "38.17", False),
    ),
    farewell=("Thank you for your visit",),
    facts=Facts("2025-09-19", "38.17", "The Copper Kettle Restaurant"),
)

SIGN = Invoice(
    head="Blue Heron Studio Inc",
    address="Signs and lettering  -  40 Canal Walk, Brightwater",
    accent=(38, 92, 152),
    to=("Bill to:", "Marlow Books", "5 Station Road", "Brightwater"),
    about=("Invoice number 2025-0117", "Invoice date 2025-04-08", "Due date 2025-05-08", "Customer 3302"),
    rows=(
        ("Design of shop sign", "1", "420.00", "420.00"),
        ("Painted oak board, 3 m", "1", "615.00", "615.00"),
        ("Gold lettering, per letter", "11", "14.50", "159.50"),
        ("Fitting on site, hours", "3", "40.00", "120.00"),
    ),
    sums=(("Subtotal", "1,314.50", False), ("VAT 20%", "262.90", False), ("Amount due", "1,577.40", True)),
    terms="Payment is due within 30 days by bank transfer to account 40-11-22 7788990. Please quote the "
    "invoice number with your payment.",
    facts=Facts("2025-04-08", "1577.40", "Blue Heron Studio Inc"),
)

OVEN = Letter(
    head="Rosalind Achterberg",
    address="27 Quarry Road, Stonebridge",
    accent=(120, 60, 110),
    to=("Customer Service", "Everwarm Kitchens Ltd", "Stonebridge"),
    date="3 November 2025",
    subject="Complaint about a broken oven, order 55120",
    paragraphs=(
        "Dear Sir or Madam,",
        "I am writing to complain about the oven that you delivered last month. It was two weeks late, the "
        "door was scratched, and it has never worked properly. It does not heat, and the fan makes a "
        "terrible noise.",
        "I have called your help line five times. Nobody could help me, I was cut off twice, and the "
        "repair man never came. This is the worst service that I have ever had, and I am very "
        "disappointed and angry.",
        "I demand that you take back this useless oven and refund the full price within fourteen days. "
        "If you fail to do so I will take legal advice.",
    ),
    closing=("Yours faithfully,", "", "Rosalind Achterberg"),
    facts=Facts("2025-11-03", None, None),
)

BEES = Report(
    head="Highmoor Beekeepers Association",
    date="12 April 2025",
    accent=(184, 134, 30),
    title="Report on the winter survey",
    sections=(
        (
            "Summary",
            "Between November and March we counted the colonies of 64 members. Of 412 colonies that went "
            "into winter, 371 were alive in spring, which is a loss of ten per cent.",
        ),
        (
            "Method",
            "Each member weighed the hives once a month and recorded the weight, the temperature and the "
            "number of dead bees. Records with gaps of more than six weeks were left out.",
        ),
        (
            "Results",
            "Losses were highest in the valley, where the hives stood wet. Colonies with more than twelve "
            "kilograms of stores in November survived in nearly all cases.",
        ),
        (
            "Recommendations",
            "Hives should be raised from the ground and weighed in October. The survey will be repeated "
            "next winter with the same method.",
        ),
    ),
    bars=(("Valley", 210), ("Forest", 120), ("Moor", 90), ("Town", 60)),
    facts=Facts("2025-04-12", None, "Highmoor Beekeepers Association"),
)

LAKES = Report(
    head="Institute for Inland Waters Ltd",
    date="30 September 2025",
    accent=(20, 110, 130),
    title="Water quality of the north lakes: annual report",
    sections=(
        (
            "1. Summary",
            "This report presents the results of the yearly measurements in the five north lakes. Oxygen "
            "and clarity were stable. Nitrate went down in four lakes and up in one.",
        ),
        (
            "2. Method",
            "Samples were taken every second week from April to September at three depths. Each sample "
            "was analysed twice in our laboratory; values that differed by more than five per cent were "
            "measured again.",
        ),
        (
            "3. Findings",
            "The mean nitrate concentration was 3.1 milligrams per litre. Lake Elder showed an increase of "
            "eight per cent, which agrees with the new drainage on its western shore. The other figures "
            "lie within the range of the last ten years.",
        ),
        (
            "4. Conclusions and recommendations",
            "The lakes are in good condition. We recommend a reed belt along the western shore of Lake "
            "Elder and a second measuring point near the inflow.",
        ),
    ),
    facts=Facts("2025-09-30", None, "Institute for Inland Waters Ltd"),
)
