"""Decompress a body in bounded chunks, because a kilobyte can expand to a gigabyte.

Only encodings of Python's standard library are requested and decompressed; other ones are passed through.
"""

import zlib
from collections.abc import Callable, Iterator, Mapping
from functools import partial
from itertools import chain

CHUNK_BYTES = 2**16
"""Maximum size of a chunk, compressed or not."""
_GZIP = zlib.MAX_WBITS + 16
_RAW = -zlib.MAX_WBITS


class BodyTooLargeError(Exception):
    """The body, compressed or not, exceeds the size limit."""


def decompress(chunks: Iterator[bytes], encoding: str, limit: int) -> Iterator[bytes]:
    """Yield the decompressed chunks of a body, none longer than `CHUNK_BYTES` unless sent that way.

    Args:
        chunks: The body as sent.
        encoding: Its Content-Encoding: the encodings in the order of their application.
        limit: Maximum bytes of the body, as sent, between two encodings, and decompressed.

    Raises:
        BodyTooLargeError: the body exceeds the limit.
        zlib.error: the body does not match its encoding.
    """
    names = [name for name in (token.strip().lower() for token in encoding.split(",")) if name not in ("", "identity")]
    chunks = _limited(chunks, limit)
    if any(name not in _DECODERS for name in names):
        return chunks
    for name in reversed(names):
        chunks = _limited(_DECODERS[name](chunks), limit)
    return chunks


def _limited(chunks: Iterator[bytes], limit: int) -> Iterator[bytes]:
    size = 0
    for chunk in chunks:
        size += len(chunk)
        if size > limit:
            raise BodyTooLargeError
        yield chunk


def _inflate(chunks: Iterator[bytes], window: int) -> Iterator[bytes]:
    decompressor, is_first = zlib.decompressobj(window), True
    for chunk in chunks:
        rest = chunk
        while rest:
            try:
                output = decompressor.decompress(rest, CHUNK_BYTES)
            except zlib.error:
                if is_first:
                    raise
                return  # trailing bytes, which other clients ignore too
            if output:
                yield output
            rest = decompressor.unused_data if decompressor.eof else decompressor.unconsumed_tail
            if decompressor.eof:
                decompressor, is_first = zlib.decompressobj(window), False
    # The remaining output of the last call, less than a chunk.
    yield decompressor.flush()


def _inflate_deflate(chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Decompress deflate with zlib's header, as the standard says, or without it."""
    first = b""
    while len(first) < 2 and (chunk := next(chunks, b"")):
        first += chunk
    has_header = len(first) > 1 and first[0] & 15 == zlib.DEFLATED and int.from_bytes(first[:2], "big") % 31 == 0
    return _inflate(chain([first], chunks), zlib.MAX_WBITS if has_header else _RAW)


_DECODERS: Mapping[str, Callable[[Iterator[bytes]], Iterator[bytes]]] = {
    "gzip": partial(_inflate, window=_GZIP),
    "x-gzip": partial(_inflate, window=_GZIP),
    "deflate": _inflate_deflate,
}
