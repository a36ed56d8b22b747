/* What a fuzz target is: one function that takes any bytes and asserts what must hold of them.
 *
 * libFuzzer (meson -Dfuzzing=true, with clang) calls it with inputs that it breeds from the corpus;
 * replay.c calls it in every build with the corpus as it stands, as a test among the others. */
#ifndef RINGLET_TEST_FUZZ_H
#define RINGLET_TEST_FUZZ_H

#include <assert.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length);

static inline bool fuzz_lies_within(struct text part, struct text whole)
{
	return part.length == 0 || (part.bytes >= whole.bytes &&
					   part.bytes + part.length <= whole.bytes + whole.length);
}

#endif
