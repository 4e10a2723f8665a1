"""Run a module of the project with one guard taken away: ``without GUARD MODULE ARGUMENTS``."""

import runpy
import sys

from cim.testing.faults.guards import GUARDS

if __name__ == "__main__":
    _, guard, module, *arguments = sys.argv
    GUARDS[guard].take_away()
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
