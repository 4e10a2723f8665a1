"""What stands in, in a worker, for a provider that is asked over NATS: the call goes through the leaf."""

from collections.abc import Callable
from typing import Any, Protocol

from cim.contract.capability import ContractType, Lied, Operation


class Asking(Protocol):
    """The way out of a worker."""

    def ask(self, subject: str, operation: str, arguments: bytes) -> tuple[str, bytes]:
        """Who answered a call of the binding at ``subject``, and the result as it travels.

        Raises :class:`cim.domain.errors.Unavailable` where nobody did in time, and
        :class:`cim.domain.errors.Failure`.
        """
        ...


class Asked:
    """Fulfils a contract by asking the providers of a binding."""

    def __init__(self, contract: ContractType, binding: str, way: Asking) -> None:
        self._contract, self._way = contract, way
        self._subject = contract.subject(binding)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        operation = self.__dict__["_contract"].operations.get(name)
        if operation is None:
            raise AttributeError(name)

        def call(*given: Any, **named: Any) -> Any:
            return self._ask(operation, operation.arguments(*given, **named))

        async def awaited(*given: Any, **named: Any) -> Any:
            # The pipe has one conversation at a time, and nobody else is served here meanwhile.
            return call(*given, **named)

        return awaited if operation.waits else call

    def _ask(self, operation: Operation, arguments: bytes) -> Any:
        who, answer = self._way.ask(self._subject, operation.name, arguments)
        try:
            return operation.result_of(answer)
        except Lied as lie:
            raise Lied(f"the provider {who} at {self._subject} lied: {operation}: {lie}") from lie
