"""``cim language``: the words of a machine's modules. Without ``--examples`` nothing is started."""

import argparse
import sys
from collections.abc import Sequence

from cim.cli.output import print_json
from cim.cli.place import find_machine, open_log, reach, run_until_stopped
from cim.contract.composition import compose
from cim.contract.language import Language, language_text, languages_of
from cim.leaf.machine import Machine, load_contexts
from cim.log.examples import Examples


def run(given: argparse.Namespace) -> int:
    """Print the language of each module, as Markdown or as data."""
    machine = find_machine(given.machine)
    languages = languages_of(compose(load_contexts(machine, machine.modules)), given.module)
    if given.examples:
        run_until_stopped(_with_examples(machine, languages, given.json))
    else:
        _print(languages, given.json)
    return 0


async def _with_examples(machine: Machine, languages: Sequence[Language], as_json: bool) -> None:
    examples = Examples()
    async with reach(machine) as (client, _):
        log = await open_log(client)
        async for commit in log.read(">"):
            examples.take(commit)
    _print([one.with_examples(examples.found) for one in languages], as_json)


def _print(languages: Sequence[Language], as_json: bool) -> None:
    if as_json:
        for language in languages:
            print_json(language.as_data())
    else:
        sys.stdout.write("\n".join(map(language_text, languages)))
