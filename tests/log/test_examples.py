"""Examples of words: the newest that can be read, and nothing personal in them."""

from cim.adapters.memory.keys import MemoryKeys
from cim.contract import codec
from cim.contract.envelope import Commit, Origin
from cim.contract.stranger import stranger
from cim.contract.subjects import Ref
from cim.log.examples import PERSONAL, Examples
from cim.log.sealing import Sealing
from cim.testing.people import Registered

ADA = Ref("shop", "Customer", "ada")


def commit(subject: str, body: bytes) -> Commit:
    return Commit(subject, 1, Origin.root("c1", "person:clerk"), "cim:test", "t", "", "", body)


def test_the_newest_of_each_is_kept_by_its_owner_and_name() -> None:
    examples = Examples()
    for number in range(3):
        examples.take(commit(ADA.events, codec.encode([codec.Item("Moved", 1, {"to": number})])))
    taste = ADA.components("tastes")
    examples.take(commit(taste, codec.encode([codec.Item("Taste", 1, {"likes": ["tea"]})])))
    examples.take(commit(taste, codec.encode([codec.Item("Taste", 1, None)])))
    assert examples.found == {("shop", "Moved"): {"to": 2}, ("tastes", "Taste"): {"likes": ["tea"]}}


def test_what_is_personal_is_not_in_them() -> None:
    body = Sealing(MemoryKeys()).write(ADA.events, [Registered("ada", "Ada L.", None, 3)])
    examples = Examples()
    examples.take(commit(ADA.events, body))
    (found,) = examples.found.values()
    assert PERSONAL in found.values()
    assert "Ada" not in str(found)
    assert "cim.sealed" not in str(found)


def test_what_nobody_can_read_is_none() -> None:
    examples = Examples()
    examples.take(commit(ADA.events, b"no JSON"))
    examples.take(commit("not ours", b"[]"))
    examples.take(stranger(ADA.events, b"", 3, "no envelope", ""))
    assert examples.found == {}
