"""Data frames for the database: text codecs for encodings that lack characters, and column lists.

The server converts text to and from UTF-8, which every connection requests. In our own tables, a character that the
encoding lacks is stored as an escape, `&#x1f600;`, and decoded when read. Other programs read `unified_customers`, so a
contact with such a character in one of its columns is rejected.
"""

import re
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import polars as pl

from intercom_sync.domain.schema.columns import Table, Type

_COMPLETE = {"UTF8", "SQL_ASCII"}  # with SQL_ASCII the server stores all bytes unchanged
_CODECS = {
    "LATIN1": "latin-1", "LATIN2": "iso8859-2", "LATIN3": "iso8859-3", "LATIN4": "iso8859-4", "LATIN5": "iso8859-9",
    "LATIN6": "iso8859-10", "LATIN7": "iso8859-13", "LATIN8": "iso8859-14", "LATIN9": "iso8859-15",
    "LATIN10": "iso8859-16", "ISO_8859_5": "iso8859-5", "ISO_8859_6": "iso8859-6", "ISO_8859_7": "iso8859-7",
    "ISO_8859_8": "iso8859-8", "KOI8R": "koi8-r", "KOI8U": "koi8-u", "WIN866": "cp866", "WIN874": "cp874",
    **{f"WIN125{number}": f"cp125{number}" for number in range(9)},
    "EUC_JP": "euc_jp", "EUC_KR": "euc_kr", "EUC_CN": "gb2312", "EUC_JIS_2004": "euc_jis_2004",
}  # fmt: skip
_NOT_ASCII = r"[^\x00-\x7f]"
_ESCAPED = re.compile(r"&#x([0-9a-f]{2,6});")


@dataclass(frozen=True)
class TextCodec:
    """A reversible escape for characters that an encoding of PostgreSQL lacks.

    Attributes:
        encoding: its name in PostgreSQL.
        codec: its name in Python.
    """

    encoding: str
    codec: str

    def lacks(self, text: str) -> bool:
        """Return whether a text has a character that the encoding lacks."""
        try:
            text.encode(self.codec)
        except UnicodeEncodeError:
            return True
        return False

    def encode(self, text: str) -> str:
        """Return a text with the characters escaped that the encoding lacks."""
        if not self.lacks(text):
            return text
        return "".join(f"&#x{ord(one):x};" if self.lacks(one) else one for one in text)

    def decode(self, text: str) -> str:
        """Return the original of an encoded text."""
        return _ESCAPED.sub(self._character, text)

    def _character(self, escaped: re.Match[str]) -> str:
        code = int(escaped[1], 16)
        one = chr(code) if code < 0x110000 and not 0xD800 <= code < 0xE000 else ""
        return one if one and self.lacks(one) else escaped[0]

    def encode_frame(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return a frame with encoded texts."""
        return frame.with_columns(
            frame[name].map_elements(self.encode, return_dtype=pl.String)
            for name in _texts(frame)
            if frame[name].str.contains(_NOT_ASCII).any()
        )

    def decode_frame(self, frame: pl.DataFrame) -> pl.DataFrame:
        """Return a frame with decoded texts."""
        return frame.with_columns(
            frame[name].map_elements(self.decode, return_dtype=pl.String)
            for name in _texts(frame)
            if frame[name].str.contains("&#x", literal=True).any()
        )


def codec_of(encoding: str) -> TextCodec | None:
    """Return the codec of a database's encoding; None if it needs none or is unknown."""
    return TextCodec(encoding, _CODECS[encoding]) if encoding in _CODECS else None


def is_known(encoding: str) -> bool:
    """Return whether we know which characters an encoding has."""
    return encoding in _COMPLETE or encoding in _CODECS


def _texts(frame: pl.DataFrame) -> list[str]:
    return [name for name, kind in frame.schema.items() if kind == pl.String]


def frame_of(table: Table, values: Mapping[str, Iterable[object]]) -> pl.DataFrame:
    """Return values by column name as a frame in the catalogue's types; timestamps are converted from UNIX seconds."""
    types = {column.name: column.type for column in table.columns}
    return pl.DataFrame([_series(name, types[name], list(given)) for name, given in values.items()])


def _series(name: str, type: Type, values: list[Any]) -> pl.Series:
    if type is Type.TIMESTAMP:
        return (pl.Series(name, values, pl.Int64) * 1_000_000).cast(type.frame)
    return pl.Series(name, values, type.frame)


def attributes(records: Collection[object], names: Iterable[str]) -> dict[str, Iterable[object]]:
    """Return the named attributes of records, as `frame_of` takes them."""
    return {name: [getattr(record, name) for record in records] for name in names}


def column_list(names: Iterable[str], prefix: str = "") -> str:
    """Return a column list as SQL, each name with the prefix."""
    return ", ".join(f"{prefix}{name}" for name in names)


def cast_list(table: Table, names: Iterable[str], prefix: str = "") -> str:
    """Return staged columns as a select list in the catalogue's types."""
    types = {column.name: column.type for column in table.columns}
    return ", ".join(f"CAST({prefix}{name} AS {types[name]})" for name in names)


def select_list(table: Table, prefix: str = "", *names: str) -> str:
    """Return a select list in the catalogue's types, with numerics as text, as `Session.frame` requires."""
    return ", ".join(
        f"CAST({prefix}{c.name} AS numeric)::text AS {c.name}"
        if c.type is Type.NUMERIC
        else f"CAST({prefix}{c.name} AS {c.type}) AS {c.name}"
        for c in table.columns
        if not names or c.name in names
    )


def cast_numeric(frame: pl.DataFrame, table: Table) -> pl.DataFrame:
    """Return a frame selected by `select_list` with its numerics as exact decimals."""
    return frame.with_columns(
        pl.col(c.name).str.to_decimal(scale=6).cast(c.type.frame)
        for c in table.columns
        if c.type is Type.NUMERIC and c.name in frame.columns
    )
