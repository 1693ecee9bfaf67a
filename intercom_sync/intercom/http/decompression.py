"""Unpacking a body piece by piece: a kilobyte may hold a gigabyte, so nothing is ever unpacked at once.

Only what Python's own library unpacks is asked for and unpacked. Other packings are passed on as they are.
"""

import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import chain

PIECE = 2**16
"""Bytes of a piece, packed or unpacked."""
_GZIP = zlib.MAX_WBITS + 16
_RAW = -zlib.MAX_WBITS


class TooLarge(Exception):
    """A body, or what it is packed in, has more bytes than it may."""


def unpacked(pieces: Iterator[bytes], encoding: str, limit: int) -> Iterator[bytes]:
    """The pieces of a body without its packings, none longer than `PIECE` but those that come so.

    Args:
        pieces: The body as it was sent.
        encoding: Its Content-Encoding: packings in the order in which they were applied.
        limit: Bytes that the body may have, also as it was sent and between two packings.

    Raises:
        TooLarge: it has more.
        zlib.error: it is not packed as its header says.
    """
    names = [name for name in (word.strip().lower() for word in encoding.split(",")) if name not in ("", "identity")]
    pieces = _bounded(pieces, limit)
    if any(name not in _PACKINGS for name in names):
        return pieces
    for name in reversed(names):
        pieces = _bounded(_PACKINGS[name](pieces), limit)
    return pieces


def _bounded(pieces: Iterator[bytes], limit: int) -> Iterator[bytes]:
    size = 0
    for piece in pieces:
        size += len(piece)
        if size > limit:
            raise TooLarge
        yield piece


def _inflated(pieces: Iterator[bytes], window: int) -> Iterator[bytes]:
    unpacker, is_first = zlib.decompressobj(window), True
    for piece in pieces:
        rest = piece
        while rest:
            try:
                found = unpacker.decompress(rest, PIECE)
            except zlib.error:
                if is_first:
                    raise
                return  # bytes after the end, which others ignore too
            if found:
                yield found
            rest = unpacker.unused_data if unpacker.eof else unpacker.unconsumed_tail
            if unpacker.eof:
                unpacker, is_first = zlib.decompressobj(window), False
    # All input is in: what is left is what the last call had no place for, less than a piece.
    yield unpacker.flush()


def _deflated(pieces: Iterator[bytes]) -> Iterator[bytes]:
    """Either of the two forms that are called deflate: with zlib's header, as the standard says, or without."""
    first = b""
    while len(first) < 2 and (piece := next(pieces, b"")):
        first += piece
    has_header = len(first) > 1 and first[0] & 15 == zlib.DEFLATED and int.from_bytes(first[:2], "big") % 31 == 0
    return _inflated(chain([first], pieces), zlib.MAX_WBITS if has_header else _RAW)


_PACKINGS: Mapping[str, Callable[[Iterator[bytes]], Iterator[bytes]]] = {
    "gzip": partial(_inflated, window=_GZIP),
    "x-gzip": partial(_inflated, window=_GZIP),
    "deflate": _deflated,
}
