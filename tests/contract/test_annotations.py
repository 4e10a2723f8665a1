"""Unions and marks, as annotations write them."""

from typing import Optional, Union

import pytest

from cim.contract.annotations import is_union, members


@pytest.mark.parametrize("union", [int | str | None, Optional[Union[int, str]]])  # noqa: UP007, UP045 - both spellings
def test_both_ways_to_write_a_union_are_read(union: object) -> None:
    assert is_union(union)
    assert members(union) == (int, str)


def test_a_single_type_is_a_union_of_one_and_none_of_nothing() -> None:
    assert members(int) == (int,)
    assert members(list[int]) == (list[int],)
    assert members(None) == members(type(None)) == ()
    assert not is_union(list[int])
