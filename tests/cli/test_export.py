"""``cim export`` and ``cim import``: a history goes from machine to machine, bit for bit, or not at all."""

import shutil
import signal
import stat
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path

import msgspec
import pytest

from cim.adapters.nats.link import connect
from cim.leaf.accounts import Credentials
from cim.testing.processes import Place, place, wait_until


@pytest.fixture(scope="module")
def archive(read_machine: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The machine that was read, as a zip."""
    folder = tmp_path_factory.mktemp("archive")
    shutil.copytree(read_machine, folder / "machine")
    with place(folder / "machine", folder / "said") as source:
        done = source.cim("export", folder / "all.zip", "--json")
    assert (done.code, done.data[0]["missing"]) == (0, []), done.err
    assert stat.S_IMODE((folder / "all.zip").stat().st_mode) == 0o600
    return folder / "all.zip"


@pytest.fixture
def empty(read_machine: Path, tmp_path: Path) -> Iterator[Place]:
    """A machine of the same modules that knows nothing."""
    shutil.copytree(read_machine, tmp_path / "empty", ignore=shutil.ignore_patterns(".cim"))
    with place(tmp_path / "empty", tmp_path / "said by the empty") as made:
        yield made


def test_an_imported_history_is_the_same_bit_for_bit(machine: Place, archive: Path, empty: Place) -> None:
    done = empty.cim("import", archive, "--machine", empty.folder, "--json")
    assert (done.code, done.data[0]["missing"]) == (0, []), done.err
    assert done.data[0]["contents"] == 10
    history = machine.cim("log", "--json")
    assert empty.cim("log", "--json").out == history.out
    assert done.data[0]["commits"] == len(history.data)
    everything = ("show", "documents.Document", "--json")
    assert empty.cim(*everything).out == machine.cim(*everything).out
    verified = empty.cim("verify", "--json").data[0]
    assert (verified["sound"], verified["blobs"]) == (True, 10)
    assert verified["world"] == machine.cim("verify", "--json").data[0]["world"]
    # The digest covers each header and body of each commit: exported again, it is what it was.
    again = empty.cim("export", empty.folder / "again.zip", "--json").data[0]
    assert again["digest"] == done.data[0]["digest"]
    assert zipfile.ZipFile(archive).testzip() is None
    first, second = (lines_of(file)[:-1] for file in (archive, empty.folder / "again.zip"))
    assert first == second


def test_the_machine_goes_on_where_the_other_stood(archive: Path, empty: Place, read_machine: Path) -> None:
    assert empty.cim("import", archive).code == 0
    last = len(lines_of(archive)) - 1
    again = empty.cim(
        "demo", "--exit", "--port", "0", "--json", read_machine.parent / "slips" / "slip-00.png"
    )
    assert (again.code, again.data[0]["documents"]) == (0, 5), again.err
    assert len(empty.cim("log", "--json").data) == last, "what was received and derived is known"
    scan = f"scan=@{read_machine.parent / 'slips' / 'slip-01.png'}"
    sent = empty.cim("send", "documents.Receive", "--json", "document=new", "title=New", scan)
    assert sent.data[0]["sequence"] == last + 1
    assert empty.cim("verify").code == 0


def test_a_plain_file_holds_the_lines_alone(machine: Place, empty: Place, tmp_path: Path) -> None:
    file = tmp_path / "log.jsonl"
    machine.up()
    assert machine.cim("export", file).code == 0
    lines = file.read_bytes().splitlines()
    history = machine.cim("log", "--json")
    assert len(lines) == len(history.data) + 1
    assert [msgspec.json.decode(line)["subject"] for line in lines[:-1]] == [
        one["subject"] for one in history.data
    ]
    done = empty.cim("import", file)
    assert done.code == 0
    assert "10 contents that the log names are not in it" in done.out
    assert empty.cim("log", "--json").out == history.out
    assert len(empty.cim("verify", "--json").data[0]["faults"]) == 10


def test_a_machine_with_a_history_takes_no_other(machine: Place, archive: Path) -> None:
    history = machine.cim("log").out
    done = machine.cim("import", archive)
    assert (done.code, done.out) == (1, "")
    assert "cim import: machine documents has a history of " in done.err
    assert machine.cim("log").out == history
    machine.up()
    assert "a leaf runs here already" in machine.cim("import", archive).err


def without_end(source: Path, target: Path) -> None:
    target.write_bytes(source.read_bytes()[:-40_000])


def lines_of(file: Path) -> list[bytes]:
    with zipfile.ZipFile(file) as opened:
        return opened.read("log.jsonl").splitlines(keepends=True)


def rewrite(change: Callable[[str, bytes], bytes | None]) -> Callable[[Path, Path], None]:
    """A harm that changes members of the zip, or leaves them out."""

    def harm(source: Path, target: Path) -> None:
        with zipfile.ZipFile(source) as old, zipfile.ZipFile(target, "w") as new:
            for name in old.namelist():
                content = change(name, old.read(name))
                if content is not None:
                    new.writestr(name, content)

    return harm


def reordered(name: str, content: bytes) -> bytes:
    if name != "log.jsonl":
        return content
    lines = content.splitlines(keepends=True)
    return b"".join([lines[1], lines[0], *lines[2:]])


HARMS: dict[str, tuple[Callable[[Path, Path], None], str]] = {
    "cut": (without_end, "is no whole archive"),
    "lines cut": (rewrite(lambda name, old: old[:-900] if name == "log.jsonl" else old), "all.zip: line "),
    "reordered": (rewrite(reordered), "all.zip: line 1 "),
    "a content changed": (
        rewrite(lambda name, old: old if name == "log.jsonl" else old + b"x"),
        "was changed",
    ),
    "contents lost": (rewrite(lambda name, old: old if name == "log.jsonl" else None), "with 10 contents"),
    "log lost": (rewrite(lambda name, old: None if name == "log.jsonl" else old), "holds no log.jsonl"),
    "odd names": (rewrite(lambda name, old: old), "which no export writes"),
}


@pytest.mark.parametrize("harm", HARMS)
def test_a_harmed_archive_is_refused_and_leaves_the_machine_empty(
    archive: Path, empty: Place, tmp_path: Path, harm: str
) -> None:
    change, words = HARMS[harm]
    change(archive, tmp_path / "all.zip")
    if harm == "odd names":
        with zipfile.ZipFile(tmp_path / "all.zip", "a") as opened:
            opened.writestr("../../evil", b"x")
    done = empty.cim("import", tmp_path / "all.zip")
    assert (done.code, done.out) == (1, "")
    assert words in done.err
    assert "Traceback" not in done.err
    assert empty.cim("log").out == ""
    if harm == "cut":
        assert empty.cim("import", archive).code == 0, "the whole one is taken then"


def test_files_that_cannot_be_are_refused_by_name(machine: Place, empty: Place, tmp_path: Path) -> None:
    (tmp_path / "there.zip").write_text("mine")
    assert "is there already" in machine.cim("export", tmp_path / "there.zip").err
    assert (tmp_path / "there.zip").read_text() == "mine"
    assert "name the file .zip" in machine.cim("export", tmp_path / "log.txt").err
    assert "cannot be written" in machine.cim("export", tmp_path / "nowhere" / "log.zip").err
    assert "is not there" in empty.cim("import", tmp_path / "nothing.zip").err
    assert "is no whole archive" in empty.cim("import", tmp_path / "there.zip").err


@pytest.mark.parametrize("command", ["export", "import"])
def test_what_is_interrupted_leaves_nothing_behind(
    command: str, machine: Place, empty: Place, archive: Path, tmp_path: Path
) -> None:
    (tmp_path / "files").mkdir()
    at, file = (machine, tmp_path / "files" / "all.zip") if command == "export" else (empty, archive)
    running = at.start(command, file)
    # As soon as its server runs: the work itself begins now.

    wait_until(lambda: at.servers, "a server runs for the command")
    assert running.send(signal.SIGTERM).code == 143
    assert at.servers == []
    assert list((tmp_path / "files").iterdir()) == []
    if command == "import":
        assert empty.cim("log").out == ""
        assert not (empty.state / "importing").exists()


async def test_a_content_that_is_lost_is_told_and_the_rest_is_exported(
    machine: Place, empty: Place, tmp_path: Path
) -> None:
    machine.up()
    digest = machine.cim("show", "documents.Document", "--json").data[0]["state"]["scan"]["sha256"]
    async with connect(
        machine.address.url, Credentials(machine.address.jwt, machine.address.seed), "test"
    ) as client:
        await (await client.jetstream().object_store("blobs")).delete(digest)
    done = machine.cim("export", tmp_path / "rest.zip", "--json")
    assert (done.code, done.data[0]["missing"], done.data[0]["contents"]) == (1, [digest], 9)
    assert f"content {digest} is not in the machine's store" in " ".join(done.err.split())
    assert empty.cim("import", tmp_path / "rest.zip", "--json").data[0]["missing"] == [digest]


async def test_a_message_that_no_machine_wrote_goes_along(
    machine: Place, empty: Place, tmp_path: Path
) -> None:
    machine.up()
    async with connect(
        machine.address.url, Credentials(machine.address.jwt, machine.address.seed), "test"
    ) as client:
        await client.jetstream().publish("evt.documents.Document.odd", b"\x00 no machine")
    first = machine.cim("export", tmp_path / "odd.zip", "--json")
    assert first.code == 0, first.err
    assert empty.cim("import", tmp_path / "odd.zip").code == 0
    second = empty.cim("export", tmp_path / "again.zip", "--json")
    assert second.data[0]["digest"] == first.data[0]["digest"]
