/* Ringlet's parser and libhttp-parser, compared request by request on a generated corpus.
 *
 *  differential DOCUMENT [SEED [STREAMS]]
 *
 * Both read every stream, whole and cut into pieces. Both must accept the same requests with the
 * same parts, and end each at the same byte. Otherwise an entry of the table in differences.c must
 * explain the difference, and every entry must be needed. Without arguments the corpus is always
 * the same; another seed gives another one (a short one may not need every entry). DOCUMENT must
 * contain the table; `differential --table` prints it.
 *
 * Debian builds the library in its lenient mode (HTTP_PARSER_STRICT=0). What its strict mode also
 * refuses is marked in the table, and expected only of a lenient build. A system with
 * libhttp_parser_strict tests with that one. */
#include "assert_text.h"

#include <stdio.h>
#include <stdlib.h>

#include "differences.h"
#include "generate.h"

enum { STREAM_SIZE = 16384, EXCUSES_MAX = 100, DOCUMENT_SIZE = 1 << 16 };

static uint64_t seed_first = 1;
static uint64_t stream_count = 100000;
static const char *document_path;

static struct reading ours, theirs, again;
static unsigned long used[EXCUSES_MAX];
static unsigned long taken_count, unexcused_count;

/* --- one stream --------------------------------------------------------------------------- */

static const struct excuse *find_excuse(const struct difference *difference)
{
	for (unsigned i = 0; i < EXCUSE_COUNT; i++) {
		const struct excuse *excuse = &EXCUSES[i];

		if (excuse->kind == difference->kind &&
			(!excuse->why || strcmp(excuse->why, difference->why) == 0) &&
			!(excuse->lenient && library_is_strict()) && excuse->applies(difference))
			return excuse;
	}
	return NULL;
}

static void print_bytes(struct text bytes)
{
	for (size_t i = 0; i < bytes.length; i++) {
		unsigned char byte = (unsigned char)bytes.bytes[i];

		if (byte == '\r' || byte == '\n')
			print_error(byte == '\r' ? "\\r" : "\\n");
		else if (byte < 0x20 || byte > 0x7e)
			print_error("\\x%02x", byte);
		else
			print_error("%c", byte);
	}
	print_error("\n");
}

static void want_excuse(void *context, const struct difference *difference)
{
	const uint64_t *seed = context;
	const struct excuse *excuse = find_excuse(difference);

	if (excuse) {
		used[excuse - EXCUSES]++;
		return;
	}
	if (++unexcused_count > 10)
		return;
	print_error("seed %llu: %s (%s):\n    ", (unsigned long long)*seed,
		difference_kind_name(difference->kind),
		difference->why ? difference->why : "both take it");
	print_bytes(difference->bytes);
}

static void want_none(void *context, const struct difference *difference)
{
	const uint64_t *seed = context;

	unexcused_count++;
	print_error("seed %llu, whole and cut: %s:\n    ", (unsigned long long)*seed,
		difference_kind_name(difference->kind));
	print_bytes(difference->bytes);
}

/* A parser reads a stream the same however it is cut. */
static void want_same_again(const struct reading *whole, struct text stream, uint64_t seed)
{
	compare_readings(whole, &again, stream, want_none, &seed);
	assert_int_equal(whole->message_count, again.message_count);
	assert_int_equal(whole->refused, again.refused);
	assert_int_equal(whole->refused_at, again.refused_at);
	if (whole->refused)
		assert_string_equal(whole->why, again.why);
}

static void read_stream(uint64_t seed)
{
	static const struct cuts WHOLE = { 0 };
	static char memory[STREAM_SIZE];
	struct buffer buffer;
	struct text stream;
	struct cuts cuts;

	buffer_init(&buffer, memory, sizeof(memory));
	generate_stream(&buffer, &cuts, seed);
	stream = buffer_text(&buffer);
	read_by_ringlet(&ours, stream, &WHOLE);
	read_by_library(&theirs, stream, &WHOLE);
	compare_readings(&ours, &theirs, stream, want_excuse, &seed);
	for (unsigned i = 0; i < ours.message_count; i++)
		taken_count += ours.messages[i].whole;
	read_by_ringlet(&again, stream, &cuts);
	want_same_again(&ours, stream, seed);
	read_by_library(&again, stream, &cuts);
	want_same_again(&theirs, stream, seed);
}

/* --- the claims --------------------------------------------------------------------------- */

static void test_every_difference_is_meant(void **state)
{
	(void)state;
	assert_true(EXCUSE_COUNT <= EXCUSES_MAX);
	for (uint64_t i = 0; i < stream_count; i++)
		read_stream(seed_first + i);
	print_message("%llu streams from seed %llu, %lu requests taken, the library is %s\n",
		(unsigned long long)stream_count, (unsigned long long)seed_first, taken_count,
		library_is_strict() ? "strict" : "lenient");
	assert_int_equal(unexcused_count, 0);
}

/* If most streams were refused at their first byte, the comparison would prove little. */
static void test_many_requests_are_taken(void **state)
{
	(void)state;
	assert_true(taken_count > stream_count / 4);
}

static void test_every_excuse_is_needed(void **state)
{
	unsigned unused_count = 0;

	(void)state;
	for (unsigned i = 0; i < EXCUSE_COUNT; i++) {
		if (used[i] > 0 || (EXCUSES[i].lenient && library_is_strict()))
			continue;
		unused_count++;
		print_error("no difference is excused by \"%s\"\n", EXCUSES[i].name);
	}
	assert_int_equal(unused_count, 0);
}

/* --- the table as a document -------------------------------------------------------------- */

static void append_row(struct buffer *rows, const struct excuse *excuse)
{
	buffer_append_format(rows, "| %s%s | %s | %s | %s |\n", excuse->name,
		excuse->lenient ? " (*)" : "", difference_kind_name(excuse->kind), excuse->section,
		excuse->reason);
}

static struct text table_text(void)
{
	static char memory[DOCUMENT_SIZE];
	struct buffer rows;

	buffer_init(&rows, memory, sizeof(memory));
	for (unsigned i = 0; i < EXCUSE_COUNT; i++)
		append_row(&rows, &EXCUSES[i]);
	return buffer_text(&rows);
}

static void test_table_stands_in_the_document(void **state)
{
	static char document[DOCUMENT_SIZE];
	FILE *file = fopen(document_path, "re");
	size_t length;

	(void)state;
	assert_non_null(file);
	length = fread(document, 1, sizeof(document) - 1, file);
	fclose(file);
	document[length] = '\0';
	assert_non_null(strstr(document, table_text().bytes));
}

int main(int argument_count, char **arguments)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_difference_is_meant),
		cmocka_unit_test(test_many_requests_are_taken),
		cmocka_unit_test(test_every_excuse_is_needed),
		cmocka_unit_test(test_table_stands_in_the_document),
	};

	if (argument_count < 2) {
		fprintf(stderr, "usage: %s DOCUMENT|--table [SEED [STREAMS]]\n", arguments[0]);
		return 2;
	}
	document_path = arguments[1];
	if (strcmp(document_path, "--table") == 0)
		return fputs(table_text().bytes, stdout) < 0;
	if (argument_count > 2)
		seed_first = strtoull(arguments[2], NULL, 10);
	if (argument_count > 3)
		stream_count = strtoull(arguments[3], NULL, 10);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
