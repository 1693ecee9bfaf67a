"""What the product is made of: the list of licences names what the lock pins, and each lets a company run it.

That the locks agree with the project is held by `test_project`; known vulnerabilities are looked up by `make audit`.
"""

import re
import tomllib
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import intercom_sync

_ROOT = Path(intercom_sync.__file__).parents[1]
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==(\S+)", re.MULTILINE)
_LISTS = ("licenses.md", "licenses-windows.md")
_LISTED = re.compile(r"^\| ([A-Za-z0-9]\S*) *\| (\d\S*) *\| (.+?) *\|$", re.MULTILINE)
_PERMISSIVE = re.compile(r"MIT|BSD|Apache|ISC|Unlicense|PSF|Python Software Foundation|MPL|Mozilla Public License 2")
_WEAK_COPYLEFT = {"psycopg2-binary"}  # LGPL: installed and used as it is, no part of what we ship


def _name(name: str) -> str:
    return name.lower().replace("_", "-")


def _licences() -> dict[str, tuple[str, str]]:
    """Version and licence of every package in the list."""
    rows = [row for one in _LISTS for row in _LISTED.findall((_ROOT / "docs" / one).read_text())]
    return {_name(name): (version, licence) for name, version, licence in rows}


def _pinned(*locks: str) -> dict[str, str]:
    return {_name(name): version for lock in locks for name, version in _PINNED.findall((_ROOT / lock).read_text())}


def test_the_list_of_licences_names_what_the_lock_pins_on_any_platform() -> None:
    pinned = _pinned("requirements.lock", "requirements-build.lock")
    assert {name: version for name, (version, _) in _licences().items()} == pinned


def test_every_licence_lets_a_company_run_and_change_the_product() -> None:
    others = {name for name, (_, licence) in _licences().items() if not _PERMISSIVE.search(licence)}
    assert others == _WEAK_COPYLEFT


def test_the_build_backend_is_pinned_with_a_hash_and_is_the_one_that_is_developed_with() -> None:
    project = tomllib.loads((_ROOT / "pyproject.toml").read_text())
    pinned = _pinned("requirements-build.lock")
    needed = [Requirement(text) for text in project["build-system"]["requires"]]
    assert {_name(one.name) for one in needed} == set(pinned)
    assert all(one.specifier.contains(pinned[_name(one.name)]) for one in needed)
    assert pinned.items() <= _pinned("requirements-dev.lock").items()


@pytest.mark.parametrize("path", ["Makefile", "deploy/Dockerfile"])
def test_nothing_is_installed_or_built_without_a_hash(path: str) -> None:
    """Every use of pip takes hashed locks, or builds what is here with the backend that is there."""
    used = re.findall(r"\bpip (?:install|wheel) .*", (_ROOT / path).read_text())
    assert len(used) >= 2
    for command in used:
        is_the_locks_own_tool = command == "pip install --quiet uv"
        assert re.search("--require-hashes|--no-build-isolation|--no-index", command) or is_the_locks_own_tool, command
