"""Networks on ONNX Runtime: one thread each, and not a word of them to anybody."""

from __future__ import annotations

import os
from pathlib import Path

# From version 1.29 on the library tells its maker of each model that it loads, keeps an id of this
# computer and a thread of its own for it. It reads this once, as it is loaded.
os.environ["ORT_DISABLE_TELEMETRY"] = "1"

from onnxruntime import InferenceSession, SessionOptions

from cim.providers.weights import verified

__all__ = ["InferenceSession", "network"]


def network(weights: Path, *, arena: bool) -> InferenceSession:
    """The network of a file of pinned weights; with ``arena`` it keeps the memory that it once took."""
    options = SessionOptions()
    # A worker has one core.
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.enable_cpu_mem_arena = arena
    options.log_severity_level = 3
    return InferenceSession(verified(weights), options, providers=["CPUExecutionProvider"])
