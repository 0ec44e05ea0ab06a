"""What a presigned URL says in its query of what a request says in its headers.

State   none
Source  S3 API Reference, "Authenticating requests: using query parameters"; the signers of AWS's SDKs, of
        which some move headers into the query; S3's own answers to such URLs
Absent  checksums in the query: nobody knows them before the body is there, so S3 takes no notice
"""

from __future__ import annotations

from urllib.parse import unquote_to_bytes

import msgspec

from cloudlet.wire.http1 import Head
from cloudlet.wire.sigv4 import pairs

CONDITIONS = frozenset({b"if-match", b"if-none-match", b"if-modified-since", b"if-unmodified-since"})
AMZ = b"x-amz-"
OF_THE_SIGNATURE = frozenset(
    {
        b"x-amz-algorithm", b"x-amz-content-sha256", b"x-amz-credential", b"x-amz-date", b"x-amz-expires",
        b"x-amz-security-token", b"x-amz-sdk-checksum-algorithm", b"x-amz-signature", b"x-amz-signedheaders",
    }
)  # fmt: skip
CHECKSUMS = b"x-amz-checksum-"


def with_headers(head: Head) -> Head:
    """The head with those headers that its query gives and the request itself does not."""
    given = {}
    for spelled, value in pairs(head.query):
        name = unquote_to_bytes(spelled).lower()
        if name not in CONDITIONS and not name.startswith(AMZ):
            continue
        if name not in OF_THE_SIGNATURE and not name.startswith(CHECKSUMS) and name not in head.headers:
            given[name] = unquote_to_bytes(value)
    return msgspec.structs.replace(head, headers={**head.headers, **given}) if given else head
