/* Runs of plain characters are copied at once; the rest goes character by character. */
#include "base/escape.h"

#include <stdint.h>

static const char HEX_DIGITS[] = "0123456789ABCDEF";

/* --- UTF-8 (RFC 3629 §4) ------------------------------------------------------------------ */

/* What a lead byte promises: the length of the sequence, and the range of its second byte, which
 * excludes overlong forms, surrogates and what lies beyond U+10FFFF. */
struct utf8_lead {
	unsigned char first, last;
	unsigned char length;
	unsigned char second_first, second_last;
};

static const struct utf8_lead UTF8_LEADS[] = {
	{ 0xc2, 0xdf, 2, 0x80, 0xbf },
	{ 0xe0, 0xe0, 3, 0xa0, 0xbf },
	{ 0xe1, 0xec, 3, 0x80, 0xbf },
	{ 0xed, 0xed, 3, 0x80, 0x9f },
	{ 0xee, 0xef, 3, 0x80, 0xbf },
	{ 0xf0, 0xf0, 4, 0x90, 0xbf },
	{ 0xf1, 0xf3, 4, 0x80, 0xbf },
	{ 0xf4, 0xf4, 4, 0x80, 0x8f },
};

static const struct utf8_lead *find_lead(unsigned char byte)
{
	for (size_t i = 0; i < sizeof(UTF8_LEADS) / sizeof(UTF8_LEADS[0]); i++) {
		if (byte >= UTF8_LEADS[i].first && byte <= UTF8_LEADS[i].last)
			return &UTF8_LEADS[i];
	}
	return NULL;
}

/* Length of the well-formed sequence of several bytes that `text` begins with, or 0. */
static size_t decode(uint32_t *code, struct text text)
{
	const unsigned char *bytes = (const unsigned char *)text.bytes;
	const struct utf8_lead *lead = find_lead(bytes[0]);

	if (!lead || lead->length > text.length)
		return 0;
	if (bytes[1] < lead->second_first || bytes[1] > lead->second_last)
		return 0;
	*code = bytes[0] & (0xffu >> (lead->length + 1));
	for (size_t i = 1; i < lead->length; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		*code = *code << 6 | (bytes[i] & 0x3fu);
	}
	return lead->length;
}

/* Controls, line separators, what is invisible, and what turns the direction of writing. */
static bool is_hidden(uint32_t code)
{
	static const struct {
		uint32_t first, last;
	} HIDDEN[] = { { 0x80, 0x9f }, { 0xad, 0xad }, { 0x61c, 0x61c }, { 0x200b, 0x200f },
		{ 0x2028, 0x202e }, { 0x2060, 0x206f }, { 0xfeff, 0xfeff } };

	for (size_t i = 0; i < sizeof(HIDDEN) / sizeof(HIDDEN[0]); i++) {
		if (code >= HIDDEN[i].first && code <= HIDDEN[i].last)
			return true;
	}
	return false;
}

/* --- escapes ------------------------------------------------------------------------------ */

/* The escapes of one character: each of its bytes by itself in JSON takes five bytes at most, a
 * code six. */
enum { ESCAPE_SIZE = 4 * 5 };

static void append_byte(struct buffer *escape, unsigned char byte)
{
	buffer_append_string(escape, "\\x");
	buffer_append_byte(escape, HEX_DIGITS[byte >> 4]);
	buffer_append_byte(escape, HEX_DIGITS[byte & 15]);
}

static void append_bytes(struct buffer *escape, struct text text)
{
	for (size_t i = 0; i < text.length; i++)
		append_byte(escape, (unsigned char)text.bytes[i]);
}

static void append_json(struct buffer *escape, uint32_t code)
{
	if (code == '"' || code == '\\') {
		buffer_append_byte(escape, '\\');
		buffer_append_byte(escape, (char)code);
		return;
	}
	buffer_append_string(escape, "\\u");
	for (unsigned shift = 16; shift > 0; shift -= 4)
		buffer_append_byte(escape, HEX_DIGITS[code >> (shift - 4) & 15]);
}

/* The first character of `text`, as it is written; returns its length there. */
static size_t append_character(struct buffer *escape, struct text text, enum escape_form form)
{
	uint32_t code = (unsigned char)text.bytes[0];
	size_t length = code < 0x80 ? 1 : decode(&code, text);

	if (length == 0) { /* a stray byte */
		if (form == ESCAPE_JSON)
			buffer_append_byte(escape, '\\');
		append_byte(escape, (unsigned char)text.bytes[0]);
		return 1;
	}
	text = text_first(text, length);
	if (form != ESCAPE_COMBINED && code >= 0x80 && !is_hidden(code))
		buffer_append(escape, text);
	else if (form == ESCAPE_JSON)
		append_json(escape, code);
	else
		append_bytes(escape, text);
	return length;
}

static bool is_plain(char byte, enum escape_form form)
{
	return byte >= 0x20 && byte < 0x7f && byte != '\\' &&
	       (byte != '"' || form == ESCAPE_MESSAGE);
}

void escape_append(
	struct buffer *buffer, struct text text, enum escape_form form, size_t length_max)
{
	while (text.length > 0) {
		size_t plain = 0, length;
		char memory[ESCAPE_SIZE];
		struct buffer escape;

		while (plain < text.length && plain < length_max &&
			is_plain(text.bytes[plain], form))
			plain++;
		buffer_append(buffer, text_first(text, plain));
		text = text_from(text, plain);
		length_max -= plain;
		if (text.length == 0)
			return;
		buffer_init(&escape, memory, sizeof(memory));
		length = append_character(&escape, text, form);
		if (escape.length > length_max)
			return;
		buffer_append(buffer, buffer_text(&escape));
		text = text_from(text, length);
		length_max -= escape.length;
	}
}

/* --- HTML and URLs ------------------------------------------------------------------------ */

struct text escape_html(const char *byte)
{
	switch (*byte) {
	case '&':
		return text_literal("&amp;");
	case '<':
		return text_literal("&lt;");
	case '>':
		return text_literal("&gt;");
	case '"':
		return text_literal("&quot;");
	case '\'':
		return text_literal("&#39;");
	default:
		return (struct text){ byte, 1 };
	}
}

struct text escape_percent(char escape[3], char byte)
{
	escape[0] = '%';
	escape[1] = HEX_DIGITS[(unsigned char)byte >> 4];
	escape[2] = HEX_DIGITS[byte & 15];
	return (struct text){ escape, 3 };
}
