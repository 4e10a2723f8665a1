"""Taking a guard of the real code away, to see that a test notices.

A guard is a line. It is replaced in the function's own source, and the function runs with the code that comes
of it. A guard whose line is no longer there fails by name.
"""

import asyncio
import inspect
import sys
import textwrap
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True)
class Guard:
    """``line`` of ``function`` is what guards; ``without`` stands in its place when it is gone."""

    function: Callable[..., Any]
    line: str
    without: str

    def code(self) -> Any:
        """The function's code without the guard."""
        source = textwrap.dedent(inspect.getsource(self.function))
        assert source.count(self.line) == 1, f"{self.function.__qualname__} has no line {self.line!r} now"
        found: dict[str, Any] = {}
        module = {**vars(sys.modules[self.function.__module__]), "asyncio": asyncio}
        exec(compile(source.replace(self.line, self.without), "without a guard", "exec"), module, found)
        return found[self.function.__name__].__code__

    def take_away(self) -> None:
        """Have the function run without it from now on, in this process."""
        self.function.__code__ = self.code()
