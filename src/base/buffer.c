/* Appending to memory of a fixed size. */
#include "base/buffer.h"

#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

void buffer_init(struct buffer *buffer, void *memory, size_t size)
{
	*buffer = (struct buffer){ .bytes = memory, .size = size };
}

void buffer_append_string(struct buffer *buffer, const char *string)
{
	buffer_append(buffer, text_of(string));
}

void buffer_append_byte(struct buffer *buffer, char byte)
{
	buffer_append(buffer, (struct text){ &byte, 1 });
}

void buffer_append_number(struct buffer *buffer, uint64_t number)
{
	char digits[20];
	size_t start = sizeof(digits);

	do {
		digits[--start] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	buffer_append(buffer, (struct text){ digits + start, sizeof(digits) - start });
}

void buffer_append_format(struct buffer *buffer, const char *format, ...)
{
	char *end = buffer->bytes + buffer->length;
	size_t room = buffer_room(buffer);
	va_list arguments;
	int length;

	va_start(arguments, format);
	length = vsnprintf(end, room, format, arguments);
	va_end(arguments);
	assert(length >= 0);
	if ((size_t)length < room) {
		buffer->length += (size_t)length;
		return;
	}
	/* vsnprintf() spent the last byte of the room on its terminating zero. */
	buffer->length += room > 0 ? room - 1 : 0;
	buffer->truncated = true;
}

void buffer_consume(struct buffer *buffer, size_t length)
{
	assert(length <= buffer->length);
	buffer->length -= length;
	memmove(buffer->bytes, buffer->bytes + length, buffer->length);
}
