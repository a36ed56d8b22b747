/* Paths: decoded once, resolved segment by segment.
 *
 * The work is done in one pass over the raw path, into the caller's buffer, which ends in "/"
 * whenever a segment begins.  Decoding comes first and resolving after it, so "%2e%2e" is ".."; and
 * because an encoded slash is refused, a segment never changes into two.  What was decoded is never
 * decoded again: "%252e" is the three bytes "%2e". */
#include "http/path.h"

#include <assert.h>
#include <errno.h>

#include "base/escape.h"
#include "http/byte.h"

/* The byte that "%XY" at the beginning of `text` stands for, or -EILSEQ. */
static int decode_escape(struct text text)
{
	int high, low;

	if (text.length < 3)
		return -EILSEQ;
	high = byte_hex_value(text.bytes[1]);
	low = byte_hex_value(text.bytes[2]);
	if (high < 0 || low < 0)
		return -EILSEQ;
	return high << 4 | low;
}

static int append_decoded(struct buffer *path, struct text segment)
{
	while (segment.length > 0) {
		bool escaped = segment.bytes[0] == '%';
		int byte = escaped ? decode_escape(segment) : (unsigned char)segment.bytes[0];

		if (byte < 0)
			return byte;
		if (byte_is_control((char)byte) || byte == '/')
			return -EPERM;
		buffer_append_byte(path, (char)byte);
		segment = text_from(segment, escaped ? 3 : 1);
	}
	return 0;
}

/* Takes the last segment off a path that ends in a slash; "/" stays. */
static void remove_last_segment(struct buffer *path)
{
	if (path->length > 1)
		path->length--;
	while (path->bytes[path->length - 1] != '/')
		path->length--;
}

/* Appends one segment to a path that ends in a slash; "." and ".." leave it ending so. */
static int append_segment(struct buffer *path, struct text segment)
{
	size_t start = path->length;
	struct text decoded;
	int r;

	r = append_decoded(path, segment);
	if (r < 0)
		return r;
	decoded = text_from(buffer_text(path), start);
	if (text_equal(decoded, text_literal("."))) {
		path->length = start;
	} else if (text_equal(decoded, text_literal(".."))) {
		path->length = start;
		remove_last_segment(path);
	}
	return 0;
}

int path_resolve(struct buffer *path, struct text raw)
{
	assert(path->length > 0 && path->bytes[path->length - 1] == '/');
	for (;;) {
		struct text segment = text_first(raw, text_find(raw, '/'));
		int r = append_segment(path, segment);

		if (r < 0 || segment.length == raw.length)
			return r;
		raw = text_from(raw, segment.length + 1);
		if (path->bytes[path->length - 1] != '/')
			buffer_append_byte(path, '/');
	}
}

/* Nothing to decode and nothing to resolve: the path as most are written. */
static bool is_plain(struct text raw)
{
	char previous = '\0';

	for (size_t i = 0; i < raw.length; i++) {
		char byte = raw.bytes[i];

		if (byte == '%' || byte_is_control(byte) ||
			(previous == '/' && (byte == '/' || byte == '.')))
			return false;
		previous = byte;
	}
	return true;
}

int path_normalize(struct buffer *path, struct text raw)
{
	assert(path->length == 0 && path->size > 0);
	if (raw.length == 0 || raw.bytes[0] != '/')
		return -EINVAL;
	if (is_plain(raw)) {
		buffer_append(path, raw);
		return 0;
	}
	buffer_append_byte(path, '/');
	return path_resolve(path, text_from(raw, 1));
}

bool path_has_dot_segment(struct text path)
{
	static const struct text WELL_KNOWN = TEXT("/.well-known"); /* RFC 8615 */

	if (path_begins_with(path, WELL_KNOWN))
		path = text_from(path, WELL_KNOWN.length);
	while (path.length > 0) {
		path = text_from(path, text_find(path, '/') + 1);
		if (path.length > 0 && path.bytes[0] == '.')
			return true;
	}
	return false;
}

/* pchar without escapes, and the slash (RFC 3986 §3.3). */
static bool is_path_byte(char byte)
{
	static const struct text MARKS = TEXT("-._~!$&'()*+,;=:@/");

	if ((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z'))
		return true;
	return (byte >= '0' && byte <= '9') || text_find(MARKS, byte) < MARKS.length;
}

void path_append_encoded(struct buffer *buffer, struct text path)
{
	char escape[3];

	while (text_starts_with(path, text_literal("//")))
		path = text_from(path, 1);
	for (size_t i = 0; i < path.length; i++) {
		if (is_path_byte(path.bytes[i]))
			buffer_append_byte(buffer, path.bytes[i]);
		else
			buffer_append(buffer, escape_percent(escape, path.bytes[i]));
	}
}

bool path_begins_with(struct text path, struct text prefix)
{
	if (!text_starts_with(path, prefix))
		return false;
	if (path.length == prefix.length)
		return true;
	return prefix.length > 0 &&
	       (prefix.bytes[prefix.length - 1] == '/' || path.bytes[prefix.length] == '/');
}
