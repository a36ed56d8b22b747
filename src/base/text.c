/* Views of bytes: comparison, cutting, numbers.  Nothing here allocates. */
#include "base/text.h"

#include <errno.h>
#include <string.h>

struct text text_of(const char *string)
{
	return (struct text){ string, strlen(string) };
}

bool text_equal(struct text a, struct text b)
{
	return a.length == b.length && (a.length == 0 || memcmp(a.bytes, b.bytes, a.length) == 0);
}

static unsigned char lower(char byte)
{
	return (unsigned char)(byte >= 'A' && byte <= 'Z' ? byte + ('a' - 'A') : byte);
}

bool text_equal_ignoring_case(struct text a, struct text b)
{
	if (a.length != b.length)
		return false;
	for (size_t i = 0; i < a.length; i++) {
		if (lower(a.bytes[i]) != lower(b.bytes[i]))
			return false;
	}
	return true;
}

bool text_starts_with(struct text text, struct text prefix)
{
	return text.length >= prefix.length && text_equal(text_first(text, prefix.length), prefix);
}

size_t text_find(struct text text, char byte)
{
	const char *found = text.length > 0 ? memchr(text.bytes, byte, text.length) : NULL;

	return found ? (size_t)(found - text.bytes) : text.length;
}

struct text text_without_blanks(struct text text)
{
	while (text.length > 0 && text_is_blank(text.bytes[0]))
		text = text_from(text, 1);
	while (text.length > 0 && text_is_blank(text.bytes[text.length - 1]))
		text.length--;
	return text;
}

struct text text_take(struct text *rest, char separator)
{
	struct text part = text_first(*rest, text_find(*rest, separator));

	*rest = text_from(*rest, part.length + 1);
	return text_trim(part);
}

int text_to_number(uint64_t *number, struct text text)
{
	uint64_t value = 0;

	if (text.length == 0)
		return -EINVAL;
	for (size_t i = 0; i < text.length; i++) {
		if (text.bytes[i] < '0' || text.bytes[i] > '9')
			return -EINVAL;
		if (__builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, (uint64_t)(text.bytes[i] - '0'), &value))
			return -ERANGE;
	}
	*number = value;
	return 0;
}
