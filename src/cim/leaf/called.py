"""A provider as a system calls it: each call is told of, and what comes back is held against the contract."""

import inspect
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from typing import Any

from cim.contract.capability import Lied, Operation, methods, operation
from cim.domain.errors import Misdeclared


class Called:
    """A provider that tells of each of its calls, so that long work is told from work that hangs.

    What it answers is looked at, so that one that lies is named, and not the system that trusted it.
    """

    def __init__(self, provider: Any, contract: type[Any], step: Callable[[str], None]) -> None:
        self._provider, self._contract, self._step = provider, contract, step
        self._operations = _operations(contract)

    def __getattr__(self, name: str) -> Any:
        found = getattr(self._provider, name)
        if not callable(found):
            return found

        kind = f"{self._contract.__name__}.{name}"
        said = self._operations.get(name)

        def call(*arguments: Any, **named: Any) -> Any:
            self._step(kind)
            result = found(*arguments, **named)
            if inspect.isawaitable(result):
                return self._awaited(result, said)
            if said is not None:
                self._hold(said, result)
            return self._each(result, kind) if isinstance(result, Iterator) else result

        return call

    async def _awaited(self, result: Awaitable[Any], said: Operation | None) -> Any:
        came = await result
        if said is not None:
            self._hold(said, came)
        return came

    def _hold(self, said: Operation, result: Any) -> None:
        try:
            said.check(result)
        except Lied as lie:
            name = f"{type(self._provider).__module__}:{type(self._provider).__qualname__}"
            raise Lied(f"the provider {name} lied: {said}: {lie}") from lie

    def _each(self, items: Iterator[Any], kind: str) -> Iterator[Any]:
        for item in items:
            self._step(kind)
            yield item
            self._step(kind)  # or what was done with it would be part of getting the next one


def _operations(contract: type[Any]) -> dict[str, Operation]:
    """The operations whose signatures say what they return: within a process they need not."""
    found: dict[str, Operation] = {}
    for name in methods(contract):
        with suppress(Misdeclared):
            found[name] = operation(contract, name)
    return found
