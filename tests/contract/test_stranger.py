"""Whatever a stored message holds: it is a commit, or a stranger with a reason."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cim.contract.envelope import BadEnvelope, Commit, Derivation, Origin
from cim.contract.stranger import Stranger, stored, stranger

SUBJECT = "cmp.documents.Document.d1.documents"
DERIVATION = Derivation("documents.read", "v", {"state": 1}, 1.0, "done")
WHOLE = Commit(
    SUBJECT,
    1,
    Origin.root("r", "p"),
    "cim:x",
    "t",
    "2026",
    "cim:0",
    b"[]",
    request="R/1",
    derivation=DERIVATION,
)
NAMES = sorted(WHOLE.headers())
ANYTHING = st.text(st.characters(codec="utf-8")) | st.sampled_from(
    ["nan", "1e999", "٣", "-1", "a#1,b#", "9" * 5000]
)


def test_a_commit_comes_back_as_it_was() -> None:
    assert stored(SUBJECT, WHOLE.headers(), b"[]", 7) == WHOLE.at(7)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.dictionaries(st.sampled_from(NAMES), ANYTHING, max_size=3), st.sets(st.sampled_from(NAMES), max_size=1)
)
def test_no_header_brings_a_reader_down(changed: dict[str, str], left_out: set[str]) -> None:
    headers = {name: value for name, value in {**WHOLE.headers(), **changed}.items() if name not in left_out}
    found = stored(SUBJECT, headers, b"[]", 7)
    assert (found.subject, found.sequence, found.body, len(found.digest)) == (SUBJECT, 7, b"[]", 64)
    if isinstance(found, Stranger):
        assert found.reason
    else:
        assert stored(SUBJECT, found.headers(), b"[]", 7) == found


def test_a_stranger_is_never_written_again() -> None:
    with pytest.raises(BadEnvelope, match=r"evt\.a at sequence 3 is no commit: it is junk"):
        stranger("evt.a", b"junk", 3, "it is junk").headers()


@pytest.mark.parametrize("other", [("evt.b", b"junk"), ("evt.a", b"jun"), ("evt.a\nj", b"unk")])
def test_its_digest_is_of_its_subject_and_body(other: tuple[str, bytes]) -> None:
    one = stranger("evt.a", b"junk", 3, "why")
    assert one.digest == stranger("evt.a", b"junk", 9, "another reason").digest
    assert one.digest == one.bare().digest
    assert one.bare().body == b""
    assert one.digest != stranger(*other, 3, "why").digest
