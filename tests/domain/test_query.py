"""Query marks: plain types for a checker, a mark for the machine."""

from typing import Annotated, get_args, get_type_hints

from cim import Changed, Component, Each, Maybe, One, With, Without
from cim.domain.query import Mark


class Text(Component):
    body: str


def test_a_mark_is_an_annotated_alias() -> None:
    def reads(
        a: Changed[Text], b: Maybe[Text], c: With[Text], d: Without[Text], e: Each[Text], f: One[Text]
    ) -> None: ...

    found = [get_args(hint) for hint in get_type_hints(reads, include_extras=True).values() if get_args(hint)]
    assert found == [
        (Text, Mark("changed")),
        (Text | None, Mark("maybe")),
        (type[Text], Mark("with")),
        (type[Text], Mark("without")),
        (Text, Mark("each")),
        (Text, Mark("one")),
    ]


def test_a_marked_parameter_is_its_own_type_to_a_checker() -> None:
    def words(text: Changed[Text], earlier: Maybe[Text]) -> int:
        return len(text.body) - (len(earlier.body) if earlier is not None else 0)

    assert words(Text("four"), None) == 4
    assert words.__annotations__["text"] == Annotated[Text, Mark("changed")]
