"""An agent that thinks of a letter a hundred times, for the bench."""

from agents_desk import Letter
from cim import Budget, Changed, Component, Context, Think

agents_pond = Context("agents_pond")
STEPS = 100


@agents_pond.component(of=Letter)
class Many(Component):
    """What was thought of a letter, many times."""

    tone: str


@agents_pond.agent(budget=Budget(requests=STEPS))
async def ponder(letter: Changed[Letter], think: Think[Many]) -> Many:
    """You think of a letter again and again."""
    found = Many("")
    for number in range(STEPS):
        found = await think(f"{number}: and now?", letter)
    return found
