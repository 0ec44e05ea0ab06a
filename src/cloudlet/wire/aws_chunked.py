"""Bodies that are signed, or summed, while they are sent: the content coding aws-chunked.

State   none beyond the body at hand
Source  S3 API Reference, "Signature Calculations for the Authorization Header: Transferring Payload in
        Multiple Chunks", "Signature calculations for trailing headers"; docs/sources/sigv4.md
Absent  the asymmetric forms (STREAMING-AWS4-ECDSA-P256-SHA256-PAYLOAD) are refused by name

    size in hex [;chunk-signature=64 hex digits] CR LF  data  CR LF     …  each of 8 KiB or more but the last
    0           [;chunk-signature=64 hex digits] CR LF
    name:value CR LF …                                                  the trailers that x-amz-trailer names
    [x-amz-trailer-signature:64 hex digits CR LF]
    CR LF [CR LF]

    Each signature covers the one before, beginning with the request's own (the seed), so no chunk can be
    moved, left out or repeated. The data of a chunk is handed out before its signature is known: whoever
    stores it keeps it aside until `finish` has returned.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from hashlib import sha256
from hmac import compare_digest

from cloudlet.kernel.fault import Fault
from cloudlet.wire.http1 import Fields, Head
from cloudlet.wire.sigv4 import InvalidRequest, NotImplementedYet, SignatureDoesNotMatch, text_of
from cloudlet.wire.sigv4_verify import (
    ASYMMETRIC_STREAM,
    EMPTY_SHA256,
    MISMATCH_S3,
    SIGNED_STREAM,
    SIGNED_STREAM_TRAILER,
    UNSIGNED_STREAM_TRAILER,
    SigningKey,
    body_mismatch,
)

Piece = bytes | bytearray | memoryview

LINE_BYTES_MAX = 512  # a size of 16 digits, the signature, and some room
TRAILER_BYTES_MAX = 8192
CHUNK_BYTES_MIN = 8192  # of every chunk but the last

IncompleteBody = Fault(
    "IncompleteBody", "You did not provide the number of bytes specified by the Content-Length HTTP header"
)
InvalidChunkSize = Fault(
    "InvalidChunkSizeError",
    "Only the last chunk is allowed to have a size less than 8192 bytes",
    status=403,
)
MissingContentLength = Fault(
    "MissingContentLength", "You must provide the Content-Length HTTP header.", status=411
)
MalformedTrailer = Fault(
    "MalformedTrailerError",
    "The request contained trailing data that was not well-formed "
    "or did not conform to our published schema.",
)

CHUNK_LINE = re.compile(rb"([0-9a-fA-F]{1,16})[ \t]*(?:;[ \t]*chunk-signature=([0-9a-f]{64}))?[ \t]*")
TRAILER_LINE = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*:[ \t]*(.*?)[ \t]*", re.DOTALL)
TRAILER_SIGNATURE = b"x-amz-trailer-signature"

LINE, DATA, DATA_END, TRAILERS, DONE = range(5)


class Chain:
    """The signatures of a body's chunks, each over the one before."""

    __slots__ = ("_head", "_key", "_previous", "_trailer_head")

    def __init__(self, key: SigningKey, amz_date: bytes, scope: bytes, seed: bytes) -> None:
        self._key = key
        self._previous = seed
        self._head = b"AWS4-HMAC-SHA256-PAYLOAD\n%b\n%b\n" % (amz_date, scope)
        self._trailer_head = b"AWS4-HMAC-SHA256-TRAILER\n%b\n%b\n" % (amz_date, scope)

    def sign_chunk(self, data_sha256: bytes) -> bytes:
        """The next chunk's signature; the hash is that of its data, in hexadecimal."""
        text = b"%b%b\n%b\n%b" % (self._head, self._previous, EMPTY_SHA256, data_sha256)
        self._previous = self._key.sign(text)
        return self._previous

    def sign_trailers(self, trailers: bytes) -> bytes:
        """The signature of the trailers, each a line "name:value"."""
        digest = sha256(trailers).hexdigest().encode()
        return self._key.sign(b"%b%b\n%b" % (self._trailer_head, self._previous, digest))


class ChunkDecoder:
    """Takes any cut of an aws-chunked body and gives back the data in it.

    `is_signed` says whether chunks carry signatures; they are checked when there is a `chain`, and only read
    over without one (the caller is not verified). `trailer_names` are the ones that x-amz-trailer promised.
    """

    __slots__ = (
        "_bad_chunk",
        "_chain",
        "_chunk_hash",
        "_chunk_signature",
        "_chunks",
        "_is_signed",
        "_left",
        "_length",
        "_line",
        "_may_end_again",
        "_received",
        "_state",
        "_trailer_bytes",
        "_trailer_names",
        "_trailer_signature",
        "trailers",
    )

    def __init__(
        self,
        length: int,
        *,
        is_signed: bool,
        chain: Chain | None = None,
        trailer_names: Sequence[bytes] = (),
    ) -> None:
        self._length = length
        self._is_signed = is_signed
        self._chain = chain
        self._trailer_names = frozenset(trailer_names)
        self._state = LINE
        self._line = b""
        self._left = 0
        self._received = 0
        self._chunks = 0
        self._may_end_again = False
        self._bad_chunk: tuple[int, int] | None = None  # the number and size of one that must be the last
        self._chunk_hash = sha256()
        self._chunk_signature = b""
        self._trailer_bytes = b""
        self._trailer_signature: bytes | None = None
        self.trailers: Fields = {}
        """What came after the data; whole once `finish` has returned."""

    def feed(self, data: Piece) -> list[memoryview]:
        """The data in this piece, as views of it; a Fault when the body is not what was promised."""
        view = memoryview(data)
        out: list[memoryview] = []
        position, stop = 0, len(view)
        while position < stop:
            if self._state == DATA:
                part = view[position : position + self._left]
                position += len(part)
                self._left -= len(part)
                if self._chain is not None:
                    self._chunk_hash.update(part)
                out.append(part)
                if not self._left:
                    self._state = DATA_END
            elif self._state == DONE and not self._may_end_again:
                raise MalformedTrailer
            else:
                position += self._read_line(view[position : position + LINE_BYTES_MAX + 1])
        return out

    def finish(self) -> None:
        """The body has ended: a Fault unless it is whole and everything in it agreed."""
        if self._state != DONE or self._received != self._length:
            raise IncompleteBody
        if self._line:
            raise MalformedTrailer
        if self._trailer_names != self.trailers.keys():
            raise MalformedTrailer

    def _read_line(self, view: memoryview) -> int:
        """Take a line, or the part of it that is there; how many bytes were taken."""
        raw = bytes(view)
        at = raw.find(b"\n")
        taken = raw if at < 0 else raw[: at + 1]
        line = self._line + taken
        limit = TRAILER_BYTES_MAX if self._state == TRAILERS else LINE_BYTES_MAX
        if len(line) > limit:
            raise MalformedTrailer if self._state == TRAILERS else IncompleteBody
        if at < 0:
            self._line = line
        else:
            self._line = b""
            self._take_line(line)
        return len(taken)

    def _take_line(self, line: bytes) -> None:
        if self._state == LINE:
            if not line.endswith(b"\r\n"):
                raise IncompleteBody
            self._begin_chunk(line[:-2])
        elif self._state == DATA_END:
            if line != b"\r\n":
                raise IncompleteBody
            self._end_chunk()
            self._state = LINE
        elif self._state == DONE:
            self._may_end_again = False
            if line != b"\r\n":
                raise MalformedTrailer
        else:
            self._take_trailer(line.rstrip(b"\r\n"))

    def _begin_chunk(self, line: bytes) -> None:
        found = CHUNK_LINE.fullmatch(line)
        if found is None or (self._is_signed and found[2] is None):
            raise IncompleteBody
        self._chunk_signature = found[2] or b""
        self._left = int(found[1], 16)
        self._received += self._left
        if self._received > self._length:
            raise IncompleteBody
        if self._left:
            self._chunks += 1
            if self._bad_chunk is not None:
                number, size = self._bad_chunk
                raise InvalidChunkSize(InvalidChunkSize.message, Chunk=number, BadChunkSize=size)
            if self._left < CHUNK_BYTES_MIN:
                self._bad_chunk = (self._chunks + 1, self._left)
            self._state = DATA
            return
        self._end_chunk()
        if self._received != self._length:
            raise IncompleteBody
        self._state = TRAILERS

    def _end_chunk(self) -> None:
        if self._chain is None:
            return
        expected = self._chain.sign_chunk(self._chunk_hash.hexdigest().encode())
        self._chunk_hash = sha256()
        if not compare_digest(expected, self._chunk_signature):
            raise SignatureDoesNotMatch(MISMATCH_S3)

    def _take_trailer(self, line: bytes) -> None:
        awaits_signature = self._is_signed and bool(self.trailers) and self._trailer_signature is None
        if not line:
            # minio-go sends an empty line before the trailers' signature too, as the documentation's
            # example has it.
            if not awaits_signature:
                self._state = DONE
                # It ends unsigned trailers with two empty lines.
                self._may_end_again = bool(self.trailers) and not self._is_signed
            return
        found = TRAILER_LINE.fullmatch(line)
        if found is None or self._trailer_signature is not None:
            raise MalformedTrailer
        name, value = found[1].lower(), found[2]
        if name == TRAILER_SIGNATURE and self._is_signed:
            self._check_trailers(value)
            return
        if name not in self._trailer_names or name in self.trailers:
            raise MalformedTrailer
        self.trailers[name] = value
        self._trailer_bytes += b"%b:%b\n" % (name, value)
        if len(self._trailer_bytes) > TRAILER_BYTES_MAX:
            raise MalformedTrailer

    def _check_trailers(self, signature: bytes) -> None:
        self._trailer_signature = signature
        if self._chain is None:
            return
        if not compare_digest(self._chain.sign_trailers(self._trailer_bytes), signature):
            raise SignatureDoesNotMatch(MISMATCH_S3)


class PlainBody:
    """A body without framing; its hash is checked if the header gave one."""

    __slots__ = ("_claimed", "_hash", "_length", "_received", "trailers")

    def __init__(self, claimed: bytes | None, length: int | None) -> None:
        self._claimed = claimed
        self._hash = sha256() if claimed is not None else None
        self._length = length
        self._received = 0
        self.trailers: Fields = {}

    @property
    def is_hashed(self) -> bool:
        """Whether it takes time to feed."""
        return self._hash is not None

    def feed(self, data: Piece) -> list[memoryview]:
        """The piece itself."""
        self._received += len(data)
        if self._hash is not None:
            self._hash.update(data)
        return [memoryview(data)]

    def finish(self) -> None:
        """A Fault unless the body is the one that was hashed."""
        if self._length is not None and self._received != self._length:
            raise IncompleteBody
        if self._hash is not None and self._claimed is not None:
            fault = body_mismatch(self._claimed, self._hash.hexdigest().encode())
            if fault is not None:
                raise fault


STREAMING = b"STREAMING-"


def is_framed(head: Head) -> bool:
    """Whether a body comes in this coding."""
    return head.headers.get(b"x-amz-content-sha256", b"").startswith(STREAMING)


def check_whole(head: Head, body: bytes) -> None:
    """A Fault unless a body without framing is the one that was hashed, if it was."""
    claimed = head.headers.get(b"x-amz-content-sha256", b"")
    if len(claimed) == 64:
        computed = sha256(body).hexdigest().encode()
        if computed != claimed and (fault := body_mismatch(claimed, computed)) is not None:
            raise fault


def body_of(head: Head, chain: Chain | None) -> ChunkDecoder | PlainBody:
    """What reads the body that a head announces: in chunks, hashed, or neither.

    `chain` is None where the caller's signature is not verified.
    """
    word = head.headers.get(b"x-amz-content-sha256", b"")
    if word.startswith(ASYMMETRIC_STREAM):
        raise NotImplementedYet(
            f"{text_of(word)} is not implemented; sign the chunks with {text_of(SIGNED_STREAM)}."
        )
    if word not in (SIGNED_STREAM, SIGNED_STREAM_TRAILER, UNSIGNED_STREAM_TRAILER):
        return PlainBody(word if len(word) == 64 else None, head.content_length)
    names = tuple(
        name.strip().lower() for name in head.headers.get(b"x-amz-trailer", b"").split(b",") if name.strip()
    )
    if names and word == SIGNED_STREAM:
        raise InvalidRequest(f"x-amz-trailer is not sent with x-amz-content-sha256: {text_of(word)}")
    is_signed = word != UNSIGNED_STREAM_TRAILER
    return ChunkDecoder(
        decoded_length(head),
        is_signed=is_signed,
        chain=chain if is_signed else None,
        trailer_names=names,
    )


def decoded_length(head: Head) -> int:
    """How many bytes an aws-chunked body has without its framing."""
    given = head.headers.get(b"x-amz-decoded-content-length")
    if given is None:
        raise MissingContentLength
    if not given.isdigit() or len(given) > 19:
        raise InvalidRequest("x-amz-decoded-content-length is not a number")
    return int(given)


def stored_encoding(content_encoding: str) -> str:
    """A Content-Encoding without aws-chunked, which S3 does not store with the object."""
    codings = content_encoding.split(",")
    return ",".join(coding for coding in codings if coding.strip().lower() not in ("aws-chunked", "")).strip()
