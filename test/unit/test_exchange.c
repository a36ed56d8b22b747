/* http/exchange.h: an endpoint's answer becomes the response, once; no text of it becomes a line of
 * its own. */
#include "assert_text.h"

#include <stdlib.h>

#include "http/exchange.h"

static unsigned answered_count, wanted_count;
static size_t consumed_length;

static void note_answered(struct exchange *exchange)
{
	(void)exchange;
	answered_count++;
}

static void note_body_wanted(struct exchange *exchange)
{
	(void)exchange;
	wanted_count++;
}

static void note_body_consumed(struct exchange *exchange, size_t length)
{
	(void)exchange;
	consumed_length += length;
}

static const struct exchange_wire WIRE = { note_answered, note_body_wanted, note_body_consumed };

static int open_exchange(void **state)
{
	struct exchange *exchange = malloc(sizeof(*exchange));

	if (!exchange)
		return -1;
	memset(exchange, 0xa5, sizeof(*exchange));
	exchange_init(exchange, &WIRE, NULL);
	answered_count = wanted_count = 0;
	consumed_length = 0;
	*state = exchange;
	return 0;
}

static int close_exchange(void **state)
{
	free(*state);
	return 0;
}

static void assert_field(
	const struct exchange *exchange, unsigned index, const char *name, const char *value)
{
	assert_true(index < exchange->response.field_count);
	assert_text(exchange->response.fields[index].name, name);
	assert_text(exchange->response.fields[index].value, value);
}

static void test_a_new_exchange_knows_nothing_of_the_last(void **state)
{
	struct exchange *exchange = *state;

	assert_false(exchange->answered);
	assert_false(exchange->cancelled);
	assert_null(exchange->location);
	assert_null(exchange->sink);
	assert_int_equal(exchange->request.field_count, 0);
	assert_int_equal(exchange->request.method, METHOD_UNKNOWN);
	assert_int_equal(exchange->request.path.length, 0);
	assert_int_equal(exchange->response.field_count, 0);
	assert_int_equal(exchange->response.memory.length, 0);
	assert_int_equal(exchange->sent_length, 0);
}

static void test_an_answer_reaches_the_wire_once(void **state)
{
	struct exchange *exchange = *state;
	struct body_source source;

	exchange_answer(exchange, 200, &source, -1);
	assert_int_equal(answered_count, 1);
	assert_true(exchange->answered);
	assert_int_equal(exchange->response.status, 200);
	assert_ptr_equal(exchange->response.body, &source);
	assert_true(exchange->response.length == -1);
}

static void test_bytes_come_in_pieces_no_longer_than_asked_for(void **state)
{
	struct exchange *exchange = *state;
	struct body_source *source;
	struct body_piece piece;

	exchange_answer_bytes(exchange, 200, text_literal("text/plain"), text_literal("abcde"));
	source = exchange->response.body;
	assert_int_equal(exchange->response.length, 5);
	assert_field(exchange, 0, "Content-Type", "text/plain");
	assert_int_equal(source->produce(source, &piece, 2), BODY_PIECE);
	assert_true(piece.fd < 0);
	assert_text(piece.bytes, "ab");
	assert_int_equal(source->produce(source, &piece, 2), BODY_PIECE);
	assert_text(piece.bytes, "cd");
	assert_int_equal(source->produce(source, &piece, 2), BODY_LAST);
	assert_text(piece.bytes, "e");
	source->release(source);
}

static void test_bytes_that_fit_are_one_last_piece(void **state)
{
	struct exchange *exchange = *state;
	struct body_source *source;
	struct body_piece piece;

	exchange_answer_bytes(exchange, 200, text_literal(""), text_literal("abc"));
	source = exchange->response.body;
	assert_int_equal(exchange->response.field_count, 0);
	assert_int_equal(source->produce(source, &piece, 3), BODY_LAST);
	assert_text(piece.bytes, "abc");
	source->release(source);
}

static void test_no_bytes_are_one_empty_last_piece(void **state)
{
	struct exchange *exchange = *state;
	struct body_source *source;
	struct body_piece piece;

	exchange_answer_bytes(exchange, 200, text_literal("text/plain"), text_literal(""));
	source = exchange->response.body;
	assert_int_equal(source->produce(source, &piece, 100), BODY_LAST);
	assert_int_equal(piece.bytes.length, 0);
	source->release(source);
}

static void test_an_error_is_its_status_as_plain_text(void **state)
{
	struct exchange *exchange = *state;

	exchange_answer_error(exchange, 404);
	assert_int_equal(exchange->response.status, 404);
	assert_field(exchange, 0, "Content-Type", "text/plain; charset=utf-8");
	assert_text(exchange->response.from_memory.bytes, "404 Not Found\n");
	assert_int_equal(exchange->response.length, 14);
}

static void test_a_redirect_carries_its_location(void **state)
{
	struct exchange *exchange = *state;

	exchange_answer_redirect(exchange, 301, text_literal("/dir/?a=b"));
	assert_int_equal(exchange->response.status, 301);
	assert_field(exchange, 0, "Location", "/dir/?a=b");
	assert_text(exchange->response.from_memory.bytes, "301 Moved Permanently\n");
}

/* A truncated location would lead elsewhere. */
static void test_a_redirect_without_room_is_414(void **state)
{
	struct exchange *exchange = *state;
	static char location[RESPONSE_MEMORY_SIZE + 1];

	memset(location, 'a', sizeof(location));
	exchange_answer_redirect(exchange, 301, (struct text){ location, sizeof(location) });
	assert_int_equal(exchange->response.status, 414);
	assert_int_equal(exchange->response.field_count, 1);
	assert_field(exchange, 0, "Content-Type", "text/plain; charset=utf-8");
}

static void test_values_are_copied(void **state)
{
	struct exchange *exchange = *state;
	char value[] = "GET";

	exchange_add_field(exchange, text_literal("Allow"), text_of(value));
	memset(value, 'x', sizeof(value) - 1);
	assert_field(exchange, 0, "Allow", "GET");
}

/* RFC 9110 §5.5: response splitting. */
static void test_no_control_byte_gets_into_a_field(void **state)
{
	struct exchange *exchange = *state;

	exchange_add_field(
		exchange, text_literal("Location"), text_literal("/a\r\nSet-Cookie: b\0c\x7f\x1b"));
	assert_field(exchange, 0, "Location", "/aSet-Cookie: bc");
	exchange_add_field(exchange, text_literal("X"), text_literal("\r\n\tä\t b \r\n"));
	assert_field(exchange, 1, "X", "ä\t b");
}

static void test_fields_without_room_are_left_out_whole(void **state)
{
	struct exchange *exchange = *state;
	static char bytes[RESPONSE_MEMORY_SIZE + 1];
	struct text value = { bytes, sizeof(bytes) };

	memset(bytes, 'v', sizeof(bytes));
	exchange_add_field(exchange, text_literal("A"), value);
	assert_int_equal(exchange->response.field_count, 0);
	assert_int_equal(exchange->response.memory.length, 0);
	value.length--;
	exchange_add_field(exchange, text_literal("A"), value);
	assert_int_equal(exchange->response.field_count, 1);
	assert_int_equal(exchange->response.fields[0].value.length, RESPONSE_MEMORY_SIZE);
}

static void test_fields_beyond_their_number_are_left_out(void **state)
{
	struct exchange *exchange = *state;

	for (unsigned i = 0; i < RESPONSE_FIELDS_MAX + 2; i++)
		exchange_add_field(exchange, text_literal("A"), text_literal("b"));
	assert_int_equal(exchange->response.field_count, RESPONSE_FIELDS_MAX);
}

static void test_copies_are_cut_where_memory_ends(void **state)
{
	struct exchange *exchange = *state;
	static char bytes[RESPONSE_MEMORY_SIZE];

	memset(bytes, 'b', sizeof(bytes));
	assert_text(exchange_copy(exchange, text_literal("abc")), "abc");
	assert_int_equal(exchange_copy(exchange, (struct text){ bytes, sizeof(bytes) }).length,
		RESPONSE_MEMORY_SIZE - 3);
	assert_int_equal(exchange_copy(exchange, text_literal("abc")).length, 0);
}

static void test_scratch_is_aligned_for_anything(void **state)
{
	struct exchange *exchange = *state;
	uintptr_t address = (uintptr_t)exchange_scratch(exchange, EXCHANGE_SCRATCH_SIZE);

	assert_int_equal(address % _Alignof(max_align_t), 0);
}

static void test_a_wanted_body_is_asked_of_the_wire(void **state)
{
	struct exchange *exchange = *state;
	struct body_sink sink;

	exchange_receive(exchange, &sink, 1000);
	assert_int_equal(wanted_count, 1);
	assert_ptr_equal(exchange->sink, &sink);
	assert_int_equal(exchange->body_length_max, 1000);
	exchange_consumed(exchange, 7);
	exchange_consumed(exchange, 3);
	assert_int_equal(consumed_length, 10);
}

#define exchange_test(test) cmocka_unit_test_setup_teardown(test, open_exchange, close_exchange)

int main(void)
{
	const struct CMUnitTest tests[] = {
		exchange_test(test_a_new_exchange_knows_nothing_of_the_last),
		exchange_test(test_an_answer_reaches_the_wire_once),
		exchange_test(test_bytes_come_in_pieces_no_longer_than_asked_for),
		exchange_test(test_bytes_that_fit_are_one_last_piece),
		exchange_test(test_no_bytes_are_one_empty_last_piece),
		exchange_test(test_an_error_is_its_status_as_plain_text),
		exchange_test(test_a_redirect_carries_its_location),
		exchange_test(test_a_redirect_without_room_is_414),
		exchange_test(test_values_are_copied),
		exchange_test(test_no_control_byte_gets_into_a_field),
		exchange_test(test_fields_without_room_are_left_out_whole),
		exchange_test(test_fields_beyond_their_number_are_left_out),
		exchange_test(test_copies_are_cut_where_memory_ends),
		exchange_test(test_scratch_is_aligned_for_anything),
		exchange_test(test_a_wanted_body_is_asked_of_the_wire),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
