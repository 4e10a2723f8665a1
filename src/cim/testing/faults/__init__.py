"""Real faults on a real machine: ``python -m cim.testing.faults --help``.

A leaf, a second host of actors and several senders run as processes of their own; servers, leaf, workers
and all others are killed and stopped, connections are cut and the disk filled, under load. At the end an
oracle of its own reads the log. The seed gives the choice and order of faults; when each strikes is the real
clock's, so no run is played again exactly.
"""
