"""What every store of persons' keys must hold: a class of tests to subclass, with a fixture ``keys``."""

import threading

import pytest

from cim.ports.keys import KeyStore, PersonErased


class KeysConformance:
    """The promises of :class:`cim.ports.keys.KeyStore`. A subclass gives a fixture ``keys``, empty."""

    def test_a_person_has_one_key_which_nobody_else_has(self, keys: KeyStore) -> None:
        assert keys.find("a") is None
        first, other = keys.make("a"), keys.make("b")
        assert keys.make("a") == keys.find("a") == first
        assert len(first) == len(other) == 32
        assert first != other

    def test_a_key_that_was_destroyed_never_comes_back(self, keys: KeyStore) -> None:
        keys.make("a")
        kept = keys.make("b")
        keys.destroy("a")
        keys.destroy("a")
        for ask in (keys.find, keys.make):
            with pytest.raises(PersonErased, match="a was erased"):
                ask("a")
        assert keys.find("b") == kept

    def test_keys_are_prepared_for_many_at_once(self, keys: KeyStore) -> None:
        kept = keys.make("a")
        keys.destroy("b")
        keys.prepare(["a", "b", "c", "d", "c"])
        assert [keys.is_at_hand(person) for person in "abcde"] == [True, False, True, True, False]
        assert keys.find("a") == kept
        assert None is not keys.find("c") != keys.find("d") is not None
        with pytest.raises(PersonErased):
            keys.find("b")

    def test_who_never_had_a_key_can_be_erased(self, keys: KeyStore) -> None:
        keys.destroy("a")
        with pytest.raises(PersonErased):
            keys.make("a")

    def test_threads_that_make_a_key_at_once_get_the_same(self, keys: KeyStore) -> None:
        found: list[bytes] = []
        threads = [threading.Thread(target=lambda: found.append(keys.make("a"))) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(found) == 8
        assert len(set(found)) == 1
