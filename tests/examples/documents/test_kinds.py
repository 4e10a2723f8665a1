from documents.kinds import GLOSSARY, gist, nearest

NORTH, EAST = (0.0, 1.0), (1.0, 0.0)


def test_every_kind_is_defined_in_one_line() -> None:
    assert list(GLOSSARY) == ["invoice", "receipt", "letter", "complaint", "report", "other"]
    assert all(text and "\n" not in text for text in GLOSSARY.values())


def test_the_nearest_definition_wins() -> None:
    assert nearest((0.6, 0.8), {"letter": NORTH, "report": EAST}) == ("letter", 0.8)


def test_below_the_floor_it_is_other() -> None:
    assert nearest((0.6, 0.8), {"letter": NORTH}, floor=0.9) == ("other", 0.8)


def test_other_is_never_compared() -> None:
    assert nearest(EAST, {"other": EAST, "letter": NORTH}, floor=-1.0) == ("letter", 0.0)
    assert nearest(EAST, {}) == ("other", 0.0)


def test_the_gist_keeps_words_of_form_and_leaves_numbers_out() -> None:
    told = gist(
        "Oak Ltd\n\nDear Ann,\n1234 5678\n" + "so we talk of gardens\n" * 100 + "Yours sincerely,\nTom Oak"
    )
    assert told.startswith("Dear Ann,. Yours sincerely,. Oak Ltd")
    assert told.endswith("Tom Oak")
    assert "1234" not in told
    assert len(told) < 800
    assert gist("") == ""
