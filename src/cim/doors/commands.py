"""The door for commands: known? well-formed? allowed? Then to the entity, and an answer in any case."""

from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from itertools import islice
from typing import Any

from nats.aio.client import Client

from cim.actors.actors import Actors
from cim.actors.request import Asked, Invalid, Receipt, Rejection, content_digest
from cim.contract import codec
from cim.contract.composition import Composition
from cim.contract.entity import key_of
from cim.contract.envelope import Origin
from cim.contract.subjects import Ref, parse_command, token
from cim.domain.errors import CimError
from cim.doors.serving import Request, serve
from cim.log.append import OutcomeUnknown
from cim.world.world import World

_MANY = 1000
_LOOKED_AT = 2
_LONGEST_OWNER = 128


class CommandDoor:
    """Takes commands for the entities of a composition.

    ``hindrance`` says why the log can store nothing now, if that is known.
    """

    def __init__(
        self,
        composition: Composition,
        actors: Actors,
        world: World,
        hindrance: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._composition, self._actors, self._world = composition, actors, world
        self._hindrance = hindrance
        self._taken: dict[str, Ref] = {}

    def serve(self, client: Client, trouble: Callable[[str], None]) -> AbstractAsyncContextManager[None]:
        """Answer requests on ``cmd.>`` until the block ends."""
        return serve(client, "cmd.>", self._answer, trouble)

    async def _answer(self, request: Request) -> dict[str, Any]:
        ref, name, _sender = parse_command(request.subject)
        return await self.submit(ref, name, request.body, Origin.read(request.block))

    async def submit(self, ref: Ref, name: str, body: bytes, origin: Origin) -> dict[str, Any]:
        """One command to its entity: a receipt or a rejection as plain data. Raises on a bad command."""
        asked = self.check(ref, name, body, origin)
        await self._world.until_caught_up()
        holder = self._holder(origin.id)
        if holder not in (None, ref):
            reason = f"id {origin.id} was used for a command to {holder}: give this one an id of its own"
            return plain_answer(Rejection(str(ref), reason))
        if holder is None:
            self._taken[origin.id] = ref
        try:
            outcome = await self._handled(asked)
        except OutcomeUnknown as unknown:  # it may be stored yet: its id stays taken
            hindrance = self._hindrance()
            raise OutcomeUnknown(f"{unknown}; {hindrance}" if hindrance else str(unknown)) from unknown
        except BaseException:
            self._let_go(origin.id, holder)
            raise
        if isinstance(outcome, Rejection):
            self._let_go(origin.id, holder)
        return plain_answer(outcome)

    async def _handled(self, asked: Asked) -> Receipt | Rejection:
        """What the entity answers. What a module's code raises over personal values is told to the sender
        alone: the leaf's output stays, and the words may be personal."""
        try:
            return await self._actors.handle(asked)
        except CimError:
            raise
        except Exception as error:
            if not self._composition.entity(asked.ref.context, asked.ref.entity).personal:
                raise
            raise CimError(f"the machine failed on it: {type(error).__name__}: {error}") from None

    def _holder(self, id: str) -> Ref | None:
        """The entity whose command has this id: by the world, or here and on its way there."""
        # The world knows those that were stored, and takes over: a few of the oldest are looked at a time.
        for one in list(islice(self._taken, _LOOKED_AT)) if len(self._taken) > _MANY else ():
            ref = self._taken.pop(one)
            if self._world.entities.command(one) is None:
                self._taken[one] = ref
        known = self._world.entities.command(id)
        return self._taken.get(id) if known is None else known[0]

    def _let_go(self, id: str, holder: Ref | None) -> None:
        if holder is None:
            self._taken.pop(id, None)

    def check(self, ref: Ref, name: str, body: bytes, origin: Origin) -> Asked:
        """The command that a request means; raises :class:`CimError` naming what is wrong with it."""
        kind = self._composition.entity(ref.context, ref.entity)
        command_type = kind.commands.get(name)
        if command_type is None:
            raise Invalid(f"{kind} takes no command {name}; it takes {', '.join(kind.commands)}")
        check_origin(origin)
        items = codec.decode(body)
        if len(items) != 1 or items[0].type != name:
            raise Invalid(f"{kind} {ref.id}: the body must hold exactly one {name}")
        command = codec.typed_whole(items[0].data, command_type)
        if key_of(kind, command) != ref.id:
            named = key_of(kind, command)
            raise Invalid(f"{name} for {named!r} was sent to {ref}: the ids must agree")
        return Asked(ref, command, origin, content_digest(ref, name, codec.write([command])))


def check_origin(origin: Origin) -> None:
    """Refuse an origin that cannot stand in an envelope; raises :class:`CimError` naming its part."""
    token(origin.id, "the command's id")
    token(origin.correlation, "the command's correlation")
    token(origin.causation, "the command's causation")
    owner = origin.owner
    if not 0 < len(owner) <= _LONGEST_OWNER or owner != owner.strip() or not owner.isprintable():
        raise Invalid(
            f"the command's owner {owner[:48]!r} must have 1 to {_LONGEST_OWNER} characters, "
            f"no line break, and no blank at its ends"
        )


def plain_answer(outcome: Receipt | Rejection) -> dict[str, Any]:
    """A receipt or a rejection as the sender gets it: the shapes are kept stable."""
    match outcome:
        case Receipt():
            return dict(codec.plain(outcome))
        case Rejection(by=by, reason=reason):
            return {"rejected": {"by": by, "reason": reason}}
