/* Status codes: one table, indexed by the code, that holds the error body, made of
 * the code and its reason phrase at compile time, so that an answer needs no formatting. */
#include "http/status.h"

/* The line is the body's words, the reason is what follows the code in them. */
#define STATUS(code, phrase) [code - 100] = TEXT(#code " " phrase "\n")

enum { CODE_LENGTH = 4 };

/* The codes of RFC 9110 §15, and of RFC 6585, RFC 7725 and RFC 8297 where a server may send them.
 */
static const struct text STATUSES[] = {
	STATUS(100, "Continue"),
	STATUS(101, "Switching Protocols"),
	STATUS(103, "Early Hints"),
	STATUS(200, "OK"),
	STATUS(201, "Created"),
	STATUS(202, "Accepted"),
	STATUS(203, "Non-Authoritative Information"),
	STATUS(204, "No Content"),
	STATUS(205, "Reset Content"),
	STATUS(206, "Partial Content"),
	STATUS(300, "Multiple Choices"),
	STATUS(301, "Moved Permanently"),
	STATUS(302, "Found"),
	STATUS(303, "See Other"),
	STATUS(304, "Not Modified"),
	STATUS(307, "Temporary Redirect"),
	STATUS(308, "Permanent Redirect"),
	STATUS(400, "Bad Request"),
	STATUS(401, "Unauthorized"),
	STATUS(402, "Payment Required"),
	STATUS(403, "Forbidden"),
	STATUS(404, "Not Found"),
	STATUS(405, "Method Not Allowed"),
	STATUS(406, "Not Acceptable"),
	STATUS(407, "Proxy Authentication Required"),
	STATUS(408, "Request Timeout"),
	STATUS(409, "Conflict"),
	STATUS(410, "Gone"),
	STATUS(411, "Length Required"),
	STATUS(412, "Precondition Failed"),
	STATUS(413, "Content Too Large"),
	STATUS(414, "URI Too Long"),
	STATUS(415, "Unsupported Media Type"),
	STATUS(416, "Range Not Satisfiable"),
	STATUS(417, "Expectation Failed"),
	STATUS(421, "Misdirected Request"),
	STATUS(422, "Unprocessable Content"),
	STATUS(426, "Upgrade Required"),
	STATUS(428, "Precondition Required"),
	STATUS(429, "Too Many Requests"),
	STATUS(431, "Request Header Fields Too Large"),
	STATUS(451, "Unavailable For Legal Reasons"),
	STATUS(500, "Internal Server Error"),
	STATUS(501, "Not Implemented"),
	STATUS(502, "Bad Gateway"),
	STATUS(503, "Service Unavailable"),
	STATUS(504, "Gateway Timeout"),
	STATUS(505, "HTTP Version Not Supported"),
	STATUS(507, "Insufficient Storage"),
	STATUS(511, "Network Authentication Required"),
};

static const struct text UNKNOWN = TEXT("Unknown\n");

static bool is_known(unsigned status)
{
	return status >= 100 && status - 100 < sizeof(STATUSES) / sizeof(STATUSES[0]) &&
	       STATUSES[status - 100].bytes;
}

struct text status_body(unsigned status)
{
	return is_known(status) ? STATUSES[status - 100] : UNKNOWN;
}

struct text status_line(unsigned status)
{
	struct text body = is_known(status) ? STATUSES[status - 100] : (struct text){ 0 };

	return text_first(body, body.length - (body.length > 0));
}

struct text status_reason(unsigned status)
{
	if (!is_known(status))
		return text_first(UNKNOWN, UNKNOWN.length - 1);
	return text_from(status_line(status), CODE_LENGTH);
}

bool status_has_content(unsigned status)
{
	return status >= 200 && status != 204 && status != 304;
}
