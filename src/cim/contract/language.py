"""The language of a module: its words, what each means, and what it is made of.

After the ubiquitous language of Eric Evans' *Domain-Driven Design* (2003): the words of those who know the
matter are those of the code. So nothing is written for it: the words are the types and functions themselves,
and the terms of the glossary that no type carries.
"""

import hashlib
import inspect
import types
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields, is_dataclass, replace
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from cim.contract import codec
from cim.contract.annotations import hints
from cim.contract.composition import Composition
from cim.contract.query import Waiting
from cim.domain.context import Context
from cim.domain.errors import CimError
from cim.domain.personal import PersonalMark

Role = Literal[
    "term", "entity", "command", "event", "component", "row", "query", "process", "policy", "system", "agent"
]


@dataclass(frozen=True, slots=True)
class Word:
    """A word of a module, what role it has there, what it means (empty where nobody said so), and its fields
    or parameters with their types as text; ``example`` is one out of a log, where one was looked for."""

    name: str
    role: Role
    meaning: str
    parts: Mapping[str, str] = field(default_factory=dict)
    example: Any = None


@dataclass(frozen=True, slots=True)
class Language:
    """The words of a module. ``version`` is another one whenever a word, a meaning or a field is; examples
    do not count."""

    context: str
    words: tuple[Word, ...]

    @property
    def version(self) -> str:
        """Twelve hex digits."""
        said = codec.json_bytes([asdict(replace(one, example=None)) for one in self.words])
        return hashlib.sha256(said).hexdigest()[:12]

    def with_examples(self, found: Mapping[tuple[str, str], Any]) -> "Language":
        """The same with an example of each word of which there is one, by module and name."""
        words = (replace(one, example=found.get((self.context, one.name))) for one in self.words)
        return replace(self, words=tuple(words))

    def as_data(self) -> dict[str, Any]:
        """All of it as plain data."""
        return {
            "context": self.context,
            "version": self.version,
            "words": [asdict(one) for one in self.words],
        }


def language_of(composition: Composition, context: Context) -> Language:
    """The language of one of the modules that were put together."""
    found = [Word(term, "term", meaning) for term, meaning in context.glossary.items()]
    found += _declared(composition, context.name)
    found += [Word(one.process.__name__, "process", meaning(one.process)) for one in context.processes]
    found += [Word(one.__name__, "policy", meaning(one)) for one in context.policies]
    return Language(context.name, tuple(found))


def languages_of(composition: Composition, names: Iterable[str] = ()) -> list[Language]:
    """The languages of all modules, or of those named; raises :class:`CimError` for one that is not there."""
    there = {context.name: context for context in composition.contexts}
    for name in names:
        if name not in there:
            raise CimError(f"there is no module {name}; there are: {', '.join(there) or 'none'}")
    return [language_of(composition, there[name]) for name in dict.fromkeys(names or there)]


def language_text(language: Language) -> str:
    """A language as Markdown: what a model is told, and a person reads."""
    lines = [f"# {language.context}", "", f"Version {language.version}."]
    for role in dict.fromkeys(word.role for word in language.words):
        lines += ["", f"## {_PLURALS[role]}", ""]
        lines += [_line(word) for word in language.words if word.role == role]
    return "\n".join(lines) + "\n"


def meaning(declared: Any) -> str:
    """What the docstring that somebody wrote for a class or function says, in one line; else nothing.

    A dataclass without one is given its signature for it, which says nothing new.
    """
    written = declared.__doc__ if isinstance(declared.__doc__, str) else ""
    if isinstance(declared, type) and written.startswith(f"{declared.__name__}("):
        return ""
    return " ".join(inspect.cleandoc(written).split())


_PLURALS: Mapping[Role, str] = {
    "term": "Terms",
    "entity": "Entities",
    "command": "Commands",
    "event": "Events",
    "component": "Components",
    "row": "Rows",
    "query": "Queries",
    "process": "Processes",
    "policy": "Policies",
    "system": "Systems",
    "agent": "Agents",
}


def _line(word: Word) -> str:
    parts = ", ".join(f"{name}: {kind}" for name, kind in word.parts.items())
    named = f"`{word.name}`" if word.role != "term" else word.name
    said = f"- {named}: {word.meaning}" if word.meaning else f"- {named}"
    said = f"{said} ({parts})" if parts else said
    return said if word.example is None else f"{said}  \n  `{codec.json_bytes(word.example).decode()}`"


def _declared(composition: Composition, name: str) -> Iterator[Word]:
    entities = [one for one in composition.entities.values() if one.context == name]
    yield from (_of_type(one.state, "entity") for one in entities)
    yield from (_of_type(kind, "command") for one in entities for kind in one.commands.values())
    yield from (_of_type(kind, "event") for one in entities for kind in one.events.values())
    yield from (_of_type(one.component, "component") for one in composition.components if one.owner == name)
    yield from (_of_type(one.row, "row") for one in composition.projections if one.owner == name)
    yield from (
        Word(one.name, "query", meaning(one.function), _asked(one.question))
        for one in composition.queries
        if one.owner == name
    )
    for system in composition.systems:
        if system.owner == name:
            yield Word(system.name, "system" if system.agent is None else "agent", meaning(system.function))


def _of_type(kind: type[Any], role: Role) -> Word:
    said = hints(kind)
    names = [one.name for one in fields(kind)] if is_dataclass(kind) else list(said)
    return Word(kind.__name__, role, meaning(kind), {name: spelled(said[name]) for name in names})


def _asked(question: type[Waiting]) -> dict[str, str]:
    own = set(question.__struct_fields__) - set(Waiting.__struct_fields__)
    return {name: spelled(kind) for name, kind in hints(question).items() if name in own}


def spelled(annotation: Any) -> str:
    """An annotation as one would write it, without the modules of its names."""
    origin, inner = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        mark = any(isinstance(one, PersonalMark) for one in inner[1:])
        return f"Personal[{spelled(inner[0])}]" if mark else spelled(inner[0])
    if origin in (Union, types.UnionType):
        return " | ".join(map(spelled, inner))
    if origin is Literal:
        return " | ".join(map(repr, inner))
    if origin is not None:
        name = getattr(origin, "__name__", str(origin))
        return f"{name}[{', '.join('…' if one is Ellipsis else spelled(one) for one in inner)}]"
    if annotation is type(None):
        return "None"
    return getattr(annotation, "__name__", str(annotation))
