"""The world: every entity folded from the log, told to whoever listens."""

import asyncio
import hashlib
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Iterable, Iterator
from contextlib import suppress
from typing import Any

from cim.contract import codec
from cim.contract.composition import Composition
from cim.contract.envelope import Commit, Derivation
from cim.contract.shapes import Shapes, UnknownShape
from cim.contract.stranger import Stranger
from cim.contract.subjects import BadToken, Ref, parse_stored
from cim.contract.system import STATE, ComponentType, component_key, component_shapes
from cim.domain.component import Failed
from cim.domain.errors import CimError
from cim.log.chain import Head
from cim.log.erasure import erased
from cim.log.release import released
from cim.log.sealing import Sealing, holds_sealed, persons_in
from cim.ports.index import Standing
from cim.world.correction import corrected, derived_of
from cim.world.entities import Entities
from cim.world.entity import Cell, Correction, Entity, Run, Step, cell
from cim.world.entries import is_entry
from cim.world.events import events_in
from cim.world.relations import Relations

Listener = Callable[[Entity], None]
History = Callable[[Ref], Awaitable[list[Commit]]]
Forgetter = Callable[[str, Collection[Ref]], None]
"""Told of a person who was erased, and of the entities that held something of theirs."""

FAILED = Failed.__name__


class World:
    """Folds commits into entities. Derived and thrown away at will: the log is the truth.

    ``entities`` are asked for by name, in pages, by what changed: nobody goes through all of them who has no
    need to; ``relations`` tell which of them refer to one. ``sequence`` is the newest commit taken in,
    ``digest`` runs over all of them in their order, so that two worlds with the same digest saw the same
    history; ``passed`` is what it was at the sequence ``milestone``, once that was taken in. ``caught_up``
    turns true when the end of the log was reached for the first time. ``root`` is the digest of the log's
    first commit: another log has another one. ``erased_at`` is the sequence of the last erasure.

    Personal values are opened by ``sealing``. Entities that hold some of a person who is erased are folded
    anew from what ``history`` gives, before anybody is told that the world is that far.
    """

    def __init__(
        self,
        composition: Composition,
        milestone: int = 0,
        sealing: Sealing | None = None,
        history: History | None = None,
        entities: Entities | None = None,
    ) -> None:
        self._composition = composition
        self._sealing, self._history = sealing or Sealing(), history
        self._holding: defaultdict[str, set[Ref]] = defaultdict(set)
        self._settled = frozenset(self._sealing.forgotten)  # nothing of these is ever opened here
        self._stale: set[Ref] = set()
        self._forgetters: list[Forgetter] = []
        self.entities = entities or Entities(Relations(composition.systems))
        self.relations = self.entities.relations
        self.sequence = 0
        self.digest = hashlib.sha256(b"").hexdigest()
        self.root = ""
        self.erased_at = 0
        self.passed: str | None = None
        self.caught_up = False
        self._milestone = milestone
        self._known, self._newest = -1, ("", "")
        self._marked = 0, ""
        self._corrected = {(kind.of, kind.key): kind for kind in composition.components if kind.corrected_by}
        self._shapes = component_shapes(composition.components)
        self._listeners: list[Listener] = []
        self._witnesses: list[Listener] = []
        self._progress = asyncio.Condition()

    def listen(self, listener: Listener, before: Listener | None = None) -> Callable[[], None]:
        """Have ``listener`` called with each entity after it changed, and ``before`` right before it does;
        returns how to stop."""
        self._listeners.append(listener)
        self._witnesses += [before] if before is not None else []

        def stop() -> None:
            self._listeners.remove(listener)
            if before is not None:
                self._witnesses.remove(before)

        return stop

    async def take(self, batch: list[Commit]) -> None:
        """Take in commits from the consumer loop; an empty batch says that the end was reached. What it knew
        when it went on is passed by."""
        for commit in batch:
            if commit.sequence > self._known:
                self.apply(commit)
        while self._stale and self._history is not None:
            ref = min(self._stale)
            self._refold(ref, await self._history(ref))
        self.caught_up = self.caught_up or not batch
        async with self._progress:
            self._progress.notify_all()

    async def keep(self) -> None:
        """Have kept what is known by now, where it is time for that; called when all that is kept with it is
        as far."""
        await self.entities.keep(self.sequence, self._standing)

    async def go_on(self, standing: Standing, apart: Iterable[Ref]) -> None:
        """Begin where an earlier world stood, whose ``entities`` these are; those ``apart`` are folded from
        their own history. Its milestone must be one that :func:`cim.world.standing.is_known` there."""
        assert self._history is not None, "a world that goes on is given the history"
        self.sequence = self._known = standing.sequence
        self._newest = standing.subject, standing.commit
        self.digest, self.root, self.erased_at = standing.digest, standing.root, standing.erased_at
        self._marked = standing.milestone, standing.passed
        for sequence, digest in (self._marked, (self.sequence, self.digest)):
            if sequence == self._milestone and sequence:
                self.passed = digest
        for ref in apart:
            self._refold(ref, await self._history(ref))

    def mark(self) -> None:
        """Where the world stands now was written down elsewhere: the next one's milestone is here."""
        self._marked = self.sequence, self.digest

    async def finish(self) -> None:
        """Have kept what is known by now: the world ends."""
        await self.entities.finish(self._standing)

    def _standing(self) -> Standing:
        return Standing(
            self.sequence, *self._newest, "", self.root, self.digest, *self._marked, self.erased_at
        )

    def holding(self, person: str) -> frozenset[Ref]:
        """The entities on which there is something personal of a person, or was until they were erased."""
        return frozenset(self._holding.get(person, ()))

    def when_erased(self, forgetter: Forgetter) -> None:
        """Have ``forgetter`` called when the log says that a person is erased."""
        self._forgetters.append(forgetter)

    async def reached(self, sequence: int) -> None:
        """Wait until the world holds everything up to ``sequence``."""
        async with self._progress:
            await self._progress.wait_for(lambda: self.sequence >= sequence)

    @property
    def is_whole(self) -> bool:
        """Whether no entity is yet to be folded anew after an erasure."""
        return not self._stale

    async def until_whole(self) -> None:
        """Wait until that is so."""
        async with self._progress:
            await self._progress.wait_for(lambda: self.is_whole)

    async def as_of(self, ref: Ref, sequence: int) -> Entity:
        """An entity as it was at a sequence, folded from its own history."""
        assert self._history is not None, "a world that looks back is given the history"
        past = World(self._composition, sealing=self._sealing)
        for commit in await self._history(ref):
            if commit.sequence <= sequence:
                past.apply(commit)
        return past._entity(ref)

    async def until_caught_up(self) -> None:
        """Wait until the end of the log was reached once."""
        if self.caught_up:  # as it is for nearly every command
            return
        async with self._progress:
            await self._progress.wait_for(lambda: self.caught_up)

    def apply(self, commit: Commit) -> Entity:
        """Take in one commit, in the log's order."""
        entity = self._entity(ref_of(commit.subject))
        self._announce(entity)
        self._take_in(entity, commit)
        self._tell_of_late(entity, commit)
        self.sequence = max(self.sequence, commit.sequence)
        self._newest = commit.subject, commit.digest
        self.digest = hashlib.sha256(f"{self.digest}{commit.digest}".encode()).hexdigest()
        self.root = self.root or commit.digest
        if commit.sequence == self._milestone:
            self.passed = self.digest
        self.tell(entity)
        return entity

    def _refold(self, ref: Ref, history: Iterable[Commit]) -> None:
        """Fold an entity anew from its own history, up to where the world is."""
        entity = self._entity(ref)
        self._announce(entity)
        entity.forget(entity.state if entity.state is None else type(entity.state)())
        for commit in history:
            if commit.sequence <= self.sequence:
                self._take_in(entity, commit)
        self._stale.discard(ref)
        self.tell(entity)

    def _announce(self, entity: Entity) -> None:
        for witness in self._witnesses:
            witness(entity)

    def tell(self, entity: Entity) -> None:
        """Tell the listeners that an entity, or the work on it, changed."""
        for listener in tuple(self._listeners):
            listener(entity)

    def _take_in(self, entity: Entity, commit: Commit) -> None:
        if entity.stopped is None:
            self._try(entity, commit)
        else:
            entity.held.append(commit.bare() if isinstance(commit, Stranger) else commit)
            self._free(entity, commit)
        entity.first = entity.first or commit.sequence
        entity.sequence = max(entity.sequence, commit.sequence)
        self.relations.follow(entity)
        self.entities.touch(entity)

    async def fingerprint(self) -> str:
        """A digest over all that is known of every entity: equal worlds have equal ones."""
        found = hashlib.sha256()
        async for entity in self.entities.each():
            found.update(f"{entity.ref}\n".encode() + codec.json_bytes(entity.known()))
        return found.hexdigest()

    def _entity(self, ref: Ref) -> Entity:
        entity = self.entities.at_hand(ref)
        if entity is None:
            kind = self._composition.entities.get((ref.context, ref.entity))
            entity = Entity(ref, kind.state() if kind is not None else None)
            self.entities.add(entity)
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
        if released(commit) is not None or self._forgets(commit) or is_entry(entity, commit):
            entity.heads[commit.subject] = head
            return
        _, owner = parse_stored(commit.subject)
        body = self._opened(entity, commit)
        if owner is None:
            self._fold_events(entity, codec.unread(body), commit)
        else:
            self._fold_components(entity, owner, codec.decode(body), commit)
        entity.heads[commit.subject] = head

    def _forgets(self, commit: Commit) -> bool:
        """Whether a commit says that a person was erased: then nothing of theirs is opened any more."""
        said = erased(commit)
        if said is None:
            return False
        self._sealing.forget(said.person)
        self.erased_at = commit.sequence
        held = self.holding(said.person)
        self._stale |= held if said.person not in self._settled else set()
        for forgetter in self._forgetters:
            forgetter(said.person, held)
        return True

    def _opened(self, entity: Entity, commit: Commit) -> bytes:
        if not holds_sealed(commit.body):
            return commit.body
        for person in persons_in(commit.body):
            self._holding[person].add(entity.ref)
            entity.is_personal = True
        return self._sealing.body(commit)

    def _tell_of_late(self, entity: Entity, commit: Commit) -> None:
        """Where a commit was decided before an erasure was heard of, whoever decided it holds it still."""
        if not (self.caught_up and holds_sealed(commit.body)):
            return
        with suppress(codec.BadBody):  # it stops its entity
            for person in persons_in(commit.body) & self._sealing.forgotten:
                for forgetter in self._forgetters:
                    forgetter(person, {entity.ref})

    def _fold_events(self, entity: Entity, items: list[codec.Unread], commit: Commit) -> None:
        self.entities.add_command(commit.id, entity.ref, commit.request)
        kind = self._composition.entities.get((entity.ref.context, entity.ref.entity))
        if kind is not None and entity.state is not None:
            before = state = entity.state
            for event in events_in(kind, items, commit):
                state = state.evolve(event)
                self._take_word(entity, Correction(event, commit))
            entity.state = state
            # What a system reads is the value: an event that leaves it as it was wakes nobody.
            if entity.exists and state == before:
                return
        if items:
            by = f"{entity.ref.context}.{entity.ref.entity}"
            entity.carry(STATE, cell(None, commit, by), Step(commit.number, said=False))

    def _take_word(self, entity: Entity, correction: Correction) -> None:
        of = (entity.ref.context, entity.ref.entity)
        for (corrects, key), kind in self._corrected.items():
            if corrects == of and isinstance(correction.event, kind.corrected_by):
                entity.corrections.setdefault(key, []).append(correction)
                step = Step(correction.commit.number, said=True)
                self._put(entity, kind, derived_of(entity.cells.get(key)), correction.commit, step)

    def _put(
        self, entity: Entity, kind: ComponentType, derived: Cell | None, commit: Commit, step: Step
    ) -> None:
        before = entity.cells.get(kind.key)
        taken = step.number if not step.said else 0 if before is None else before.number
        found = corrected(derived, kind.component, entity.corrections[kind.key], taken)
        if found is None:
            entity.lose(kind.key, commit, step)
        else:
            entity.carry(kind.key, found, step)

    def _fold_components(self, entity: Entity, owner: str, items: list[codec.Item], commit: Commit) -> None:
        derivation = commit.derivation
        by = derivation.system if derivation is not None else owner
        shapes = self._shapes.get(((entity.ref.context, entity.ref.entity), owner))
        step = Step(commit.number, said=False)
        for name, data in _components(shapes, items, commit):
            key = component_key(owner, name, entity.ref.context)
            derived = None if data is None else cell(data, commit, by)
            if key in entity.corrections:
                kind = self._corrected[(entity.ref.context, entity.ref.entity), key]
                self._put(entity, kind, derived, commit, step)
            elif derived is None:
                entity.lose(key, commit, step)
            else:
                entity.carry(key, derived, step)
        if derivation is not None:
            entity.runs[derivation.system] = _run(derivation, items, commit)
            entity.waits.pop(derivation.system, None)


def _components(
    shapes: Shapes | None, items: Iterable[codec.Item], commit: Commit
) -> Iterator[tuple[str, Any]]:
    """The components of a commit by name, each with its plain value in the present shape; those of a module
    that is not here as they stand."""
    for item in items:
        if shapes is None or item.type not in shapes.names:
            yield item.type, item.data
            continue
        try:
            yield from shapes.plain(item)
        except UnknownShape as error:
            raise CimError(f"sequence {commit.sequence}: component {error}") from error


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
    return Run(
        derivation.system,
        derivation.inputs,
        failed,
        cause,
        derivation.took,
        commit.sequence,
        derivation.version,
        commit.number,
    )


def value_of(entity: Entity, key: str) -> Any:
    """The plain value of a component; None where the entity does not carry it."""
    found: Cell | None = entity.cells.get(key)
    return None if found is None else found.value
