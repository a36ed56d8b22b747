/* What a parser made of a stream of bytes: the requests, and how the stream ended.
 *
 * Two readers fill it in, Ringlet's parser and libhttp-parser; differential.c compares them. Texts
 * point into the stream or into the reading's own memory, so a reading lives as long as its stream.
 * It is large: make it static. */
#ifndef RINGLET_TEST_READING_H
#define RINGLET_TEST_READING_H

#include "base/buffer.h"
#include "http/request.h"

enum {
	READING_MESSAGES_MAX = 4,
	READING_CUTS_MAX = 8,
	READING_MEMORY_SIZE = 1 << 16,
};

/* Where the stream is cut into parts that arrive together: ascending offsets. None: all at once. */
struct cuts {
	unsigned count;
	size_t offsets[READING_CUTS_MAX];
};

struct reading_message {
	size_t start;  /* in the stream, including line ends before the request line */
	size_t length; /* of everything that belongs to it, if it is complete */
	bool head_read, whole;
	struct text method, target;
	struct text authority, query; /* of the target */
	bool target_is_good;          /* by the library's own parser of URLs, and without a user */
	unsigned major, minor;
	unsigned field_count; /* may exceed the array, which has the first ones */
	struct field fields[REQUEST_FIELDS_MAX];
	uint64_t content_length; /* as in struct request */
	bool keep_alive;
	struct text body; /* what came of it */
};

struct reading {
	unsigned message_count; /* the last one may be incomplete */
	struct reading_message messages[READING_MESSAGES_MAX];
	bool refused;      /* the last one */
	const char *why;   /* it was refused */
	size_t refused_at; /* offset in the stream of a body byte that Ringlet refuses */
	struct buffer memory;
	char memory_bytes[READING_MEMORY_SIZE];
};

/* Each reads until it refuses, until a message says that it is the last, or to the end of the
 * stream or of the array. */
void read_by_ringlet(struct reading *reading, struct text stream, const struct cuts *cuts);
void read_by_library(struct reading *reading, struct text stream, const struct cuts *cuts);

/* What the library also says beside complete messages. */
bool library_knows_method(struct text name);
bool library_knows_host(struct text host);

/* Does the library refuse what only its strict mode refuses? Debian's does not. */
bool library_is_strict(void);

/* The first cut behind `offset`, or the end of the stream. */
static inline size_t next_cut(const struct cuts *cuts, size_t offset, struct text stream)
{
	for (unsigned i = 0; i < cuts->count; i++) {
		if (cuts->offsets[i] > offset && cuts->offsets[i] < stream.length)
			return cuts->offsets[i];
	}
	return stream.length;
}

/* The next message of the reading, or NULL if there is no room. */
static inline struct reading_message *begin_message(struct reading *reading, size_t start)
{
	struct reading_message *message = &reading->messages[reading->message_count];

	if (reading->message_count == READING_MESSAGES_MAX)
		return NULL;
	reading->message_count++;
	*message = (struct reading_message){ .start = start };
	return message;
}

static inline void begin_reading(struct reading *reading)
{
	reading->message_count = 0;
	reading->refused = false;
	reading->why = NULL;
	reading->refused_at = 0;
	buffer_init(&reading->memory, reading->memory_bytes, sizeof(reading->memory_bytes));
}

#endif
