"""CIM, the Composable Information Machine: the words that a module is written in."""

from cim.domain.agent import Allow, Ask, Budget, Think
from cim.domain.blob import Blob, Blobs
from cim.domain.capability import Capability, version
from cim.domain.component import Component, Failed
from cim.domain.context import Context
from cim.domain.errors import CimError, Failure, Reject, Unavailable
from cim.domain.expiry import Expires
from cim.domain.former import Former
from cim.domain.message import Command, Event
from cim.domain.outside import Outside
from cim.domain.personal import ERASED, Person, Personal
from cim.domain.process import Cancel, Later, Process, Rejected, Timer
from cim.domain.projection import Key, Row, Rows, Table
from cim.domain.query import Added, Changed, Each, Maybe, One, Removed, Where, With, Without
from cim.domain.record import Record
from cim.domain.relation import Refers, Via
from cim.domain.state import State

__all__ = [
    "ERASED",
    "Added",
    "Allow",
    "Ask",
    "Blob",
    "Blobs",
    "Budget",
    "Cancel",
    "Capability",
    "Changed",
    "CimError",
    "Command",
    "Component",
    "Context",
    "Each",
    "Event",
    "Expires",
    "Failed",
    "Failure",
    "Former",
    "Key",
    "Later",
    "Maybe",
    "One",
    "Outside",
    "Person",
    "Personal",
    "Process",
    "Record",
    "Refers",
    "Reject",
    "Rejected",
    "Removed",
    "Row",
    "Rows",
    "State",
    "Table",
    "Think",
    "Timer",
    "Unavailable",
    "Via",
    "Where",
    "With",
    "Without",
    "version",
]
