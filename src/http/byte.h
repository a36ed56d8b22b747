/* Questions about single bytes that several parsers of HTTP ask; ASCII, whatever the locale. */
#ifndef RINGLET_HTTP_BYTE_H
#define RINGLET_HTTP_BYTE_H

#include <string.h>

#include "base/text.h"

static inline bool byte_is_control(char byte)
{
	return (unsigned char)byte < 0x20 || byte == 0x7f;
}

/* May it stand in a field value (RFC 9110 §5.5)?  The tab is the one control byte that may. */
static inline bool byte_is_field_value(char byte)
{
	return byte == '\t' || !byte_is_control(byte);
}

/* May it stand in a token, such as a field name (tchar, RFC 9110 §5.6.2)? */
static inline bool byte_is_token(char byte)
{
	switch (byte) {
	case '0' ... '9':
	case 'A' ... 'Z':
	case 'a' ... 'z':
	case '!':
	case '#' ... '\'':
	case '*':
	case '+':
	case '-':
	case '.':
	case '^' ... '`':
	case '|':
	case '~':
		return true;
	default:
		return false;
	}
}

/* Eight bytes at once: is one of them a control byte?  A byte below 0x20 borrows into its own top
 * bit, and DEL is the one that becomes zero when its bits are flipped (Warren, Hacker's Delight,
 * §6-1). */
static inline bool byte_any_control(const char bytes[8])
{
	const uint64_t ones = UINT64_MAX / 255, tops = ones << 7;
	uint64_t word, flipped;

	memcpy(&word, bytes, sizeof(word));
	flipped = word ^ ones * 0x7f;
	return (((word - ones * 0x20) & ~word) | ((flipped - ones) & ~flipped)) & tops;
}

/* How many bytes at the front may stand in a field value. */
static inline size_t byte_field_value_run(struct text text)
{
	size_t length = 0;

	while (text.length - length >= 8 && !byte_any_control(text.bytes + length))
		length += 8;
	/* The last eight, some of which were seen already. */
	if (length > 0 && text.length - length < 8 &&
		!byte_any_control(text.bytes + text.length - 8))
		return text.length;
	while (length < text.length && byte_is_field_value(text.bytes[length]))
		length++;
	return length;
}

static inline char byte_lower(char byte)
{
	return byte >= 'A' && byte <= 'Z' ? (char)(byte + ('a' - 'A')) : byte;
}

/* 0 to 15, or -1: not a hexadecimal digit. */
static inline int byte_hex_value(char byte)
{
	if (byte >= '0' && byte <= '9')
		return byte - '0';
	byte = byte_lower(byte);
	return byte >= 'a' && byte <= 'f' ? byte - 'a' + 10 : -1;
}

#endif
