"""From the element tree of a view to a template with bindings, all of it data.

A binding says where (a numbered mark in the HTML), what kind (text, attribute, when, each) and from
which expression. The marks are comments and ``data-at`` attributes that the browser takes out again.
"""

import html
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args, get_origin, get_type_hints

from cim.contract.annotations import filters
from cim.domain.component import Component
from cim.domain.query import Mark
from cim.domain.state import State
from cim.views.elements import Content, Element, Form, Repeat, When
from cim.views.forms import elements_of
from cim.views.shapes import Shape
from cim.views.symbols import Expression, Row, Symbol, WrongUse, item_of, narrowed, refuse

NAMED_ANYWAY = frozenset({"row.id", "row.sequence"})
"""Not sent as cells: every row and every change names them."""
VOID = frozenset({"br", "hr", "img", "input"})


@dataclass(frozen=True, slots=True)
class Cell:
    """One value that the browser is sent of each row.

    ``path`` is ``row.<built-in>``, ``state.<field>``, ``<Component>.<field>`` (fields of fields follow
    after dots) or ``<Component>`` alone: true where the entity carries it, else null. ``limit`` is the
    most characters of a text that are sent.
    """

    path: str
    limit: int | None = None

    @property
    def key(self) -> str:
        """The cell's name in rows and changes: the path, with ``~limit`` where there is one."""
        return self.path if self.limit is None else f"{self.path}~{self.limit}"

    @classmethod
    def of(cls, key: str) -> "Cell":
        """The cell that a key names."""
        path, _, limit = key.partition("~")
        return cls(path, int(limit) if limit else None)

    def cut(self, text: str) -> str:
        """A text no longer than the limit; an ellipsis takes the last place where some was left out."""
        if self.limit is None or len(text) <= self.limit:
            return text
        return text[: self.limit - 1].rstrip() + "…"


@dataclass(frozen=True, slots=True)
class View:
    """A compiled view.

    ``scope`` is "each" for a board of all entities, "one" for the detail of one. ``components`` maps
    the first word of a path to the component's class. ``columns`` are the classes and the heading of
    each column. ``html`` and ``bindings`` make one row. ``commands`` are those whose forms it has, by
    full name.
    """

    name: str
    scope: Literal["each", "one"]
    entity: type[State]
    components: Mapping[str, type[Component]]
    columns: tuple[tuple[str, str], ...]
    html: str
    cells: tuple[Cell, ...]
    bindings: tuple[Mapping[str, Any], ...]
    commands: tuple[str, ...] = ()

    def as_data(self) -> dict[str, Any]:
        """The view as JSON for the browser."""
        template = {"html": self.html, "bindings": list(self.bindings)}
        return {"scope": self.scope, "cells": [cell.key for cell in self.cells], "template": template}


@dataclass(slots=True)
class Part:
    """A stretch of HTML under construction with its bindings; ``depth`` counts repetitions around it."""

    view: str
    entity: type[State]
    cells: dict[str, None]
    depth: int = 0
    html: list[str] = field(default_factory=list)
    bindings: list[dict[str, Any]] = field(default_factory=list)
    marks: int = 0
    commands: dict[str, None] = field(default_factory=dict)

    def mark(self) -> int:
        """A number for the next bound place."""
        self.marks += 1
        return self.marks - 1

    def expression(self, value: Expression) -> list[Any]:
        """The expression as JSON, its cells noted."""
        self.note(value._data)
        return value._data

    def note(self, data: Sequence[Any]) -> None:
        """Remember every cell that an expression reads."""
        if data[0] == "cell":
            self.cells[data[1]] = None
        elif data[0] == "call":
            for operand in data[2:]:
                self.note(operand)

    def inner(self, content: Content, depth: int) -> dict[str, Any]:
        """Content as a part of its own, to be put there and taken away."""
        part = Part(self.view, self.entity, self.cells, depth, commands=self.commands)
        part.add(content)
        return {"html": "".join(part.html), "bindings": part.bindings}

    def add(self, content: Content) -> None:
        """Append content of any kind."""
        if content is None:
            return
        if isinstance(content, Expression):
            self.add_text(content)
        elif isinstance(content, Element):
            self.add_element(content)
        elif isinstance(content, Form):
            form = elements_of(self.view, content, self.entity)
            self.commands[form.attributes["data-command"]] = None
            self.add_element(form)
        elif isinstance(content, When | Repeat):
            self.add_block(content)
        elif isinstance(content, bool):
            raise WrongUse(f"view {self.view}: {content} is no text: use when(...)")
        elif isinstance(content, str | int | float):
            self.html.append(html.escape(str(content)))
        elif isinstance(content, Sequence):
            for one in content:
                self.add(one)
        else:
            raise WrongUse(f"view {self.view}: {content!r} cannot stand in an element")

    def add_text(self, value: Expression) -> None:
        """A text node that follows an expression."""
        if not (value._shape.text or value._shape.number):
            refuse(value, "is no text: name one of its fields, or use when(...), each(...)")
        at = self.mark()
        self.html.append(f"<!--{at}-->")
        self.bindings.append({"at": at, "kind": "text", "value": self.expression(value)})

    def add_element(self, element: Element) -> None:
        """An element, its attributes (constant or bound) and its content."""
        constant = {name: value for name, value in element.attributes.items() if not bound(value)}
        changing = {name: value for name, value in element.attributes.items() if bound(value)}
        if element.column is not None:
            constant |= {"data-column": element.column, "role": "cell"}
        if changing:
            at = self.mark()
            constant["data-at"] = at
            for name, value in changing.items():
                data = self.expression(value)
                kind = "area" if name == "area" else "attribute"
                self.bindings.append({"at": at, "kind": kind, "name": name, "value": data})
        self.html.append(f"<{element.tag}{''.join(map(written, constant.items()))}>")
        if element.tag in VOID:
            if element.children:
                raise WrongUse(f"view {self.view}: h.{element.tag} holds nothing, but was given content")
            return
        self.add(element.children)
        self.html.append(f"</{element.tag}>")

    def add_block(self, block: When | Repeat) -> None:
        """A place whose content comes and goes."""
        at = self.mark()
        self.html.append(f"<!--{at}-->")
        if isinstance(block, When):
            value = self.expression(block.value)
            then = self.inner(block.then(narrowed(block.value)), self.depth)
            otherwise = self.inner(block.otherwise, self.depth)
            self.bindings.append(
                {"at": at, "kind": "when", "value": value, "then": then, "otherwise": otherwise}
            )
            return
        item = block.item(item_of(block.items, self.depth))
        value = self.expression(block.items)
        inner = self.inner(item, self.depth + 1)
        self.bindings.append({"at": at, "kind": "each", "value": value, "item": inner})


def bound(value: object) -> bool:
    """Whether an attribute follows an expression."""
    return isinstance(value, Expression)


def written(attribute: tuple[str, object]) -> str:
    """A constant attribute as HTML; a truth value is there or not."""
    name, value = attribute
    if value is False:
        return ""
    return f" {name}" if value is True else f' {name}="{html.escape(str(value))}"'


def compile_view(function: Callable[..., Element], names: Mapping[type, str] | None = None) -> View:
    """Run a view once over symbols and compile what it returns.

    ``names`` gives the first word of a component's paths; its class name where it is not in there.
    Raises :class:`~cim.views.symbols.NoSuchField` (an ``AttributeError``) for a field that a type
    lacks, and :class:`~cim.views.symbols.WrongUse` (a ``TypeError``) for anything else that cannot be.
    """
    view = function.__name__
    symbols, entity, scope, components = parameters(function, names or {})
    root = function(**symbols)
    if not isinstance(root, Element):
        raise WrongUse(f"view {view} must return one element, not {type(root).__name__}")
    part = Part(view, entity, {})
    part.add(root)
    if scope == "each":
        # The shell counts what is read and what failed, whether or not the author shows it.
        part.cells |= {"row.working": None, "row.failed": None}
    columns = tuple(
        (child.attributes.get("class", ""), child.column)
        for child in root.children
        if isinstance(child, Element) and child.column is not None
    )
    cells = tuple(Cell.of(key) for key in part.cells if key not in NAMED_ANYWAY)
    return View(
        view,
        scope,
        entity,
        components,
        columns,
        "".join(part.html),
        cells,
        tuple(part.bindings),
        tuple(part.commands),
    )


Parameters = tuple[dict[str, Symbol], type[State], Literal["each", "one"], dict[str, type[Component]]]


def parameters(function: Callable[..., Any], names: Mapping[type, str]) -> Parameters:
    """A symbol for each parameter of a view, and what the annotations say about the whole."""
    view = function.__name__
    hints = get_type_hints(function, include_extras=True)
    hints.pop("return", None)
    symbols: dict[str, Symbol] = {}
    components: dict[str, type[Component]] = {}
    entities: list[tuple[type[State], Literal["each", "one"]]] = []
    for parameter, annotation in hints.items():
        kind, of = read(annotation)
        if filters(annotation):
            raise WrongUse(f"view {view}: parameter {parameter} has a Where: a view shows whatever is there")
        if of is Row and kind is None:
            symbols[parameter] = Symbol(view, Shape(Row), ("row",))
        elif kind in ("each", "one") and issubclass(of, State):
            entities.append((of, "each" if kind == "each" else "one"))
            symbols[parameter] = Symbol(view, Shape(of), ("state",))
        elif kind == "maybe" and issubclass(of, Component):
            name = names.get(of, of.__name__)
            components[name] = of
            symbols[parameter] = Symbol(view, Shape(of, optional=True), (name,))
        else:
            known = "Row, Each[a state], One[a state] or Maybe[a component]"
            raise WrongUse(f"view {view}: parameter {parameter} must be {known}, not {annotation}")
    if len(entities) != 1:
        raise WrongUse(f"view {view} must name one entity as Each[...] or One[...]; it names {len(entities)}")
    return symbols, *entities[0], components


def read(annotation: Any) -> tuple[str | None, type]:
    """The mark and the class of an annotation: ``Maybe[Text]`` is ("maybe", Text)."""
    marks = [mark for mark in getattr(annotation, "__metadata__", ()) if isinstance(mark, Mark)]
    bare = annotation.__origin__ if marks else annotation
    members = (
        [member for member in get_args(bare) if member is not type(None)] if get_origin(bare) else [bare]
    )
    of = members[0] if len(members) == 1 and isinstance(members[0], type) else object
    return (marks[0].kind if marks else None, of)
