"""Several modules put together, checked as a whole before anything starts."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from cim.contract.entity import EntityType, read_entity
from cim.contract.system import ComponentType, SystemType, read_component, read_system
from cim.domain.context import Context
from cim.domain.errors import CimError, Misdeclared


class Unknown(CimError):
    """A name that no module of this machine declares."""


@dataclass(frozen=True, slots=True)
class Composition:
    """The modules that run here: their entities by (context, name), components by key, systems."""

    contexts: tuple[Context, ...]
    entities: Mapping[tuple[str, str], EntityType]
    components: tuple[ComponentType, ...]
    systems: tuple[SystemType, ...]

    def entity(self, context: str, name: str) -> EntityType:
        """The entity type of that name; raises :class:`Unknown` that lists those there are."""
        found = self.entities.get((context, name))
        if found is None:
            known = ", ".join(str(kind) for kind in self.entities.values()) or "none"
            raise Unknown(f"no module here declares the entity {context}.{name}; there are: {known}")
        return found

    def command(self, context: str, name: str) -> EntityType:
        """The entity type that takes the command ``context.name``."""
        for kind in self.entities.values():
            if kind.context == context and name in kind.commands:
                return kind
        known = ", ".join(f"{k.context}.{c}" for k in self.entities.values() for c in k.commands) or "none"
        raise Unknown(f"no module here declares the command {context}.{name}; there are: {known}")


def compose(contexts: Iterable[Context]) -> Composition:
    """Put modules together; raises :class:`Misdeclared` naming a double, a circle, or what cannot be."""
    contexts = tuple(contexts)
    names = [context.name for context in contexts]
    for name in names:
        if names.count(name) > 1:
            raise Misdeclared(f"two modules speak for the context {name!r}: a context has one owner")
    entities = [read_entity(declared) for context in contexts for declared in context.entities]
    components = [
        read_component(declared.component, context.name)
        for context in contexts
        for declared in context.components
    ]
    systems = [read_system(context.name, function) for context in contexts for function in context.systems]
    _one_writer_each(systems)
    _no_circle(systems)
    return Composition(
        contexts, {(kind.context, kind.name): kind for kind in entities}, tuple(components), tuple(systems)
    )


def _one_writer_each(systems: Iterable[SystemType]) -> None:
    writers: dict[tuple[tuple[str, str], str], SystemType] = {}
    for system in systems:
        for written in system.writes:
            other = writers.setdefault((written.of, written.key), system)
            if other is not system:
                raise Misdeclared(
                    f"{written.key} is written by two systems, {other} and {system}: choose one"
                )


def _no_circle(systems: Iterable[SystemType]) -> None:
    """Refuse systems that would wake each other for ever."""
    systems = tuple(systems)
    wakes = {
        str(system): [
            other
            for other in systems
            if other.of == system.of and other.triggers & {written.key for written in system.writes}
        ]
        for system in systems
    }

    def walk(system: SystemType, path: tuple[str, ...]) -> None:
        if str(system) in path:
            circle = " → ".join((*path[path.index(str(system)) :], str(system)))
            raise Misdeclared(f"systems wake each other in a circle: {circle}")
        for woken in wakes[str(system)]:
            walk(woken, (*path, str(system)))

    for system in systems:
        walk(system, ())
