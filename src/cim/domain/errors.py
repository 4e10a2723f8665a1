"""The errors of the machine, each written for the person who reads it."""


class CimError(Exception):
    """The base of every error that the machine raises on purpose.

    Its text tells what was wrong, where, and what to do next.
    """


class Reject(CimError):
    """Raised by ``decide`` when a command cannot be granted; the text is the reason.

    A rejection leaves no trace in the log: the same command may be sent again and is decided anew.
    """


class Failure(CimError):
    """Raised by a system or a provider when its work cannot be done on this input.

    The text is what a person reads as the cause. The machine records it as
    :class:`cim.domain.component.Failed` and does not try the same input again by itself.
    """


class Unavailable(CimError):
    """Raised by a provider or a system when what it needs cannot be reached now, and may be later.

    No input is to blame. The machine makes the run again after a while, up to the number of tries that
    ``machine.toml`` allows. Only then is it recorded as failed.
    """


class Misdeclared(CimError):
    """A module, a machine or a view says something that cannot be: raised at start, by name."""
