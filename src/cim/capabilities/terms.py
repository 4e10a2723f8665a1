"""How the providers of a binding are asked."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Over:
    """Providers that are asked over NATS, by the name of their binding.

    ``seconds`` is what one call may take at work, and as long again until somebody is free for it;
    ``at_once`` is how many calls one process has under way. After ``failures`` in a row the circuit opens:
    nobody is asked for ``rest`` seconds, then one call is let through.
    The leaf starts ``instances`` of them itself, and keeps them running.
    """

    binding: str
    seconds: float
    at_once: int = 8
    failures: int = 5
    rest: float = 5.0
    instances: int = 0
