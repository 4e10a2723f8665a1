"""``cim retry``: a failed run is made again by an entry in the log, beside a running leaf or before it."""

from cim.testing.processes import Place, wait_until


def failed(machine: Place) -> list[dict[str, str]]:
    return [one for one in machine.cim("waiting", "--json").data if one["why"] == "failed"]


def runs(machine: Place) -> list[str]:
    """The causes of all failures in the log."""
    lines = machine.cim("log", "--json").data
    return [item["data"]["cause"] for line in lines for item in line["data"] if item["type"] == "Failed"]


def test_what_failed_names_the_command_and_is_made_again_beside_a_running_leaf(machine: Place) -> None:
    (one,) = failed(machine)
    id = one["entity"].split()[1]
    assert one["frees"].startswith(f"`cim retry documents.read --entity {id} --reason TEXT`")
    assert len(runs(machine)) == 1
    machine.up()
    done = machine.cim("retry", "documents.read", "--entity", id, "--reason", "a newer reader", "--json")
    assert (done.code, done.data[0]["entity"]) == (0, f"documents.Document {id}"), done.err
    wait_until(lambda: len(runs(machine)) == 2, "the run was made again")
    assert wait_until(lambda: failed(machine), "it failed as before")[0]["cause"] == one["cause"]
    lines = machine.cim("log", "--json").data
    (entry,) = [line for line in lines if line["sequence"] == done.data[0]["sequence"]]
    assert entry["data"][0]["data"] == {"system": "documents.read", "reason": "a newer reader"}
    assert entry["owner"].startswith("person:")
    assert "documents.read is made again: a newer reader" in machine.cim("trace", entry["correlation"]).out
    assert machine.cim("verify", "--json").data[0]["faults"] == []


def test_where_no_leaf_runs_it_waits_for_one_and_is_asked_for_once(machine: Place) -> None:
    words = ("retry", "documents.read", "--all", "--reason", "why")
    assert "documents.read is made again since sequence" in machine.cim(*words).out
    (due,) = machine.cim("waiting", "--json").data
    assert (due["why"], due["system"]) == ("due", "documents.read")
    assert machine.cim(*words).out == "nothing to do: each is to be made again already\n"
    machine.up()
    wait_until(lambda: len(runs(machine)) == 2, "the run was made again")


def test_what_cannot_be_made_again_is_refused_by_name(machine: Place) -> None:
    for words, said in (
        (("documents.read", "--entity", "nobody", "--reason", "x"), "did not fail on nobody"),
        (("documents.kind", "--all", "--reason", "x"), "failed did: documents.read"),
        (("documents.read", "--reason", "x"), "name an entity with --entity"),
        (("documents.read", "--all", "--reason", " "), "--reason is empty"),
    ):
        done = machine.cim("retry", *words)
        assert (done.code, said in done.err) == (1, True), done.err
