/* filters/ssi_syntax.h: finding directives however a document is cut, and parsing them;
 * filters/ssi_value.h: the text that they write. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "assert_text.h"
#include "filters/ssi_syntax.h"
#include "filters/ssi_value.h"

/* --- scanning ----------------------------------------------------------------------------- */

/* The parts of a document: text as it is, "{directive}", "{!LINE}" for one that is too long and
 * "{?LINE}" for one without an end; LINE is where it began. */
struct outline {
	struct ssi_scanner scanner;
	struct buffer text;
	char memory[16384];
	char directive[SSI_DIRECTIVE_LENGTH_MAX];
};

static void append_found(struct outline *outline, enum ssi_found found, struct text bytes)
{
	switch (found) {
	case SSI_TEXT:
		assert_true(bytes.length > 0);
		buffer_append(&outline->text, bytes);
		break;
	case SSI_DIRECTIVE:
		buffer_append_format(&outline->text, "{%.*s}", TEXT_ARGUMENTS(bytes));
		break;
	case SSI_TOO_LONG:
		buffer_append_format(&outline->text, "{!%u}", outline->scanner.directive_line);
		break;
	case SSI_UNENDED:
		buffer_append_format(&outline->text, "{?%u}", outline->scanner.directive_line);
		break;
	case SSI_NOTHING:
		break;
	}
}

static void scan_part(struct outline *outline, struct text part)
{
	/* In memory of its own, so that a sanitizer notices a read beyond the piece. */
	char *copy = malloc(part.length + 1);
	struct text rest = { copy, part.length }, bytes;

	assert_non_null(copy);
	if (part.length > 0)
		memcpy(copy, part.bytes, part.length);
	while (rest.length > 0) {
		enum ssi_found found = ssi_scan(&outline->scanner, &rest, &bytes);

		append_found(outline, found, bytes);
	}
	free(copy);
}

static void scan_end(struct outline *outline)
{
	enum ssi_found found;
	struct text bytes;

	do {
		found = ssi_scan_end(&outline->scanner, &bytes);
		append_found(outline, found, bytes);
	} while (found != SSI_NOTHING);
	assert_false(outline->text.truncated);
}

static void begin(struct outline *outline)
{
	ssi_scanner_init(&outline->scanner, outline->directive);
	buffer_init(&outline->text, outline->memory, sizeof(outline->memory));
}

static struct text outline_of(struct outline *outline, struct text document)
{
	begin(outline);
	scan_part(outline, document);
	scan_end(outline);
	return buffer_text(&outline->text);
}

static void assert_outline(const char *document, const char *expected)
{
	struct outline outline;

	assert_text(outline_of(&outline, text_of(document)), expected);
}

static void test_text_passes_and_directives_are_found(void **state)
{
	(void)state;
	assert_outline("", "");
	assert_outline("plain < text <b>bold</b>", "plain < text <b>bold</b>");
	assert_outline("a<!--# echo var=\"X\" -->b", "a{ echo var=\"X\" }b");
	assert_outline("<!--#echo-->", "{echo}");
	assert_outline("<!--#a--><!--#b-->", "{a}{b}");
	assert_outline("<!-- comment --><!-#-->", "<!-- comment --><!-#-->");
}

static void test_what_only_begins_like_a_mark_is_text(void **state)
{
	(void)state;
	assert_outline("<", "<");
	assert_outline("x<!--", "x<!--");
	assert_outline("<<!--<!--#a-->", "<<!--{a}");
	assert_outline("<!<!-<!--", "<!<!-<!--");
}

static void test_a_quoted_end_is_no_end(void **state)
{
	(void)state;
	assert_outline("<!--#a b=\"-->\" -->c", "{a b=\"-->\" }c");
	assert_outline("<!--#a b='\"-->' -->c", "{a b='\"-->' }c");
	assert_outline("<!--#a b=\"\\\"-->\" -->c", "{a b=\"\\\"-->\" }c");
	assert_outline("<!--#a b = \"-->\" -->c", "{a b = \"-->\" }c");
	/* Where no value may begin, a quote is a normal byte. */
	assert_outline("<!--#it's -->c", "{it's }c");
	assert_outline("<!--#a ---->c", "{a --}c");
	assert_outline("<!--#a -- >b-->c", "{a -- >b}c");
}

static void test_a_directive_that_does_not_end_is_told_with_its_line(void **state)
{
	(void)state;
	assert_outline("1\n2\n<!--#a\nb", "1\n2\n{?3}");
	assert_outline("<!--#a b=\"-->", "{?1}");
	assert_outline("<!--#", "{?1}");
}

static void test_a_directive_has_a_bound(void **state)
{
	static char document[2 * SSI_DIRECTIVE_LENGTH_MAX];
	struct outline outline;
	struct text text;

	(void)state;
	/* Two dashes are part of the directive until the end is seen. */
	snprintf(document, sizeof(document), "\n<!--#%0*d-->x", SSI_DIRECTIVE_LENGTH_MAX - 2, 0);
	text = outline_of(&outline, text_of(document));
	assert_int_equal(text.length, SSI_DIRECTIVE_LENGTH_MAX - 2 + 4);
	snprintf(document, sizeof(document), "\n<!--#%0*d-->x<!--#b-->",
		SSI_DIRECTIVE_LENGTH_MAX - 1, 0);
	assert_outline(document, "\n{!2}x{b}");
	snprintf(document, sizeof(document), "\n<!--#%0*d", SSI_DIRECTIVE_LENGTH_MAX + 10, 0);
	assert_outline(document, "\n{!2}");
}

static void test_nothing_of_a_skipped_directive_is_left_for_the_next(void **state)
{
	static char document[2 * SSI_DIRECTIVE_LENGTH_MAX];

	(void)state;
	/* The first byte beyond the limit is a backslash in a value. */
	snprintf(document, sizeof(document), "<!--#a b=\"%0*d\\\"--><!--#a b=\"\"-->",
		SSI_DIRECTIVE_LENGTH_MAX - 5, 0);
	assert_outline(document, "{!1}{a b=\"\"}");
}

static const char DOCUMENT[] = "<html><!-- no --><!--#include virtual=\"/a.html\" -->\n"
			       "<p><!<!--# echo var=\"X\" default='-->'-->\n<<!--# b c=\"\\\"\" "
			       "--><!--<!--#d--->x<!--#-->\n<!--# unended=\"";

static void test_every_cut_in_two_finds_the_same(void **state)
{
	struct outline whole, cut;
	struct text expected = outline_of(&whole, text_of(DOCUMENT));

	(void)state;
	for (size_t at = 0; at <= strlen(DOCUMENT); at++) {
		begin(&cut);
		scan_part(&cut, text_first(text_of(DOCUMENT), at));
		scan_part(&cut, text_from(text_of(DOCUMENT), at));
		scan_end(&cut);
		assert_true(text_equal(buffer_text(&cut.text), expected));
		assert_int_equal(cut.scanner.line, whole.scanner.line);
		assert_int_equal(cut.scanner.directive_line, 4);
	}
}

static void test_every_seed_of_cuts_finds_the_same(void **state)
{
	struct outline whole, cut;
	struct text expected = outline_of(&whole, text_of(DOCUMENT));

	(void)state;
	for (unsigned seed = 0; seed < 500; seed++) {
		struct text rest = text_of(DOCUMENT);
		unsigned random = seed;

		begin(&cut);
		while (rest.length > 0) {
			size_t length = (size_t)rand_r(&random) % 7;

			scan_part(&cut, text_first(rest, length));
			rest = text_from(rest, length);
		}
		scan_end(&cut);
		assert_true(text_equal(buffer_text(&cut.text), expected));
	}
}

/* --- parsing ------------------------------------------------------------------------------ */

static const char *parse(struct ssi_directive *directive, const char *string)
{
	static char memory[SSI_DIRECTIVE_LENGTH_MAX];
	struct buffer bytes;

	buffer_init(&bytes, memory, sizeof(memory));
	buffer_append_string(&bytes, string);
	return ssi_parse(directive, &bytes);
}

static void test_directives_are_a_command_and_parameters(void **state)
{
	struct ssi_directive directive;

	(void)state;
	assert_null(parse(&directive, " echo var=\"A\"\n\tdefault = 'b \"c\"' "));
	assert_text(directive.command, "echo");
	assert_int_equal(directive.count, 2);
	assert_text(*ssi_parameter(&directive, text_literal("var")), "A");
	assert_text(*ssi_parameter(&directive, text_literal("default")), "b \"c\"");
	assert_null(ssi_parameter(&directive, text_literal("encoding")));
	assert_null(parse(&directive, "block"));
	assert_int_equal(directive.count, 0);
	assert_null(parse(&directive, "a b=\"\""));
	assert_int_equal(ssi_parameter(&directive, text_literal("b"))->length, 0);
}

static void test_backslashes_take_quotes_dollars_and_themselves(void **state)
{
	struct ssi_directive directive;

	(void)state;
	assert_null(parse(&directive, "a b=\"\\\"\\'\\\\\\$\\n$\" c='\\''"));
	assert_text(*ssi_parameter(&directive, text_literal("b")), "\"'\\$\\n$");
	assert_text(*ssi_parameter(&directive, text_literal("c")), "'");
}

static void test_what_is_no_directive_is_said_to_be_none(void **state)
{
	static const char *const wrong[] = { "", "  ", "=", "a\"b\"", "a b", "a b=", "a b=c",
		"a b=\"c", "a b=\"c\"d=\"e\"", "a =\"c\"", "a b=\"c\" b=\"d\"", "a b=\"c\\\"",
		"a -", "it's", "a b=\"\"-",
		"a b=\"1\" c=\"2\" d=\"3\" e=\"4\" f=\"5\" g=\"6\" "
		"h=\"7\" i=\"8\" j=\"9\"" };
	struct ssi_directive directive;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_non_null(parse(&directive, wrong[i]));
}

/* --- values ------------------------------------------------------------------------------- */

/* With room for `room` bytes at a time. */
static struct text encode(
	char *memory, size_t size, struct text rest, enum ssi_encoding encoding, size_t room)
{
	struct buffer all;

	buffer_init(&all, memory, size);
	while (rest.length > 0) {
		char part_memory[64];
		struct buffer part;

		buffer_init(&part, part_memory, room);
		ssi_append_encoded(&part, &rest, encoding);
		assert_true(part.length > 0 && !part.truncated);
		buffer_append(&all, buffer_text(&part));
	}
	assert_false(all.truncated);
	return buffer_text(&all);
}

static void test_values_are_encoded_in_any_room(void **state)
{
	const struct text value = TEXT("<a href='x'>\"&amp;\" \303\274~-._%</a>");
	char memory[512];

	(void)state;
	for (size_t room = 6; room <= 64; room++) {
		assert_text(encode(memory, sizeof(memory), value, SSI_ENCODING_ENTITY, room),
			"&lt;a href=&#39;x&#39;&gt;&quot;&amp;amp;&quot; \303\274~-._%&lt;/a&gt;");
		assert_text(encode(memory, sizeof(memory), value, SSI_ENCODING_URL, room),
			"%3Ca%20href%3D%27x%27%3E%22%26amp%3B%22%20%C3%BC~-._%25%3C%2Fa%3E");
		assert_true(text_equal(
			encode(memory, sizeof(memory), value, SSI_ENCODING_NONE, room), value));
	}
}

static void test_encodings_have_names(void **state)
{
	enum ssi_encoding encoding;

	(void)state;
	assert_int_equal(ssi_encoding_of(&encoding, text_literal("none")), 0);
	assert_int_equal(encoding, SSI_ENCODING_NONE);
	assert_int_equal(ssi_encoding_of(&encoding, text_literal("entity")), 0);
	assert_int_equal(encoding, SSI_ENCODING_ENTITY);
	assert_true(ssi_encoding_of(&encoding, text_literal("base64")) < 0);
}

static void assert_size(uint64_t size, const char *expected)
{
	char memory[32];
	struct buffer buffer;

	buffer_init(&buffer, memory, sizeof(memory));
	ssi_append_size(&buffer, size);
	assert_text(buffer_text(&buffer), expected);
}

static void test_sizes_are_abbreviated_to_two_digits(void **state)
{
	(void)state;
	assert_size(0, "0");
	assert_size(1023, "1023");
	assert_size(1024, "1.0K");
	assert_size(1536, "1.5K");
	assert_size(10188, "9.9K");
	assert_size(10190, "10K");
	assert_size(1024 * 1024 - 513, "1023K");
	assert_size(1024 * 1024 - 512, "1.0M");
	assert_size(UINT64_C(100) << 20, "100M");
	assert_size(UINT64_MAX, "16E");
}

static void test_times_follow_the_format(void **state)
{
	char memory[64];
	struct buffer buffer;

	(void)state;
	buffer_init(&buffer, memory, sizeof(memory));
	assert_int_equal(ssi_append_time(&buffer, "%Y-%m-%d %Z ", 0, false), 0);
	assert_int_equal(ssi_append_time(&buffer, "%s", 1234567890, false), 0);
	assert_text(buffer_text(&buffer), "1970-01-01 GMT 1234567890");
	assert_true(ssi_append_time(&buffer, "", 0, false) < 0);
	assert_true(ssi_append_time(&buffer, "%A %A %A %A %A %A %A %A", 0, true) < 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_passes_and_directives_are_found),
		cmocka_unit_test(test_what_only_begins_like_a_mark_is_text),
		cmocka_unit_test(test_a_quoted_end_is_no_end),
		cmocka_unit_test(test_a_directive_that_does_not_end_is_told_with_its_line),
		cmocka_unit_test(test_a_directive_has_a_bound),
		cmocka_unit_test(test_nothing_of_a_skipped_directive_is_left_for_the_next),
		cmocka_unit_test(test_every_cut_in_two_finds_the_same),
		cmocka_unit_test(test_every_seed_of_cuts_finds_the_same),
		cmocka_unit_test(test_directives_are_a_command_and_parameters),
		cmocka_unit_test(test_backslashes_take_quotes_dollars_and_themselves),
		cmocka_unit_test(test_what_is_no_directive_is_said_to_be_none),
		cmocka_unit_test(test_values_are_encoded_in_any_room),
		cmocka_unit_test(test_encodings_have_names),
		cmocka_unit_test(test_sizes_are_abbreviated_to_two_digits),
		cmocka_unit_test(test_times_follow_the_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
