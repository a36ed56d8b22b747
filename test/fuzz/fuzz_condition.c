/* Preconditions. The input has a line with the method, then fields. Only methods that read can get
 * 304, without a condition nothing is decided, and the order of the fields does not matter. */
#include "fuzz.h"

#include "files/condition.h"

/* 6 November 1994, 08:49:37. */
enum { MODIFIED = 784111777, NOW = MODIFIED + 1000 };

static bool is_condition(struct text name)
{
	static const struct text CONDITIONS[] = { TEXT("If-Match"), TEXT("If-None-Match"),
		TEXT("If-Modified-Since"), TEXT("If-Unmodified-Since") };

	for (size_t i = 0; i < sizeof(CONDITIONS) / sizeof(CONDITIONS[0]); i++) {
		if (text_equal_ignoring_case(name, CONDITIONS[i]))
			return true;
	}
	return false;
}

static bool has_condition(const struct request *request)
{
	for (unsigned i = 0; i < request->field_count; i++) {
		if (is_condition(request->fields[i].name))
			return true;
	}
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static struct request request;
	const struct validators validators = { TEXT("\"a-1\""), MODIFIED };
	struct text rest = { (const char *)bytes, length };
	struct text method = fuzz_take_line(&rest);
	enum condition_outcome outcome;
	bool range_allowed;

	fuzz_take_fields(&request, rest);
	request.method = method_of(method);
	outcome = condition_evaluate(&request, &validators, NOW);
	range_allowed = condition_allows_range(&request, &validators, NOW);
	if (outcome == CONDITION_NOT_MODIFIED)
		assert(request.method == METHOD_GET || request.method == METHOD_HEAD);
	if (!has_condition(&request))
		assert(outcome == CONDITION_PROCEED);
	if (!request_field(&request, text_literal("If-Range")))
		assert(range_allowed);
	fuzz_reverse_fields(&request);
	assert(condition_evaluate(&request, &validators, NOW) == outcome);
	assert(condition_allows_range(&request, &validators, NOW) == range_allowed);
	return 0;
}
