"""A second system behind that of world_heat: what it is woken by is a component that a system wrote."""

import time

from cim import Changed, Component, Context
from world_heat import Judged, Sensor

chain = Context("world_chain")


@chain.component(of=Sensor)
class Told(Component):
    """``sent`` is when the system before it was called, ``called`` when this one was."""

    sent: float
    called: float


@chain.system
def tell(judged: Changed[Judged]) -> Told:
    """Tells when it was called."""
    return Told(judged.called, time.time())
