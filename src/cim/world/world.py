"""The world: every entity folded from the log, in memory, told to whoever listens."""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from cim.contract import codec
from cim.contract.composition import Composition
from cim.contract.envelope import Commit, Derivation
from cim.contract.stranger import Stranger
from cim.contract.subjects import BadToken, Ref, parse_stored
from cim.contract.system import STATE, ComponentType, component_key
from cim.domain.component import Failed
from cim.domain.errors import CimError
from cim.log.chain import Head
from cim.log.release import released
from cim.world.correction import corrected, derived_of
from cim.world.entity import Cell, Correction, Entity, Run, cell

Listener = Callable[[Entity], None]
FAILED = Failed.__name__


class World:
    """Folds commits into entities. Derived and thrown away at will: the log is the truth.

    ``sequence`` is the newest commit taken in, ``digest`` runs over all of them in their order, so
    that two worlds with the same digest saw the same history; ``passed`` is what it was at the sequence
    ``milestone``, once that was taken in. ``caught_up`` turns true when the end of the log was reached
    for the first time.
    """

    def __init__(self, composition: Composition, milestone: int = 0) -> None:
        self._composition = composition
        self.entities: dict[Ref, Entity] = {}
        self.kinds: defaultdict[tuple[str, str], dict[str, Entity]] = defaultdict(dict)
        self.commands: dict[str, tuple[Ref, str | None]] = {}
        self.sequence = 0
        self.digest = hashlib.sha256(b"").hexdigest()
        self.passed: str | None = None
        self.caught_up = False
        self._milestone = milestone
        self._corrected = {(kind.of, kind.key): kind for kind in composition.components if kind.corrected_by}
        self._listeners: list[Listener] = []
        self._progress = asyncio.Condition()

    def listen(self, listener: Listener) -> Callable[[], None]:
        """Have ``listener`` called with each entity after it changed; returns how to stop."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    async def take(self, batch: list[Commit]) -> None:
        """Take in commits from the consumer loop; an empty batch says that the end was reached."""
        for commit in batch:
            self.apply(commit)
        self.caught_up = self.caught_up or not batch
        async with self._progress:
            self._progress.notify_all()

    async def reached(self, sequence: int) -> None:
        """Wait until the world holds everything up to ``sequence``."""
        async with self._progress:
            await self._progress.wait_for(lambda: self.sequence >= sequence)

    async def until_caught_up(self) -> None:
        """Wait until the end of the log was reached once."""
        async with self._progress:
            await self._progress.wait_for(lambda: self.caught_up)

    def apply(self, commit: Commit) -> Entity:
        """Take in one commit, in the log's order."""
        entity = self._entity(ref_of(commit.subject))
        if entity.stopped is None:
            self._try(entity, commit)
        else:
            entity.held.append(commit.bare() if isinstance(commit, Stranger) else commit)
            self._free(entity, commit)
        entity.first = entity.first or commit.sequence
        entity.sequence = max(entity.sequence, commit.sequence)
        self.sequence = max(self.sequence, commit.sequence)
        self.digest = hashlib.sha256(f"{self.digest}{commit.digest}".encode()).hexdigest()
        if commit.sequence == self._milestone:
            self.passed = self.digest
        self.tell(entity)
        return entity

    def tell(self, entity: Entity) -> None:
        """Tell the listeners that an entity, or the work on it, changed."""
        for listener in tuple(self._listeners):
            listener(entity)

    def fingerprint(self) -> str:
        """A digest over all that is known of every entity: equal worlds have equal ones."""
        found = hashlib.sha256()
        for ref in sorted(self.entities):
            found.update(f"{ref}\n".encode() + codec.json_bytes(self.entities[ref].shown()))
        return found.hexdigest()

    def _entity(self, ref: Ref) -> Entity:
        entity = self.entities.get(ref)
        if entity is None:
            kind = self._composition.entities.get((ref.context, ref.entity))
            entity = Entity(ref, kind.state() if kind is not None else None)
            self.entities[ref] = self.kinds[ref.context, ref.entity][ref.id] = entity
        return entity

    def _try(self, entity: Entity, commit: Commit) -> None:
        """Fold a commit, or stop the entity at it."""
        try:
            self._fold(entity, commit)
        except CimError as error:
            entity.stopped = str(error)
        except Exception as error:  # a module's own evolve: what it raises stops its entity alone
            entity.stopped = f"sequence {commit.sequence}: evolve raised {type(error).__name__}: {error}"
        if entity.stopped is not None:
            entity.held = [commit.bare() if isinstance(commit, Stranger) else commit]

    def _free(self, entity: Entity, release: Commit) -> None:
        """Where ``release`` is one, go on with what is held, past what it names; up to the next stop."""
        try:
            said = released(release)
        except codec.BadBody:
            return  # its own turn to stop the entity comes
        if said is None:
            return
        same = (one for one in entity.held if (one.subject, one.digest) == (release.subject, said.digest))
        entity.passed |= {one.sequence for one in same}
        if entity.held[0].sequence not in entity.passed:
            return
        held, entity.held, entity.stopped = entity.held, [], None
        for one in held:
            if entity.stopped is not None:
                entity.held.append(one)
            elif one.sequence in entity.passed:
                entity.heads[one.subject] = entity.heads.get(one.subject, Head()).past(one)
            else:
                self._try(entity, one)

    def _fold(self, entity: Entity, commit: Commit) -> None:
        head = entity.heads.get(commit.subject, Head()).advance(commit)
        if released(commit) is not None:
            entity.heads[commit.subject] = head
            return
        _, owner = parse_stored(commit.subject)
        items = codec.decode(commit.body)
        if owner is None:
            self._fold_events(entity, items, commit)
        else:
            self._fold_components(entity, owner, items, commit)
        entity.heads[commit.subject] = head

    def _fold_events(self, entity: Entity, items: list[codec.Item], commit: Commit) -> None:
        self.commands[commit.id] = (entity.ref, commit.request)
        kind = self._composition.entities.get((entity.ref.context, entity.ref.entity))
        if kind is not None and entity.state is not None:
            before = state = entity.state
            for item in items:
                known = kind.events.get(item.type)
                if known is None:
                    raise CimError(f"sequence {commit.sequence}: {kind} declares no event {item.type}")
                event = codec.typed(item.data, known)
                state = state.evolve(event)
                self._take_word(entity, Correction(event, commit))
            entity.state = state
            # What a system reads is the value: an event that leaves it as it was wakes nobody.
            if entity.exists and state == before:
                return
        if items:
            entity.cells[STATE] = cell(None, commit, f"{entity.ref.context}.{entity.ref.entity}")

    def _take_word(self, entity: Entity, correction: Correction) -> None:
        of = (entity.ref.context, entity.ref.entity)
        for (corrects, key), kind in self._corrected.items():
            if corrects == of and isinstance(correction.event, kind.corrected_by):
                entity.corrections.setdefault(key, []).append(correction)
                self._put(entity, kind, derived_of(entity.cells.get(key)))

    def _put(self, entity: Entity, kind: ComponentType, derived: Cell | None) -> None:
        found = corrected(derived, kind.component, entity.corrections[kind.key])
        if found is None:
            entity.cells.pop(kind.key, None)
        else:
            entity.cells[kind.key] = found

    def _fold_components(self, entity: Entity, owner: str, items: list[codec.Item], commit: Commit) -> None:
        derivation = commit.derivation
        by = derivation.system if derivation is not None else owner
        for item in items:
            key = component_key(owner, item.type, entity.ref.context)
            derived = None if item.data is None else cell(item.data, commit, by)
            if key in entity.corrections:
                kind = self._corrected[(entity.ref.context, entity.ref.entity), key]
                self._put(entity, kind, derived)
            elif derived is None:
                entity.cells.pop(key, None)
            else:
                entity.cells[key] = derived
        if derivation is not None:
            entity.runs[derivation.system] = _run(derivation, items, commit)


def ref_of(subject: str) -> Ref:
    """The entity that a stored subject speaks of. A subject outside the grammar speaks of none: it stands
    for itself, as the id of a thing without context and type, so that what is on it is stopped by name."""
    try:
        return parse_stored(subject)[0]
    except BadToken:
        return Ref("", "", subject)


def _run(derivation: Derivation, items: list[codec.Item], commit: Commit) -> Run:
    causes = [item.data["cause"] for item in items if item.type == FAILED and item.data is not None]
    failed = derivation.outcome == "failed"
    cause = causes[0] if failed and causes else ""
    return Run(derivation.system, derivation.inputs, failed, cause, derivation.took, commit.sequence)


def value_of(entity: Entity, key: str) -> Any:
    """The plain value of a component; None where the entity does not carry it."""
    found: Cell | None = entity.cells.get(key)
    return None if found is None else found.value
