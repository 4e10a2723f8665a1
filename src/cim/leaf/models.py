"""What agents think with: the one place where ``machine.toml`` meets a model.

``[agents]`` binds a model to an agent by its full name (``"documents.judge"``), to those of a module
(``documents``), or to all others (``default``). A text names a model as `pydantic-ai` does
(``"anthropic:claude-sonnet-4-5"``), a table a class of your own with its options
(``{ use = "package.module:Class", … }``): one of that library's models, or anything that is called with the
messages and gives a response, so that a machine needs no key and no network.
"""

import importlib
import importlib.util
from collections.abc import Iterable, Mapping
from typing import Any

from cim.contract.composition import Composition
from cim.contract.system import SystemType
from cim.domain.errors import CimError, Misdeclared
from cim.leaf.machine import FILE, Machine

DEFAULT = "default"
LIBRARY = "pydantic_ai"


class Models:
    """The models of a machine's agents, each made once where it is needed."""

    def __init__(self, machine: Machine) -> None:
        self._machine = machine
        self._made: dict[str, Any] = {}

    def named(self, system: SystemType) -> str:
        """What an agent thinks with, as the file says; raises :class:`Misdeclared` where nothing is bound."""
        bound = self._machine.agents[self._key(system)]
        return bound if isinstance(bound, str) else str(bound.get("use"))

    def check(self, systems: Iterable[SystemType]) -> None:
        """Hold that each agent among systems has what it thinks with; raises :class:`Misdeclared` by name."""
        for system in systems:
            if system.agent is None:
                continue
            if importlib.util.find_spec(LIBRARY) is None:
                raise Misdeclared(
                    f"{system} is an agent, for which pydantic-ai is needed: install "
                    f"composable-information-machine[agents]"
                )
            self._use(self._key(system))

    def thinks(self, system: SystemType, composition: Composition) -> dict[str, Any]:
        """What fills the parameters of a system that think; nothing where it is no agent.

        Raises :class:`Misdeclared` for a model that cannot be made.
        """
        if system.agent is None:
            return {}
        from cim.agents.thinking import Thinking  # it loads a library that takes seconds

        glossary = next(one.glossary for one in composition.contexts if one.name == system.owner)
        model = self._model(system)
        return {
            name: Thinking(system, answer, model, glossary) for name, answer in system.agent.thinks.items()
        }

    def _key(self, system: SystemType) -> str:
        for key in (str(system), system.owner, DEFAULT):
            if key in self._machine.agents:
                return key
        raise Misdeclared(
            f'{system} is an agent and no model is bound to it: add `{DEFAULT} = "maker:model"` or '
            f'`"{system}" = {{ use = "package.module:Class" }}` to {self._where("")}'
        )

    def _where(self, key: str) -> str:
        return f"{self._machine.folder / FILE}: [agents] {key}".rstrip()

    def _use(self, key: str) -> tuple[str, Mapping[str, Any]] | None:
        """The class that an entry names, with its options; None where it names a model."""
        bound = self._machine.agents[key]
        if isinstance(bound, str):
            return None
        options = dict(bound)
        use = options.pop("use", None)
        if not isinstance(use, str):
            raise Misdeclared(f'{self._where(key)}: say which: {{ use = "package.module:Class", … }}')
        return use, options

    def _model(self, system: SystemType) -> Any:
        key = self._key(system)
        if key not in self._made:
            self._made[key] = self._make(key)
        return self._made[key]

    def _make(self, key: str) -> Any:
        from pydantic_ai.exceptions import UserError
        from pydantic_ai.models import Model, infer_model
        from pydantic_ai.models.function import FunctionModel

        found = self._use(key)
        try:
            if found is None:
                return infer_model(str(self._machine.agents[key]))
            module, _, name = found[0].partition(":")
            made = getattr(importlib.import_module(module), name)(**found[1])
        except (UserError, ValueError, ImportError, AttributeError, TypeError, CimError) as error:
            raise Misdeclared(f"{self._where(key)}: the model cannot be made: {error}") from error
        if isinstance(made, Model):
            return made
        if not callable(made):
            raise Misdeclared(
                f"{self._where(key)}: {found[0]} is no model of pydantic-ai and is not called with messages"
            )
        return FunctionModel(made, model_name=name)
