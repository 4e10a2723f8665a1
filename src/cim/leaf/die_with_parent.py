"""Turn into another program that ends when our parent ends. Run as a script, on Linux only.

``python die_with_parent.py <pid of the parent> <program> <argument>...``

A step between, because the same from inside a fork of a process with threads (``preexec_fn``) can deadlock.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1


def die_with(parent: int, wish: signal.Signals) -> None:
    """Let the kernel send us ``wish`` when the parent ends; exits where it is gone already."""
    if ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, wish) != 0:
        sys.exit(f"prctl(PR_SET_PDEATHSIG): {os.strerror(ctypes.get_errno())}")
    if os.getppid() != parent:
        sys.exit("the parent is gone already")


def main(parent: int, program: list[str]) -> None:
    """Ask the kernel for SIGTERM at the parent's death, then become ``program``; the pid stays."""
    die_with(parent, signal.SIGTERM)
    os.execv(program[0], program)


if __name__ == "__main__":
    main(int(sys.argv[1]), sys.argv[2:])
