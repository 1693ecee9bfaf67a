"""Imports point inward only, as the package's map says; and every module says what it is for.

`settings` lies between `domain` and everything else: the edges may ask it where they connect to, `domain` may not.
"""

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import intercom_sync

_ROOT = Path(intercom_sync.__file__).parent
_MODULES = {
    ".".join(("intercom_sync", *path.relative_to(_ROOT).with_suffix("").parts)).removesuffix(".__init__"): path
    for path in sorted(_ROOT.rglob("*.py"))
}
_DOMAINS_LIBRARIES = {"polars", "orjson", "email_validator"}
_MAY_IMPORT = {
    "domain": set(),
    "setting_values": set(),
    "settings": {"domain", "intercom", "setting_values"},  # of intercom only the regions' addresses
    "intercom": {"domain"},
    "slack": {"domain"},
    "warehouse": {"domain", "settings"},
    "sync": {"domain", "settings", "intercom", "slack", "warehouse"},
    "sandbox": set(),
}
_MAY_USE_SANDBOX = {"intercom_sync.cli", "intercom_sync.commands.demo"}


def _imports(path: Path) -> Iterator[str]:
    """Every module imported anywhere in a file, also inside functions; `from package import module` as both."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path} imports relatively"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _room(module: str) -> str:
    """The part of the package that a module belongs to; empty for the package itself."""
    return [*module.split("."), ""][1]


def _rooms_imported(module: str) -> set[str]:
    ours = (name for name in _imports(_MODULES[module]) if name.split(".")[0] == "intercom_sync")
    return {_room(name) for name in ours} - {"", _room(module)}


def _libraries(module: str) -> set[str]:
    return (
        {name.split(".")[0] for name in _imports(_MODULES[module])} - {"intercom_sync"} - set(sys.stdlib_module_names)
    )


@pytest.mark.parametrize("room", _MAY_IMPORT)
def test_a_room_imports_only_what_lies_further_in(room: str) -> None:
    members = [module for module in _MODULES if _room(module) == room]
    assert members
    for module in members:
        assert _rooms_imported(module) <= _MAY_IMPORT[room], module


@pytest.mark.parametrize("room", _MAY_IMPORT)
def test_only_the_outermost_ring_knows_dagster(room: str) -> None:
    for module in _MODULES:
        if _room(module) == room:
            assert not {name for name in _libraries(module) if name.startswith("dagster")}, module


def test_the_domain_needs_no_more_than_its_three_libraries() -> None:
    used = {name for module in _MODULES if _room(module) == "domain" for name in _libraries(module)}
    assert used == _DOMAINS_LIBRARIES


def test_the_product_does_not_need_its_sandbox() -> None:
    users = {module for module in _MODULES if "sandbox" in _rooms_imported(module)}
    assert users <= _MAY_USE_SANDBOX


def test_sql_lives_in_the_warehouse_only() -> None:
    for module in _MODULES:
        if _room(module) != "warehouse":
            assert not _libraries(module) & {"sqlalchemy", "alembic", "adbc_driver_postgresql", "psycopg2"}, module


@pytest.mark.parametrize("module", _MODULES)
def test_every_module_says_what_it_is_for(module: str) -> None:
    path = _MODULES[module]
    assert ast.get_docstring(ast.parse(path.read_text())) or path.parent.name == "versions"
