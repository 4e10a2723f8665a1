"""A process that sends commands until it is ended: ``sender FOLDER URLS JOURNAL SEED TASKS JARS``.

``-`` for the URLs means those that the folder's leaf tells.
"""

import asyncio
import random
import signal
import sys
from pathlib import Path

from nats.aio.client import Client

from cim.adapters.nats.link import connect
from cim.adapters.system import SystemClock
from cim.contract.composition import compose
from cim.contract.envelope import Origin
from cim.domain.errors import CimError
from cim.doors.sender import NoHandler, send
from cim.log.append import OutcomeUnknown
from cim.ports.log import LinkLost
from cim.testing.faults.journal import Journal
from cim.testing.faults.reaching import address_of, credentials_of
from cim.testing.jars import Move, Pour, Put, jars, labels

PATIENCE = 40.0
LONGEST_PAUSE = 0.05
AGAIN = 0.1
"""How many of the commands are sent a second time after their answer."""

KIND = compose([jars, labels]).entity("jars", "Jar")


class Tries(SystemClock):
    """A clock that counts the waits between tries."""

    def __init__(self) -> None:
        self.tries = 1

    async def sleep(self, seconds: float) -> None:
        """As the host's."""
        self.tries += 1
        await super().sleep(seconds)


class Sender:
    """Sends commands to some jars, one after the other in each of its tasks."""

    def __init__(self, client: Client, journal: Journal, chance: random.Random, name: str, jars: int) -> None:
        self._client, self._journal, self._chance, self._name = client, journal, chance, name
        self._jars = [f"jar{number}" for number in range(jars)]
        self.ending = asyncio.Event()

    async def run(self, task: int) -> None:
        """Ask until the end."""
        number = 0
        while not self.ending.is_set():
            number += 1
            id = f"{self._name}-{task}-{number}"
            command = self._command(*self._chance.sample(self._jars, 2))
            for _ in range(2 if self._chance.random() < AGAIN else 1):
                await self._ask(id, command)
            await asyncio.sleep(self._chance.random() * LONGEST_PAUSE)

    def _command(self, jar: str, other: str) -> Put | Pour | Move:
        amount = self._chance.randint(1, 4)
        kinds: list[Put | Pour | Move] = [Put(jar, amount), Pour(jar), Move(jar, other, amount)]
        return self._chance.choices(kinds, [5, 4, 1])[0]

    async def _ask(self, id: str, command: Put | Pour | Move) -> None:
        clock, origin = Tries(), Origin.root(id, "person:sender")
        # Each time: whoever is killed while it waits has asked all the same.
        self._journal.write(**{"is": "asked", "id": id, "name": type(command).__name__})
        try:
            answer = await send(self._client, clock, KIND, command, origin, self._name, PATIENCE)
        except (OutcomeUnknown, NoHandler, LinkLost) as unknown:
            self._journal.write(**{"is": "unknown", "id": id, "text": str(unknown)})
        except CimError as error:
            self._journal.write(**{"is": "error", "id": id, "text": str(error)})
        else:
            said = "rejection" if "rejected" in answer else "receipt"
            self._journal.write(**{"is": said, "id": id, "tries": clock.tries, **answer})


async def main(folder: Path, urls: str, journal: Path, seed: str, tasks: int, jars: int) -> None:
    """Send until SIGTERM, then wait for what is under way."""
    user, address = await credentials_of(folder), address_of(folder)
    urls = address.url if urls == "-" and address is not None else urls
    async with connect(urls, user, journal.stem, patience=120) as client:
        sender = Sender(client, Journal(journal), random.Random(seed), journal.stem, jars)
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, sender.ending.set)
        await asyncio.gather(*(sender.run(task) for task in range(tasks)))


if __name__ == "__main__":
    given = sys.argv[1:]
    asyncio.run(main(Path(given[0]), given[1], Path(given[2]), given[3], int(given[4]), int(given[5])))
