"""What people, and agents that ask them, say of a run: entries on the subject of its module's components."""

from dataclasses import replace

from cim.contract.envelope import Commit
from cim.log.asking import answered, proposed
from cim.log.retry import retried
from cim.world.entity import Again, Entity, Wait


def is_entry(entity: Entity, commit: Commit) -> bool:
    """Whether a commit says of a run that it may be made again, that it asks a person, or the answer."""
    return _tries_again(entity, commit) or _asks(entity, commit) or _answers(entity, commit)


def _asks(entity: Entity, commit: Commit) -> bool:
    """Whether a commit says that a run waits for a person."""
    said = proposed(commit)
    if said is None:
        return False
    entity.waits[said.system] = Wait(said, commit.origin)
    return True


def _answers(entity: Entity, commit: Commit) -> bool:
    """Whether a commit is a person's answer to a run. To another run it says nothing any more."""
    said = answered(commit)
    if said is None:
        return False
    wait = entity.waits.get(said.system)
    if wait is not None and wait.proposed.run == said.run and wait.answer is None:
        entity.waits[said.system] = replace(wait, answer=said, by=commit.origin.owner)
    return True


def _tries_again(entity: Entity, commit: Commit) -> bool:
    """Whether a commit says that a failed run may be made again. Of another run it says nothing any more."""
    said = retried(commit)
    if said is None:
        return False
    run = entity.runs.get(said.system)
    if run is not None and run.failed and run.again is None:
        entity.runs[said.system] = replace(run, again=Again(commit.number, commit.origin))
    return True
