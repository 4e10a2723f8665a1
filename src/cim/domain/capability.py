"""The mark of a contract that a provider fulfils."""

from typing import Protocol


class Capability(Protocol):
    """The base of contracts such as OCR or embedding: ``class Ocr(Capability, Protocol)``.

    A system (or another provider's constructor) that names the contract in an annotation is given
    the provider that ``machine.toml`` binds to it. Calls are synchronous and must be thread-safe.
    """
