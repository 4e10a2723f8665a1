"""A module of one entity, as the file of a machine that a test lays."""

NOTES = """
from collections.abc import Iterable
from cim import Command, Context, Event, State

notes = Context("notes")


class Write(Command):
    note: str
    text: str


class Written(Event):
    note: str
    text: str


@notes.entity(key="note")
class Note(State):
    text: str = ""

    def decide(self, command: Write) -> Iterable[Written]:
        return [Written(command.note, command.text)]

    def evolve(self, event: Written) -> "Note":
        return self.but(text=event.text)
"""
