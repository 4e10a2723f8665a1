"""What stands in the headers of a call over NATS and of what is said to it.

A call is a request on ``cap.<contract>.<version>.<binding>.<operation>`` with the arguments as a JSON object.
The instance that gets it says ``taken`` at once and again each ``Cim-Beat`` seconds while it works, where the
caller asks for that, and at last the result as JSON, or an error by the headers of the NATS services
(``Nats-Service-Error-Code``, ``Nats-Service-Error``) with its whole text as the body.
"""

from collections.abc import Mapping

BEAT = "Cim-Beat"
"""Of a request: seconds after which the caller wants to hear again that the work goes on."""

SECONDS = "Cim-Seconds"
"""Of a request: what the work may take; after that nobody waits for it."""

STATE = "Cim-State"
"""Of a reply that is not the last one: :data:`TAKEN`."""

TAKEN = "taken"

PROVIDER = "Cim-Provider"
"""Of every reply: the id of the instance that speaks."""

CODE, ERROR = "Nats-Service-Error-Code", "Nats-Service-Error"

FAILED = "422"
"""The provider cannot do it on this input."""

BROKE = "500"
"""The provider's code raised something else."""

AWAY = "503"
"""What the provider needs itself is away."""

BUSY = "429"
"""It has as many calls under way as it takes; nothing of this one was begun."""

LONGEST = 200
"""Characters of an error that stand in a header; the body has all of it."""


def error_headers(code: str, text: str, provider: str) -> Mapping[str, str]:
    """The headers of an error."""
    line = "".join(letter if letter.isascii() and letter.isprintable() else "?" for letter in text)
    return {PROVIDER: provider, CODE: code, ERROR: line.strip()[:LONGEST].strip() or "an error"}


def service(contract: str, binding: str) -> str:
    """The name under which the instances of a binding are found as a NATS service: ``A-Z a-z 0-9 _ -``."""
    return f"{contract}-{binding}".replace("=", "_")
