"""What is told to whoever watches."""

import pytest

from cim.cli.output import tell


def test_in_a_file_what_is_told_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    path = f"/a/long/{'path/' * 60}file: [it] is refused"
    tell(path)
    assert capsys.readouterr().err == f"{path}\n"
