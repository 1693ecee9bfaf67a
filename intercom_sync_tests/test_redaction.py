"""What is told of an unexpected error: its message where that cannot hold customers' data, else its class and place."""

import errno
import json
import socket
import traceback
from collections.abc import Callable
from pathlib import Path

import dagster as dg
import psycopg2
import pytest
import yaml
from dagster_shared import check

from intercom_sync.domain.emails import clean_email
from intercom_sync.redaction import UnexpectedError, describe, redact_unexpected
from intercom_sync.settings import Settings

_PERSON = "ada@example.com"


def _told(act: Callable[[], object]) -> str:
    with pytest.raises(Exception) as caught:  # noqa: PT011  (whatever it is)
        act()
    return describe(caught.value)


def test_an_unexpected_error_is_replaced_without_its_message_or_traceback() -> None:
    with pytest.raises(UnexpectedError) as caught, redact_unexpected(KeyError):
        int(_PERSON)
    shown = "".join(traceback.format_exception(caught.value))
    assert "ada@example.com'" not in shown
    assert "builtins.ValueError" in str(caught.value)
    assert "test_redaction.py:" in str(caught.value)


def test_a_known_error_passes_as_it_is() -> None:
    with pytest.raises(KeyError, match="a sentence"), redact_unexpected(KeyError):
        raise KeyError("a sentence")


def test_an_error_of_the_file_system_names_the_file_and_what_to_do(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("")
    assert _told((file / "below").mkdir).startswith(f"Not a directory: {file}/below. ")
    assert _told((tmp_path / "none").read_text) == (
        f"No such file or directory: {tmp_path}/none. Create it, or configure another path."
    )
    assert _told(lambda: Path("/dev/full").write_text("x")).startswith("No space left on device. Free some space")
    assert _told(lambda: Path("/proc/1/mem_of_nobody").write_text("x")).startswith("No such file or directory: /proc/1")


def test_an_error_of_the_network_keeps_the_systems_words() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert "Address already in use" in _told(lambda: socket.create_server(taken.getsockname()))
    assert "not known" in _told(lambda: socket.getaddrinfo("no-such-host.invalid", 80))


@pytest.mark.parametrize(
    ("config", "expected"),
    [
        ({"ops": {"add": {"config": {"many": "x"}}}}, 'Value "x" of type'),
        ({"ops": {"add": {"config": {"few": 1}}}}, 'unexpected config entry "few"'),
        ({"operations": {}}, 'unexpected config entry "operations"'),
    ],
)
def test_dagsters_own_errors_are_told(config: dict[str, object], expected: str) -> None:
    @dg.op(config_schema={"many": dg.Field(int, is_required=False)})
    def add() -> None: ...

    @dg.job
    def numbers() -> None:
        add()

    said = _told(lambda: numbers.execute_in_process(config))
    assert said.startswith("Dagster: ")
    assert expected in said
    assert "\n" not in said


def test_what_dagster_repeats_of_a_value_is_not_told() -> None:
    said = _told(lambda: check.str_param(17, _PERSON)), _told(lambda: check.failed(f"of {_PERSON}"))
    assert not [one for one in said if _PERSON in one]


def test_what_a_library_says_in_the_systems_place_is_not_told() -> None:
    assert _told(lambda: _raise(OSError(errno.EIO, f"cannot parse {_PERSON}"))) == "Input/output error."


def test_secrets_of_the_configuration_are_left_out() -> None:
    Settings.load(
        {"INTERCOM_API_KEY": "tok-hush", "INTERCOM_SYNC_DATABASE_URL": "postgresql://ada:pass%2Fhush@host/db"}
    )
    for secret in ("tok-hush", "pass/hush", "postgresql://ada:pass%2Fhush@host/db"):
        assert "hush" not in _told(lambda secret=secret: check.failed(f"config {secret} is wrong"))


@pytest.mark.parametrize(
    "act",
    [
        lambda: json.loads(_PERSON),
        lambda: yaml.safe_load(f"{{{_PERSON}"),
        lambda: {}[_PERSON],
        lambda: psycopg2.connect(f"host=/nowhere dbname={_PERSON}"),
        lambda: clean_email(f"{_PERSON} {_PERSON}"),
        lambda: _raise(OSError(f"cannot parse {_PERSON}")),
        lambda: _raise(dg.DagsterTypeCheckDidNotPass(f"of {_PERSON}")),
    ],
)
def test_what_may_hold_data_is_not_told(act: Callable[[], object]) -> None:
    said = _told(act)
    assert said.startswith("Unexpected ")
    assert "ada" not in said


def _raise(error: Exception) -> None:
    raise error
