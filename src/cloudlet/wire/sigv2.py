"""AWS Signature Version 2 of S3's presigned URLs, which stock clients still make unless told otherwise.

State   none
Source  S3 User Guide, "Signing and authenticating REST requests (AWS signature version 2)", section "Query
        string request authentication alternative"; RFC 2104
Absent  Version 2 in the Authorization header (refused by name), and for services other than S3

    StringToSign = method \\n Content-MD5 \\n Content-Type \\n Expires \\n
                   each x-amz-* field as "name:value\\n", in order     sent in a header or in the query
                   /bucket/key as sent, and the sub-resources of the query
    Signature    = Base64(HMAC-SHA1(secret, StringToSign))
"""

from __future__ import annotations

from base64 import b64encode
from hmac import compare_digest
from hmac import digest as hmac_digest
from urllib.parse import quote, unquote_to_bytes

from cloudlet.kernel.fault import Fault
from cloudlet.wire.http1 import Head
from cloudlet.wire.sigv4 import AccessDenied, Claim, SignatureDoesNotMatch, pairs, text_of
from cloudlet.wire.sigv4_verify import MISMATCH_S3, extended

SUBRESOURCES = frozenset(
    {
        b"accelerate", b"acl", b"analytics", b"cors", b"defaultObjectAcl", b"delete", b"inventory",
        b"lifecycle", b"location", b"logging", b"metrics", b"notification", b"partNumber", b"policy",
        b"replication", b"requestPayment", b"response-cache-control", b"response-content-disposition",
        b"response-content-encoding", b"response-content-language", b"response-content-type",
        b"response-expires", b"restore", b"select", b"select-type", b"storageClass", b"tagging", b"torrent",
        b"uploadId", b"uploads", b"versionId", b"versioning", b"versions", b"website",
    }
)  # fmt: skip


def verify(claim: Claim, head: Head, secret: str, now_ms: int, bucket: str) -> Fault | None:
    """None when the URL was signed with `secret` for this bucket and still holds at `now_ms` (wall time)."""
    assert claim.expires_s is not None
    if now_ms >= claim.expires_s * 1000:
        expires = extended(claim.expires_s * 1000)
        return AccessDenied("Request has expired", Expires=expires, ServerTime=extended(now_ms))
    text = string_to_sign(head, claim.expires_s, bucket)
    expected = b64encode(hmac_digest(secret.encode(), text, "sha1"))
    if compare_digest(expected, claim.signature):
        return None
    return SignatureDoesNotMatch(
        MISMATCH_S3,
        AWSAccessKeyId=claim.signing.access_key,
        StringToSign=text_of(text),
        SignatureProvided=text_of(claim.signature),
        StringToSignBytes=text.hex(" "),
    )


def string_to_sign(head: Head, expires_s: int, bucket: str) -> bytes:
    """What is keyed."""
    given = [
        (unquote_to_bytes(name), unquote_to_bytes(value.replace(b"+", b" ")))
        for name, value in pairs(head.query)
    ]
    fields = {name.lower(): value for name, value in given} | head.headers
    amz = sorted((name, value) for name, value in fields.items() if name.startswith(b"x-amz-"))
    subresources = sorted((name, value) for name, value in given if name in SUBRESOURCES)
    return b"%b\n%b\n%b\n%d\n%b%b%b" % (
        head.method.encode(),
        fields.get(b"content-md5", b""),
        fields.get(b"content-type", b""),
        expires_s,
        b"".join(b"%b:%b\n" % (name, value.strip()) for name, value in amz),
        resource(head, bucket),
        b"?" + b"&".join(b"%b=%b" % each if each[1] else each[0] for each in subresources)
        if subresources
        else b"",
    )


def resource(head: Head, bucket: str) -> bytes:
    """The path with the bucket in it, wherever the request has it; of a bucket alone it ends in a slash."""
    host = head.headers.get(b"host", b"").lower()
    if bucket and host.startswith(bucket.lower().encode() + b"."):
        return b"/%b%b" % (quote(bucket).encode(), head.path)
    return head.path if head.path.find(b"/", 1) > 0 or head.path == b"/" else head.path + b"/"
