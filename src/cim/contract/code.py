"""What code says: the text of functions, and of all in their own package that they use.

So that what was derived by other code is known as such. What it takes from other packages is not looked at.
"""

import dataclasses
import inspect
from collections.abc import Callable, Iterable, Iterator, Mapping
from types import CodeType, FunctionType, ModuleType
from typing import Any

import msgspec

_PLAIN = (str, int, float, tuple, frozenset)
"""Values that do not change while a program runs."""


def text_of(functions: Iterable[Callable[..., Any]], without: Iterable[type[Any]] = ()) -> list[str]:
    """The text of functions and of the functions, classes and plain values of their own package that they
    use, in a fixed order; of the classes ``without`` nothing."""
    left: list[Any] = list(functions)
    seen: list[Any] = list(without)
    found: set[str] = set()
    while left:
        one = left.pop()
        if any(one is other for other in seen):
            continue
        seen.append(one)
        if isinstance(one, FunctionType):
            found.add(_text(one))
            for name, value in _used(one):
                if isinstance(value, FunctionType | type):
                    left.append(value)
                elif (plain := _plain(value)) is not None:
                    found.add(f"{name} = {plain}")
        elif isinstance(one, type):
            found |= {f"{one.__qualname__}.{name} = {plain}" for name, plain in _values(one)}
            left += functions_of(one)
    return sorted(found)


def functions_of(kind: type[Any]) -> list[FunctionType]:
    """The functions that a class has in its own text and in that of its bases in the same package."""
    found = []
    for base in kind.__mro__:
        if _package(base) == _package(kind):
            unwrapped = (_function(value) for value in vars(base).values())
            found += [one for one in unwrapped if one is not None and _is_written(one)]
    return found


def _used(function: FunctionType) -> Iterator[tuple[str, Any]]:
    """What a function looks up in its own package, by name."""
    names = _names(function.__code__)
    for name, value in _scope(function).items():
        if name not in names:
            continue
        if isinstance(value, ModuleType) and value.__name__.partition(".")[0] == _package(function):
            yield from ((one, vars(value)[one]) for one in names if one in vars(value))
        elif not isinstance(value, FunctionType | type) or _package(value) == _package(function):
            yield name, value


def _scope(function: FunctionType) -> Mapping[str, Any]:
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    inner = {}
    for name, cell in cells:
        try:
            inner[name] = cell.cell_contents
        except ValueError:  # not yet bound
            continue
    return {**function.__globals__, **inner}


def _names(code: CodeType) -> set[str]:
    """The names that code looks up, that of the functions within it, too."""
    inner = (one for one in code.co_consts if isinstance(one, CodeType))
    return set(code.co_names).union(code.co_freevars, *map(_names, inner))


def _values(kind: type[Any]) -> Iterator[tuple[str, str]]:
    yield "fields", str(list(getattr(kind, "__annotations__", ())))
    fields = dataclasses.fields(kind) if dataclasses.is_dataclass(kind) else ()
    for name, value in (*vars(kind).items(), *((one.name, one.default) for one in fields)):
        plain = None if name.startswith("__") else _plain(value)
        if plain is not None:
            yield name, plain


def _plain(value: Any) -> str | None:
    if not isinstance(value, _PLAIN):
        return None
    try:
        return msgspec.json.encode(value, order="sorted").decode()
    except (TypeError, ValueError, RecursionError, OverflowError):  # holds what is not plain
        return None


def _function(value: Any) -> FunctionType | None:
    if isinstance(value, property):
        value = value.fget
    value = getattr(value, "__func__", value)
    return value if isinstance(value, FunctionType) else None


def _is_written(function: FunctionType) -> bool:
    """Whether somebody wrote it: a dataclass makes functions of its own."""
    made = inspect.unwrap(function).__code__.co_filename == "<string>"
    return not (made and function.__name__.startswith("__"))


def _package(one: Any) -> str:
    return str(one.__module__).partition(".")[0]


def _text(function: FunctionType) -> str:
    try:
        return inspect.getsource(function)
    except OSError:  # declared where no file is, such as a prompt
        code = function.__code__
        return " ".join([code.co_code.hex(), *code.co_names, *filter(None, map(_plain, code.co_consts))])
