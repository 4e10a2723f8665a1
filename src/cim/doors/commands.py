"""The door for commands: known? well-formed? allowed? Then to the entity, and an answer in any case."""

from collections.abc import Callable
from typing import Any

from nats.aio.client import Client
from nats.aio.msg import Msg

from cim.actors.actors import Actors
from cim.actors.request import Asked, Invalid, Receipt, Rejection, content_digest
from cim.contract import codec
from cim.contract.composition import Composition
from cim.contract.entity import key_of
from cim.contract.envelope import Origin
from cim.contract.subjects import Ref, parse_command, token
from cim.domain.errors import CimError
from cim.doors.serving import concurrently
from cim.world.world import World

QUEUE = "door"


class CommandDoor:
    """Takes commands for the entities of a composition."""

    def __init__(self, composition: Composition, actors: Actors, world: World) -> None:
        self._composition, self._actors, self._world = composition, actors, world

    async def serve(self, client: Client, trouble: Callable[[str], None]) -> None:
        """Answer requests on ``cmd.>`` from now on."""

        async def take(message: Msg) -> None:
            try:
                answer = await self._answer(message)
            except CimError as error:
                answer = {"error": str(error)}
            except Exception as error:
                answer = {"error": f"the machine failed on it: {type(error).__name__}: {error}"}
                trouble(f"{message.subject}: {type(error).__name__}: {error}")
            if message.reply:
                await message.respond(codec.json_bytes(answer))

        await client.subscribe("cmd.>", queue=QUEUE, cb=concurrently(take))

    async def _answer(self, message: Msg) -> dict[str, Any]:
        ref, name, _sender = parse_command(message.subject)
        return await self.submit(ref, name, message.data, Origin.parse(message.headers or {}))

    async def submit(self, ref: Ref, name: str, body: bytes, origin: Origin) -> dict[str, Any]:
        """One command to its entity: a receipt or a rejection as plain data. Raises on a bad command."""
        asked = self.check(ref, name, body, origin)
        await self._world.until_caught_up()
        known = self._world.commands.get(origin.id)
        if known is not None and known[0] != ref:
            rejected = Rejection(
                str(ref),
                f"id {origin.id} was used for a command to {known[0]}: give this one an id of its own",
            )
            return plain_answer(rejected)
        return plain_answer(await self._actors.handle(asked))

    def check(self, ref: Ref, name: str, body: bytes, origin: Origin) -> Asked:
        """The command that a request means; raises :class:`CimError` naming what is wrong with it."""
        kind = self._composition.entity(ref.context, ref.entity)
        command_type = kind.commands.get(name)
        if command_type is None:
            raise Invalid(f"{kind} takes no command {name}; it takes {', '.join(kind.commands)}")
        token(origin.id, "the command's id")
        items = codec.decode(body)
        if len(items) != 1 or items[0].type != name:
            raise Invalid(f"{kind} {ref.id}: the body must hold exactly one {name}")
        command = codec.typed(items[0].data, command_type)
        if key_of(kind, command) != ref.id:
            raise Invalid(f"{name} for {getattr(command, kind.key)!r} was sent to {ref}: the ids must agree")
        return Asked(ref, command, origin, content_digest(ref, name, codec.encode([codec.item(command)])))


def plain_answer(outcome: Receipt | Rejection) -> dict[str, Any]:
    """A receipt or a rejection as the sender gets it: the shapes are kept stable."""
    match outcome:
        case Receipt():
            return dict(codec.plain(outcome))
        case Rejection(by=by, reason=reason):
            return {"rejected": {"by": by, "reason": reason}}
