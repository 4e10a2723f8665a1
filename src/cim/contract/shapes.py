"""The one reader of what the log holds: each item by its type and version, in whatever shape it was written.

A type's present shape is written; its former ones (:class:`cim.domain.former.Former`) are read and become
the present one, step by step.
"""

import hashlib
import inspect
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, get_args, get_origin

from cim.contract import codec
from cim.contract.annotations import hints, members
from cim.contract.code import text_of
from cim.contract.schema import check_shape, fingerprint
from cim.domain.errors import CimError, Misdeclared
from cim.domain.former import Former, called, formerly, version_of

Named = Mapping[tuple[str, int], type[Any]]
"""Types by their names in the log and their versions."""


class UnknownShape(CimError):
    """An item in a version of its type that is not known here, or that does not become the present one."""


@dataclass(frozen=True, slots=True)
class Shapes:
    """All shapes of some types: the ``present`` and the ``former`` ones, and the ``names`` of both.

    ``version`` names the former ones and what becomes of them, as it is written now; it is empty where
    there are none.
    """

    present: Named
    former: Named
    names: frozenset[str]
    version: str

    def is_present(self, item: codec.Item) -> bool:
        """Whether an item has the present shape of its type."""
        return (item.type, item.version) in self.present

    def read(self, item: codec.Unread) -> Collection[Any]:
        """The records that an item holds, in their present shapes. Raises :class:`UnknownShape`,
        :class:`cim.contract.codec.BadBody`."""
        kind = self.present.get((item.type, item.version))
        if kind is not None:
            return (codec.read(item, kind),)
        return list(_upcast(codec.read(item, self._former(item))))

    def typed(self, item: codec.Item) -> Collection[Any]:
        """As :meth:`read`, for an item whose data is plain."""
        kind = self.present.get((item.type, item.version))
        if kind is not None:
            return (codec.typed(item.data, kind),)
        return list(_upcast(codec.typed(item.data, self._former(item))))

    def plain(self, item: codec.Item) -> Iterator[tuple[str, Any]]:
        """What an item holds as plain data in present shapes, by the names of their types; nothing for a
        type that is not known. Whatever its former shape may become and did not is None."""
        if item.type not in self.names:
            return
        if self.is_present(item):
            yield item.type, item.data
            return
        gone = self.becomes(item)
        made = [] if item.data is None else self.typed(item)
        found = {type(one).__name__: codec.plain(one) for one in made}
        yield from ((name, found.get(name)) for name in gone)

    def becomes(self, item: codec.Item) -> tuple[str, ...]:
        """The names of the types that an item may become."""
        return (item.type,) if self.is_present(item) else tuple(sorted(_ends(self._former(item))))

    def _former(self, item: codec.Item | codec.Unread) -> type[Any]:
        found = self.former.get((item.type, item.version))
        if found is None:
            known = sorted(version for name, version in (*self.present, *self.former) if name == item.type)
            newer = item.version > max(known, default=0)
            raise UnknownShape(
                f"{item.type} has the version {item.version}, and known here is {', '.join(map(str, known))}"
                + (": a newer version of its module reads it" if newer else "")
            )
        return found


def shapes_of(kinds: Iterable[type[Any]], where: str) -> Shapes:
    """The shapes of some present types, which a former one may become and no other; raises
    :class:`Misdeclared` naming what cannot be."""
    kinds = tuple(kinds)
    shapes = _shapes(kinds, where)
    for former in shapes.former.values():
        strange = sorted(_ends(former) - {kind.__name__ for kind in kinds})
        if strange:
            raise Misdeclared(f"{where}: {former.__name__} becomes {strange[0]}, which is not declared there")
    return shapes


def _shapes(kinds: tuple[type[Any], ...], where: str) -> Shapes:
    present = {(kind.__name__, version_of(kind)): kind for kind in kinds}
    former: dict[tuple[str, int], type[Any]] = {}
    for kind in kinds:
        for name, one in _chain(kind, where):
            key = (name, version_of(one))
            if key in present or former.setdefault(key, one) is not one:
                raise Misdeclared(f"{where}: two shapes of {name} have the version {key[1]}")
    names = frozenset(name for name, _ in (*present, *former))
    return Shapes(present, former, names, _version(former))


@lru_cache(maxsize=4096)
def known_shapes(kinds: tuple[type[Any], ...]) -> Shapes:
    """The shapes of some types that were checked before; a former one may become others, too."""
    return _shapes(kinds, "")


def _chain(kind: type[Any], where: str) -> Iterator[tuple[str, type[Former]]]:
    """The former shapes of a type, the newest first, each with its name in the log."""
    name, later = kind.__name__, kind
    while (former := formerly(later)) is not None:
        name, before = _name(former, later, name, where), name
        if name != before:
            _first(later, before, where)
        elif (after := version_of(later)) != version_of(former) + 1:
            raise Misdeclared(
                f"{where}: {former.__name__} has the version {version_of(former)} and becomes "
                f"{later.__name__}, which has {after}: tell each version of {name} once, none left out"
            )
        check_shape(former, where)
        yield name, former
        later = former
    _first(later, name, where)


def _name(former: type[Any], later: type[Any], name: str, where: str) -> str:
    """The name of a former shape in the log; it must lead to the later one."""
    place = f"{where}: {former.__name__}"
    if not issubclass(former, Former):
        raise Misdeclared(f"{place}, which {later.__name__} was formerly, is no Former: derive it from that")
    if version_of(former) < 1:
        raise Misdeclared(f"{place} says no version: `class {former.__name__}(Former, version=1)`")
    if later not in _returned(former, where):
        raise Misdeclared(
            f"{place}.upcast leads elsewhere: {later.__name__} was formerly {former.__name__}, so say "
            f"`-> {later.__name__}`"
        )
    return called(former) or name


def _first(kind: type[Any], name: str, where: str) -> None:
    """Hold that a shape is the first of its name."""
    version = version_of(kind)
    if version != 1:
        raise Misdeclared(
            f"{where}: {kind.__name__} is the oldest shape of {name} that is told, and has the version "
            f"{version}: tell version {version - 1} as well, "
            f"`class {kind.__name__}(Former, version={version}, formerly=…)`"
        )


def _returned(former: type[Any], where: str = "") -> tuple[Any, ...]:
    """The types that may come of a former shape."""
    shape: Any = former
    return _annotated(shape, where)


@lru_cache(maxsize=4096)
def _annotated(former: type[Any], where: str) -> tuple[Any, ...]:
    if "upcast" not in former.__dict__:
        raise Misdeclared(
            f"{where}: {former.__name__} declares no `upcast(self) -> …`: say how it becomes the next shape"
        )
    annotation = hints(former.upcast).get("return")
    found: list[Any] = []
    for one in members(annotation):
        inner = get_args(one) if get_origin(one) is not None else (one,)
        found += [kind for part in inner if part is not Ellipsis for kind in members(part)]
    return tuple(found)


def _ends(former: type[Any]) -> frozenset[str]:
    """The names of the present types that may come of a former shape."""
    found: set[str] = set()
    for kind in _returned(former):
        found |= _ends(kind) if issubclass(kind, Former) else {kind.__name__}
    return frozenset(found)


def _upcast(record: Any) -> Iterator[Any]:
    """A record in the present shapes that come of it."""
    if not isinstance(record, Former):
        yield record
        return
    name = f"{type(record).__name__}.upcast"
    try:
        made = record.upcast()
        several = list(made) if isinstance(made, list | tuple) else [made]
    except Exception as error:  # a module's own code: what it raises is named
        raise UnknownShape(f"{name} raised {type(error).__name__}: {error}") from error
    for one in several:
        if one is None:
            continue
        if type(one) not in _returned(type(record)):
            raise UnknownShape(f"{name} returned {type(one).__name__}, which its annotation does not say")
        yield from _upcast(one)


def _version(former: Named) -> str:
    if not former:
        return ""
    told = [f"{name} {version}" for name, version in sorted(former)]
    told += [fingerprint(frozenset([one])) for _, one in sorted(former.items())]
    told += text_of([inspect.unwrap(one.upcast) for _, one in sorted(former.items())])
    return hashlib.sha256("\n".join(told).encode()).hexdigest()[:16]
