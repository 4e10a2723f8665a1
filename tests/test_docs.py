"""What the README and the guides say runs: every Python block, every console block, every command line."""

import contextlib
import io
import linecache
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest

from cim.cli import main, parser

ROOT = Path(__file__).parents[1]
PAGES = sorted([ROOT / "README.md", ROOT / "CHANGELOG.md", *(ROOT / "docs").rglob("*.md")])
PICTURE = re.compile(
    r"^python3 -m uv run cim (topology [^\n]*)\n```\n\n(?:[^\n]+\n\n)?```mermaid\n(.*?)^```$",
    re.DOTALL | re.MULTILINE,
)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.DOTALL | re.MULTILINE)


def blocks(page: Path, *kinds: str) -> list[tuple[str, str]]:
    """The fenced blocks of some kinds, in their order."""
    return [(kind, text) for kind, text in BLOCK.findall(page.read_text()) if kind in kinds]


def named(page: Path) -> str:
    return page.relative_to(ROOT).as_posix()


@pytest.mark.parametrize("page", [page for page in PAGES if blocks(page, "python")], ids=named)
def test_the_python_of_a_page_runs(page: Path) -> None:
    module = ModuleType(f"docs_{page.stem}")
    sys.modules[module.__name__] = module  # annotations are looked up there
    printed = ""
    try:
        for number, (kind, text) in enumerate(blocks(page, "python", "output")):
            if kind == "output":
                assert printed == text, f"{named(page)} shows another output than its snippet prints"
                continue
            file = f"{named(page)} block {number}"
            linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
            with contextlib.redirect_stdout(io.StringIO()) as out:
                exec(compile(text, file, "exec"), module.__dict__)
            printed = out.getvalue()
    finally:
        del sys.modules[module.__name__]


def test_the_console_of_the_readme_runs(tmp_path: Path) -> None:
    environment = {**os.environ, "CIM_MACHINE": str(tmp_path / "machine")}
    commands = [
        line.removeprefix("$ ")
        for _, text in blocks(ROOT / "README.md", "console")
        for line in text.splitlines()
        if line.startswith("$ ")
    ]
    assert len(commands) > 5
    for command in commands:
        name, *arguments = shlex.split(command)
        assert name == "cim"
        ran = subprocess.run(
            [sys.executable, "-m", "cim", *arguments],
            cwd=ROOT,
            env=environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert ran.returncode == 0, f"{command}: {ran.stderr}"


def cim_lines() -> Iterator[tuple[str, str]]:
    for page in PAGES:
        for _, text in blocks(page, "sh"):
            for line in text.splitlines():
                for command in re.findall(r"uv run cim ([^&|#]+)", line):
                    yield named(page), command.strip()


@pytest.mark.parametrize(("page", "command"), list(cim_lines()))
def test_each_command_line_of_a_page_is_one(page: str, command: str) -> None:
    parser().parse_args(shlex.split(command))


def pictures() -> Iterator[tuple[str, str, str]]:
    for page in PAGES:
        for command, picture in PICTURE.findall(page.read_text()):
            yield named(page), command, picture


@pytest.mark.parametrize(("page", "command", "picture"), list(pictures()))
def test_a_picture_is_what_the_line_above_it_prints(
    page: str, command: str, picture: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(ROOT)
    assert main(shlex.split(command)) == 0
    assert capsys.readouterr().out == picture


def test_the_world_is_taught_with_pictures() -> None:
    assert [
        command.rpartition("mermaid")[2] for page, command, _ in pictures() if page == "docs/world.md"
    ] == [
        " --module alarms",
        " --module rooms",
        "",
    ]


def test_the_readme_gives_the_command_that_ci_runs() -> None:
    tests = "python3 -m uv run pytest"
    assert f"```sh\n{tests}\n```" in (ROOT / "README.md").read_text()
    assert (ROOT / ".ci" / "run").read_text().endswith(f"{tests}\n")


@pytest.mark.parametrize("page", PAGES, ids=named)
def test_every_file_that_a_page_names_is_there(page: Path) -> None:
    text = page.read_text()
    for target in re.findall(r"\]\((?!https?:|#)([^)#]+)", text):
        assert (page.parent / target).exists(), f"{named(page)} links {target}"
    for target in re.findall(r"`((?:tests|src|benches|examples)/[\w./-]+)`", text):
        assert (ROOT / target).exists(), f"{named(page)} names {target}"
