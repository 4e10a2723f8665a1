"""The mark of a contract that a provider fulfils, and its version."""

from collections.abc import Callable
from typing import Protocol, TypeVar

CONTRACT_VERSION = "__cim_contract_version__"
"""Where a contract keeps the version that :func:`version` gave it; without one it is 1."""

C = TypeVar("C", bound=type)


class Capability(Protocol):
    """The base of contracts such as OCR or embedding: ``class Ocr(Capability, Protocol)``.

    A system (or another provider's constructor) that names the contract in an annotation is given
    the provider that ``machine.toml`` binds to it. Calls must be thread-safe; an operation that is written
    ``async def`` in the contract is so in each provider, and is awaited.
    """


def version(number: int) -> Callable[[C], C]:
    """Say which version of a contract a class is: ``@version(2)`` above it. It is 1 where nobody says.

    Whoever asks over NATS meets providers of the same version alone. A decorator, for an attribute of a
    protocol would be asked of each class that fulfils it.
    """

    def mark(contract: C) -> C:
        setattr(contract, CONTRACT_VERSION, number)
        return contract

    return mark
