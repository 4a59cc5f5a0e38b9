"""Answers that prove nothing at any venue: how they are lost or spoiled on their way."""

from tests.gateways.live.liar import CLOSE, HANG, RESET, answer

HTML = b"<html><title>Just a moment...</title></html>"
ANYWHERE: dict[str, bytes] = {
    "no answer in time": HANG,
    "a reset": RESET,
    "an end without an answer": CLOSE,
    "a body that is cut": b'HTTP/1.1 200 OK\r\nContent-Length: 400\r\nConnection: close\r\n\r\n{"orderId":7',
    "no HTTP at all": b"garbage\r\n\r\nConnection: close",
    "a chunk that is none": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\nzz\r\n{}",
    "gzip that is none": answer(b"no gzip", 200, "Content-Encoding: gzip"),
    "200 and a page": answer(HTML, kind="text/html"),
    "200 and nothing": answer(b""),
    "200 and null": answer(None),
    "200 and {}": answer({}),
    "200 and a list": answer([]),
    "200 and half an object": answer(b'{"orderId": 7, "clientOrderId"'),
    "200 and bad UTF-8": answer(b"\xff\xfe\xfd"),
    "400 without a code": answer(b"Bad Request", 400),
    "403 of a firewall": answer(HTML, 403, kind="text/html"),
    "404": answer(HTML, 404, kind="text/html"),
    "409": answer({}, 409),
    **{f"{status}": answer(HTML, status, kind="text/html") for status in (500, 501, 502, 503, 504, 520, 524, 599)},
}
