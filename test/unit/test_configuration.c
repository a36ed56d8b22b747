/* server/configuration.h: loading damaged files, lookups, printing.
 *
 * test/integration/test_configuration.py tests the messages. Here one process loads thousands of
 * broken files, which under the address sanitizer also shows every leak. The test has endpoints of
 * its own, so that it depends on the loader only. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/owned.h"
#include "endpoints/registry.h"
#include "server/configuration_load.h"

static const struct setting file_settings[] = {
	{ "root", SETTING_DIRECTORY, IN_SITE | IN_LOCATION, .required = true },
	{ "index", SETTING_STRINGS, IN_SITE | IN_LOCATION, "{\"index.html\"}" },
	{ 0 },
};
static const struct setting delay_settings[] = {
	{ .name = "delay", .type = SETTING_DURATION, .fallback = "5ms" },
	{ 0 },
};

static const struct endpoint files = { .name = "static", .shared_settings = file_settings };
static const struct endpoint slow = { .name = "slow", .settings = delay_settings };
static const struct endpoint plain = { .name = "ping" };

const struct endpoint *const endpoints[] = { &files, &slow, &plain, NULL };

const struct endpoint *endpoint_named(struct text name)
{
	for (size_t i = 0; endpoints[i]; i++) {
		if (text_equal(text_of(endpoints[i]->name), name))
			return endpoints[i];
	}
	return NULL;
}

static const char SAMPLE[] = "listen \"127.0.0.1:8080\" {}   # comment\n"
			     "listen '[::1]:8080' // comment\n"
			     "workers = 2 /* a\n comment */ backend = epoll\n"
			     "access_log = \"\"\n"
			     "user = \"${RINGLET_TEST_USER:-no}\\\"body\\\\\"\n"
			     "limits { header_bytes = 8K connections = 5 }\n"
			     "timeouts { idle = 1500ms }\n"
			     "site \"*\" {\n"
			     "  root = ${RINGLET_TEST_ROOT}\n"
			     "  index = {\"a\", 'b c'}\n"
			     "  location \"/slow\" { endpoint = \"slow\" delay = 1s }\n"
			     "  location \"/ping\" { endpoint = ping }\n"
			     "}\n"
			     "site \"example.com\" { root = \".\" index = \"x\" }";

static int load(struct configuration **configuration, const char *text, size_t length)
{
	auto_free char *copy = malloc(length + 1);

	/* Without a terminating zero, so that the sanitizer notices a read beyond the end. */
	copy = realloc(copy, length > 0 ? length : 1);
	memcpy(copy, text, length);
	return configuration_load_text(configuration, "test", "/", copy, length);
}

static struct configuration *load_well(const char *text)
{
	struct configuration *configuration = NULL;

	assert_int_equal(load(&configuration, text, strlen(text)), 0);
	return configuration;
}

static char *print(const struct configuration *configuration)
{
	char *text = NULL;
	size_t length;
	FILE *file = open_memstream(&text, &length);

	configuration_print(configuration, file);
	fclose(file);
	return text;
}

/* The messages about thousands of broken files are not interesting. */
static int silence(void)
{
	int kept = dup(STDERR_FILENO);
	int null = open("/dev/null", O_WRONLY | O_CLOEXEC);

	dup2(null, STDERR_FILENO);
	close(null);
	return kept;
}

static void speak(int kept)
{
	dup2(kept, STDERR_FILENO);
	close(kept);
}

static void test_values_stand_where_the_file_puts_them(void **state)
{
	struct configuration *configuration = load_well(SAMPLE);
	const struct section *root = configuration->root;
	const struct section *site = section_child(root, "site", 0);
	const struct section *location = section_child(site, "location", 0);
	size_t count;

	(void)state;
	assert_string_equal(section_child(root, "listen", 1)->title, "[::1]:8080");
	assert_null(section_child(root, "listen", 2));
	assert_int_equal(section_number(root, "workers"), 2);
	assert_string_equal(section_string(root, "backend"), "epoll");
	assert_int_equal(section_word(root, "backend"), 2);
	assert_string_equal(section_string(root, "access_log"), "");
	assert_string_equal(section_string(root, "error_log"), "stderr");
	assert_int_equal(section_number(section_child(root, "limits", 0), "header_bytes"), 8192);
	assert_int_equal(section_number(section_child(root, "limits", 0), "body_bytes"), 1 << 20);
	assert_int_equal(section_number(section_child(root, "timeouts", 0), "idle"), 1500000000);
	assert_ptr_equal(configuration_endpoint(location), &slow);
	assert_int_equal(section_number(location, "delay"), 1000000000);
	location = section_child(section_child(root, "site", 1), "location", 0);
	assert_ptr_equal(configuration_endpoint(location), &files);
	assert_string_equal(location->title, "/");
	assert_string_equal(section_string(location, "root"), "/.");
	assert_string_equal(section_strings(location, "index", &count)[0], "x");
	assert_int_equal(count, 1);
	configuration_free(configuration);
}

static void test_lines_survive_block_comments(void **state)
{
	struct configuration *configuration = load_well(SAMPLE);
	const struct section *root = configuration->root;

	(void)state;
	assert_int_equal(section_find_value(root, "workers")->place.line, 3);
	assert_int_equal(section_find_value(root, "backend")->place.line, 4);
	assert_int_equal(section_child(root, "site", 1)->place.line, 15);
	configuration_free(configuration);
}

static void test_truncated_anywhere_it_is_refused(void **state)
{
	int kept = silence();
	size_t accepted = 0;

	(void)state;
	for (size_t length = 0; length < strlen(SAMPLE); length++) {
		struct configuration *configuration;

		if (load(&configuration, SAMPLE, length) < 0)
			continue;
		configuration_free(configuration);
		/* The first site is complete, and the second has not begun. */
		accepted += strstr(SAMPLE, "\nsite \"example") - SAMPLE != (ptrdiff_t)length &&
			    strstr(SAMPLE, "\nsite \"example") + 1 - SAMPLE != (ptrdiff_t)length;
	}
	speak(kept);
	assert_int_equal(accepted, 0);
}

static void test_what_ends_too_early_is_refused(void **state)
{
	static const char *const ends[] = { "trusted_proxies",
		"trusted_proxies =", "trusted_proxies = {", "trusted_proxies = {\"::1\"",
		"trusted_proxies = {\"::1\",", "trusted_proxies = {,", "limits", "limits {", "site",
		"site \"x.y\"", "include", "pid_file = \"x", "pid_file = ${X", "pid_file = 'x",
		"/*" };
	int kept = silence();
	size_t accepted = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++) {
		struct configuration *configuration;
		auto_free char *text = NULL;

		assert_true(asprintf(&text, "%s\n%s", SAMPLE, ends[i]) > 0);
		if (load(&configuration, text, strlen(text)) < 0)
			continue;
		configuration_free(configuration);
		accepted++;
	}
	speak(kept);
	assert_int_equal(accepted, 0);
}

/* Whatever one wrong byte makes of the file: it is refused, or loads as something that prints as a
 * file which loads as the same. */
static void test_one_wrong_byte_is_refused_or_understood(void **state)
{
	static const char bytes[] = "\0\n \"'{}=,;$\\/*#+(\x80"
				    "a0-.";
	char text[sizeof(SAMPLE)];
	int kept = silence();
	size_t different = 0;

	(void)state;
	memcpy(text, SAMPLE, sizeof(SAMPLE));
	for (size_t i = 0; i < strlen(SAMPLE) * (sizeof(bytes) - 1); i++) {
		char *place = &text[i / (sizeof(bytes) - 1)];
		char right = *place;
		struct configuration *configuration, *again;

		*place = bytes[i % (sizeof(bytes) - 1)];
		if (load(&configuration, text, strlen(SAMPLE)) == 0) {
			auto_free char *first = print(configuration);
			auto_free char *second = NULL;

			configuration_free(configuration);
			if (load(&again, first, strlen(first)) == 0) {
				second = print(again);
				configuration_free(again);
			}
			different += !second || strcmp(first, second) != 0;
		}
		*place = right;
	}
	speak(kept);
	assert_int_equal(different, 0);
}

static void test_printed_it_loads_as_the_same(void **state)
{
	struct configuration *configuration = load_well(SAMPLE);
	auto_free char *first = print(configuration);
	struct configuration *again = load_well(first);
	auto_free char *second = print(again);

	(void)state;
	assert_string_equal(first, second);
	assert_non_null(strstr(first, "user = \"no\\\"body\\\\\"\n"));
	assert_non_null(strstr(first, "\n  index = {\"a\", \"b c\"}\n"));
	configuration_free(configuration);
	configuration_free(again);
}

static void test_an_overridden_value_is_printed(void **state)
{
	struct configuration *configuration = load_well(SAMPLE);

	(void)state;
	assert_int_equal(configuration_override(configuration, "backend", "io_uring"), 0);
	assert_int_equal(configuration_override(configuration, "access_log", "-"), 0);
	assert_string_equal(section_string(configuration->root, "backend"), "io_uring");
	assert_string_equal(section_string(configuration->root, "access_log"), "-");
	configuration_free(configuration);
}

static int set_variables(void **state)
{
	(void)state;
	unsetenv("RINGLET_TEST_USER");
	return setenv("RINGLET_TEST_ROOT", "/", 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_values_stand_where_the_file_puts_them),
		cmocka_unit_test(test_lines_survive_block_comments),
		cmocka_unit_test(test_truncated_anywhere_it_is_refused),
		cmocka_unit_test(test_what_ends_too_early_is_refused),
		cmocka_unit_test(test_one_wrong_byte_is_refused_or_understood),
		cmocka_unit_test(test_printed_it_loads_as_the_same),
		cmocka_unit_test(test_an_overridden_value_is_printed),
	};

	return cmocka_run_group_tests(tests, set_variables, NULL);
}
