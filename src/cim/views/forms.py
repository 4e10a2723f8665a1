"""Commands as forms: the lines that a person fills in, derived from the command's type."""

import dataclasses
from collections.abc import Iterator
from typing import Any

from cim.contract.annotations import bare, hints, members
from cim.contract.entity import read_entity
from cim.domain.context import declared_entity
from cim.domain.state import State
from cim.views.elements import Element, Form
from cim.views.symbols import Expression, WrongUse

_LINES = {str: "text", int: "number", float: "number"}


def elements_of(view: str, form: Form, entity: type[State]) -> Element:
    """The form of a command that ``entity`` takes; raises :class:`WrongUse` naming what cannot be.

    The browser sends the lines to the door under the command's full name (``data-command``), with the id
    in the field that is the entity's key (``data-key``).
    """
    declared = declared_entity(entity)
    if declared is None:
        raise WrongUse(f"view {view}: {entity.__name__} is no entity: give it @context.entity(key=...)")
    kind, name = read_entity(declared), form.command.__name__
    if kind.commands.get(name) is not form.command:
        known = ", ".join(kind.commands)
        raise WrongUse(f"view {view}: {kind} takes no command {name}; it takes {known}")
    fields = {field.name: field for field in dataclasses.fields(form.command) if field.name != kind.key}
    strange = sorted(set(form.values) - set(fields))
    if strange:
        raise WrongUse(f"view {view}: {name} has no field {strange[0]!r}; it has {', '.join(fields)}")
    lines = tuple(_lines(view, form, fields))
    attributes = {
        "class": "form",
        "data-command": f"{kind.context}.{name}",
        "data-key": kind.key,
        "data-id": form.id,
    }
    submit = Element("button", {"type": "submit", "class": "primary"}, (words_of(name),))
    return Element("form", attributes, (*lines, submit, Element("output", {"role": "status"}, ())))


def _lines(view: str, form: Form, fields: dict[str, "dataclasses.Field[Any]"]) -> Iterator[Element]:
    annotations = hints(form.command)
    for name, field in fields.items():
        kinds = members(bare(annotations[name]))
        line = _LINES.get(kinds[0]) if len(kinds) == 1 else None
        if line is None:
            raise WrongUse(
                f"view {view}: {form.command.__name__}.{name} is no text and no number, and cannot be a line"
            )
        has_default = field.default is not dataclasses.MISSING
        attributes: dict[str, Any] = {"name": name, "type": line, "required": not has_default}
        if line == "number":
            attributes["step"] = "1" if kinds[0] is int else "any"
        attributes["data-may-stay"] = has_default
        value = form.values.get(name)
        if isinstance(value, Expression) or value is not None:
            attributes["value"] = value
        yield Element("label", {}, (words_of(name), Element("input", attributes, ())))


def words_of(name: str) -> str:
    """A name of the code in words that begin a line: ``due_date`` is ``Due date``."""
    spaced = "".join(f" {letter}" if letter.isupper() else letter for letter in name).replace("_", " ")
    return " ".join(spaced.split()).capitalize()
