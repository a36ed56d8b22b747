/* files/condition.h: preconditions, one after the other and together (RFC 9110 §13). */
#include "assert_text.h"

#include "files/condition.h"

/* Sunday, 6 November 1994, 08:49:37. */
static const time_t MODIFIED = 784111777;
static const time_t NOW = 784111777 + 1000;

#define BEFORE   "Sun, 06 Nov 1994 08:49:36 GMT"
#define THE_SAME "Sun, 06 Nov 1994 08:49:37 GMT"
#define AFTER    "Sun, 06 Nov 1994 08:49:38 GMT"

static struct request request;
static struct validators validators;

static void begin(enum method method)
{
	request_init(&request);
	request.method = method;
	validators = (struct validators){
		text_literal("\"a-1\""),
		MODIFIED,
		text_literal(THE_SAME),
	};
}

static void add(const char *name, const char *value)
{
	request.fields[request.field_count++] = (struct field){ text_of(name), text_of(value) };
}

static enum condition_outcome outcome(void)
{
	return condition_evaluate(&request, &validators, NOW);
}

/* The outcome of a request with one field. */
static enum condition_outcome with(enum method method, const char *name, const char *value)
{
	begin(method);
	add(name, value);
	return outcome();
}

static enum condition_outcome get_with(const char *name, const char *value)
{
	return with(METHOD_GET, name, value);
}

static void test_without_conditions_a_request_proceeds(void **state)
{
	(void)state;
	begin(METHOD_GET);
	assert_int_equal(outcome(), CONDITION_PROCEED);
}

static void test_a_date_says_the_same_whether_the_text_is_at_hand_or_not(void **state)
{
	static const char *const names[] = { "If-Modified-Since", "If-Unmodified-Since" };
	static const char *const values[] = { BEFORE, THE_SAME, AFTER, "" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		for (size_t j = 0; j < sizeof(values) / sizeof(values[0]); j++) {
			enum condition_outcome at_hand = get_with(names[i], values[j]);

			validators.modified_text = text_literal("");
			assert_int_equal(outcome(), at_hand);
		}
	}
}

/* --- If-None-Match (§13.1.2) -------------------------------------------------------------- */

static void test_if_none_match_is_304_when_the_tag_is_known(void **state)
{
	(void)state;
	assert_int_equal(get_with("If-None-Match", "\"a-1\""), CONDITION_NOT_MODIFIED);
	assert_int_equal(get_with("if-none-match", "\"a-1\""), CONDITION_NOT_MODIFIED);
	assert_int_equal(get_with("If-None-Match", "\"a-2\""), CONDITION_PROCEED);
	assert_int_equal(get_with("If-None-Match", "\"A-1\""), CONDITION_PROCEED);
	assert_int_equal(with(METHOD_HEAD, "If-None-Match", "\"a-1\""), CONDITION_NOT_MODIFIED);
}

static void test_if_none_match_compares_weakly(void **state)
{
	(void)state;
	assert_int_equal(get_with("If-None-Match", "W/\"a-1\""), CONDITION_NOT_MODIFIED);
	begin(METHOD_GET);
	validators.etag = text_literal("W/\"a-1\"");
	add("If-None-Match", "\"a-1\"");
	assert_int_equal(outcome(), CONDITION_NOT_MODIFIED);
	assert_int_equal(get_with("If-None-Match", "w/\"a-1\""), CONDITION_PROCEED); /* §8.8.3 */
}

static void test_if_none_match_may_be_a_list(void **state)
{
	(void)state;
	assert_int_equal(
		get_with("If-None-Match", "\"x\", W/\"y\",\"a-1\""), CONDITION_NOT_MODIFIED);
	assert_int_equal(get_with("If-None-Match", ", ,\t\"a-1\" ,"), CONDITION_NOT_MODIFIED);
	assert_int_equal(get_with("If-None-Match", "\"x\", \"y\""), CONDITION_PROCEED);
	/* A comma may be part of a tag. */
	assert_int_equal(get_with("If-None-Match", "\"x,\"a-1\",y\""), CONDITION_PROCEED);
}

static void test_if_none_match_may_come_in_several_lines(void **state)
{
	(void)state;
	begin(METHOD_GET);
	add("If-None-Match", "\"x\"");
	add("Accept", "*/*");
	add("IF-NONE-MATCH", "\"y\", \"a-1\"");
	assert_int_equal(outcome(), CONDITION_NOT_MODIFIED);
}

static void test_if_none_match_star_matches_whatever_exists(void **state)
{
	(void)state;
	assert_int_equal(get_with("If-None-Match", "*"), CONDITION_NOT_MODIFIED);
	assert_int_equal(with(METHOD_PUT, "If-None-Match", "*"), CONDITION_FAILED);
}

static void test_if_none_match_is_412_for_what_does_not_read(void **state)
{
	(void)state;
	assert_int_equal(with(METHOD_POST, "If-None-Match", "\"a-1\""), CONDITION_FAILED);
	assert_int_equal(with(METHOD_POST, "If-None-Match", "\"x\""), CONDITION_PROCEED);
}

static void test_if_none_match_that_is_no_list_matches_nothing(void **state)
{
	static const char *const wrong[] = { "", "a-1", "\"a-1", "a-1\"", "'a-1'", "W\"a-1\"",
		"W/a-1", "\"", "W/", "W/\"", "x, \"a-1\"", "*, \"a-1\"", "**" };

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_equal(get_with("If-None-Match", wrong[i]), CONDITION_PROCEED);
}

/* --- If-Match (§13.1.1) ------------------------------------------------------------------- */

static void test_if_match_is_412_when_the_tag_is_another(void **state)
{
	(void)state;
	assert_int_equal(get_with("If-Match", "\"a-1\""), CONDITION_PROCEED);
	assert_int_equal(get_with("If-Match", "\"x\", \"a-1\""), CONDITION_PROCEED);
	assert_int_equal(get_with("If-Match", "*"), CONDITION_PROCEED);
	assert_int_equal(get_with("If-Match", "\"x\""), CONDITION_FAILED);
	assert_int_equal(with(METHOD_HEAD, "If-Match", "\"x\""), CONDITION_FAILED);
	assert_int_equal(get_with("If-Match", ""), CONDITION_FAILED);
	assert_int_equal(get_with("If-Match", "a-1"), CONDITION_FAILED);
	begin(METHOD_GET);
	add("If-Match", "\"x\"");
	add("If-Match", "\"a-1\"");
	assert_int_equal(outcome(), CONDITION_PROCEED);
}

static void test_if_match_compares_strongly(void **state)
{
	(void)state;
	assert_int_equal(get_with("If-Match", "W/\"a-1\""), CONDITION_FAILED);
	begin(METHOD_GET);
	validators.etag = text_literal("W/\"a-1\"");
	add("If-Match", "W/\"a-1\"");
	assert_int_equal(outcome(), CONDITION_FAILED);
}

/* --- dates (§13.1.3, §13.1.4) ------------------------------------------------------------- */

static void test_if_modified_since_is_304_when_it_was_not(void **state)
{
	(void)state;
	assert_int_equal(get_with("If-Modified-Since", BEFORE), CONDITION_PROCEED);
	assert_int_equal(get_with("If-Modified-Since", THE_SAME), CONDITION_NOT_MODIFIED);
	assert_int_equal(get_with("If-Modified-Since", AFTER), CONDITION_NOT_MODIFIED);
	assert_int_equal(with(METHOD_HEAD, "If-Modified-Since", THE_SAME), CONDITION_NOT_MODIFIED);
	assert_int_equal(get_with("If-Modified-Since", "Sunday, 06-Nov-94 08:49:37 GMT"),
		CONDITION_NOT_MODIFIED);
	assert_int_equal(
		get_with("If-Modified-Since", "Sun Nov  6 08:49:37 1994"), CONDITION_NOT_MODIFIED);
}

static void test_if_modified_since_counts_for_get_and_head_alone(void **state)
{
	(void)state;
	assert_int_equal(with(METHOD_POST, "If-Modified-Since", THE_SAME), CONDITION_PROCEED);
}

static void test_if_unmodified_since_is_412_when_it_was(void **state)
{
	(void)state;
	assert_int_equal(get_with("If-Unmodified-Since", BEFORE), CONDITION_FAILED);
	assert_int_equal(get_with("If-Unmodified-Since", THE_SAME), CONDITION_PROCEED);
	assert_int_equal(get_with("If-Unmodified-Since", AFTER), CONDITION_PROCEED);
	assert_int_equal(with(METHOD_PUT, "If-Unmodified-Since", BEFORE), CONDITION_FAILED);
}

static void test_dates_that_cannot_be_read_or_come_twice_are_ignored(void **state)
{
	(void)state;
	assert_int_equal(get_with("If-Modified-Since", "tomorrow"), CONDITION_PROCEED);
	assert_int_equal(get_with("If-Unmodified-Since", "yesterday"), CONDITION_PROCEED);
	assert_int_equal(get_with("If-Modified-Since", AFTER ", " AFTER), CONDITION_PROCEED);
	begin(METHOD_GET);
	add("If-Modified-Since", AFTER);
	add("If-Modified-Since", AFTER);
	assert_int_equal(outcome(), CONDITION_PROCEED);
}

/* --- precedence (§13.2.2) ----------------------------------------------------------------- */

static enum condition_outcome with_both(
	const char *first, const char *first_value, const char *second, const char *second_value)
{
	begin(METHOD_GET);
	add(second, second_value);
	add(first, first_value);
	return outcome();
}

static void test_if_match_makes_if_unmodified_since_unseen(void **state)
{
	(void)state;
	assert_int_equal(
		with_both("If-Match", "\"a-1\"", "If-Unmodified-Since", BEFORE), CONDITION_PROCEED);
	assert_int_equal(
		with_both("If-Match", "\"x\"", "If-Unmodified-Since", AFTER), CONDITION_FAILED);
}

static void test_if_none_match_makes_if_modified_since_unseen(void **state)
{
	(void)state;
	assert_int_equal(
		with_both("If-None-Match", "\"x\"", "If-Modified-Since", AFTER), CONDITION_PROCEED);
	assert_int_equal(with_both("If-None-Match", "\"a-1\"", "If-Modified-Since", BEFORE),
		CONDITION_NOT_MODIFIED);
	assert_int_equal(with_both("If-None-Match", "nonsense", "If-Modified-Since", AFTER),
		CONDITION_PROCEED);
}

static void test_what_fails_comes_before_what_was_not_modified(void **state)
{
	(void)state;
	assert_int_equal(
		with_both("If-Match", "\"x\"", "If-None-Match", "\"a-1\""), CONDITION_FAILED);
	assert_int_equal(with_both("If-Match", "\"a-1\"", "If-None-Match", "\"a-1\""),
		CONDITION_NOT_MODIFIED);
	assert_int_equal(with_both("If-Unmodified-Since", BEFORE, "If-None-Match", "\"a-1\""),
		CONDITION_FAILED);
	assert_int_equal(with_both("If-Unmodified-Since", AFTER, "If-Modified-Since", AFTER),
		CONDITION_NOT_MODIFIED);
}

/* --- If-Range (§13.1.5) ------------------------------------------------------------------- */

static bool allows(const char *if_range)
{
	begin(METHOD_GET);
	if (if_range)
		add("If-Range", if_range);
	return condition_allows_range(&request, &validators, NOW);
}

static void test_if_range_wants_this_very_representation(void **state)
{
	(void)state;
	assert_true(allows(NULL));
	assert_true(allows("\"a-1\""));
	assert_false(allows("\"x\""));
	assert_false(allows("W/\"a-1\""));
	assert_false(allows("\"a-1\", \"x\""));
	assert_false(allows("\"a-1"));
	assert_false(allows("*"));
	assert_false(allows(""));
}

static void test_if_range_compares_dates_exactly(void **state)
{
	(void)state;
	assert_true(allows(THE_SAME));
	assert_true(allows("Sun Nov  6 08:49:37 1994"));
	assert_false(allows(BEFORE));
	assert_false(allows(AFTER));
	assert_false(allows("Sun, 06 Nov 1994 08:49:37"));
}

/* §8.8.2.2: in the second of the change, the date is a weak validator. */
static void test_if_range_takes_no_date_whose_second_lasts(void **state)
{
	(void)state;
	begin(METHOD_GET);
	add("If-Range", THE_SAME);
	assert_false(condition_allows_range(&request, &validators, MODIFIED));
	assert_true(condition_allows_range(&request, &validators, MODIFIED + 1));
}

static void test_if_range_that_comes_twice_allows_nothing(void **state)
{
	(void)state;
	begin(METHOD_GET);
	add("If-Range", "\"a-1\"");
	add("If-Range", "\"a-1\"");
	assert_false(condition_allows_range(&request, &validators, NOW));
}

static void test_without_a_last_modified_no_date_counts(void **state)
{
	static const char *const names[] = { "If-Modified-Since", "If-Unmodified-Since" };
	static const char *const dates[] = { BEFORE, THE_SAME, AFTER };

	(void)state;
	for (size_t i = 0; i < 3; i++) {
		for (size_t name = 0; name < 2; name++) {
			begin(METHOD_GET);
			validators.is_undated = true;
			add(names[name], dates[i]);
			assert_int_equal(outcome(), CONDITION_PROCEED);
		}
		begin(METHOD_GET);
		validators.is_undated = true;
		add("If-Range", dates[i]);
		assert_false(condition_allows_range(&request, &validators, NOW));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_conditions_a_request_proceeds),
		cmocka_unit_test(test_a_date_says_the_same_whether_the_text_is_at_hand_or_not),
		cmocka_unit_test(test_if_none_match_is_304_when_the_tag_is_known),
		cmocka_unit_test(test_if_none_match_compares_weakly),
		cmocka_unit_test(test_if_none_match_may_be_a_list),
		cmocka_unit_test(test_if_none_match_may_come_in_several_lines),
		cmocka_unit_test(test_if_none_match_star_matches_whatever_exists),
		cmocka_unit_test(test_if_none_match_is_412_for_what_does_not_read),
		cmocka_unit_test(test_if_none_match_that_is_no_list_matches_nothing),
		cmocka_unit_test(test_if_match_is_412_when_the_tag_is_another),
		cmocka_unit_test(test_if_match_compares_strongly),
		cmocka_unit_test(test_if_modified_since_is_304_when_it_was_not),
		cmocka_unit_test(test_if_modified_since_counts_for_get_and_head_alone),
		cmocka_unit_test(test_if_unmodified_since_is_412_when_it_was),
		cmocka_unit_test(test_dates_that_cannot_be_read_or_come_twice_are_ignored),
		cmocka_unit_test(test_if_match_makes_if_unmodified_since_unseen),
		cmocka_unit_test(test_if_none_match_makes_if_modified_since_unseen),
		cmocka_unit_test(test_what_fails_comes_before_what_was_not_modified),
		cmocka_unit_test(test_if_range_wants_this_very_representation),
		cmocka_unit_test(test_if_range_compares_dates_exactly),
		cmocka_unit_test(test_if_range_takes_no_date_whose_second_lasts),
		cmocka_unit_test(test_if_range_that_comes_twice_allows_nothing),
		cmocka_unit_test(test_without_a_last_modified_no_date_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
