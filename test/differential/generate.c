/* The grammar: each part of a request is drawn from a list. Its first entry is the usual one and is
 * drawn far more often, so that a stream has a few oddities only. Then half of the streams are
 * damaged, byte by byte, at places and with bytes that matter to parsers. */
#include "generate.h"

struct random {
	uint64_t state;
};

/* splitmix64 */
static uint64_t next(struct random *random)
{
	uint64_t z = random->state += 0x9e3779b97f4a7c15;

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
	z = (z ^ z >> 27) * 0x94d049bb133111eb;
	return z ^ z >> 31;
}

static size_t below(struct random *random, size_t bound)
{
	return (size_t)(next(random) % bound);
}

static bool one_in(struct random *random, size_t count)
{
	return below(random, count) == 0;
}

static struct text pick(struct random *random, const struct text *list, size_t count)
{
	return list[below(random, count)];
}

#define COUNT(list)        (sizeof(list) / sizeof((list)[0]))
#define PICK(random, list) pick(random, list, COUNT(list))

/* The first entry of the list, or, once in `odds`, any. */
#define USUALLY(random, odds, list) (one_in(random, odds) ? PICK(random, list) : (list)[0])

static const struct text METHODS[] = { TEXT("GET"), TEXT("HEAD"), TEXT("POST"), TEXT("PUT"),
	TEXT("DELETE"), TEXT("PATCH"), TEXT("OPTIONS"), TEXT("TRACE"), TEXT("CONNECT"),
	TEXT("CONNECT"), TEXT("PROPFIND"), TEXT("PURGE"), TEXT("M-SEARCH"), TEXT("SOURCE"),
	TEXT("SOURCE"), TEXT("get"), TEXT("BREW"), TEXT("G@T"), TEXT("GE\tT"), TEXT("GET\0"),
	TEXT("G\x80T"), TEXT(""), TEXT("!#$%&'*+-.^_`|~"), TEXT("PRI"), TEXT("GETT") };

static const struct text TARGETS[] = { TEXT("/"), TEXT("/a/b.html"), TEXT("/a?b=c"),
	TEXT("/?a?b/c"), TEXT("*"), TEXT("//a//b"), TEXT("/%41%2f%00"), TEXT("/../a"), TEXT("a"),
	TEXT("a.b:443"), TEXT("[::1]:443"), TEXT(""), TEXT("http://b/c?d"), TEXT("HTTP://b:80"),
	TEXT("http://b?c/d"), TEXT("http://b:8a/"), TEXT("http://[::1]:80/"),
	TEXT("http://user@b/"), TEXT("https://b/c"), TEXT("http:///"), TEXT("http://"),
	TEXT("http:/b"), TEXT("http://b:99999/"), TEXT("http://[::g]/"), TEXT("http://a_b/"),
	TEXT("ftp://b/"), TEXT("/a#b"), TEXT("/a b"), TEXT("/a\tb"), TEXT("/a\0b"),
	TEXT("/\x80\xff"), TEXT("/\x7f"), TEXT("/\"<>\\^`{|}"), TEXT("?a"), TEXT("/a\rb"),
	TEXT("/;a=b,c!$&'()*+:@-._~"), TEXT("http://b@c@d/"), TEXT("http://a^b/"), TEXT("a^b:443"),
	TEXT("http://a,b/?c"), TEXT("http://b:?c") };

static const struct text BLANKS[] = { TEXT(" "), TEXT("  "), TEXT("\t"), TEXT(""), TEXT(" \t"),
	TEXT("\v"), TEXT("\f"), TEXT("\xa0"), TEXT("\0"), TEXT("\r") };

static const struct text VERSIONS[] = { TEXT("HTTP/1.1"), TEXT("HTTP/1.0"), TEXT("HTTP/1.0"),
	TEXT("HTTP/1.2"), TEXT("HTTP/2.0"), TEXT("HTTP/0.9"), TEXT("HTTP/1"), TEXT("HTTP/1.10"),
	TEXT("HTTP/01.1"), TEXT("http/1.1"), TEXT("HTTP/1.1 "), TEXT("HTTP/ 1.1"), TEXT("HTTP/1.x"),
	TEXT("ICE/1.0"), TEXT("ICE/1.0"), TEXT(""), TEXT("HTTP/1.1\v"), TEXT("HTTP/1.1 x"),
	TEXT("HTTPS/1.1"), TEXT("HTTP/+.1") };

static const struct text LINE_ENDS[] = { TEXT("\r\n"), TEXT("\n"), TEXT("\r"), TEXT("\r\r\n"),
	TEXT("\n\r"), TEXT("\r\n "), TEXT("\r\n\t"), TEXT(""), TEXT(" \r\n"), TEXT("\r\n\r\n"),
	TEXT("\0\r\n") };

static const struct text FIRST_BYTES[] = { TEXT(""), TEXT("\r\n"), TEXT("\r\n\r\n"), TEXT("\n"),
	TEXT("\r"), TEXT(" "), TEXT("\t\r\n") };

static const struct text NAMES[] = { TEXT("Accept"), TEXT("X-Forwarded-For"), TEXT("Cookie"),
	TEXT("A"), TEXT("a-b_c.d"), TEXT("!#$%&'*+-.^_`|~0"), TEXT(""), TEXT("A B"), TEXT("A(b"),
	TEXT("A\0"), TEXT("\xc3\xa4"), TEXT("A/B"), TEXT("\"A\""), TEXT("A\r"), TEXT("A\x7f"),
	TEXT("Content-Lengt"), TEXT("Content-Lengthy"), TEXT("Transfer-Encodin"),
	TEXT("Transfer-Encodings"), TEXT("Proxy-Connection"), TEXT("Hos"), TEXT("Upgrade"),
	TEXT("Expect"), TEXT("[A]") };

static const struct text COLONS[] = { TEXT(": "), TEXT(":"), TEXT(":\t"), TEXT(":  \t "),
	TEXT(" : "), TEXT("\t:"), TEXT(" "), TEXT(""), TEXT("::"), TEXT(":\v"), TEXT(":\r"),
	TEXT(":\n"), TEXT(":\0"), TEXT(":\r\n "), TEXT("\r:"), TEXT("\0:"), TEXT("=") };

static const struct text VALUES[] = { TEXT("b"), TEXT(""), TEXT("b, c"), TEXT(" \tb\t "),
	TEXT("\"b\\\"c\""), TEXT("\x80\xff"), TEXT("b\0c"), TEXT("b\rc"), TEXT("b\nc"),
	TEXT("b\r\n c"), TEXT("b\r\n\tc"), TEXT("b\x7f"), TEXT("b\x01"), TEXT("h2c"),
	TEXT("100-continue"), TEXT("b\r\n"), TEXT("b: c"), TEXT(":"), TEXT("b\tc"), TEXT("b\x1b"),
	TEXT("GET / HTTP/1.1") };

static const struct text HOSTS[] = { TEXT("a"), TEXT("a:80"), TEXT("[::1]:80"), TEXT(""),
	TEXT("a b"), TEXT("a@b"), TEXT("a, b"), TEXT("a:"), TEXT("a:x"), TEXT("a:65536"),
	TEXT("[::g]"), TEXT("a/b"), TEXT("\xc3\xa4") };

static const struct text LENGTHS[] = { TEXT("3"), TEXT("0"), TEXT("03"), TEXT("+3"), TEXT("-3"),
	TEXT("0x3"), TEXT("3 3"), TEXT("3, 3"), TEXT("3,4"), TEXT("3,"), TEXT(""), TEXT("\"3\""),
	TEXT("3.0"), TEXT("3e0"), TEXT("9223372036854775807"), TEXT("9223372036854775808"),
	TEXT("18446744073709551613"), TEXT("18446744073709551619"), TEXT("99999999999999999999999"),
	TEXT("3\t"), TEXT("\v3"), TEXT("3\0"), TEXT("3;a"), TEXT("00000000000000000000000000003"),
	TEXT("a"), TEXT("3\r\n 0") };

static const struct text CODINGS[] = { TEXT("chunked"), TEXT("CHUNKED"), TEXT("Chunked"),
	TEXT("gzip, chunked"), TEXT("identity"), TEXT("chunked, identity"),
	TEXT("identity, chunked"), TEXT("chunked, chunked"), TEXT("xchunked"), TEXT("chunkedx"),
	TEXT("chunked;a=b"), TEXT("\"chunked\""), TEXT("chunked chunked"), TEXT("\vchunked"),
	TEXT("\fchunked"), TEXT("chunked,"), TEXT(",chunked"), TEXT(""), TEXT("\tchunked"),
	TEXT("chunked\t"), TEXT("chunk\0ed"), TEXT("chun\r\n ked"), TEXT("\r\n chunked"),
	TEXT("chunke"), TEXT("gzip"), TEXT(" , chunked"), TEXT("chunked , "), TEXT("chunked\v"),
	TEXT("\x80"
	     "chunked") };

static const struct text CONNECTIONS[] = { TEXT("close"), TEXT("keep-alive"),
	TEXT("close, keep-alive"), TEXT("Close"), TEXT("Keep-Alive, Upgrade"),
	TEXT("close, keep-alive"), TEXT("keep-alive,close"), TEXT("upgrade"), TEXT("xclose"),
	TEXT("closed"), TEXT("x,\x80,close"), TEXT("close x"), TEXT(",close"), TEXT("close,"),
	TEXT("\"close\""), TEXT("x\tclose"), TEXT("\tclose"), TEXT(" close \t"), TEXT("a,\tclose"),
	TEXT("close;a"), TEXT(""), TEXT("Content-Length"), TEXT("keep-aliv"),
	TEXT("keep-aliv,close"), TEXT("x,,close"), TEXT("close\t, x"), TEXT("clo\r\n se") };

static const struct text SIZES[] = { TEXT("3"), TEXT("03"), TEXT("0003"), TEXT("0x3"), TEXT("3 "),
	TEXT(" 3"), TEXT("-3"), TEXT("+3"), TEXT("3;a"), TEXT("3\t;a"), TEXT("3;a=b;c=\"d\""),
	TEXT("3 ;a"), TEXT("3;a=\"\r\n\""), TEXT(""), TEXT("3\t"), TEXT(";a"), TEXT("3;\n"),
	TEXT("3;\0"), TEXT("3;\x80"), TEXT("3;a\rb"), TEXT("3g"), TEXT("g"),
	TEXT("7fffffffffffffff"), TEXT("8000000000000003"), TEXT("fffffffffffffff3"),
	TEXT("10000000000000003"), TEXT("00000000000000000000000000003"), TEXT("3,3"), TEXT("3\v"),
	TEXT("3;"), TEXT("3 3"), TEXT("3.3"), TEXT("3_"), TEXT("3;\x7f") };

static const struct text TRAILERS[] = { TEXT(""), TEXT("A: b\r\n"), TEXT("A: b\r\nC: d\r\n"),
	TEXT("Content-Length: 9\r\n"), TEXT("Content-Length: x\r\n"),
	TEXT("Transfer-Encoding: chunked\r\n"), TEXT("Host: b\r\n"), TEXT("A\r\n"),
	TEXT(" A: b\r\n"), TEXT("A: b\r\n c\r\n"), TEXT("A : b\r\n"), TEXT(": b\r\n"),
	TEXT("A: \0\r\n"), TEXT("A: b\n"), TEXT("A: b\rC: d\r\n"), TEXT("A(: b\r\n"),
	TEXT("GET / HTTP/1.1\r\n"), TEXT("A: b\x7f\r\n"), TEXT("A:\r\n"), TEXT("A: \x80\r\n"),
	TEXT("\r"), TEXT("A: b\r\r\n"), TEXT("Connection: close\r\n"), TEXT("A: b\x01\r\n") };

static void append_line_end(struct buffer *stream, struct random *random)
{
	buffer_append(stream, USUALLY(random, 150, LINE_ENDS));
}

static void append_field(
	struct buffer *stream, struct random *random, const char *name, struct text value)
{
	buffer_append_string(stream, name);
	buffer_append(stream, USUALLY(random, 60, COLONS));
	buffer_append(stream, value);
	append_line_end(stream, random);
}

static void append_any_field(struct buffer *stream, struct random *random)
{
	buffer_append(stream, USUALLY(random, 10, NAMES));
	buffer_append(stream, USUALLY(random, 60, COLONS));
	buffer_append(stream, USUALLY(random, 8, VALUES));
	append_line_end(stream, random);
}

static void append_request_line(struct buffer *stream, struct random *random)
{
	buffer_append(stream, USUALLY(random, 30, FIRST_BYTES));
	buffer_append(stream, USUALLY(random, 4, METHODS));
	buffer_append(stream, USUALLY(random, 120, BLANKS));
	buffer_append(stream, USUALLY(random, 5, TARGETS));
	buffer_append(stream, USUALLY(random, 120, BLANKS));
	buffer_append(stream, USUALLY(random, 10, VERSIONS));
	append_line_end(stream, random);
}

/* More than REQUEST_FIELDS_MAX, or nearly. */
static void append_many_fields(struct buffer *stream, struct random *random)
{
	size_t count = REQUEST_FIELDS_MAX - 4 + below(random, 8);

	while (count-- > 0)
		buffer_append_string(stream, "A: b\r\n");
}

static void append_chunked(struct buffer *stream, struct random *random)
{
	for (size_t count = below(random, 3); count > 0; count--) {
		buffer_append(stream, USUALLY(random, 4, SIZES));
		append_line_end(stream, random);
		buffer_append_string(stream, "abc");
		append_line_end(stream, random);
	}
	buffer_append_string(stream, one_in(random, 20) ? "00" : "0");
	append_line_end(stream, random);
	buffer_append(stream, USUALLY(random, 4, TRAILERS));
	append_line_end(stream, random);
}

/* The framing, which may be given twice and differently, and a body that fits one of them. */
static void append_framed(struct buffer *stream, struct random *random)
{
	bool counted = one_in(random, 3), chunked = one_in(random, counted ? 10 : 2);

	if (counted)
		append_field(stream, random, "Content-Length", USUALLY(random, 4, LENGTHS));
	if (chunked)
		append_field(stream, random, "Transfer-Encoding", USUALLY(random, 4, CODINGS));
	if (counted && one_in(random, 15))
		append_field(stream, random, "Content-Length", PICK(random, LENGTHS));
	if (chunked && one_in(random, 15))
		append_field(stream, random, "transfer-encoding", PICK(random, CODINGS));
	append_line_end(stream, random);
	if (chunked)
		append_chunked(stream, random);
	else if (counted)
		buffer_append_string(stream, "abc");
}

static void append_request(struct buffer *stream, struct random *random)
{
	append_request_line(stream, random);
	if (!one_in(random, 30))
		append_field(stream, random, "Host", USUALLY(random, 20, HOSTS));
	if (one_in(random, 30))
		append_field(stream, random, "host", PICK(random, HOSTS));
	for (size_t count = below(random, 3); count > 0; count--)
		append_any_field(stream, random);
	if (one_in(random, 400))
		append_many_fields(stream, random);
	if (one_in(random, 8))
		append_field(stream, random, "Connection", PICK(random, CONNECTIONS));
	if (one_in(random, 60))
		append_field(stream, random, "Expect", PICK(random, VALUES));
	append_framed(stream, random);
}

static char damaging_byte(struct random *random)
{
	static const struct text BYTES = TEXT("\r\n \t:;,\0\v\f\"()/@[]{}\\?=-+_09aGx\x7f\x80\xff");

	if (one_in(random, 4))
		return (char)below(random, 256);
	return BYTES.bytes[below(random, BYTES.length)];
}

/* Deletes, doubles, replaces or inserts a byte. */
static void damage(struct buffer *stream, struct random *random)
{
	size_t at = below(random, stream->length + 1);
	char *place = stream->bytes + at;
	size_t behind = stream->length - at;
	char byte = damaging_byte(random);

	switch (below(random, 4)) {
	case 0:
		if (behind == 0)
			break;
		memmove(place, place + 1, behind - 1);
		stream->length--;
		break;
	case 1:
		if (behind > 0)
			*place = byte;
		break;
	default:
		if (buffer_room(stream) == 0)
			break;
		memmove(place + 1, place, behind);
		stream->length++;
		if (behind == 0 || one_in(random, 2))
			*place = byte;
	}
}

static void cut(struct cuts *cuts, struct random *random, size_t length)
{
	size_t at = 0;

	cuts->count = 0;
	while (cuts->count < READING_CUTS_MAX && at + 1 < length) {
		at += 1 + below(random, one_in(random, 2) ? 4 : length - at);
		cuts->offsets[cuts->count++] = at;
	}
}

void generate_stream(struct buffer *stream, struct cuts *cuts, uint64_t seed)
{
	struct random random = { seed };

	for (size_t count = 1 + below(&random, 3); count > 0; count--)
		append_request(stream, &random);
	if (one_in(&random, 2)) {
		for (size_t count = 1 + below(&random, 3); count > 0; count--)
			damage(stream, &random);
	}
	cut(cuts, &random, stream->length);
}
