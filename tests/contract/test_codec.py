"""Bodies: strict about types, told by name, nothing lost on the way."""

from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import pytest

from cim import Blob, Command, Component
from cim.contract import codec
from cim.contract.codec import BadBody, Item


class Everything(Component):
    text: str
    number: int
    ratio: float
    price: Decimal
    day: date
    moment: datetime
    blob: Blob | None
    words: tuple[str, ...]
    notes: dict[str, int]


class Score(Component):
    label: str
    score: float
    other: float | None = None


class Order(Command):
    order: str
    amount: int
    price: Decimal = Decimal("0")
    urgent: bool = False


FULL = Everything(
    "grüße 😀 \x00",
    2**63 - 1,
    0.1 + 0.2,
    Decimal("12.40"),
    date(2026, 1, 2),
    datetime(2026, 1, 2, 3, 4, 5, 6, tzinfo=UTC),
    Blob("ab", 2, "text/plain"),
    ("a", "b"),
    {"z": 1, "a": 2},
)


def through(record: Any) -> Any:
    (one,) = codec.decode(codec.encode([codec.item(record)]))
    return codec.typed(one.data, type(record))


def test_a_record_comes_back_exactly() -> None:
    codec.check(FULL)
    assert through(FULL) == FULL
    # A decimal keeps its places: it travels as text.
    assert str(through(FULL).price) == "12.40"


def test_any_plain_value_is_written_as_json() -> None:
    assert codec.json_bytes({"b": Decimal("1.10"), "a": [FULL.day]}) == b'{"a":["2026-01-02"],"b":"1.10"}'


def test_a_body_is_an_array_of_typed_items_in_one_order() -> None:
    body = codec.encode([codec.item(Score("a", 0.5)), Item("Text", 1, None)])
    assert body == (
        b'[{"type":"Score","version":1,"data":{"label":"a","other":null,"score":0.5}},'
        b'{"type":"Text","version":1,"data":null}]'
    )
    assert codec.encode([codec.item(FULL.but(notes={"a": 2, "z": 1}))]) == codec.encode([codec.item(FULL)])


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{}",
        b"null",
        b"[1]",
        b"[[]]",
        b'[{"type":"A","version":1}]',
        b'[{"version":1,"data":1}]',
        b'[{"type":"A","version":"1","data":1}]',
        b'[{"type":1,"version":1,"data":1}]',
        b'[{"type":"A","version":1,"data":NaN}]',
        b'[{"type":"A","version":1,"data":1}] 2',
        b'[{"type":"A","version":1,"data":"\xff"}]',
        b"\xef\xbb\xbf[]",
        b"[" * 50_000,
        b'[{"type":"A","version":1,"data":' + b"[" * 50_000,
    ],
)
def test_a_body_of_another_form_is_refused(body: bytes) -> None:
    with pytest.raises(BadBody, match="body is not a JSON array of"):
        codec.decode(body)


def test_a_record_that_was_read_is_written_whole_with_its_defaults() -> None:
    made, back = Score("good", 1.0), codec.typed({"label": "good", "score": 1.0}, Score)
    (unread,) = codec.unread(codec.encode([Item("Score", 1, {"label": "good", "score": 1.0})]))
    assert vars(made) == vars(back) == vars(codec.read(unread, Score))
    assert codec.plain(back) == {"label": "good", "score": 1.0, "other": None}
    assert codec.write([made]) == codec.write([back])


class Parcel(Command):
    labels: dict[str, str]
    blobs: tuple[Blob, ...] = ()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"labels": {}, "weight": 1}, "Parcel has no field 'weight': it has labels, blobs"),
        (
            {"labels": {}, "blobs": [{"sha256": "ab", "size": 2, "media": "a/b", "x": None}]},
            r"Parcel.blobs\[0\] has no field 'x': it has sha256, size, media",
        ),
    ],
)
def test_a_field_that_nobody_knows_is_named_where_it_matters(data: Any, said: str) -> None:
    with pytest.raises(BadBody, match=said):
        codec.typed_whole(data, Parcel)
    assert codec.typed_whole({"labels": {"any": "name"}}, Parcel) == Parcel({"any": "name"})


def test_unknown_fields_are_passed_over_and_the_last_of_doubled_keys_counts() -> None:
    # What newer writers add must not stop older readers. Doubled keys are under the digest as they stand.
    (one,) = codec.decode(
        b'[{"type":"Score","version":1,"data":{"label":"a","label":"b","score":1,"x":2},"y":3}]'
    )
    assert codec.typed(one.data, Score) == Score("b", 1.0)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"label": "a"}, "Score: Object missing required field `score`"),
        ({"label": 1, "score": 1}, r"Score: Expected `str`, got `int` - at `\$.label`"),
        ({"label": "a", "score": "1"}, r"Score: Expected `float`, got `str` - at `\$.score`"),
        ({"label": "a", "score": True}, r"Score: Expected `float`, got `bool` - at `\$.score`"),
        (["a", 1], "Score: Expected `object`, got `array`"),
        (None, "Score: Expected `object`, got `null`"),
    ],
)
def test_data_of_another_shape_is_refused_by_its_field(data: object, said: str) -> None:
    with pytest.raises(BadBody, match=said):
        codec.typed(data, Score)


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (Score("a", float("nan")), r"Score: Expected `float`, got `null` - at `\$.score`"),
        (Score("a", 1.0, float("inf")), "Score.other is inf, which would be read back as None"),
        (Score("a", "high"), r"Score: Expected `float`, got `str` - at `\$.score`"),  # type: ignore[arg-type]
        (Score(None, 1.0), r"Score: Expected `str`, got `null` - at `\$.label`"),  # type: ignore[arg-type]
        (Score("\ud800", 1.0), "Score cannot be written: .*surrogates not allowed"),
        (Score("a", object()), "Score cannot be written: Encoding objects of type object"),  # type: ignore[arg-type]
        (FULL.but(words=["a"]), r"Everything.words is \['a'\], which would be read back as \('a',\)"),
    ],
)
def test_a_value_that_its_annotation_does_not_hold_is_found_before_it_is_written(
    wrong: Any, said: str
) -> None:
    with pytest.raises(BadBody, match=said):
        codec.check(wrong)


def test_fields_given_as_text_become_their_types() -> None:
    given = {"order": "7", "amount": "12", "price": "1.50", "urgent": "true"}
    assert codec.from_text(given, Order) == Order("7", 12, Decimal("1.50"), True)


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"order": "7", "amont": "12"}, "Order has no field 'amont': it has order, amount, price, urgent"),
        ({"order": "7", "amount": "many"}, r"Order: Expected `int`, got `str` - at `\$.amount`"),
        ({"order": "7"}, "Order: Object missing required field `amount`"),
        ({"order": "7", "amount": "1", "price": "cheap"}, r"Invalid decimal string - at `\$.price`"),
    ],
)
def test_text_that_does_not_fit_is_refused_by_its_field(given: dict[str, Any], said: str) -> None:
    with pytest.raises(BadBody, match=said):
        codec.from_text(given, Order)


def test_a_question_is_an_object_or_nothing() -> None:
    assert codec.question(b"") == {}
    assert codec.question(b'{"id":"a"}') == {"id": "a"}
    for body in (b"[]", b"1", b"{", b'{"id":"\xff"}', b'{"id":' + b"[" * 50_000):
        with pytest.raises(BadBody, match="the question is not a JSON object"):
            codec.question(body)


def test_records_are_written_and_read_in_one_step_as_in_two() -> None:
    records = [FULL, Score("a", float("nan")), Order("o", 1, Decimal("1.10"))]
    body = codec.write(records)
    assert body == codec.encode(map(codec.item, records))
    first, _, third = codec.unread(body)
    assert (first.type, codec.read(first, Everything)) == ("Everything", FULL)
    assert codec.read(third, Order) == records[2]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"{}", "body is not a JSON array"),
        (b'[{"type":"Score","version":1}]', "body is not a JSON array"),
        (b'[{"type":"Score","version":1,"data":{"label":1,"score":1}}]', "Score: .*label"),
        (b'[{"type":"Score","version":1,"data":{"label":"a"}}]', "Score: .*score"),
        (b'[{"type":"Score","version":1,"data":{"label":"\xff","score":1}}]', "Score|body"),
        (b'[{"type":"Score","version":1,"data":null}]', "Score: "),
        (b'[{"type":"Score","version":1,"data":' + b"[" * 99_999, "Score|body"),
    ],
)
def test_a_body_that_does_not_fit_is_refused_in_one_step_too(body: bytes, said: str) -> None:
    with pytest.raises(BadBody, match=said):
        [codec.read(one, Score) for one in codec.unread(body)]
