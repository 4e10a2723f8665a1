"""A process that provides: which binding it serves, what it is made of, and its connection to the leaf."""

import asyncio
import os
from collections.abc import AsyncIterator, Iterable
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any

from cim.adapters.nats.link import connect
from cim.adapters.system import SystemClock, SystemEntropy
from cim.capabilities import protocol
from cim.capabilities.answering import Answering
from cim.capabilities.instances import Tell
from cim.contract.capability import ContractType
from cim.contract.composition import compose
from cim.contract.system import SystemType
from cim.domain.errors import CimError, Misdeclared
from cim.leaf.accounts import Keys, provider_credentials
from cim.leaf.binding import Binding
from cim.leaf.lock import LeafAddress, find_running
from cim.leaf.machine import FILE, Machine, load_contexts
from cim.leaf.machine_server import KEYS
from cim.log.backoff import delays

PATIENCE = 10.0
"""Seconds that a leaf which starts has until it can be reached."""


@dataclass(frozen=True, slots=True)
class Provision:
    """What a process provides: a contract, under a binding, by an object that was made for it."""

    contract: ContractType
    binding: str
    provider: Any

    @property
    def use(self) -> str:
        """What the provider is, as ``machine.toml`` would name it."""
        kind = type(self.provider)
        return f"{kind.__module__}:{kind.__qualname__}"


def make_provision(
    machine: Machine, name: str, use: str | None, binding: str | None, modules: Iterable[str] = ()
) -> Provision:
    """Make what provides the contract ``name``: the class ``use``, or what ``[provided.BINDING]`` says.

    Raises :class:`Misdeclared` by name: no system needs it, no entry asks it over NATS, several do and none
    was chosen, or the provider cannot be made.
    """
    composition = compose(load_contexts(machine, dict.fromkeys([*machine.modules, *modules])))
    contract, chosen = _chosen(machine, composition.systems, name, binding)
    if use is not None:
        known = machine.provided.get(chosen, {})
        machine = replace(machine, provided={**machine.provided, chosen: {**known, name: use}})
    kind = Binding(machine).contract(name, composition.systems)
    return Provision(contract, chosen, Binding(machine, provided=chosen).provider(kind, "`cim provide`"))


def _chosen(
    machine: Machine, systems: tuple[SystemType, ...], name: str, binding: str | None
) -> tuple[ContractType, str]:
    """The contract and the binding that are meant."""
    bound = Binding(machine)
    bound.contract(name, systems)
    found = {
        over.binding: contract for contract, over in bound.over(systems).values() if contract.name == name
    }
    where = f"{machine.folder / FILE}: [providers]"
    if not found:
        raise Misdeclared(
            f'{where} asks {name} of nobody over NATS: write `{name} = {{ over = "nats", binding = "…" }}`'
        )
    names = ", ".join(sorted(found))
    if binding is None and len(found) > 1:
        raise Misdeclared(f"{where} {name} has several bindings: choose one with --binding: {names}")
    if binding is not None and binding not in found:
        raise Misdeclared(f"{where} {name} has no binding {binding}: there is {names}")
    chosen = binding or names
    return found[chosen], chosen


@asynccontextmanager
async def answering(machine: Machine, made: Provision, at_once: int, tell: Tell) -> AsyncIterator[Answering]:
    """An instance that takes calls until the block ends, and then ends those that it has.

    Its connection may hear the calls of this binding and answer them, and nothing else.
    """
    running, clock, entropy = await _leaf(machine), SystemClock(), SystemEntropy()
    keys = Keys.load_or_make(machine.state / KEYS, now=int(clock.now().timestamp()))
    service = protocol.service(made.contract.name, made.binding)
    subject = made.contract.subject(made.binding)
    user = provider_credentials(keys, subject, service, now=int(clock.now().timestamp()))
    async with connect(running.url, user, f"provider of {subject}", tell) as client:
        one = Answering(
            client,
            made.contract,
            made.provider,
            made.binding,
            entropy.new_id(),
            clock,
            tell,
            use=made.use,
            at_once=at_once or os.cpu_count() or 1,
        )
        await one.open()
        try:
            yield one
        finally:
            await one.close()


async def _leaf(machine: Machine) -> LeafAddress:
    """The leaf that runs; one that starts is waited for."""
    waited = 0.0
    for delay in delays():
        running = find_running(machine.state)
        if running is not None:
            return running
        if waited > PATIENCE:
            break
        await asyncio.sleep(delay)
        waited += delay
    raise CimError(f"no leaf of machine {machine.name} runs: start one with `cim up {machine.folder}`")
