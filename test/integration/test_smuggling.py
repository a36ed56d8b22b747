"""Request smuggling: every known attack with its section, and what the RFCs do allow.

Every row is followed by one more request. A server that is wrong about where the row's request ends
would answer that one. A refused row gets one answer, exactly the bytes of the error, and the
connection ends. An allowed row gets its answer, and so does the request behind it. Each row is sent
whole and byte by byte.
"""

import pathlib
import re
import sys
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import harness  # noqa: E402
from harness import Server  # noqa: E402

NEXT = b"GET /next HTTP/1.1\r\nHost: x\r\n\r\n"
POST = b"POST /echo HTTP/1.1\r\nHost: x\r\n"
GET = b"GET /echo HTTP/1.1\r\nHost: x\r\n"
CHUNKED = POST + b"Transfer-Encoding: chunked\r\n\r\n"
LAST = b"0\r\n\r\n"

REASONS = {400: b"Bad Request", 414: b"URI Too Long", 417: b"Expectation Failed",
           501: b"Not Implemented", 505: b"HTTP Version Not Supported"}


def with_coding(field):
    """A request whose body is empty for a server that obeys the coding, and is a request for
    others."""
    return POST + field + b"\r\n\r\n" + LAST


def with_length(value, body=b"abcde"):
    return POST + b"Content-Length: " + value + b"\r\n\r\n" + body


def with_size(line, content=b"\r\nabc\r\n"):
    return CHUNKED + line + content + LAST


BOTH = "RFC 9112 §6.1, §11.2"
CODING = "RFC 9112 §6.1"
LENGTH = "RFC 9112 §6.3 item 5, RFC 9110 §8.6"
SIZE = "RFC 9112 §7.1"
EXTENSION = "RFC 9112 §7.1.1"
TRAILER = "RFC 9112 §7.1.2"
LINE_END = "RFC 9112 §2.2"
COLON = "RFC 9112 §5.1"
FOLD = "RFC 9112 §5.2"
NAME = "RFC 9110 §5.1"
VALUE = "RFC 9110 §5.5"
LINE = "RFC 9112 §3"
TARGET = "RFC 9112 §3.2"
HOST = "RFC 9112 §3.2, RFC 9110 §7.2"

REFUSED = [
    # Transfer-Encoding beside Content-Length.
    ("CL.TE", BOTH, 400, POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + LAST),
    ("TE.CL", BOTH, 400, POST + b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n" + LAST),
    ("TE.CL with an unknown coding", BOTH, 400,
     POST + b"Transfer-Encoding: xchunked\r\nContent-Length: 5\r\n\r\n" + LAST),
    ("CL.TE of length 0", BOTH, 400,
     POST + b"Content-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n" + LAST),
    ("CL.TE in GET", BOTH, 400,
     GET + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n" + LAST),
    ("CL.TE.CL", BOTH, 400, POST + b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n"
     b"Content-Length: 5\r\n\r\n" + LAST),
    ("CL.TE, the coding hidden behind a CR", LINE_END, 400,
     POST + b"Content-Length: 5\r\nA: b\rTransfer-Encoding: chunked\r\n\r\n" + LAST),
    ("CL.TE, the coding hidden behind a LF", LINE_END, 400,
     POST + b"Content-Length: 5\r\nA: b\nTransfer-Encoding: chunked\r\n\r\n" + LAST),
    ("CL.TE, the coding hidden in a folded line", FOLD, 400,
     POST + b"Content-Length: 5\r\nA: b\r\n Transfer-Encoding: chunked\r\n\r\n" + LAST),

    # Transfer-Encoding, disguised.
    ("TE with a space before the colon", COLON, 400, with_coding(b"Transfer-Encoding : chunked")),
    ("TE with a tab before the colon", COLON, 400, with_coding(b"Transfer-Encoding\t: chunked")),
    ("TE with a vertical tab before the colon", NAME, 400,
     with_coding(b"Transfer-Encoding\v: chunked")),
    ("TE with a CR before the colon", LINE_END, 400, with_coding(b"Transfer-Encoding\r: chunked")),
    ("TE with a LF before the colon", LINE_END, 400, with_coding(b"Transfer-Encoding\n: chunked")),
    ("TE with a NUL before the colon", NAME, 400, with_coding(b"Transfer-Encoding\0: chunked")),
    ("TE without a colon", COLON, 400, with_coding(b"Transfer-Encoding chunked")),
    ("TE with a space inside", NAME, 400, with_coding(b"Transfer Encoding: chunked")),
    ("TE behind a space", FOLD, 400, with_coding(b" Transfer-Encoding: chunked")),
    ("TE behind a tab", FOLD, 400, with_coding(b"\tTransfer-Encoding: chunked")),
    ("TE behind a CR", LINE_END, 400, with_coding(b"\rTransfer-Encoding: chunked")),
    ("TE behind a NUL", NAME, 400, with_coding(b"\0Transfer-Encoding: chunked")),
    ("TE behind a byte order mark", NAME, 400,
     with_coding(b"\xef\xbb\xbfTransfer-Encoding: chunked")),
    ("TE in quotes", NAME, 400, with_coding(b'"Transfer-Encoding": chunked')),
    ("TE with a soft hyphen", NAME, 400, with_coding(b"Transfer\xadEncoding: chunked")),
    ("vertical tab before the coding", VALUE, 400, with_coding(b"Transfer-Encoding:\x0bchunked")),
    ("form feed before the coding", VALUE, 400, with_coding(b"Transfer-Encoding: \fchunked")),
    ("NUL before the coding", VALUE, 400, with_coding(b"Transfer-Encoding: \0chunked")),
    ("CR before the coding", LINE_END, 400, with_coding(b"Transfer-Encoding: \rchunked")),
    ("LF before the coding", LINE_END, 400, with_coding(b"Transfer-Encoding:\n chunked")),
    ("folded coding", FOLD, 400, with_coding(b"Transfer-Encoding:\r\n chunked")),
    ("coding folded in its middle", FOLD, 400, with_coding(b"Transfer-Encoding: chun\r\n ked")),
    ("vertical tab behind the coding", VALUE, 400, with_coding(b"Transfer-Encoding: chunked\v")),
    ("CR behind the coding", LINE_END, 400, with_coding(b"Transfer-Encoding: chunked\r")),
    ("DEL behind the coding", VALUE, 400, with_coding(b"Transfer-Encoding: chunked\x7f")),
    ("no-break space before the coding", CODING, 501,
     with_coding(b"Transfer-Encoding: \xa0chunked")),
    ("xchunked", CODING, 501, with_coding(b"Transfer-Encoding: xchunked")),
    ("chunkedx", CODING, 501, with_coding(b"Transfer-Encoding: chunkedx")),
    ("coding with a Kelvin sign", CODING, 501,
     with_coding("Transfer-Encoding: chun\u212aed".encode())),
    ("quoted coding", CODING, 501, with_coding(b'Transfer-Encoding: "chunked"')),
    ("coding in apostrophes", CODING, 501, with_coding(b"Transfer-Encoding: 'chunked'")),
    ("coding with a parameter", CODING, 501, with_coding(b"Transfer-Encoding: chunked;q=1")),
    ("coding twice without a comma", CODING, 501,
     with_coding(b"Transfer-Encoding: chunked chunked")),
    ("coding behind a colon", CODING, 501, with_coding(b"Transfer-Encoding: : chunked")),
    ("coding in brackets", CODING, 501, with_coding(b"Transfer-Encoding: [chunked]")),
    ("identity", CODING, 501, with_coding(b"Transfer-Encoding: identity")),
    ("identity, chunked", CODING, 501, with_coding(b"Transfer-Encoding: identity, chunked")),
    ("gzip, chunked", CODING, 501, with_coding(b"Transfer-Encoding: gzip, chunked")),
    ("chunked, identity", "RFC 9112 §6.3 item 4", 400,
     with_coding(b"Transfer-Encoding: chunked, identity")),
    ("chunked, gzip", "RFC 9112 §6.3 item 4", 400,
     with_coding(b"Transfer-Encoding: chunked, gzip")),
    ("chunked, chunked", CODING, 400, with_coding(b"Transfer-Encoding: chunked, chunked")),
    ("empty coding", CODING, 400, with_coding(b"Transfer-Encoding:")),
    ("empty coding first", CODING, 400, with_coding(b"Transfer-Encoding: , chunked")),
    ("empty coding last", CODING, 400, with_coding(b"Transfer-Encoding: chunked,")),
    ("TE.TE", CODING, 400,
     with_coding(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked")),
    ("TE.TE, the second unknown", "RFC 9112 §6.3 item 4", 400,
     with_coding(b"Transfer-Encoding: chunked\r\nTransfer-encoding: cow")),
    ("TE.TE, the first unknown", CODING, 501,
     with_coding(b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked")),
    ("TE.TE, the second empty", CODING, 400,
     with_coding(b"Transfer-Encoding: chunked\r\nTransfer-Encoding:")),
    ("TE in HTTP/1.0", CODING, 400,
     b"POST /echo HTTP/1.0\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n" + LAST),
    ("TE in HTTP/1.0 with keep-alive", CODING, 400,
     b"POST /echo HTTP/1.0\r\nHost: x\r\nConnection: keep-alive\r\n"
     b"Transfer-Encoding: chunked\r\n\r\n" + LAST),
    ("TE and CL in HTTP/1.0", CODING, 400,
     b"POST /echo HTTP/1.0\r\nHost: x\r\nContent-Length: 5\r\n"
     b"Transfer-Encoding: chunked\r\n\r\n" + LAST),

    # Content-Length.
    ("CL with plus", LENGTH, 400, with_length(b"+5")),
    ("CL negative", LENGTH, 400, with_length(b"-1")),
    ("CL hexadecimal", LENGTH, 400, with_length(b"0x5")),
    ("CL octal", LENGTH, 400, with_length(b"0o5")),
    ("CL in letters", LENGTH, 400, with_length(b"five")),
    ("CL with a letter", LENGTH, 400, with_length(b"5a")),
    ("CL with a fraction", LENGTH, 400, with_length(b"5.0")),
    ("CL with an exponent", LENGTH, 400, with_length(b"5e0")),
    ("CL with an underscore", LENGTH, 400, with_length(b"0_5")),
    ("CL in quotes", LENGTH, 400, with_length(b'"5"')),
    ("CL with a space inside", LENGTH, 400, with_length(b"5 5")),
    ("CL with a tab inside", LENGTH, 400, with_length(b"0\t5")),
    ("CL with a vertical tab", VALUE, 400, with_length(b"\v5")),
    ("CL with a NUL", VALUE, 400, with_length(b"5\0")),
    ("CL with a parameter", LENGTH, 400, with_length(b"5;a")),
    ("CL in other digits", LENGTH, 400, with_length("٥".encode())),
    ("CL with a no-break space", LENGTH, 400, with_length(b"\xa05")),
    ("CL list of equals", LENGTH, 400, with_length(b"5, 5")),
    ("CL list of different", LENGTH, 400, with_length(b"5,6")),
    ("CL list with an empty element", LENGTH, 400, with_length(b"5,")),
    ("CL empty", LENGTH, 400, with_length(b"")),
    ("CL folded", FOLD, 400, with_length(b"5\r\n 5")),
    ("CL of 2^63", LENGTH, 400, with_length(b"9223372036854775808")),
    ("CL of 2^64 + 5", LENGTH, 400, with_length(b"18446744073709551621")),
    ("CL of 400 digits", LENGTH, 400, with_length(b"1" * 400)),
    ("two equal CLs", LENGTH, 400, with_length(b"5\r\nContent-Length: 5")),
    ("two different CLs", LENGTH, 400, with_length(b"5\r\nContent-Length: 6")),
    ("two CLs, one empty", LENGTH, 400, with_length(b"5\r\ncontent-length:")),
    ("CL with a space before the colon", COLON, 400, POST + b"Content-Length : 5\r\n\r\nabcde"),
    ("CL behind a space", FOLD, 400, POST + b" Content-Length: 5\r\n\r\nabcde"),

    # Chunk sizes.
    ("size with 0x", SIZE, 400, with_size(b"0x3")),
    ("size negative", SIZE, 400, with_size(b"-3")),
    ("size with plus", SIZE, 400, with_size(b"+3")),
    ("size behind a space", SIZE, 400, with_size(b" 3")),
    ("space behind the size", SIZE, 400, with_size(b"3 ")),
    ("tab behind the size", SIZE, 400, with_size(b"3\t")),
    ("space inside the size", SIZE, 400, with_size(b"0 3")),
    ("vertical tab behind the size", SIZE, 400, with_size(b"3\v")),
    ("NUL behind the size", SIZE, 400, with_size(b"3\0")),
    ("empty size", SIZE, 400, with_size(b"")),
    ("size without digits", SIZE, 400, with_size(b";a")),
    ("size of other letters", SIZE, 400, with_size(b"g")),
    ("size of an 8-bit digit", SIZE, 400, with_size(b"\xb3")),
    ("size with a comma", SIZE, 400, with_size(b"3,3")),
    ("size with an underscore", SIZE, 400, with_size(b"0_3")),
    ("size of 16 digits beyond 2^63", SIZE, 400, with_size(b"8000000000000003")),
    ("size that wraps at 2^64", SIZE, 400, with_size(b"10000000000000003")),
    ("size that wraps at 2^32, and beyond 2^63", SIZE, 400, with_size(b"f000000100000003")),
    ("size line ends in LF", LINE_END, 400, with_size(b"3", b"\nabc\r\n")),
    ("size line ends in CR", LINE_END, 400, with_size(b"3", b"\rabc\r\n")),
    ("content without line end", SIZE, 400, with_size(b"3", b"\r\nabc")),
    ("content behind which LF stands", LINE_END, 400, with_size(b"3", b"\r\nabc\n")),
    ("content behind which CR stands", LINE_END, 400, with_size(b"3", b"\r\nabc\r")),
    ("content longer than its size", SIZE, 400, with_size(b"3", b"\r\nabcd\r\n")),
    ("content shorter than its size", SIZE, 400, with_size(b"3", b"\r\nab\r\n")),
    ("last size ends in LF", LINE_END, 400, CHUNKED + b"0\n\r\n"),
    ("empty line of the end ends in LF", LINE_END, 400, CHUNKED + b"0\r\n\n"),
    ("last size behind a space", SIZE, 400, CHUNKED + b" 0\r\n\r\n"),

    # Chunk extensions.
    ("LF in an extension", EXTENSION, 400, with_size(b"3;\n")),
    ("LF for the end of an extension", EXTENSION, 400, with_size(b"3;a", b"\nabc\r\n")),
    ("CR in an extension", EXTENSION, 400, with_size(b"3;a\rb")),
    ("NUL in an extension", EXTENSION, 400, with_size(b"3;a\0")),
    ("quoted line end in an extension", EXTENSION, 400, with_size(b'3;a="\r\n"')),
    ("extension without bounds", "RFC 9112 §7.1.1, §11.2", 400, with_size(b"3;" + b"a" * 5000)),
    ("size of endless zeros", "RFC 9112 §7.1", 400, with_size(b"0" * 5000 + b"3")),

    # Trailers, and what looks like one.
    ("request for a trailer", TRAILER, 400, CHUNKED + b"0\r\n"),
    ("trailer without a colon", TRAILER, 400, CHUNKED + b"0\r\nA\r\n\r\n"),
    ("trailer with a space before the colon", COLON, 400, CHUNKED + b"0\r\nA : b\r\n\r\n"),
    ("folded trailer", FOLD, 400, CHUNKED + b"0\r\nA: b\r\n c\r\n\r\n"),
    ("trailer behind a space", FOLD, 400, CHUNKED + b"0\r\n A: b\r\n\r\n"),
    ("trailer ends in LF", LINE_END, 400, CHUNKED + b"0\r\nA: b\n\r\n"),
    ("trailer with a CR", LINE_END, 400, CHUNKED + b"0\r\nA: b\rC: d\r\n\r\n"),
    ("trailer with a NUL", VALUE, 400, CHUNKED + b"0\r\nA: \0\r\n\r\n"),
    ("trailers without bounds", TRAILER, 400, CHUNKED + b"0\r\n" + b"A: b\r\n" * 2000 + b"\r\n"),

    # Lines of the head.
    ("LF everywhere", LINE_END, 400, b"GET /echo HTTP/1.1\nHost: x\n\n"),
    ("LF behind the request line", LINE_END, 400, b"GET /echo HTTP/1.1\nHost: x\r\n\r\n"),
    ("LF behind a field", LINE_END, 400, GET + b"A: b\nC: d\r\n\r\n"),
    ("LF for the empty line", LINE_END, 400, GET + b"\n"),
    ("LF CR for line ends", LINE_END, 400, b"GET /echo HTTP/1.1\n\rHost: x\n\r\n\r"),
    ("CR behind the request line", LINE_END, 400, b"GET /echo HTTP/1.1\rHost: x\r\n\r\n"),
    ("CR in a value", LINE_END, 400, GET + b"A: b\rc\r\n\r\n"),
    ("CR before a line end", LINE_END, 400, GET + b"A: b\r\r\n\r\n"),
    ("CR for the empty line", LINE_END, 400, GET + b"\r"),
    ("CR CR LF for the empty line", LINE_END, 400, GET + b"\r\r\n"),
    ("CR before the request", LINE_END, 400, b"\r" + GET + b"\r\n"),
    ("LF before the request", LINE_END, 400, b"\n" + GET + b"\r\n"),
    ("two empty lines before the request", LINE_END, 400, b"\r\n\r\n" + GET + b"\r\n"),
    ("space before the first field", LINE_END, 400,
     b"GET /echo HTTP/1.1\r\n Host: x\r\nHost: x\r\n\r\n"),
    ("tab before the first field", LINE_END, 400,
     b"GET /echo HTTP/1.1\r\n\tA: b\r\nHost: x\r\n\r\n"),
    ("folded field", FOLD, 400, GET + b"A: b\r\n c\r\n\r\n"),
    ("folded field with a tab", FOLD, 400, GET + b"A: b\r\n\tc\r\n\r\n"),
    ("folded empty line", FOLD, 400, GET + b"A: b\r\n \r\n\r\n"),
    ("NUL in a name", NAME, 400, GET + b"A\0: b\r\n\r\n"),
    ("NUL in a value", VALUE, 400, GET + b"A: \0\r\n\r\n"),
    ("NUL in the method", LINE, 400, b"G\0T /echo HTTP/1.1\r\nHost: x\r\n\r\n"),
    ("name in brackets", NAME, 400, GET + b"[A]: b\r\n\r\n"),
    ("name of 8-bit letters", NAME, 400, GET + b"\xc3\xa4: b\r\n\r\n"),
    ("empty name", NAME, 400, GET + b": b\r\n\r\n"),
    ("field without a colon", "RFC 9112 §5", 400, GET + b"A\r\n\r\n"),
    ("control byte in a value", VALUE, 400, GET + b"A: b\x01\r\n\r\n"),

    # The request line.
    ("words behind the version", LINE, 400, b"GET /echo HTTP/1.1 junk\r\nHost: x\r\n\r\n"),
    ("space behind the version", LINE, 400, b"GET /echo HTTP/1.1 \r\nHost: x\r\n\r\n"),
    ("space in the target", LINE, 400, b"GET /echo a HTTP/1.1\r\nHost: x\r\n\r\n"),
    ("tab for a space", LINE, 400, b"GET\t/echo HTTP/1.1\r\nHost: x\r\n\r\n"),
    ("vertical tab for a space", LINE, 400, b"GET /echo\vHTTP/1.1\r\nHost: x\r\n\r\n"),
    ("two spaces", LINE, 400, b"GET  /echo HTTP/1.1\r\nHost: x\r\n\r\n"),
    ("space before the method", LINE, 400, b" GET /echo HTTP/1.1\r\nHost: x\r\n\r\n"),
    ("no version", LINE, 400, b"GET /echo\r\nHost: x\r\n\r\n"),
    ("lower case version", "RFC 9112 §2.3", 400, b"GET /echo http/1.1\r\nHost: x\r\n\r\n"),
    ("long version", "RFC 9112 §2.3", 400, b"GET /echo HTTP/1.10\r\nHost: x\r\n\r\n"),
    ("version 1.1 in more digits", "RFC 9112 §2.3", 400,
     b"GET /echo HTTP/01.1\r\nHost: x\r\n\r\n"),
    ("version 0.9", "RFC 9110 §15.6.6", 505, b"GET /echo HTTP/0.9\r\nHost: x\r\n\r\n"),
    ("version 2.0", "RFC 9110 §15.6.6", 505, b"GET /echo HTTP/2.0\r\nHost: x\r\n\r\n"),
    ("preface of HTTP/2", "RFC 9113 §3.4", 505, b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"),
    ("method that is no token", "RFC 9110 §9.1", 400, b"G@T /echo HTTP/1.1\r\nHost: x\r\n\r\n"),
    ("method with a colon", "RFC 9110 §9.1", 400, b"GET: /echo HTTP/1.1\r\nHost: x\r\n\r\n"),
    ("fragment", TARGET, 400, b"GET /echo#a HTTP/1.1\r\nHost: x\r\n\r\n"),
    ("8-bit target", TARGET, 400, b"GET /echo\xff HTTP/1.1\r\nHost: x\r\n\r\n"),
    ("control byte in the target", TARGET, 400, b"GET /echo\x01 HTTP/1.1\r\nHost: x\r\n\r\n"),

    # Host.
    ("no Host", HOST, 400, b"GET /echo HTTP/1.1\r\n\r\n"),
    ("no Host beside an absolute target", HOST, 400, b"GET http://x/echo HTTP/1.1\r\n\r\n"),
    ("two Hosts", HOST, 400, GET + b"Host: y\r\n\r\n"),
    ("two equal Hosts", HOST, 400, GET + b"host: x\r\n\r\n"),
    ("list of Hosts", HOST, 400, b"GET /echo HTTP/1.1\r\nHost: x, y\r\n\r\n"),
    ("Host with a user", HOST, 400, b"GET /echo HTTP/1.1\r\nHost: x@y\r\n\r\n"),
    ("Host with a path", HOST, 400, b"GET /echo HTTP/1.1\r\nHost: x/y\r\n\r\n"),
    ("Host with a space", HOST, 400, b"GET /echo HTTP/1.1\r\nHost: x y\r\n\r\n"),
    ("Host with a tab", HOST, 400, b"GET /echo HTTP/1.1\r\nHost: x\ty\r\n\r\n"),
    ("Host with a port of letters", HOST, 400, b"GET /echo HTTP/1.1\r\nHost: x:y\r\n\r\n"),
    ("Host with two ports", HOST, 400, b"GET /echo HTTP/1.1\r\nHost: x:1:2\r\n\r\n"),
    ("Host with an open bracket", HOST, 400, b"GET /echo HTTP/1.1\r\nHost: [::1\r\n\r\n"),
    ("Host with a space before the colon", COLON, 400, b"GET /echo HTTP/1.1\r\nHost : x\r\n\r\n"),
    ("folded Host", FOLD, 400, b"GET /echo HTTP/1.1\r\nHost: x\r\n y\r\n\r\n"),
    ("absolute target with a user", "RFC 9110 §4.2.4", 400,
     b"GET http://x@y/echo HTTP/1.1\r\nHost: x\r\n\r\n"),
    ("absolute target without a host", "RFC 9110 §4.2.1", 400,
     b"GET http:///echo HTTP/1.1\r\nHost: x\r\n\r\n"),

    # Expect.
    ("unknown expectation", "RFC 9110 §10.1.1", 417, POST + b"Expect: 200-ok\r\n\r\n"),
    ("expectation beside an unknown one", "RFC 9110 §10.1.1", 417,
     POST + b"Expect: 100-continue, x\r\n\r\n"),
    ("expectation with a parameter", "RFC 9110 §10.1.1", 417,
     POST + b"Expect: 100-continue;a\r\n\r\n"),
    ("folded expectation", FOLD, 400, POST + b"Expect: 100-continue\r\n x\r\n\r\n"),
]

# echo answers each of these; the last column is the body as it was understood.
ALLOWED = [
    ("no body", "RFC 9112 §6.3 item 7", GET + b"\r\n", b""),
    ("POST without a length", "RFC 9112 §6.3 item 7", POST + b"\r\n", b""),
    ("one empty line before the request", LINE_END, b"\r\n" + GET + b"\r\n", b""),
    ("counted body", LENGTH, with_length(b"5"), b"abcde"),
    ("leading zeros", LENGTH, with_length(b"00005"), b"abcde"),
    ("blanks around the length", "RFC 9112 §5", with_length(b"\t 5 \t"), b"abcde"),
    ("length of nothing", LENGTH, with_length(b"0", b""), b""),
    ("counted body of a GET", "RFC 9110 §9.3.1",
     GET + b"Content-Length: %d\r\n\r\n" % len(NEXT) + NEXT, NEXT),
    ("chunked body of a GET", "RFC 9110 §9.3.1",
     GET + b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(NEXT) + NEXT + b"\r\n" + LAST, NEXT),
    ("request in a counted body", LENGTH, with_length(b"%d" % len(NEXT), NEXT), NEXT),
    ("request in a chunk", SIZE, CHUNKED + b"%x\r\n" % len(NEXT) + NEXT + b"\r\n" + LAST, NEXT),
    ("last chunk in a chunk", SIZE, CHUNKED + b"5\r\n" + LAST + b"\r\n" + LAST, LAST),
    ("coding in capitals", "RFC 9112 §7", POST + b"TRANSFER-ENCODING: CHUNKED\r\n\r\n"
     b"3\r\nabc\r\n" + LAST, b"abc"),
    ("blanks around the coding", "RFC 9112 §5", POST + b"Transfer-Encoding:\t chunked \t\r\n\r\n"
     b"3\r\nabc\r\n" + LAST, b"abc"),
    ("no blank before the coding", "RFC 9112 §5", POST + b"Transfer-Encoding:chunked\r\n\r\n"
     b"3\r\nabc\r\n" + LAST, b"abc"),
    ("TE.0: a chunked body of nothing", SIZE, CHUNKED + LAST, b""),
    ("size with leading zeros", SIZE, with_size(b"0003"), b"abc"),
    ("size in capitals", SIZE, CHUNKED + b"A\r\n0123456789\r\n" + LAST, b"0123456789"),
    ("last chunk of many zeros", SIZE, CHUNKED + b"0000\r\n\r\n", b""),
    ("extension", EXTENSION, with_size(b'3;a;b=c;d="e;\\"f"'), b"abc"),
    ("blanks before an extension", EXTENSION, with_size(b"3 \t; a = b"), b"abc"),
    ("trailer that names a length", "RFC 9110 §6.5.1",
     CHUNKED + b"3\r\nabc\r\n0\r\nContent-Length: 50\r\n\r\n", b"abc"),
    ("trailer that names a coding", "RFC 9110 §6.5.1",
     CHUNKED + b"3\r\nabc\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n", b"abc"),
    ("trailer that names a host", "RFC 9110 §6.5.1",
     CHUNKED + b"3\r\nabc\r\n0\r\nHost: y\r\nHost: z\r\n\r\n", b"abc"),
    ("trailer that would close", "RFC 9110 §6.5.1",
     CHUNKED + b"3\r\nabc\r\n0\r\nConnection: close\r\n\r\n", b"abc"),
    ("field that is nearly Content-Length", NAME, POST + b"Content_Length: 5\r\n\r\n", b""),
    ("field that is nearly Transfer-Encoding", NAME,
     POST + b"Transfer_Encoding: chunked\r\nX-Transfer-Encoding: chunked\r\n"
     b"Transfer-Encodings: chunked\r\n\r\n", b""),
    ("fields that are about codings, not framing", "RFC 9110 §10.1.4",
     POST + b"TE: chunked\r\nContent-Encoding: chunked\r\nTrailer: Content-Length\r\n\r\n", b""),
    ("length named in Connection", "RFC 9110 §7.6.1",
     POST + b"Connection: Content-Length, Host\r\nContent-Length: 3\r\n\r\nabc", b"abc"),
    ("later minor version", "RFC 9110 §2.5",
     b"POST /echo HTTP/1.9\r\nHost: x\r\nContent-Length: 3\r\n\r\nabc", b"abc"),
    ("absolute target with another Host", "RFC 9112 §3.2.2",
     b"GET http://y/echo HTTP/1.1\r\nHost: x\r\n\r\n", b""),
    ("upgrade to h2c", "RFC 9110 §7.8, RFC 9113 §3.1",
     GET + b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n"
     b"HTTP2-Settings: AAMAAABkAARAAAAAAAIAAAAA\r\n\r\n", b""),
    ("upgrade to WebSocket, with a body", "RFC 9110 §7.8",
     POST + b"Connection: upgrade\r\nUpgrade: websocket\r\nContent-Length: 3\r\n\r\nabc", b"abc"),
    ("empty connection option", "RFC 9110 §5.6.1",
     GET + b"Connection: , keep-alive,,\r\n\r\n", b""),
]

# Endpoints that do not use the body; it must be read all the same (CL.0, TE.0, 0.CL).
UNREAD = {
    b"/next": {b"GET": 200, b"HEAD": 200, b"POST": 405, b"OPTIONS": None, b"TRACE": None,
              b"CONNECT": None, b"BREW": 501},
    b"/": {b"GET": 200, b"POST": 405, b"PUT": 405},
    b"/directory": {b"GET": 301},
    b"/nothing": {b"GET": 404, b"DELETE": 405},
    b"/moved": {b"GET": 308, b"POST": 308},
    b"/%2f": {b"GET": 400},
    b"*": {b"OPTIONS": None},
    b"/dynamic/a": {b"GET": 200},
}


def refusal(status):
    reason = REASONS[status]
    text = b"%d %s\n" % (status, reason)
    return (b"HTTP/1.1 %d %s\r\nDate: *\r\nServer: Ringlet\r\n"
            b"Content-Type: text/plain; charset=utf-8\r\nContent-Length: %d\r\n"
            b"Connection: close\r\n\r\n" % (status, reason, len(text)) + text)


def without_date(answer):
    return re.sub(rb"\r\nDate: [^\r]*\r\n", b"\r\nDate: *\r\n", answer)


def answer_of(client):
    try:
        return client.rest()
    except ConnectionResetError:
        raise AssertionError("the answer was lost to a reset") from None


class Smuggling(harness.ServerCase):
    @classmethod
    def make_server(cls):
        return Server(
            files={"index.html": b"hello", "directory/index.html": b"", "dynamic/a": b"read"},
            locations={"/": 'endpoint = "static"', "/dynamic/": 'endpoint = "dynamic"',
                       "/echo": 'endpoint = "echo"', "/next": 'endpoint = "ping"',
                       "/moved": 'redirect = "/next"  redirect_status = 308'})

    def assert_refused(self, status, request, send):
        with self.server.client() as client:
            try:
                send(client, request + NEXT)
                client.end_sending()
            except (BrokenPipeError, ConnectionResetError):
                pass  # the answer may arrive before the last byte is sent
            self.assertEqual(without_date(answer_of(client)), refusal(status))

    def assert_allowed(self, body, request, send):
        with self.server.client() as client:
            send(client, request + NEXT)
            first = client.response()
            self.assertEqual(first.status, 200)
            self.assertEqual(first.body.partition(b"\r\n\r\n")[2], body)
            self.assertIsNone(first.field("Upgrade"))
            self.assertEqual(first.interim, [])
            self.assertEqual(client.response().body, b"pong")
            client.end_sending()
            client.assert_closed()

    def test_every_vector_is_refused_and_nothing_behind_it_is_answered(self):
        for name, section, status, request in REFUSED:
            with self.subTest(f"{name} ({section})"):
                self.assert_refused(status, request, harness.Client.send)

    def test_every_vector_is_refused_byte_by_byte_too(self):
        for name, section, status, request in REFUSED:
            with self.subTest(f"{name} ({section})"):
                self.assert_refused(status, request, harness.Client.send_byte_by_byte)

    def test_what_is_allowed_is_framed_as_it_was_meant(self):
        for name, section, request, body in ALLOWED:
            with self.subTest(f"{name} ({section})"):
                self.assert_allowed(body, request, harness.Client.send)

    def test_what_is_allowed_is_framed_byte_by_byte_too(self):
        for name, section, request, body in ALLOWED:
            with self.subTest(f"{name} ({section})"):
                self.assert_allowed(body, request, harness.Client.send_byte_by_byte)

    def test_bodies_that_nobody_reads_are_no_requests(self):
        """RFC 9112 §9.3: a server reads the whole body, or closes the connection."""
        counted = b"Content-Length: %d\r\n\r\n" % len(NEXT) + NEXT
        chunked = b"Transfer-Encoding: chunked\r\n\r\n%x\r\n" % len(NEXT) + NEXT + b"\r\n" + LAST
        for target, methods in UNREAD.items():
            for method, status in methods.items():
                for framed in (counted, chunked):
                    head = method + b" " + target + b" HTTP/1.1\r\nHost: x\r\n"
                    with self.subTest((head + framed).decode()):
                        self.assert_unread(method.decode(), status, head + framed)

    def assert_unread(self, method, status, request):
        with self.server.client() as client:
            client.send(request + client.head("GET", "/echo"))
            response = client.response(method)
            self.assertEqual(response.status, status or response.status)
            self.assertTrue(client.response().body.startswith(b"GET /echo "))
            client.end_sending()
            client.assert_closed()

    def test_broken_body_that_nobody_reads_ends_the_connection(self):
        """RFC 9112 §7.1: the end of the body is unknown; the answer has already left."""
        broken = (b"3 \r\nabc\r\n", b"0\r\nA\r\n\r\n", b"0\n\r\n", b"g\r\n", b"3\r\nabcd\r\n")
        for body in broken:
            with self.subTest(body), self.server.client() as client:
                client.send(CHUNKED.replace(b"/echo", b"/next") + body + LAST + NEXT)
                self.assertEqual(client.response().status, 405)
                client.assert_closed()

    def test_old_clients_get_no_interim_response_and_no_second_answer(self):
        """RFC 9110 §10.1.1, §15.2; RFC 9112 §9.3"""
        with self.server.client() as client:
            client.send(b"POST /echo HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n"
                        b"abc" + NEXT)
            response = client.response()
            self.assertEqual((response.status, response.interim), (200, []))
            self.assertEqual(response.field("Connection"), "close")
            client.assert_closed()


class Hosts(unittest.TestCase):
    CONFIGURATION = """
        workers = 1
        access_log = ""
        listen "127.0.0.1:0" {}
        site "*" { root = "{root}/any"  location "/" { endpoint = "static" } }
        site "y" { root = "{root}/y"  location "/" { endpoint = "static" } }
    """

    def test_authority_of_the_target_chooses_the_site_not_host(self):
        """RFC 9112 §3.2.2; nor does a Host in the trailers (RFC 9110 §6.5.1)"""
        with Server(files={"any/index.html": b"any", "y/index.html": b"why"},
                    configuration=self.CONFIGURATION) as server, server.client() as client:
            for request, body in (
                    (b"GET http://y/ HTTP/1.1\r\nHost: x\r\n\r\n", b"why"),
                    (b"GET http://x/ HTTP/1.1\r\nHost: y\r\n\r\n", b"any"),
                    (b"GET / HTTP/1.1\r\nHost: y:80\r\n\r\n", b"why"),
                    (b"GET / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
                     b"0\r\nHost: y\r\n\r\n", b"any")):
                client.send(request)
                self.assertEqual(client.response().body, body)


if __name__ == "__main__":
    harness.main()
