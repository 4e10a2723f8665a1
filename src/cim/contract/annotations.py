"""Reading annotations: hints, the members of a union, the marks of a query."""

import types
from collections.abc import Callable
from typing import Annotated, Any, Union, get_args, get_origin, get_type_hints

from cim.domain.errors import Misdeclared
from cim.domain.query import Mark, Where


def hints(subject: Callable[..., Any]) -> dict[str, Any]:
    """The annotations of a class or function with their marks; a name that is not found is named."""
    try:
        return get_type_hints(subject, include_extras=True)
    except (NameError, AttributeError) as error:
        name = f"{subject.__module__}.{subject.__qualname__}"
        raise Misdeclared(
            f"{name}: {error}; an annotation must be importable at run time, not under TYPE_CHECKING"
        ) from error


def bare(annotation: Any) -> Any:
    """An annotation without its marks."""
    return get_args(annotation)[0] if get_origin(annotation) is Annotated else annotation


def extras(annotation: Any) -> tuple[Any, ...]:
    """The marks that an annotation carries."""
    return get_args(annotation)[1:] if get_origin(annotation) is Annotated else ()


def is_union(annotation: Any) -> bool:
    """Whether an annotation is written ``A | B`` or as the ``typing`` module writes it."""
    return get_origin(annotation) in (Union, types.UnionType)


def members(annotation: Any) -> tuple[Any, ...]:
    """The types that a union names, None left out; a single type is a union of one."""
    if is_union(annotation):
        return tuple(kind for kind in get_args(annotation) if kind is not types.NoneType)
    return () if annotation in (None, types.NoneType) else (annotation,)


def marked(annotation: Any, where: str) -> tuple[Any, Mark | None]:
    """An annotation as its type and the query mark that it carries, if any; ``where`` it stands."""
    inner = bare(annotation)
    found = [extra for extra in extras(annotation) if isinstance(extra, Mark)]
    if len(found) > 1:
        raise Misdeclared(f"{where} carries two query marks: one a parameter")
    mark = found[0] if found else None
    if mark is not None and mark.kind == "maybe":
        kinds = members(inner)
        if len(kinds) != 1:
            raise Misdeclared(f"{where} reads several types: one a parameter")
        inner = kinds[0]
    if mark is not None and mark.kind in ("with", "without"):
        inner = get_args(inner)[0]
    return inner, mark


def filters(annotation: Any) -> tuple[Where, ...]:
    """The filters that an annotation carries."""
    return tuple(extra for extra in extras(annotation) if isinstance(extra, Where))
