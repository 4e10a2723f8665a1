"""The one grammar of subjects, against ids that mean harm."""

import pytest

from cim.contract.subjects import (
    LONGEST_TOKEN,
    BadToken,
    Ref,
    kind_of,
    live,
    parse_command,
    parse_stored,
    query,
    token,
)

REF = Ref("documents", "Document", "7f3a")


def test_every_subject_is_read_back_as_it_was_made() -> None:
    assert parse_stored(REF.events) == (REF, None)
    assert parse_stored(REF.components("languages")) == (REF, "languages")
    assert parse_command(REF.command("Receive", "cli")) == (REF, "Receive", "cli")
    assert query("documents", "board", "s1") == "qry.documents.board.s1"
    assert live("board", "s1") == "live.board.s1"


def test_a_token_may_have_its_full_length_and_no_more() -> None:
    assert token("x" * LONGEST_TOKEN, "id") == "x" * LONGEST_TOKEN
    with pytest.raises(BadToken, match=r"documents\.Document id 'xxx.*'… has 129 characters: 128 at most"):
        token("x" * (LONGEST_TOKEN + 1), "documents.Document id")


def test_an_empty_token_is_told_from_a_bad_one() -> None:
    with pytest.raises(BadToken, match="id is empty: give it 1 to 128 characters"):
        token("", "id")


@pytest.mark.parametrize(
    "hostile",
    [
        "*",
        ">",
        "a.b",
        "a b",
        "a\n",
        "\r\nPUB x 0\r\n",
        "a\x00",
        "größe",
        "\uff41\uff42",
        "٣",
        "a/../b",
        "a\u200b",
        "<img>",
        "$SYS",
        "\ud800",
    ],
)
def test_an_id_that_means_harm_is_refused_and_shown_harmless(hostile: str) -> None:
    with pytest.raises(BadToken, match="holds a character outside A-Z a-z 0-9 _ = -: choose another") as told:
        token(hostile, "id")
    assert str(told.value).isprintable()


@pytest.mark.parametrize(
    "subject",
    [
        "evt.documents.Document",
        "evt.a.b.c.d",
        "cmp.a.b.c",
        "cmp.a.b.c.d.e",
        "cmd.a.b.c",
        "evt",
        "",
        "x.a.b.c",
    ],
)
def test_a_subject_that_is_not_stored_is_refused_by_name(subject: str) -> None:
    with pytest.raises(BadToken, match="is not evt"):
        parse_stored(subject)


@pytest.mark.parametrize("subject", ["cmd.a.b.c.d", "cmd.a.b.c.d.e.f", "evt.a.b.c.d.e", ""])
def test_a_subject_that_is_no_command_is_refused_by_name(subject: str) -> None:
    with pytest.raises(BadToken, match="is not cmd"):
        parse_command(subject)


def test_the_kind_of_an_entity_is_that_of_its_commits_alone() -> None:
    assert kind_of("evt.documents.Document.d1") == ("documents", "Document")
    others = (
        "cmp.documents.Document.d1.judging",
        "evt.documents.Document",
        "evt.a.B.c.d",
        "evt",
        "cmp.a.B.c",
    )
    assert [kind_of(subject) for subject in others] == [None] * len(others)
