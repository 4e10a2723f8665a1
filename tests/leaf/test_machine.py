"""A machine as its folder says, and what is wrong with it by name."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cim.contract.composition import compose
from cim.domain.errors import Misdeclared
from cim.leaf.machine import Limits, Machine, check_limits, load_contexts, load_machine
from cim.testing.jars import jars, labels
from cim.world.allowance import Limit

MODULE = "from cim import Context\n{name} = Context({name!r})\n"


@pytest.fixture(autouse=True)
def imports() -> Iterator[None]:
    """What a test imports is forgotten after it."""
    path, modules = list(sys.path), set(sys.modules)
    yield
    sys.path[:] = path
    for name in set(sys.modules) - modules:
        del sys.modules[name]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "machine"
    path.mkdir()
    return path


def write(folder: Path, text: str) -> Path:
    (folder / "machine.toml").write_text(text)
    return folder


def machine(folder: Path, *modules: str) -> Machine:
    return Machine("machine", modules, folder=folder)


def test_a_machine_is_what_its_file_says(folder: Path) -> None:
    found = load_machine(
        write(
            folder,
            'name = "office"\nmodules = ["letters"]\ndurability = "durable"\nworkers = 3\nport = 0\n'
            "[limits]\nseconds = 2.5\nmemory_mb = 512\n"
            '[providers]\nOcr = "a.b:C"\nPdf = { use = "a.b:D", dpi = 200 }\n',
        )
    )
    providers: dict[str, str | dict[str, object]] = {"Ocr": "a.b:C", "Pdf": {"use": "a.b:D", "dpi": 200}}
    assert found == Machine("office", ("letters",), providers, "durable", 3, 0, Limits(2.5, 512), folder)
    assert found.state == folder / ".cim"
    assert found.source == "cim:office"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ('name = "a"\nmodules = []\ncolour = 1', "there is no setting 'colour'"),
        ('name = "a"\nmodules = []\n[limits]\nmemory_mb = 1', "memory_mb 256 or more"),
        ('name = "a"\nmodules = []\n[limits]\nseconds = 0', "seconds must be over 0"),
        ('name = "a"\nmodules = []\n[limits]\nsecnds = 5', r"\[limits\] there is no setting 'secnds'"),
        ('name = "a"\nmodules = []\n[limits]\ntries = 0', "tries is 0: 1 or more"),
        ('name = "a"\nmodules = []\n[systems."a.b"]\nat_onc = 5', r"a\.b\"\] there is no setting 'at_onc'"),
        ('name = "a"\nmodules = []\n[systems."a.b"]\nat_once = 0', "at_once is 0: 1 or more"),
        ('name = "a"\nmodules = []\n[systems."a.b"]\nper_second = 0', "per_second is 0: over 0"),
        ('name = "a"', "missing required field `modules`"),
        ("name = 7\nmodules = []", r"Expected `str`, got `int` - at `\$\.name`"),
        ('name = "a"\nmodules = "letters"', r"at `\$\.modules`"),
        ('name = "a"\nmodules = []\n[providers]\nOcr = 7', r"at `\$\.providers"),
        ('name = "a"\nmodules = []\ndurability = "hi"', 'durability is "dev", "durable" or "ha", not \'hi\''),
        ('name = "a"\nmodules = []\nworkers = -1', "workers is -1"),
        ('name = "a"\nmodules = []\nport = 65536', "port is 65536"),
        ('name = "a"\nmodules = []\nport = -1', "port is -1"),
        ('name = "a\\n"\nmodules = []', "name 'a\\\\n' must be"),
        ('name = "a "\nmodules = []', "name 'a ' must be"),
        ('name = ""\nmodules = []', "name '' must be"),
        ("name = ", "Invalid value"),
    ],
)
def test_a_wrong_setting_is_told_by_file_and_name(folder: Path, text: str, told: str) -> None:
    with pytest.raises(Misdeclared, match=told) as error:
        load_machine(write(folder, text))
    assert str(folder / "machine.toml") in str(error.value)


def test_the_limits_of_systems_are_held_against_the_systems_there_are(folder: Path) -> None:
    text = 'name = "a"\nmodules = []\n[systems."labels.label"]\nat_once = 1\nper_second = 0.5\n'
    composition, told = compose([jars, labels]), list[str]()

    def check(name: str) -> None:
        found = load_machine(write(folder, text.replace("labels.label", name)))
        assert found.systems == {name: Limit(1, 0.5)}
        check_limits(found, composition, told.append)

    check("labels.label")
    assert told == []
    check("late.see")
    (one,) = told
    assert one.endswith('machine.toml: [systems."late.see"] limits a system of a module that is not here')
    with pytest.raises(Misdeclared, match=r"no such system; of labels there are: labels\.label"):
        check("labels.lable")


def test_a_file_that_is_no_text_is_told(folder: Path) -> None:
    (folder / "machine.toml").write_bytes(b"name = \xff")
    with pytest.raises(Misdeclared, match=r"machine\.toml: "):
        load_machine(folder)


@pytest.mark.parametrize("path", ["missing", "machine.toml"])
def test_what_is_no_machine_is_told(folder: Path, path: str) -> None:
    write(folder, 'name = "a"\nmodules = []')
    with pytest.raises(Misdeclared, match=rf"{path} is no machine.*--machine or CIM_MACHINE"):
        load_machine(folder / path)


def test_a_module_is_found_in_the_machines_folder(folder: Path) -> None:
    (folder / "found_here.py").write_text(MODULE.format(name="found_here"))
    (context,) = load_contexts(machine(folder), ["found_here"], views=True)
    assert context.name == "found_here"


def test_a_folder_of_the_same_name_where_the_command_stands_is_not_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "twice_there.py").write_text(MODULE.format(name="twice_there"))
    (tmp_path / "twice_there").mkdir()
    (tmp_path / "twice_there" / "__init__.py").write_text("raise RuntimeError('the wrong one')\n")
    monkeypatch.chdir(tmp_path)
    assert load_contexts(machine(folder), ["twice_there"])[0].name == "twice_there"


@pytest.mark.parametrize("name", ["elsewhere/by_path", "./elsewhere/by_path", "elsewhere/by_path.py"])
def test_a_module_is_found_by_its_path(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / "by_path.py").write_text(MODULE.format(name="by_path"))
    monkeypatch.chdir(tmp_path)
    assert load_contexts(machine(folder), [name])[0].name == "by_path"


def test_views_are_imported_where_they_are_wanted(folder: Path) -> None:
    (folder / "with_views").mkdir()
    (folder / "with_views" / "__init__.py").write_text(MODULE.format(name="with_views"))
    (folder / "with_views" / "views.py").write_text("from . import with_views\nwith_views.view(print)\n")
    (context,) = load_contexts(machine(folder), ["with_views"])
    assert context.views == []
    load_contexts(machine(folder), ["with_views"], views=True)
    assert context.views == [print]


def test_a_module_that_is_not_there_is_told_with_where_it_was_looked_for(folder: Path) -> None:
    with pytest.raises(Misdeclared, match=rf"module not_there is neither in {folder} nor installed"):
        load_contexts(machine(folder), ["not_there"])


@pytest.mark.parametrize("needed", ["not_installed", "needs"])
def test_a_module_that_needs_what_is_not_installed_names_it(folder: Path, needed: str) -> None:
    (folder / "needs_more.py").write_text(f"import {needed}\n")
    with pytest.raises(Misdeclared, match=f"module needs_more needs {needed}, which is not installed"):
        load_contexts(machine(folder), ["needs_more"])


def test_a_module_without_its_context_is_told(folder: Path) -> None:
    (folder / "contextless.py").write_text("from cim import Context\nother = Context('other')\n")
    with pytest.raises(Misdeclared, match=r"module contextless declares no Context\('contextless'\)"):
        load_contexts(machine(folder), ["contextless"])
