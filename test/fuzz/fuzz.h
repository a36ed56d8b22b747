/* A fuzz target is one function that takes any bytes and asserts what must hold for them.
 *
 * libFuzzer (meson -Dfuzzing=true, with clang) calls it with inputs that it derives from the
 * corpus. replay.c calls it in every build with the corpus itself, as a normal test. */
#ifndef RINGLET_TEST_FUZZ_H
#define RINGLET_TEST_FUZZ_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "http/request.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static inline bool fuzz_lies_within(struct text part, struct text whole)
{
	return part.length == 0 || (part.bytes >= whole.bytes &&
					   part.bytes + part.length <= whole.bytes + whole.length);
}

/* The text up to the next LF; the LF is consumed, too. */
static inline struct text fuzz_take_line(struct text *rest)
{
	struct text line = text_first(*rest, text_find(*rest, '\n'));

	*rest = text_from(*rest, line.length + 1);
	return line;
}

/* A request with "Name: value" in each line. */
static inline void fuzz_take_fields(struct request *request, struct text rest)
{
	request_init(request);
	while (rest.length > 0 && request->field_count < REQUEST_FIELDS_MAX) {
		struct text line = fuzz_take_line(&rest);
		size_t colon = text_find(line, ':');

		request->fields[request->field_count++] = (struct field){ text_first(line, colon),
			text_trim(text_from(line, colon + 1)) };
	}
}

static inline void fuzz_reverse_fields(struct request *request)
{
	for (unsigned i = 0; i < request->field_count / 2; i++) {
		struct field *other = &request->fields[request->field_count - 1 - i];
		struct field field = request->fields[i];

		request->fields[i] = *other;
		*other = field;
	}
}

#endif
