/* http/proxies.h: which client a trusted proxy names, and that no other peer can name one. */
#include "assert_text.h"

#include <stdio.h>

#include "http/network.h"
#include "http/proxies.h"

static const struct setting TABLE[] = {
	{ .name = "trusted_proxies", .type = SETTING_STRINGS, .fallback = "{}" },
	{ 0 },
};

static struct proxies *proxies;

static int trust_some(void **state)
{
	static const char *const NETWORKS[] = { "127.0.0.1", "10.0.0.0/8", "2001:db8::/32",
		"unix:" };
	struct section *section = section_new(NULL, NULL, TABLE, NULL);
	struct setting_value *value = section_add_value(section, &TABLE[0], 1);
	int r;

	(void)state;
	for (size_t i = 0; i < sizeof(NETWORKS) / sizeof(NETWORKS[0]); i++)
		setting_value_add_string(value, text_of(NETWORKS[i]));
	section_complete(section);
	r = proxies_new(&proxies, section);
	section_free(section);
	return r;
}

static int trust_nobody(void **state)
{
	(void)state;
	proxies_free(proxies);
	return 0;
}

/* Other fields are around those of the list. */
static void set_lines(struct request *request, const char *const *lines, size_t count)
{
	request_init(request);
	request->fields[0] = (struct field){ text_literal("Host"), text_literal("192.0.2.77") };
	for (size_t i = 0; i < count; i++) {
		request->fields[2 * i + 1] =
			(struct field){ text_literal("x-forwarded-For"), text_of(lines[i]) };
		request->fields[2 * i + 2] =
			(struct field){ text_literal("Via"), text_literal("1.1 x") };
	}
	request->field_count = (unsigned)(2 * count + 1);
}

/* `expected` is NULL for a client that nobody can name. */
static void assert_client_of(
	const char *peer, const char *const *lines, size_t count, const char *expected)
{
	static struct request request;
	struct network from, client, right = { .family = AF_UNSPEC };
	struct sockaddr_storage address;

	set_lines(&request, lines, count);
	assert_int_equal(network_parse(&from, text_of(peer)), 0);
	if (expected)
		assert_int_equal(network_parse(&right, text_of(expected)), 0);
	network_to_address(&address, &from);
	proxies_find_client(proxies, &request, &address);
	client = network_of_address(&address);
	if (memcmp(&client, &right, sizeof(client)) != 0)
		print_error("not %s: \"%s\" from %s", expected ? expected : "unknown",
			count > 0 ? lines[0] : "", peer);
	assert_memory_equal(&client, &right, sizeof(client));
}

/* The client of a request from 127.0.0.1 with this field. */
static void assert_client(const char *line, const char *expected)
{
	assert_client_of("127.0.0.1", &line, 1, expected);
}

static void test_rightmost_address_that_is_not_trusted_is_the_clients(void **state)
{
	(void)state;
	assert_client("192.0.2.1", "192.0.2.1");
	assert_client("192.0.2.1, 10.1.1.1", "192.0.2.1");
	assert_client("198.51.100.1, 192.0.2.1, 10.1.1.1,10.2.2.2", "192.0.2.1");
	assert_client("2001:db9::1", "2001:db9::1");
	assert_client("192.0.2.1, 2001:db8::5", "192.0.2.1");
}

static void test_what_an_untrusted_client_claims_is_not_believed(void **state)
{
	const char *line = "198.51.100.1";

	(void)state;
	assert_client("127.0.0.1, 10.0.0.1, 192.0.2.1", "192.0.2.1");
	assert_client_of("192.0.2.9", &line, 1, "192.0.2.9");
	assert_client_of("127.0.0.2", &line, 1, "127.0.0.2");
	assert_client_of("2001:db9::1", &line, 1, "2001:db9::1");
}

static void test_chain_of_nothing_but_proxies_begins_with_the_client(void **state)
{
	(void)state;
	assert_client("10.0.0.3, 10.0.0.2", "10.0.0.3");
	assert_client("127.0.0.1", "127.0.0.1");
}

static void test_without_the_field_the_client_is_the_peer(void **state)
{
	(void)state;
	assert_client_of("127.0.0.1", NULL, 0, "127.0.0.1");
	assert_client("", "127.0.0.1");
	assert_client(" , ,, \t,", "127.0.0.1");
}

static void test_a_proxy_may_come_by_a_local_socket(void **state)
{
	const char *line = "192.0.2.1";

	(void)state;
	assert_client_of("unix:", &line, 1, "192.0.2.1");
}

static void test_mapped_addresses_are_of_ipv4(void **state)
{
	const char *line = "::ffff:192.0.2.1, ::ffff:10.1.1.1";

	(void)state;
	assert_client_of("::ffff:127.0.0.1", &line, 1, "192.0.2.1");
	assert_client("[::ffff:192.0.2.1]:80", "192.0.2.1");
}

/* RFC 9110 §5.3: several lines are one list, in their order. */
static void test_several_lines_are_one_list(void **state)
{
	static const char *const LINES[] = { "198.51.100.1", "192.0.2.1, 10.0.0.2", "",
		"10.0.0.3" };
	static const char *const CLAIMED[] = { "127.0.0.1", "192.0.2.1" };

	(void)state;
	assert_client_of("127.0.0.1", LINES, 4, "192.0.2.1");
	assert_client_of("127.0.0.1", LINES, 3, "192.0.2.1");
	assert_client_of("127.0.0.1", LINES, 1, "198.51.100.1");
	assert_client_of("127.0.0.1", CLAIMED, 2, "192.0.2.1");
}

/* RFC 9110 §5.6.1.2 */
static void test_empty_entries_are_none(void **state)
{
	(void)state;
	assert_client("192.0.2.1,", "192.0.2.1");
	assert_client(" ,192.0.2.1 ,\t, 10.0.0.1 ,", "192.0.2.1");
}

static void test_ports_and_brackets_are_left_out(void **state)
{
	(void)state;
	assert_client("192.0.2.1:65535", "192.0.2.1");
	assert_client("[2001:db9::1]", "2001:db9::1");
	assert_client("[2001:db9::1]:80", "2001:db9::1");
	assert_client("192.0.2.1:1, [2001:db8::1]:2, 10.0.0.1:3", "192.0.2.1");
}

static void test_what_is_no_address_makes_the_client_unknown(void **state)
{
	static const char *const GARBAGE[] = { "unknown", "_hidden", "x", "192.0.2", "192.0.2.1.1",
		"192.0.2.1:", "192.0.2.1:65536", "192.0.2.1:a", "192.0.2.1:80:80", "[192.0.2.1]",
		"[2001:db9::1", "2001:db9::1]", "[2001:db9::1]80", "[2001:db9::1]:", "[]", "[", "]",
		":", ":80", "[:]", "::1%lo", "unix:", "all", "fe80::1%eth0", "192.0.2.0/24",
		"\"192.0.2.1\"", "for=192.0.2.1", "192.0.2.1 192.0.2.2", "0300.0.2.1", "3221225985",
		"\x80" };
	char line[128];

	(void)state;
	for (size_t i = 0; i < sizeof(GARBAGE) / sizeof(GARBAGE[0]); i++) {
		assert_client(GARBAGE[i], NULL);
		snprintf(line, sizeof(line), "198.51.100.1, %s, 10.0.0.7", GARBAGE[i]);
		assert_client(line, NULL);
		snprintf(line, sizeof(line), "%s, 192.0.2.1, 10.0.0.7", GARBAGE[i]);
		assert_client(line, "192.0.2.1");
	}
}

static void test_nobody_is_trusted_unless_named(void **state)
{
	struct section *section = section_new(NULL, NULL, TABLE, NULL);
	struct proxies *none;

	(void)state;
	assert_int_equal(section_complete(section), 0);
	assert_int_equal(proxies_new(&none, section), 0);
	assert_null(none);
	section_free(section);
}

static void test_everybody_cannot_be_trusted(void **state)
{
	const char *const strings[] = { "10.0.0.0/8", "all" };
	const char *const right[] = { "unix:", "::1" };
	size_t index;

	(void)state;
	assert_non_null(proxies_check(strings, 2, &index));
	assert_int_equal(index, 1);
	assert_null(proxies_check(right, 2, &index));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rightmost_address_that_is_not_trusted_is_the_clients),
		cmocka_unit_test(test_what_an_untrusted_client_claims_is_not_believed),
		cmocka_unit_test(test_chain_of_nothing_but_proxies_begins_with_the_client),
		cmocka_unit_test(test_without_the_field_the_client_is_the_peer),
		cmocka_unit_test(test_a_proxy_may_come_by_a_local_socket),
		cmocka_unit_test(test_mapped_addresses_are_of_ipv4),
		cmocka_unit_test(test_several_lines_are_one_list),
		cmocka_unit_test(test_empty_entries_are_none),
		cmocka_unit_test(test_ports_and_brackets_are_left_out),
		cmocka_unit_test(test_what_is_no_address_makes_the_client_unknown),
		cmocka_unit_test(test_nobody_is_trusted_unless_named),
		cmocka_unit_test(test_everybody_cannot_be_trusted),
	};

	return cmocka_run_group_tests(tests, trust_some, trust_nobody);
}
