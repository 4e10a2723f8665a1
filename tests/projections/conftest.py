"""The two stores of rows, for tests that both must pass."""

import itertools
from pathlib import Path

import pytest

from cim.adapters.postgres.rows import PostgresRows
from cim.adapters.sqlite.rows import SqliteRows
from cim.ports.rows import RowStore

_NUMBERS = itertools.count(1)


@pytest.fixture
def postgres(database: str) -> PostgresRows:
    """Rows in PostgreSQL, of a machine that no other test has."""
    return PostgresRows(database, f"m{next(_NUMBERS)}")


@pytest.fixture(params=["sqlite", "postgresql"])
def rows(request: pytest.FixtureRequest, tmp_path: Path) -> RowStore:
    """Each of the stores of rows, empty."""
    if request.param == "sqlite":
        return SqliteRows(tmp_path)
    made: PostgresRows = request.getfixturevalue("postgres")
    return made
