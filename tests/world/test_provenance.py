"""How each component came to be: from which system, version and inputs, and which values it had before."""

from cim.adapters.memory.log import MemoryLog
from cim.contract.composition import compose
from cim.contract.envelope import Commit
from cim.contract.subjects import Ref
from cim.contract.system import read_system
from cim.world.provenance import Change, Provenance, changes
from cim.world.trail import history
from cim.world.world import World

from .boxes import Pack, Reprice, boxes, price
from .conftest import Process, Start

BOX = Ref("boxes", "Box", "b1")


async def lived(start: Start) -> tuple[Process, list[Commit]]:
    """A box that was packed, priced anew by a person, repacked, emptied, and could not be priced."""
    process = start(MemoryLog(), boxes)
    commands = [Pack("b1", 5), Reprice("b1", 99), Pack("b1", 200), Pack("b1", 13), Pack("b1", 0)]
    for number, command in enumerate(commands):
        await process.send(command, f"c{number}")
        await process.idle()
    return process, await history(process.log, BOX)


def life(found: list[Change]) -> list[tuple[str, str, object]]:
    return [(one.what, one.by, one.value and one.value["cents"]) for one in found]


async def test_every_value_of_a_component_is_told_with_system_version_and_inputs(start: Start) -> None:
    _, commits = await lived(start)
    found = list(changes(World(compose([boxes])), commits, "Price"))
    assert life(found) == [
        ("written", "boxes.price", 10),
        ("corrected", "tester", 99),
        ("written", "boxes.price", 99),  # a person's word outranks what is derived anew
        ("removed", "boxes.price", None),
    ]
    version = read_system("boxes", price).version
    assert [(one.version, one.inputs) for one in found] == [
        (version, {"state": 1}),
        (None, None),
        (version, {"state": 3}),
        (version, {"state": 5}),
    ]
    assert [one.sequence for one in found] == sorted(one.sequence for one in found)
    assert [one.value["text"] for one in changes(World(compose([boxes])), commits, "Label")] == [
        "10 c",
        "99 c",
        "99 c",
    ]


async def test_the_value_at_any_sequence_is_the_last_of_the_history_until_then(start: Start) -> None:
    _, commits = await lived(start)
    found = list(changes(World(compose([boxes])), commits, "Price"))
    for at in range(1, commits[-1].sequence + 1):
        world = World(compose([boxes]))
        for commit in commits:
            if commit.sequence <= at:
                world.apply(commit)
        entity = world.entities.at_hand(BOX)
        cell = entity.cells.get("Price") if entity is not None else None
        before = [one for one in found if one.sequence <= at]
        assert (before[-1].value if before else None) == (cell.value if cell is not None else None)


async def test_what_an_entity_carries_says_what_it_was_made_from(start: Start) -> None:
    process, commits = await lived(start)
    entity = await process.world.entities.get(BOX)
    provenance = Provenance(commits)
    size, label = provenance.of(entity, "Size"), provenance.of(entity, "Label")
    assert size is not None
    assert label is not None
    assert (size.system, size.inputs) == ("boxes.price", {"state": 5})
    assert (label.system, label.inputs) == ("boxes.label", {"Price": 4, "Price/corrected": 2})
