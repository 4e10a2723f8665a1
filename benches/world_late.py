"""A module that is written when the articles of world_many are there already."""

from cim import Changed, Component, Context
from world_many import Article, Price, Stock

late = Context("world_late")


@late.component(of=Article)
class Worth(Component):
    """What all pieces cost together."""

    cents: int


@late.system
def value(stock: Changed[Stock], price: Price) -> Worth:
    """The price of all."""
    return Worth(stock.pieces * price.cents)
