"""The envelope: there and back, and a digest that no change slips past."""

from collections.abc import Mapping
from dataclasses import replace

import pytest

from cim.contract.envelope import FIRST_PREVIOUS, BadEnvelope, Commit, Derivation, Origin, header_block

ROOT = Origin.root("c1", "page:s1")


def commit(**changes: object) -> Commit:
    made = Commit(
        subject="cmp.documents.Document.d1.documents",
        number=3,
        origin=ROOT.child("r1"),
        source="cim:home",
        type="documents.Document.Composed",
        time="2026-01-02T03:04:05.000006Z",
        schema="cim:0123456789abcdef",
        body=b'[{"type":"Text","version":1,"data":{"body":"gr\xc3\xbc\xc3\x9fe"}}]',
        previous="ab" * 32,
        request="Receive/" + "cd" * 32,
        derivation=Derivation("documents.read", "0a1b", {"state": 1, "x.Y": 12}, 12.5, "done"),
        sequence=7,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def parsed(made: Commit, headers: Mapping[str, str]) -> Commit:
    return Commit.parse(made.subject, headers, made.body, made.sequence)


@pytest.mark.parametrize(
    "made",
    [
        commit(),
        commit(request=None),
        commit(derivation=None),
        commit(body=b"[]", number=1, previous=FIRST_PREVIOUS, sequence=0),
        commit(derivation=Derivation("s.t", "0", {}, 0.0, "failed")),
        commit(origin=Origin.root("c1", "Jürgen Müller")),
    ],
    ids=["component", "no request", "event", "empty", "failed", "a name"],
)
def test_a_commit_comes_back_from_its_headers(made: Commit) -> None:
    back = parsed(made, made.headers())
    assert back == made
    assert back.digest == made.digest


def test_a_root_is_its_own_cause_and_a_child_names_its_parent() -> None:
    grandchild = ROOT.child("r1").child("r2")
    assert (ROOT.correlation, ROOT.causation) == ("c1", "c1")
    assert grandchild == Origin("r2", "c1", "r1", "page:s1")
    assert Origin.parse(grandchild.headers()) == grandchild


@pytest.mark.parametrize("owner", ["person:ann", "Ann Lee", "Jürgen", "a: b"])
def test_an_origin_comes_back_from_a_requests_header_block(owner: str) -> None:
    origin = Origin("c1", "r1", "p1", owner)
    assert Origin.read(header_block(origin.headers())) == origin
    assert Origin.read(header_block({"other": "x", **origin.headers()})) == origin


def test_an_origin_that_lacks_a_header_is_named() -> None:
    with pytest.raises(BadEnvelope, match="header ce-owner is missing"):
        Origin.read(header_block({"ce-id": "c1", "ce-correlation": "c1", "ce-causation": "c1"}))
    with pytest.raises(BadEnvelope, match="header ce-id is missing"):
        Origin.read(b"")


def shows(made: Commit, name: str, headers: Mapping[str, str]) -> bool:
    """Whether a tampered header is refused by its name, or changes the digest."""
    try:
        return parsed(made, headers).digest != made.digest
    except BadEnvelope as error:
        return name in str(error)


@pytest.mark.parametrize("name", commit().headers())
def test_a_header_that_was_changed_or_taken_away_shows(name: str) -> None:
    made = commit()
    headers = made.headers()
    other = {"ce-number": "4", "ce-took": "99.000"}.get(name, f"{headers[name]}1")
    assert shows(made, name, {**headers, name: other})
    assert shows(made, name, {one: value for one, value in headers.items() if one != name})


def test_body_and_subject_are_under_the_digest_and_the_sequence_is_not() -> None:
    made = commit()
    moved = "cmp.documents.Document.d2.documents"
    assert replace(made, body=made.body + b" ").digest != made.digest
    assert replace(made, subject=moved).digest != made.digest
    assert made.at(99).digest == made.digest


def test_a_commit_under_another_subject_than_its_own_is_refused() -> None:
    made = commit()
    with pytest.raises(
        BadEnvelope, match=r"header ce-subject is 'cmp\.documents\.Document\.d1\.documents', not"
    ):
        Commit.parse("evt.documents.Document.d1", made.headers(), made.body, 7)


@pytest.mark.parametrize(
    "value", ["a\nce-owner:somebody", "a\r\nNats-Rollup: all", "a\x00", "a\u2028b", " a", "a ", "\ta"]
)
def test_a_value_that_would_not_come_back_is_refused_before_it_is_written(value: str) -> None:
    with pytest.raises(BadEnvelope, match="header ce-owner cannot hold"):
        commit(origin=Origin.root("c1", value)).headers()
    with pytest.raises(BadEnvelope, match="header ce-source cannot hold"):
        _ = commit(source=value).digest


@pytest.mark.parametrize("number", ["", "x", "-1", "1.0", "²", "٣", "1_0", " 1"])
def test_a_number_that_is_none_is_told(number: str) -> None:
    made = commit()
    with pytest.raises(BadEnvelope, match=r"sequence 7: header ce-number is .* not a whole number"):
        parsed(made, {**made.headers(), "ce-number": number})


@pytest.mark.parametrize(
    ("name", "value"),
    [("ce-inputs", "state"), ("ce-inputs", "state#x"), ("ce-took", "long"), ("ce-took", "")],
)
def test_a_derivation_that_cannot_be_read_is_told(name: str, value: str) -> None:
    made = commit()
    with pytest.raises(BadEnvelope, match=r"documents\.read cannot be read"):
        parsed(made, {**made.headers(), name: value})


def test_headers_that_others_add_do_not_matter() -> None:
    made = commit()
    assert parsed(made, {**made.headers(), "Nats-Expected-Last-Subject-Sequence": "4"}) == made


def test_what_was_written_together_is_named_and_under_the_digest() -> None:
    made = replace(commit(), derivation=None, partners={"evt.bank.Account.b": 3, "evt.bank.Account.a": 1})
    headers = made.headers()
    assert headers["ce-with"] == "evt.bank.Account.a#1,evt.bank.Account.b#3"
    assert parsed(made, headers) == made
    assert parsed(made, headers).digest == made.digest != replace(made, partners=None).digest
    assert (made.at(9).partners, made.linked(5, "0" * 64).partners) == (made.partners, made.partners)


@pytest.mark.parametrize("value", ["", "a", "a#x", "b#1,a#2", "a#01", "a#1,"])
def test_partners_that_no_machine_writes_are_refused(value: str) -> None:
    made = commit()
    with pytest.raises(BadEnvelope, match="header ce-with"):
        parsed(made, {**made.headers(), "ce-with": value})
