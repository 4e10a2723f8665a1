"""Calls of a provider that were written down once, and are answered from the file since.

For tests: what is slow, costs money or is far away is asked once, and every run after that gives the same
answers with no call out. The way is that of recorded HTTP (VCR), at the contract instead of the wire.
"""

import fcntl
import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from cim.contract import codec
from cim.contract.capability import Lied, Operation, read_contract
from cim.domain.errors import CimError, Failure

LONGEST = 200
"""Characters of an argument that stand in the file; a longer one stands there by its digest."""


class Unrecorded(CimError):
    """A call that is not in the file; the text says how to record it."""


class Recorded:
    """Fulfils ``contract`` from the calls in ``file``; with a ``real`` provider from that, writing them down.

    The file has a call a line, sorted, with its arguments and its answer, or the text of its
    :class:`cim.domain.errors.Failure`, so that a difference shows what changed. Any other error of a provider
    is no answer and is not kept. Several processes may write one file.
    """

    def __init__(self, contract: type[Any], file: Path, real: Any = None) -> None:
        self._contract, self._file, self._real = read_contract(contract, str(file)), file, real
        self._known = _load(file)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        operation = self.__dict__["_contract"].operations.get(name)
        if operation is None:
            raise AttributeError(name)

        def call(*given: Any, **named: Any) -> Any:
            arguments = operation.arguments(*given, **named)
            if self._real is not None:
                return self._record(operation, arguments, given, named)
            return self._replay(operation, arguments)

        async def awaited(*given: Any, **named: Any) -> Any:
            if self._real is None:
                return call(*given, **named)
            arguments = operation.arguments(*given, **named)
            return await self._record_awaited(operation, arguments, given, named)

        return awaited if operation.waits else call

    def _replay(self, operation: Operation, arguments: bytes) -> Any:
        found = self._known.get(_key(self._contract.version, operation, arguments))
        if found is None:
            raise Unrecorded(
                f"{self._file} has no call of {operation} with {_short(arguments)}: record it, by one run "
                f"with CIM_RECORD=1, or with Recorded(…, real=…)"
            )
        if "failure" in found:
            raise Failure(found["failure"])
        try:
            return operation.result_of(codec.json_bytes(found["answer"]))
        except Lied as lie:
            raise Lied(f"{self._file}: what was recorded of {operation}: {lie}; record it anew") from lie

    def _record(
        self, operation: Operation, arguments: bytes, given: tuple[Any, ...], named: dict[str, Any]
    ) -> Any:
        try:
            result = getattr(self._real, operation.name)(*given, **named)
        except Failure as failure:
            self._keep(operation, arguments, {"failure": str(failure)})
            raise
        return self._kept(operation, arguments, result)

    async def _record_awaited(
        self, operation: Operation, arguments: bytes, given: tuple[Any, ...], named: dict[str, Any]
    ) -> Any:
        try:
            result = await getattr(self._real, operation.name)(*given, **named)
        except Failure as failure:
            self._keep(operation, arguments, {"failure": str(failure)})
            raise
        return self._kept(operation, arguments, result)

    def _kept(self, operation: Operation, arguments: bytes, result: Any) -> Any:
        answer = operation.answer(result)
        self._keep(operation, arguments, {"answer": codec.json_value(answer)})
        return operation.result_of(answer)

    def _keep(self, operation: Operation, arguments: bytes, came: dict[str, Any]) -> None:
        call = {"arguments": _told(arguments), "contract": str(operation), "version": self._contract.version}
        _add(self._file, _key(self._contract.version, operation, arguments), {**call, **came})


def _key(version: int, operation: Operation, arguments: bytes) -> str:
    """What names a call: the same for the same arguments, however they were given."""
    told = _told(arguments)
    return codec.json_bytes([str(operation), version, sorted(told.items())]).decode()


def _told(arguments: bytes) -> dict[str, Any]:
    """The arguments as they stand in the file."""
    return {name: _shortened(value) for name, value in codec.json_value(arguments).items()}


def _shortened(value: Any) -> Any:
    written = codec.json_bytes(value)
    if len(written) <= LONGEST:
        return value
    return {"sha256": hashlib.sha256(written).hexdigest(), "bytes": len(written)}


def _short(arguments: bytes) -> str:
    text = codec.json_bytes(_told(arguments)).decode()
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def _load(file: Path) -> dict[str, Any]:
    try:
        lines = file.read_bytes().splitlines()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise CimError(f"{file}: the recorded calls cannot be read: {error}") from error
    found: dict[str, Any] = {}
    for number, line in enumerate(lines, 1):
        try:
            call = codec.json_value(line)
            told = sorted(call["arguments"].items())
            found[codec.json_bytes([call["contract"], call["version"], told]).decode()] = call
        except (codec.BadBody, LookupError, TypeError, AttributeError) as error:
            raise CimError(f"{file} line {number} is no recorded call: {error}") from error
    return found


def _add(file: Path, key: str, call: dict[str, Any]) -> None:
    """Put a call into the file: read under a lock, for several processes may record, and written whole."""
    file.parent.mkdir(parents=True, exist_ok=True)
    lock = os.open(file.parent, os.O_RDONLY)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        known = {**_load(file), key: call}
        text = "".join(f"{codec.json_bytes(known[one]).decode()}\n" for one in sorted(known))
        new = file.with_name(f"{file.name}.new")
        new.write_text(text)
        new.replace(file)
    finally:
        os.close(lock)
