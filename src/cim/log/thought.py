"""The commits of agents' runs, as anybody who reads the log tells them from others."""

from cim.contract.envelope import Commit

THOUGHT = "Thought"
"""The last part of the type of a run's commits: ``documents.judge.Thought``."""


def is_thought(commit: Commit) -> bool:
    """Whether a commit is one of an agent's run."""
    return commit.type.endswith(f".{THOUGHT}")
