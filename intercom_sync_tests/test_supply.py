"""What the product is made of: the list of licences names what the lock pins, and each lets a company run it.

That the locks agree with the project is held by `test_project`; known vulnerabilities are looked up by `make audit`.
"""

import re
from pathlib import Path

import intercom_sync

_ROOT = Path(intercom_sync.__file__).parents[1]
_PINNED = re.compile(r"^([A-Za-z0-9._-]+)==(\S++)(?! ; sys_platform == 'win32')", re.MULTILINE)
_LISTED = re.compile(r"^\| ([A-Za-z0-9]\S*) *\| (\d\S*) *\| (.+?) *\|$", re.MULTILINE)
_PERMISSIVE = re.compile(r"MIT|BSD|Apache|ISC|Unlicense|PSF|Python Software Foundation|MPL|Mozilla Public License 2")
_WEAK_COPYLEFT = {"psycopg2-binary"}  # LGPL: installed and used as it is, no part of what we ship


def _name(name: str) -> str:
    return name.lower().replace("_", "-")


def _licences() -> dict[str, tuple[str, str]]:
    """Version and licence of every package in the list."""
    rows = _LISTED.findall((_ROOT / "docs" / "licenses.md").read_text())
    return {_name(name): (version, licence) for name, version, licence in rows}


def test_the_list_of_licences_names_what_the_lock_pins() -> None:
    pinned = {_name(name): version for name, version in _PINNED.findall((_ROOT / "requirements.lock").read_text())}
    assert {name: version for name, (version, _) in _licences().items()} == pinned


def test_every_licence_lets_a_company_run_and_change_the_product() -> None:
    others = {name for name, (_, licence) in _licences().items() if not _PERMISSIVE.search(licence)}
    assert others == _WEAK_COPYLEFT
