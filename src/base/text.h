/* A view of bytes that somebody else owns: a pointer and a length, never a terminating zero to
 * rely on.  Everything that is parsed, compared or passed on between layers is a struct text. */
#ifndef RINGLET_BASE_TEXT_H
#define RINGLET_BASE_TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/smaller.h"

struct text {
	const char *bytes;
	size_t length;
};

/* A string literal as a text, usable in static initialisers. */
#define TEXT(literal)                                                                              \
	{                                                                                          \
		(literal), sizeof(literal) - 1                                                     \
	}
#define text_literal(literal) ((struct text)TEXT(literal))

/* For printf: printf("%.*s", TEXT_ARGUMENTS(name)). */
#define TEXT_ARGUMENTS(text) (int)(text).length, (text).bytes

struct text text_of(const char *string);
bool text_equal(struct text a, struct text b);
bool text_equal_ignoring_case(struct text a, struct text b); /* ASCII only */
bool text_starts_with(struct text text, struct text prefix);

/* The part from `start` on, or its first `length` bytes.  Both are clipped to the text.  Parsers
 * move by them, so they are inline. */
static inline struct text text_from(struct text text, size_t start)
{
	if (start > text.length)
		start = text.length;
	if (start == 0)
		return text;
	return (struct text){ text.bytes + start, text.length - start };
}

static inline struct text text_first(struct text text, size_t length)
{
	return (struct text){ text.bytes, smaller(length, text.length) };
}

/* Index of the first `byte`, or text.length when there is none. */
size_t text_find(struct text text, char byte);

static inline bool text_is_blank(char byte)
{
	return byte == ' ' || byte == '\t';
}

/* Without the spaces and tabs at either end (OWS, RFC 9110 §5.6.3).  Every field's value comes by
 * here, and hardly any has blanks left: only one that has is worth a call. */
struct text text_without_blanks(struct text text);

static inline struct text text_trim(struct text text)
{
	if (text.length == 0 ||
		(!text_is_blank(text.bytes[0]) && !text_is_blank(text.bytes[text.length - 1])))
		return text;
	return text_without_blanks(text);
}

/* Takes what stands before the first `separator`, or all there is, off the front of *rest; the
 * separator goes, too.  Blanks around the part are left out. */
struct text text_take(struct text *rest, char separator);

/* Decimal digits only, the whole text, no sign: 0, -EINVAL (also when empty) or -ERANGE. */
int text_to_number(uint64_t *number, struct text text);

#endif
