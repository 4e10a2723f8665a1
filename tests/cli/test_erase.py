"""``cim erase`` on a whole machine: nothing of the person can be read from any file or by any command."""

import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from cim import ERASED
from cim.adapters.sqlite.keys import SqliteKeys
from cim.ports.keys import PersonErased
from cim.testing import people
from cim.testing.processes import Place, place, wait_until

SECRETS = ("Ada-Lovelace", "1815-12-10", "12-Secret-Lane")
OPEN = "bob-stays-readable"


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Place]:
    """A machine of the module that knows people. Nothing runs on it."""
    folder = tmp_path / "machine"
    folder.mkdir()
    shutil.copy(people.__file__, folder / "shop.py")
    (folder / "machine.toml").write_text('name = "shop"\nmodules = ["shop"]\nworkers = 1\n')
    with place(folder, tmp_path / "said") as made:
        yield made


def fill(shop: Place) -> None:
    """Ada with an order, and Bob."""
    for words in (
        ["shop.Register", "--id", "first", "customer=ada", "name=Ada-Lovelace", "born=1815-12-10"],
        ["shop.Register", "customer=bob", "name=Bob"],
        ["shop.Place", "order=o1", "customer=ada", "address=12-Secret-Lane"],
        ["shop.Place", f"order={OPEN}", "customer=bob", "address=3-Elm"],
    ):
        done = shop.cim("send", *words)
        assert done.code == 0, done.err
    wait_until(lambda: "Greeting" in customer(shop, "ada")["components"], "Ada is greeted")


def customer(shop: Place, id: str, *more: str) -> dict[str, Any]:
    return shop.cim("show", "shop.Customer", id, "--json", *more).data[0]


def found_in(folder: Path) -> list[str]:
    """The secrets that stand in any file of a folder; what is not secret must be there to be found."""
    content = b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())
    assert OPEN.encode() in content
    return [secret for secret in SECRETS if secret.encode() in content]


READS = (
    ["show", "shop.Customer", "--json"],
    ["log", "--json"],
    ["rows", "shop.labels", "--json"],
    ["show", "shop.Order", "--json"],
    ["show", "shop.Customer", "ada", "--at", "2"],
    ["show", "shop.Order", "o1"],
    ["diff", "shop.Customer", "ada", "--from", "0", "--json"],
    ["log"],
    ["trace", "first"],
    ["trace", "first", "--json"],
    ["waiting"],
    ["rows", "shop.labels"],
)


def told(shop: Place, reads: Sequence[list[str]] = READS[:3]) -> list[str]:
    """The secrets that commands tell."""
    said = "".join(done.out + done.err for done in (shop.cim(*words) for words in reads))
    return [secret for secret in SECRETS if secret in said]


def key_of_ada(shop: Place) -> bytes | None:
    return SqliteKeys(shop.state / "persons" / "keys.sqlite").find("shop.Customer.ada")


def sound(shop: Place) -> bool:
    verdict = shop.cim("verify", "--json").data[0]
    assert verdict["faults"] == []
    return bool(verdict["sound"])


def test_after_it_no_file_and_no_command_tells_anything_of_the_person(shop: Place, tmp_path: Path) -> None:
    running = shop.up()
    fill(shop)
    assert told(shop) == list(SECRETS)
    assert sound(shop)
    export = tmp_path / "exported"
    export.mkdir()
    assert shop.cim("export", export / "log.jsonl").code == 0
    assert found_in(shop.folder) == found_in(export) == []

    done = shop.cim("erase", "shop.Customer", "ada", "--reason", "asked on 3 May", "--json")
    assert done.code == 0, done.err
    assert done.data[0]["entities"] == ["shop.Customer ada", "shop.Order o1"]
    wait_until(lambda: shop.cim("rows", "shop.labels", "o1", "--json").data[0]["address"] == ERASED, "row")
    assert told(shop, READS) == []
    assert customer(shop, "ada")["state"] == {"name": ERASED, "born": None, "level": 0, "closed": False}
    assert customer(shop, "ada")["components"]["Greeting"]["value"] == {"words": ERASED}
    assert customer(shop, "ada", "--at", "2")["state"]["name"] == ERASED
    assert customer(shop, "bob")["state"]["name"] == "Bob"
    with pytest.raises(PersonErased):
        key_of_ada(shop)
    assert found_in(shop.folder) == []
    assert sound(shop)

    # Sent again it is the same command; what is new of the person is refused; all else goes on.
    again = ["send", "shop.Register", "--id", "first", "customer=ada", "name=Ada-Lovelace", "born=1815-12-10"]
    assert shop.cim(*again, "--json").data[0]["sequence"] == 1
    refused = shop.cim("send", "shop.Register", "customer=ada", "name=Ada")
    assert refused.code == 1
    assert "shop.Customer.ada was erased: what is new of them needs an id of its own" in refused.err
    assert shop.cim("send", "shop.Close", "customer=ada").code == 0
    entry = next(line for line in shop.cim("log", "--json").data if line["subject"].startswith("evt.cim."))
    assert entry["data"][0]["data"] == {"person": "shop.Customer.ada", "reason": "asked on 3 May"}
    assert entry["owner"].startswith("person:")

    running.process.terminate()
    assert running.end().code in (0, 143)
    assert "Traceback" not in running.err
    assert told(shop) == []
    shop.up()
    assert customer(shop, "ada")["state"]["closed"]
    assert sound(shop)
    assert shop.cim("export", export / "later.jsonl").code == 0
    assert found_in(export) == found_in(shop.folder) == []


def test_a_copy_of_the_log_without_the_keys_is_worth_nothing_and_says_so(shop: Place, tmp_path: Path) -> None:
    running = shop.up()
    fill(shop)
    running.process.terminate()
    running.end()
    copied = tmp_path / "copy"
    shutil.copytree(shop.folder, copied, ignore=shutil.ignore_patterns("persons"))
    with place(copied, tmp_path / "said of the copy") as copy:
        shown = customer(copy, "ada")
        assert "the key of shop.Customer.ada is not in the store of keys" in shown["stopped"]
        assert told(copy) == []
        assert found_in(copied) == []
        assert any("`cim erase`" in one["cause"] for one in copy.cim("waiting", "--json").data)
        copy.up()
        refused = copy.cim("send", "shop.Place", "order=o2", "customer=ada", "address=x")
        assert refused.code == 1
        assert "the key of shop.Customer.ada is not in the store of keys" in refused.err
        for id in ("ada", "bob"):
            assert copy.cim("erase", "shop.Customer", id, "--reason", "their key is lost").code == 0
        wait_until(lambda: copy.cim("waiting", "--json").data == [], "nothing waits")
        assert customer(copy, "ada")["state"]["name"] == ERASED
        assert sound(copy)


KILLED = """
import os, signal
from cim.adapters.sqlite.keys import SqliteKeys
from cim.cli import main
SqliteKeys.destroy = lambda self, person: os.kill(os.getpid(), signal.SIGKILL)
main(["erase", "shop.Customer", "ada", "--reason", "asked", "--machine", {folder!r}])
"""


def test_killed_between_entry_and_key_it_is_erased_already_and_finished_at_the_next_start(
    shop: Place,
) -> None:
    running = shop.up()
    fill(shop)
    running.process.terminate()
    running.end()
    program = KILLED.format(folder=str(shop.folder))
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, timeout=60)
    assert ended.returncode == -9, ended.stderr
    assert key_of_ada(shop) is not None
    assert told(shop) == []
    (fault,) = shop.cim("verify", "--json").data[0]["faults"]
    assert "shop.Customer.ada was erased at sequence " in fault
    assert "and their key is there: start the leaf, which destroys it" in fault
    shop.up()
    with pytest.raises(PersonErased):
        key_of_ada(shop)
    assert sound(shop)


def test_old_keys_that_are_put_back_are_destroyed_again(shop: Place, tmp_path: Path) -> None:
    running = shop.up()
    fill(shop)
    shutil.copytree(shop.state / "persons", tmp_path / "old keys")
    assert shop.cim("erase", "shop.Customer", "ada", "--reason", "asked").code == 0
    running.process.terminate()
    running.end()
    shutil.rmtree(shop.state / "persons")
    shutil.copytree(tmp_path / "old keys", shop.state / "persons")
    assert key_of_ada(shop) is not None
    assert told(shop) == []
    shop.up()
    with pytest.raises(PersonErased):
        key_of_ada(shop)


def test_why_a_run_failed_is_sealed_where_it_may_name_the_person(shop: Place) -> None:
    running = shop.up()
    failed = shop.cim("send", "shop.Register", "customer=nemo", "name=Nemo")
    assert "ValueError: Nemo is nobody" in failed.err
    assert "Nemo" not in running.err
    assert shop.cim("send", "shop.Register", "customer=eve", "name=Nobody").code == 0
    wait_until(lambda: "Failed" in customer(shop, "eve")["components"], "the run failed")
    cause = customer(shop, "eve")["components"]["Failed"]["value"]["cause"]
    assert "Nobody has no name" in cause
    content = b"".join(path.read_bytes() for path in shop.state.rglob("*") if path.is_file())
    assert b"Nobody has no name" not in content
    assert shop.cim("erase", "shop.Customer", "eve", "--reason", "asked").code == 0
    assert customer(shop, "eve")["components"]["Failed"]["value"]["cause"] == ERASED
    assert "has no name" not in str(shop.cim("waiting", "--json").data)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["shop.Customer", "nobody", "--reason", "asked"], "the log holds nothing personal of shop.Cust"),
        (["shop.Customer", "no one", "--reason", "asked"], "ID 'no one' holds a character outside"),
        (["Customer", "ada", "--reason", "asked"], "Entity is empty"),
        (["shop.Customer", "ada", "--reason", " "], "--reason is empty: say why"),
    ],
)  # fmt: skip
def test_what_cannot_be_erased_is_refused_by_name(shop: Place, words: list[str], said: str) -> None:
    done = shop.cim("erase", *words)
    assert done.code == 1
    assert said in " ".join(done.err.split())
    assert shop.cim("log", "--json").data == []


def test_an_import_says_whose_keys_are_missing_and_takes_them_later(shop: Place, tmp_path: Path) -> None:
    running = shop.up()
    fill(shop)
    assert shop.cim("erase", "shop.Customer", "bob", "--reason", "asked").code == 0
    assert shop.cim("export", tmp_path / "log.jsonl").code == 0
    running.process.terminate()
    running.end()
    (tmp_path / "other").mkdir()
    for name in ("shop.py", "machine.toml"):
        shutil.copy(shop.folder / name, tmp_path / "other" / name)
    with place(tmp_path / "other", tmp_path / "said of the other") as other:
        imported = other.cim("import", tmp_path / "log.jsonl", "--json")
        assert imported.data[0]["keyless"] == ["shop.Customer.ada"]
        assert "the key of shop.Customer.ada is not" in customer(other, "ada")["stopped"]
        assert customer(other, "bob")["state"]["name"] == ERASED
        shutil.copytree(shop.state / "persons", other.state / "persons")
        assert customer(other, "ada")["state"]["name"] == SECRETS[0]
        assert sound(other)
