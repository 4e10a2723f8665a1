"""The bundle that is shipped is the one that its sources give."""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

from cim.views.page import ASSETS, BROWSER

INPUTS = ("src", "build.mjs", "package.json", "package-lock.json", ".npmrc")


def test_the_bundle_was_built_from_these_sources() -> None:
    manifest = json.loads((BROWSER / "manifest.json").read_text())
    sources = {f"src/{file.name}" for file in (BROWSER / "src").iterdir()}
    assert set(manifest) == sources | {"build.mjs", "package.json", "package-lock.json", "cim.js", "cim.css"}
    stale = [name for name, digest in manifest.items() if hashlib.sha256(read(name)).hexdigest() != digest]
    assert stale == [], f"run `npm ci && npm run build` in {BROWSER.name}/"


def read(name: str) -> bytes:
    return (BROWSER / name).read_bytes()


def missing(what: str) -> NoReturn:
    """Skip by name for a newcomer; in CI nothing is skipped."""
    if os.environ.get("CI"):
        pytest.fail(what)
    pytest.skip(what)


def test_a_fresh_build_is_the_same_to_the_bit(tmp_path: Path) -> None:
    npm = shutil.which("npm")
    if npm is None:
        missing("needs npm")
    copy = tmp_path / "browser"
    copy.mkdir()
    for name in INPUTS:
        source = BROWSER / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, copy / name)
    for step in (["ci", "--no-audit", "--no-fund"], ["run", "build"]):
        done = subprocess.run([npm, *step], cwd=copy, capture_output=True, text=True, check=False)
        if step[0] == "ci" and "ENOTFOUND" in done.stderr:
            missing("npm reaches no registry")
        assert done.returncode == 0, done.stderr
    for name in ("cim.js", "cim.css", "manifest.json"):
        assert (copy / name).read_bytes() == read(name)


def test_the_lock_names_no_registry_and_pins_each_package() -> None:
    lock = json.loads(read("package-lock.json"))
    packages = {name: one for name, one in lock["packages"].items() if name}
    assert [name for name, one in packages.items() if "resolved" in one] == []
    assert [name for name, one in packages.items() if "integrity" not in one] == []
    declared = json.loads(read("package.json"))
    wanted = declared["dependencies"] | declared["devDependencies"]
    assert {name: packages[f"node_modules/{name}"]["version"] for name in wanted} == wanted


def test_the_licence_of_every_bundled_package_goes_along() -> None:
    licences = (BROWSER / "LICENSES.txt").read_text()
    lock = json.loads(read("package-lock.json"))
    bundled = {name.removeprefix("node_modules/"): one for name, one in lock["packages"].items() if name}
    # The build tool is not part of the bundle, and tweetnacl is replaced by src/unsigned.js.
    shipped = {name: one for name, one in bundled.items() if not one.get("dev") and name != "tweetnacl"}
    assert set(shipped) == {"@nats-io/nats-core", "@nats-io/nkeys", "@nats-io/nuid", "alien-signals"}
    for name, one in shipped.items():
        assert f"{name} {one['version']} ({one['license']})" in licences


def test_the_program_makes_no_code_out_of_text() -> None:
    program = read("cim.js").decode()
    assert [
        word for word in ("eval(", "new Function", "document.write", "insertAdjacentHTML") if word in program
    ] == []


def test_everything_that_the_page_asks_for_is_there() -> None:
    assert [path for path, asset in ASSETS.items() if not asset.file.is_file()] == []
