"""What every adapter of the log must hold: a class of tests to subclass.

An adapter's test gives a fixture ``log``, a fixture ``intrude`` that stores a message as another program
would, past the log, and inherits the rest::

    class TestMyLog(LogConformance):
        @pytest.fixture
        def log(self) -> Log:
            return MyLog()

        @pytest.fixture
        def intrude(self, log: MyLog) -> Intrude:
            return log.intrude
"""

import asyncio
import re
from collections.abc import AsyncGenerator, Awaitable, Callable, Mapping
from contextlib import aclosing
from dataclasses import replace
from typing import cast

import pytest

from cim.contract.envelope import BadEnvelope, Commit, Derivation, Origin
from cim.contract.stranger import Stranger
from cim.ports.log import Log, Stored, Unclear

Intrude = Callable[[str, Mapping[str, str], bytes], Awaitable[int]]
"""Stores subject, headers and body as they are; gives the sequence."""

DEADLINE = 30.0
"""Seconds after which a test gives up."""


def commit(subject: str, id: str, body: bytes = b"[]", number: int = 1) -> Commit:
    """A commit as a machine would make it, all but its content always the same."""
    return Commit(
        subject=subject,
        number=number,
        origin=Origin.root(id, "person:tester"),
        source="cim:conformance",
        type="documents.Document.Committed",
        time="2024-05-06T07:08:09.123456Z",
        schema="cim:0123456789abcdef",
        body=body,
    )


async def store(log: Log, given: Commit, expected: int = 0) -> Commit:
    """Store a commit that must be stored; returns it at its sequence."""
    answer = await log.attempt(given, expected)
    assert isinstance(answer, Stored), answer
    return given.at(answer.sequence)


async def store_many(log: Log, count: int, prefix: str = "evt.documents.Document.d") -> list[Commit]:
    """One commit on each of ``count`` new subjects."""
    return [
        await store(log, commit(f"{prefix}{number}", f"{prefix[-1]}-{number}")) for number in range(count)
    ]


async def read_all(log: Log, subject: str = ">", after: int = 0) -> list[Commit]:
    """All that a read gives."""
    return [one async for one in log.read(subject, after)]


async def follow_until(log: Log, after: int, last: int) -> list[list[Commit]]:
    """The batches of a follower up to the one that reaches the sequence ``last``, or ends the log there."""
    batches: list[list[Commit]] = []
    following = cast("AsyncGenerator[list[Commit], None]", log.follow(after))
    async with asyncio.timeout(DEADLINE), aclosing(following):
        async for batch in following:
            batches.append(batch)
            after = batch[-1].sequence if batch else after
            if after >= last:
                return batches
    raise AssertionError("a follower ended")


def sequences(batches: list[list[Commit]]) -> list[int]:
    """The sequences of batches in the order in which they came."""
    return [one.sequence for batch in batches for one in batch]


class LogConformance:
    """The promises of :class:`cim.ports.log.Log`. A subclass gives a fixture ``log``, empty each time."""

    async def test_an_empty_log_has_nothing(self, log: Log) -> None:
        assert await log.last() == 0
        assert await log.next_on("evt.documents.Document.a", 0) is None
        assert await read_all(log) == []

    async def test_sequences_count_all_commits_from_one(self, log: Log) -> None:
        assert [one.sequence for one in await store_many(log, 3)] == [1, 2, 3]
        assert await log.last() == 3

    async def test_an_expectation_is_of_its_subject_alone(self, log: Log) -> None:
        first = await store(log, commit("evt.documents.Document.a", "a1"))
        await store(log, commit("evt.documents.Document.b", "b1"))
        await store(log, commit("evt.documents.Document.a", "a2", number=2), first.sequence)
        assert [one.id for one in await read_all(log)] == ["a1", "b1", "a2"]

    @pytest.mark.parametrize("expected", [0, 2, 7])
    async def test_a_wrong_expectation_is_unclear_and_stores_nothing(self, log: Log, expected: int) -> None:
        first = await store(log, commit("evt.documents.Document.a", "a1"))
        await store(log, commit("evt.documents.Document.b", "b1"))
        answer = await log.attempt(commit("evt.documents.Document.a", "a2"), expected)
        assert isinstance(answer, Unclear)
        assert answer.reason
        assert [one.id for one in await read_all(log)] == ["a1", "b1"]
        await store(log, commit("evt.documents.Document.a", "a2"), first.sequence)

    async def test_a_new_subject_expects_nothing_but_zero(self, log: Log) -> None:
        await store(log, commit("evt.documents.Document.b", "b1"))
        assert isinstance(await log.attempt(commit("evt.documents.Document.a", "a1"), 1), Unclear)
        assert await log.last() == 1

    async def test_of_many_attempts_on_one_state_one_is_stored(self, log: Log) -> None:
        tries = [log.attempt(commit("evt.documents.Document.a", f"a{number}"), 0) for number in range(20)]
        answers = await asyncio.gather(*tries)
        won = [f"a{number}" for number, answer in enumerate(answers) if isinstance(answer, Stored)]
        assert len(won) == 1
        assert [one.id for one in await read_all(log)] == won

    @pytest.mark.parametrize(
        "body",
        [
            b"[]",
            '[{"type":"Received","version":1,"data":{"title":"Größe ∑ 漢字 🜁 ‮"}}]'.encode(),
            b'["' + b"x" * 3_000_000 + b'"]',
            b"line\r\nline\x00\xff",
        ],
        ids=["empty", "not ASCII", "3 MB", "any bytes"],
    )
    async def test_a_commit_comes_back_as_it_was_written(self, log: Log, body: bytes) -> None:
        derivation = Derivation("documents.läs", "abc", {"state": 1, "languages.Language": 2}, 12.5, "done")
        whole = replace(
            commit("cmp.documents.Document.a.documents", "run-1", body, number=3),
            origin=Origin("run-1", "root-1", "cause-1", "person:Zoë Ünal"),
            previous="ab" * 32,
            request="Receive/5f",
            derivation=derivation,
        )
        stored = await store(log, whole)
        (followed,) = (await follow_until(log, 0, 1))[0]
        for found in (await log.next_on(whole.subject, 0), (await read_all(log))[0], followed):
            assert found == stored
            assert found is not None
            assert found.digest == whole.digest

    @pytest.mark.parametrize(
        "owner", ["person:a ", " person:a", "person:a\r\nce-id: b", "person:\x00", "\u2003a"]
    )
    async def test_a_header_that_would_come_back_otherwise_is_refused(self, log: Log, owner: str) -> None:
        given = replace(commit("evt.documents.Document.a", "a1"), origin=Origin.root("a1", owner))
        with pytest.raises(BadEnvelope, match="header ce-owner"):
            await log.attempt(given, 0)
        assert await log.last() == 0

    @pytest.mark.parametrize(
        ("subject", "changed", "reason"),
        [
            ("evt.documents.Document.a", None, "is missing"),
            ("evt.documents.Document.a", {"ce-id": None}, "header ce-id is missing"),
            ("evt.documents.Document.a", {"ce-specversion": "2.0"}, "header ce-specversion is '2.0', not"),
            ("evt.documents.Document.a", {"ce-subject": "evt.b"}, "header ce-subject is 'evt.b', not"),
            ("evt.documents.Document.a", {"ce-number": "-1"}, "header ce-number is '-1', not a whole number"),
            ("evt.documents.Document.a", {"ce-number": "9" * 5000}, "4300 digits"),
            ("evt.documents.Document.a", {"ce-owner": "a\tb"}, r"header ce-owner holds 'a\\tb'"),
            ("evt.documents.Document.a", {"ce-system": "s"}, "header ce-inputs is missing"),
            ("evt.documents.Document.a", {"ce-system": "s", "ce-inputs": "a#b", "ce-took": "1"}, "cannot be"),
            ("cmp.a", None, "is missing"),
            ("evt.one.two.three.four.ünfünf", None, "is missing"),
        ],
        ids=lambda given: str(given)[:40],
    )
    async def test_a_message_that_no_machine_wrote_keeps_its_place_and_stops_no_reader(
        self, log: Log, intrude: Intrude, subject: str, changed: dict[str, str | None] | None, reason: str
    ) -> None:
        await store(log, commit("evt.documents.Document.before", "before"))
        whole = commit(subject, "x1").headers() if changed is not None else {}
        headers = {name: value for name, value in {**whole, **(changed or {})}.items() if value is not None}
        assert await intrude(subject, headers, b"\xff no JSON") == 2
        await store(log, commit("evt.documents.Document.behind", "behind"))
        (followed,) = [one for batch in await follow_until(log, 0, 3) for one in batch if one.sequence == 2]
        read = await read_all(log)
        assert [one.id for one in read] == ["before", "", "behind"]
        for found in (await log.next_on(subject, 0), read[1], followed):
            assert isinstance(found, Stranger)
            assert re.search(reason, found.reason)
            assert found == followed
            assert (found.subject, found.body) == (subject, b"\xff no JSON")
            assert found.digest == followed.digest

    async def test_what_a_stranger_s_headers_pretend_is_not_believed(
        self, log: Log, intrude: Intrude
    ) -> None:
        pretended = {
            "Status": "409",
            "Nats-Sequence": "77",
            "Nats-Subject": "evt.other",
            "Nats-Num-Pending": "0",
        }
        await intrude("evt.documents.Document.a", pretended, b"")
        await store(log, commit("evt.documents.Document.b", "b"))
        followed = [one for batch in await follow_until(log, 0, 2) for one in batch]
        for found in (await read_all(log), followed):
            assert [(one.sequence, one.subject[-1], one.id) for one in found] == [(1, "a", ""), (2, "b", "b")]

    async def test_strangers_of_one_content_have_one_digest_and_of_others_another(
        self, log: Log, intrude: Intrude
    ) -> None:
        for subject, body in (("evt.a", b"1"), ("evt.a", b"1"), ("evt.a", b"2"), ("evt.b", b"1")):
            await intrude(subject, {}, body)
        same, again, *others = [one.digest for one in await read_all(log)]
        assert same == again
        assert len({same, *others}) == 3

    async def test_commits_are_stored_together_one_behind_the_other(self, log: Log) -> None:
        first = await store(log, commit("evt.documents.Document.a", "a1"))
        parts = [
            (commit("evt.documents.Document.b", "t1"), 0),
            (commit("evt.documents.Document.a", "t1", number=2), first.sequence),
            (commit("cmp.documents.Document.c.documents", "t1"), 0),
        ]
        assert await log.attempt_together(parts) == Stored(4)
        found = await read_all(log, after=1)
        assert found == [one.at(2 + place) for place, (one, _) in enumerate(parts)]
        assert [one.digest for one in found] == [one.digest for one, _ in parts]
        assert [one.sequence for one in await read_all(log, "evt.documents.Document.a")] == [1, 3]
        assert await log.next_on("evt.documents.Document.b", 0) == found[0]

    @pytest.mark.parametrize("wrong", [0, 1, 2])
    async def test_of_commits_together_none_is_stored_where_one_is_not_expected(
        self, log: Log, wrong: int
    ) -> None:
        for place, id in enumerate("abc"):
            assert (await store(log, commit(f"evt.documents.Document.{id}", f"{id}1"))).sequence == place + 1
        subjects = [f"evt.documents.Document.{id}" for id in "abc"]
        parts = [(commit(subject, "t1", number=2), at) for at, subject in enumerate(subjects, 1)]
        parts[wrong] = (parts[wrong][0], 0)
        answer = await log.attempt_together(parts)
        assert isinstance(answer, Unclear)
        assert answer.reason
        assert [one.id for one in await read_all(log)] == ["a1", "b1", "c1"]
        parts[wrong] = (parts[wrong][0], wrong + 1)
        assert await log.attempt_together(parts) == Stored(6)

    async def test_of_many_writes_together_on_one_state_one_is_stored(self, log: Log) -> None:
        def parts(name: str) -> list[tuple[Commit, int]]:
            subjects = ["evt.documents.Document.a", "evt.documents.Document.b"]
            return [(commit(subject, name), 0) for subject in (subjects if name < "t4" else subjects[::-1])]

        names = [f"t{number}" for number in range(8)]
        answers = await asyncio.gather(*(log.attempt_together(parts(name)) for name in names))
        stored = [name for name, answer in zip(names, answers, strict=True) if answer == Stored(2)]
        assert len(stored) == 1
        assert [one.id for one in await read_all(log)] == stored * 2

    async def test_commits_that_name_their_partners_come_back_so(self, log: Log) -> None:
        subjects = ["evt.documents.Document.a", "evt.documents.Document.b"]
        parts = [
            (replace(commit(one, "t1"), partners={other: 1}), 0)
            for one, other in (subjects, reversed(subjects))
        ]
        await log.attempt_together(parts)
        found = await read_all(log)
        assert [one.partners for one in found] == [{subjects[1]: 1}, {subjects[0]: 1}]
        assert [one.digest for one in found] == [one.digest for one, _ in parts]

    async def test_the_next_on_a_subject_is_the_first_past_a_sequence(self, log: Log) -> None:
        first = await store(log, commit("evt.documents.Document.a", "a1"))
        await store(log, commit("evt.documents.Document.ab", "ab1"))
        second = await store(log, commit("evt.documents.Document.a", "a2", number=2), first.sequence)
        third = await store(log, commit("evt.documents.Document.a", "a3", number=3), second.sequence)
        found = [await log.next_on("evt.documents.Document.a", after) for after in range(5)]
        assert found == [first, second, second, third, None]

    @pytest.mark.parametrize(
        ("subject", "expected"),
        [
            (">", ["1", "2", "3", "4", "5"]),
            ("evt.>", ["1", "2", "4"]),
            ("evt.documents.Document.*", ["1", "4"]),
            ("evt.*.*.a", ["1", "2"]),
            ("cmp.documents.Document.a.*", ["3", "5"]),
            ("evt.documents.Document", []),
            ("evt.documents.Document.a", ["1"]),
            ("evt.documents.Document.a.>", []),
        ],
    )
    async def test_a_read_takes_the_wildcards_of_subjects(
        self, log: Log, subject: str, expected: list[str]
    ) -> None:
        await store(log, commit("evt.documents.Document.a", "1"))
        await store(log, commit("evt.letters.Letter.a", "2"))
        await store(log, commit("cmp.documents.Document.a.documents", "3"))
        await store(log, commit("evt.documents.Document.b", "4"))
        await store(log, commit("cmp.documents.Document.a.languages", "5"))
        assert [one.id for one in await read_all(log, subject)] == expected

    @pytest.mark.parametrize("after", [0, 1, 255, 256, 257, 512, 599, 600, 601])
    async def test_a_read_of_many_pages_begins_past_its_cursor(self, log: Log, after: int) -> None:
        await self.fill(log, 600)
        assert [one.sequence for one in await read_all(log, after=after)] == list(range(after + 1, 601))
        odd = [one.sequence for one in await read_all(log, "evt.odd.>", after)]
        assert odd == [number for number in range(after + 1, 601) if number % 2]

    async def fill(self, log: Log, count: int) -> None:
        """``count`` commits, on subjects that begin with evt.odd and evt.even in turn."""
        for number in range(1, count + 1):
            context = "odd" if number % 2 else "even"
            await store(log, commit(f"evt.{context}.Entity.e{number}", f"id-{number}"))

    async def test_a_read_during_writes_has_no_gap(self, log: Log) -> None:
        await store_many(log, 300)
        writing = asyncio.create_task(store_many(log, 300, "evt.letters.Letter.l"))
        found = [one.sequence for one in await read_all(log)]
        await writing
        assert len(found) >= 300
        assert found == list(range(1, len(found) + 1))

    async def test_a_follower_of_an_empty_log_is_at_its_end(self, log: Log) -> None:
        assert await follow_until(log, 0, 0) == [[]]

    async def test_a_follower_hears_of_the_end_after_all_that_stood(self, log: Log) -> None:
        await store_many(log, 600)
        batches: list[list[Commit]] = []
        following = cast("AsyncGenerator[list[Commit], None]", log.follow(0))
        async with asyncio.timeout(DEADLINE), aclosing(following):
            async for batch in following:
                if not batch:
                    break
                batches.append(batch)
        assert sequences(batches) == list(range(1, 601))

    @pytest.mark.parametrize("after", [1, 300, 600])
    async def test_a_follower_begins_past_its_cursor(self, log: Log, after: int) -> None:
        await store_many(log, 600)
        following = asyncio.create_task(follow_until(log, after, 601))
        await store(log, commit("evt.documents.Document.new", "new"))
        assert sequences(await following) == list(range(after + 1, 602))

    async def test_a_follower_past_the_end_waits_for_what_comes(self, log: Log) -> None:
        await store_many(log, 2)
        following = asyncio.create_task(follow_until(log, 2, 3))
        await store(log, commit("evt.documents.Document.new", "new"))
        batches = await following
        assert sequences(batches) == [3]
        assert batches[0] in ([], batches[-1])

    async def test_followers_see_each_commit_once_and_in_order_while_others_write(self, log: Log) -> None:
        followers = [asyncio.create_task(follow_until(log, 0, 800)) for _ in range(2)]
        writers = [store_many(log, 200, f"evt.writers.Writer.{name}") for name in "abcd"]
        late = asyncio.create_task(follow_until(log, 0, 800))
        await asyncio.gather(*writers)
        for one in await asyncio.gather(*followers, late):
            assert sequences(one) == list(range(1, 801))
