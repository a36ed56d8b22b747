/* Accept and Accept-Encoding. The input has two lines with the things to weigh, then fields. The
 * weight does not depend on the order of the fields, and at most one of the two things is
 * preferred. */
#include "fuzz.h"

#include "http/accept.h"

struct opinion {
	unsigned type_weight, coding_weight, identity_weight;
	bool prefers, prefers_other;
};

static struct opinion ask(const struct request *request, struct text one, struct text other)
{
	struct accept_codings codings;

	accept_codings_read(&codings, request);
	return (struct opinion){
		.type_weight = accept_weight(request, one),
		.coding_weight = accept_codings_weight(&codings, text_literal("gzip")),
		.identity_weight = accept_codings_weight(&codings, text_literal("identity")),
		.prefers = accept_prefers(request, one, other),
		.prefers_other = accept_prefers(request, other, one),
	};
}

static size_t comma_count(struct text text)
{
	size_t count = 0;

	for (size_t i = 0; i < text.length; i++)
		count += text.bytes[i] == ',';
	return count;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static struct request request;
	struct text rest = { (const char *)bytes, length };
	struct text one = fuzz_take_line(&rest), other = fuzz_take_line(&rest);
	struct opinion opinion, again;

	if (comma_count(rest) > 50)
		return 0; /* those behind the hundredth element are not read, in either order */
	fuzz_take_fields(&request, rest);
	opinion = ask(&request, one, other);
	assert(opinion.type_weight <= 1000 && opinion.coding_weight <= 1000);
	assert(opinion.identity_weight <= 1000);
	assert(!opinion.prefers || !opinion.prefers_other);
	if (!request_field(&request, text_literal("Accept")))
		assert(opinion.type_weight == 1000);
	if (!request_field(&request, text_literal("Accept-Encoding")))
		assert(opinion.identity_weight > 0);
	fuzz_reverse_fields(&request);
	again = ask(&request, one, other);
	assert(again.type_weight == opinion.type_weight);
	assert(again.coding_weight == opinion.coding_weight);
	assert(again.identity_weight == opinion.identity_weight);
	assert(again.prefers == opinion.prefers && again.prefers_other == opinion.prefers_other);
	return 0;
}
