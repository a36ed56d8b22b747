/* Bytes being written into memory that the caller owns.  Appending beyond the end keeps what fits
 * and sets `truncated`, so that a writer checks once, at the end, instead of after every field. */
#ifndef RINGLET_BASE_BUFFER_H
#define RINGLET_BASE_BUFFER_H

#include <string.h>

#include "base/text.h"

struct buffer {
	char *bytes;
	size_t length;
	size_t size;
	bool truncated;
};

void buffer_init(struct buffer *buffer, void *memory, size_t size);
void buffer_append_string(struct buffer *buffer, const char *string);
void buffer_append_byte(struct buffer *buffer, char byte);
void buffer_append_number(struct buffer *buffer, uint64_t number);
void buffer_append_format(struct buffer *buffer, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* Drops the first `length` bytes and moves the rest to the front. */
void buffer_consume(struct buffer *buffer, size_t length);

static inline struct text buffer_text(const struct buffer *buffer)
{
	return (struct text){ buffer->bytes, buffer->length };
}

static inline size_t buffer_room(const struct buffer *buffer)
{
	return buffer->size - buffer->length;
}

/* Inline, because a response head is two dozen of these, most of them literals. */
static inline void buffer_append(struct buffer *buffer, struct text text)
{
	if (text.length > buffer_room(buffer)) {
		buffer->truncated = true;
		text.length = buffer_room(buffer);
	}
	if (text.length == 0)
		return;
	memcpy(buffer->bytes + buffer->length, text.bytes, text.length);
	buffer->length += text.length;
}

#endif
