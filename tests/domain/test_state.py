"""States that forget half of what a state must say."""

import pytest

from cim import State


def test_a_state_without_decide_or_evolve_says_so_when_asked() -> None:
    class Mute(State):
        pass

    with pytest.raises(TypeError, match="Mute declares no decide: give it one that takes its commands"):
        Mute().decide(object())
    with pytest.raises(TypeError, match="Mute declares no evolve: give it one that takes its events"):
        Mute().evolve(object())
