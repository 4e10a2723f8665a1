"""Where a machine's rows are kept, as its ``machine.toml`` says."""

from cim.adapters.sqlite.rows import SqliteRows
from cim.domain.errors import Misdeclared
from cim.leaf.machine import Machine
from cim.leaf.private import private_folder
from cim.ports.rows import RowStore

FOLDER = "projections"
"""The folder of all files of rows, in the leaf's own."""


def row_store(machine: Machine) -> RowStore:
    """The store of a machine's rows: files beside the leaf, or the database that ``[projections]`` names.

    Raises :class:`Misdeclared` where what that needs is not installed.
    """
    if not machine.projections.store:
        return SqliteRows(private_folder(machine.state / FOLDER))
    try:
        from cim.adapters.postgres.rows import PostgresRows
    except ImportError as error:
        raise Misdeclared(
            f"{machine.folder}: [projections] store needs the package {error.name}, which is not installed: "
            f"install composable-information-machine[postgresql]"
        ) from error
    return PostgresRows(machine.projections.store, machine.name)
