"""The words that a view is written in: elements, conditions, repetitions, formats.

Safe by construction: text becomes text nodes, attributes are those on a list, and an address comes
only from :func:`blob_url` and :func:`entity_url`. There is no way to write markup or script.

``cim.css`` knows these classes. Columns of a board: ``thumb``, ``main``, ``short``, ``amount``,
``wide``; and ``minor`` for a column that may go when there is little room. Inside: ``cover`` (a link
that takes in the whole row), ``chip``, ``badge``, ``sense``, ``spinner``, ``quiet``, ``numeric``,
``bar``, ``lines``, ``facts``, ``sheet``, ``picture``, ``sheet-of`` (around a picture) with ``place`` (on
it), ``doubt``, ``told`` (a quiet line), ``body``, ``timeline``, ``step``.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar, Union, cast

from cim.domain.blob import Blob
from cim.domain.message import Command
from cim.views.shapes import shape_of
from cim.views.symbols import Expression, Row, Symbol, WrongUse, call, describe, narrowed, refuse

T = TypeVar("T")
U = TypeVar("U")
Value = str | int | float | None
Content = Union["Element", "When", "Repeat", "Form", Value, Sequence["Content"]]
"""What an element can hold; for a checker a field of the row is its own type."""


class Url(str):
    """An address that is safe to follow: made by :func:`blob_url` and :func:`entity_url` only."""


@dataclass(frozen=True, slots=True, eq=False)
class Element:
    """One HTML element; ``column`` is the heading of the board's column that it stands for."""

    tag: str
    attributes: Mapping[str, Any]
    children: tuple[Content, ...]
    column: str | None = None


@dataclass(frozen=True, slots=True, eq=False)
class When:
    """One of two contents, chosen by whether a value is there."""

    value: Expression
    then: Callable[[Any], Content]
    otherwise: Content = None


@dataclass(frozen=True, slots=True, eq=False)
class Repeat:
    """The same content for each item of a sequence."""

    items: Expression
    item: Callable[[Any], Content]


@dataclass(frozen=True, slots=True, eq=False)
class Form:
    """A command to be filled in: ``id`` is the entity's, ``values`` what its fields hold before."""

    command: type[Command]
    id: Expression
    values: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Tag:
    """Makes elements of one tag; ``own`` are the attributes it may have besides those of every tag."""

    name: str
    own: frozenset[str] = field(default=frozenset())

    def __call__(
        self,
        *children: Content,
        class_: str | None = None,
        column: str | None = None,
        src: Url | None = None,
        href: Url | None = None,
        **attributes: Value,
    ) -> Element:
        """An element with its content; ``data_kind=...`` is written ``data-kind``.

        ``class_`` is constant: what changes is a ``data_...`` attribute, which a style sheet can ask for.
        A truth value puts the attribute there or not. None leaves it away.
        """
        given: dict[str, Any] = {"class": class_, "src": src, "href": href}
        given |= {name.replace("_", "-"): value for name, value in attributes.items()}
        kept = {name: value for name, value in given.items() if value is not None}
        for name, value in kept.items():
            check_attribute(self, name, value)
        if self.name == "img" and "alt" not in kept:
            raise WrongUse("h.img needs alt: what the picture shows, or '' where the text beside it tells")
        return Element(self.name, kept, children, column)


EVERYWHERE = frozenset({"class", "title", "lang", "dir", "hidden", "role", "tabindex", "area"})
ADDRESSES = frozenset({"src", "href"})
MADE_HERE = (["call", "blob_url"], ["call", "entity_url"])


def check_attribute(tag: Tag, name: str, value: object) -> None:
    """Refuse an attribute that is not on the list, and an address that was not made here."""
    family = name.startswith(("aria-", "data-")) and name != "data-at"
    if not (name in EVERYWHERE or name in tag.own or family):
        allowed = ", ".join(sorted(EVERYWHERE | tag.own))
        raise WrongUse(f"h.{tag.name} takes no attribute {name!r}; it takes {allowed}, aria_..., data_...")
    made = value._data[:2] if isinstance(value, Expression) else None
    if name == "area" and made != ["call", "area"]:
        raise WrongUse(f"h.{tag.name}: area takes area(...), not {value!r}")
    if name in ADDRESSES and made not in MADE_HERE:
        raise WrongUse(f"h.{tag.name}: {name} takes blob_url(...) or entity_url(...), not {value!r}")
    if name == "class" and not isinstance(value, str):
        raise WrongUse(f"h.{tag.name}: class_ is constant text; put what changes into a data_... attribute")
    if isinstance(value, Expression) and (value._shape.item is not None or value._shape.fields()):
        refuse(value, f"cannot be the attribute {name!r}: name one of its fields")


def tag(name: str, *own: str) -> Tag:
    """A tag with the attributes of its own."""
    return Tag(name, frozenset(own))


class Elements:
    """Every element that a view may use, as ``h.<tag>``."""

    a, abbr, article, aside = tag("a", "href", "download"), tag("abbr"), tag("article"), tag("aside")
    b, blockquote, br, cite, code = tag("b"), tag("blockquote"), tag("br"), tag("cite"), tag("code")
    dd, details, div, dl, dt = tag("dd"), tag("details", "open"), tag("div"), tag("dl"), tag("dt")
    em, figcaption, figure, footer = tag("em"), tag("figcaption"), tag("figure"), tag("footer")
    h2, h3, h4, header, hr, i = tag("h2"), tag("h3"), tag("h4"), tag("header"), tag("hr"), tag("i")
    img = tag("img", "src", "alt", "width", "height", "loading")
    kbd, li, mark, ol, p, pre = tag("kbd"), tag("li"), tag("mark"), tag("ol"), tag("p"), tag("pre")
    meter = tag("meter", "value", "min", "max", "low", "high", "optimum")
    progress, q, s, section = tag("progress", "value", "max"), tag("q"), tag("s"), tag("section")
    small, span, strong, sub, sup = tag("small"), tag("span"), tag("strong"), tag("sub"), tag("sup")
    summary, time, u, ul = tag("summary"), tag("time", "datetime"), tag("u"), tag("ul")


h = Elements()


def when(value: T | None, then: Callable[[T], Content], otherwise: Content = None) -> When:
    """``then(value)`` where the value is there, else ``otherwise``.

    None, a false truth value, an empty text and an empty sequence are not there; zero is. Inside
    ``then`` the value is no longer optional, for the checker too.
    """
    return When(expression(value, "when"), then, otherwise)


def maybe(value: T | None, part: Callable[[T], U]) -> U | None:
    """A part of a value that may not be there, and then None: for the lines of a form, for instance."""
    found = expression(part(cast(T, narrowed(expression(value, "maybe")))), "maybe")
    return cast(U, Expression(found._view, replace(found._shape, optional=True), found._data))


def each(items: Sequence[T], item: Callable[[T], Content]) -> Repeat:
    """``item(one)`` for each of a sequence, in its order."""
    return Repeat(expression(items, "each"), item)


def form(command: type[Command], row: Row, **values: str | int | float | None) -> Form:
    """A form for a command on this row's entity: a line for each of its fields, derived from its type.

    ``values`` are what the lines hold before anybody writes. A line that a person leaves as it was is not
    sent where the command has a default for it.
    """
    return Form(command, cast(Symbol, expecting(row, Row, "form")).id, values)


def present(value: object) -> bool:
    """Whether a value is there, in the sense of :func:`when`: for a ``data_...`` attribute."""
    return cast(bool, call("present", bool, expression(value, "present")))


def excerpt(text: str, limit: int) -> str:
    """At most ``limit`` characters of a text; of a cell the server sends no more than that."""
    symbol = expecting(text, str, "excerpt")
    if limit < 1:
        refuse(symbol, f"cannot be cut to {limit} characters: give at least 1")
    if isinstance(symbol, Symbol) and symbol._data[0] == "cell":
        return cast(str, Expression(symbol._view, symbol._shape, ["cell", f"{symbol._data[1]}~{limit}"]))
    return cast(str, call("excerpt", str, symbol, limit))


def percent(share: float) -> str:
    """A share of 0 to 1 in per cent: 0.934 is ``93 %``."""
    return cast(str, call("percent", str, expecting(share, float, "percent")))


def day(date: str) -> str:
    """An ISO date as a person writes it: ``25 Dec 2018``."""
    return cast(str, call("day", str, expecting(date, str, "day")))


def clock(time: str) -> str:
    """An ISO time as the time of the day where the page is looked at: ``14:02:11``."""
    return cast(str, call("clock", str, expecting(time, str, "clock")))


def duration(milliseconds: float) -> str:
    """A duration: ``12 ms``, ``1.4 s``, ``3 min``."""
    return cast(str, call("duration", str, expecting(milliseconds, float, "duration")))


def magnitude(value: float, top: float) -> float:
    """Where a value stands between 0 and ``top`` on a logarithmic scale: 0 to 1, for a bar."""
    return cast(float, call("magnitude", float, expecting(value, float, "magnitude"), top))


def plain(name: str) -> str:
    """A name of the code in words: ``documents.read_text`` is ``read text``."""
    return cast(str, call("plain", str, expecting(name, str, "plain")))


def blob_url(blob: Blob) -> Url:
    """Where the browser finds large content."""
    symbol = expecting(blob, Blob, "blob_url")
    return cast(Url, call("blob_url", str, cast(Symbol, symbol).sha256))


def entity_url(row: Row) -> Url:
    """The address that opens the entity's detail on this page."""
    symbol = expecting(row, Row, "entity_url")
    return cast(Url, call("entity_url", str, cast(Symbol, symbol).id))


def area(left: float, top: float, width: float, height: float) -> str:
    """Where an element lies on its parent, in shares of 0 to 1, for the attribute ``area``: a place on a
    picture. The parent is of class ``sheet-of``, around the picture alone."""
    shares = [expecting(share, float, "area") for share in (left, top, width, height)]
    return cast(str, call("area", str, *shares))


def expression(value: object, function: str) -> Expression:
    """The value as an expression; a constant has no place there."""
    if not isinstance(value, Expression):
        raise WrongUse(f"{function}(...) takes a value of the row, not {value!r}")
    return value


def expecting(value: object, wanted: type, function: str) -> Expression:
    """The value as an expression of the wanted type, which must not be optional."""
    given = expression(value, function)
    shape, target = given._shape, shape_of(wanted)
    fits = shape.comparable(target) or (shape.item is None and shape.of is wanted)
    if shape.optional or not fits:
        raise WrongUse(f"{describe(given)} is no {target.name}, which {function}(...) takes")
    return given
