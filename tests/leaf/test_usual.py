"""A step takes long when it takes longer than its kind lately did, never before a moment, ever after one."""

from cim.leaf.usual import RECENT, Usual

LIMIT = 30.0


def test_a_kind_that_was_never_seen_is_given_more_time_than_one_that_is_known_to_be_quick() -> None:
    usual = Usual(LIMIT)
    assert usual.long("Pdf.pages") == 2.5
    usual.note("Pdf.pages", 0.02)
    assert usual.long("Pdf.pages") == 1.0
    assert Usual(12.0).long("Pdf.pages") == 1.0, "it is a share of the limit"


def test_a_step_takes_long_after_twice_the_longest_of_its_kind() -> None:
    usual = Usual(LIMIT)
    for seconds in (0.7, 1.5, 0.9):
        usual.note("Ocr.read", seconds)
    usual.note("Pdf.pages", 0.02)
    assert usual.long("Ocr.read") == 3.0
    assert usual.long("Pdf.pages") == 1.0


def test_no_kind_is_waited_for_longer_than_a_sixth_of_the_limit() -> None:
    usual = Usual(LIMIT)
    usual.note("Ocr.read", 29.0)
    assert usual.long("Ocr.read") == 5.0


def test_what_was_long_ago_is_forgotten() -> None:
    usual = Usual(LIMIT)
    usual.note("Ocr.read", 2.0)
    for _ in range(RECENT):
        usual.note("Ocr.read", 0.1)
    assert usual.long("Ocr.read") == 1.0
