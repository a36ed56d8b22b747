/* http/network.h: what is a valid network, and which addresses are in it. */
#include "assert_text.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "http/network.h"

static struct network parsed(const char *string)
{
	struct network network;

	assert_int_equal(network_parse(&network, text_of(string)), 0);
	return network;
}

static bool lies_in(const char *address, const char *network)
{
	struct network one = parsed(address), other = parsed(network);

	return network_is_in(&one, &other, 1);
}

static void test_what_begins_alike_lies_in_a_network(void **state)
{
	(void)state;
	assert_true(lies_in("10.255.0.1", "10.0.0.0/8"));
	assert_false(lies_in("11.0.0.1", "10.0.0.0/8"));
	assert_true(lies_in("10.0.0.1", "10.9.9.9/8"));
	assert_true(lies_in("192.0.2.129", "192.0.2.128/31"));
	assert_false(lies_in("192.0.2.130", "192.0.2.128/31"));
	assert_true(lies_in("2001:db8:7fff::1", "2001:db8::/33"));
	assert_false(lies_in("2001:db8:8000::1", "2001:db8::/33"));
	assert_false(lies_in("192.0.2.1", "::/0"));
	assert_false(lies_in("unix:", "0.0.0.0/0"));
	assert_true(lies_in("unix:", "all"));
}

static void test_mapped_addresses_and_networks_are_of_ipv4(void **state)
{
	(void)state;
	assert_true(lies_in("::ffff:10.1.2.3", "10.0.0.0/8"));
	assert_true(lies_in("10.1.2.3", "::ffff:10.0.0.0/104"));
	assert_false(lies_in("11.1.2.3", "::ffff:10.0.0.0/104"));
	assert_true(lies_in("10.1.2.3", "::ffff:0:0/96"));
	assert_false(lies_in("::ffff:10.1.2.3", "::/0"));
	/* A larger range than the mapped addresses is a network of IPv6. */
	assert_false(lies_in("10.1.2.3", "::ffff:0:0/95"));
}

static void test_addresses_go_there_and_back(void **state)
{
	static const char *const ADDRESSES[] = { "192.0.2.1", "2001:db8::1", "unix:" };

	(void)state;
	for (size_t i = 0; i < sizeof(ADDRESSES) / sizeof(ADDRESSES[0]); i++) {
		struct network network = parsed(ADDRESSES[i]), again;
		struct sockaddr_storage address;

		network_to_address(&address, &network);
		assert_int_equal(address.ss_family, network.family);
		again = network_of_address(&address);
		assert_memory_equal(&again, &network, sizeof(network));
	}
}

static void test_mapped_peer_is_the_ipv4_address(void **state)
{
	struct sockaddr_storage address = { .ss_family = AF_INET6 };
	struct network network, expected = parsed("192.0.2.1");

	(void)state;
	inet_pton(AF_INET6, "::ffff:192.0.2.1", &((struct sockaddr_in6 *)&address)->sin6_addr);
	network = network_of_address(&address);
	assert_memory_equal(&network, &expected, sizeof(network));
}

static void test_unknown_address_lies_in_nothing_but_all(void **state)
{
	struct sockaddr_storage address = { .ss_family = AF_UNSPEC };
	struct network unknown = network_of_address(&address);
	struct network networks[] = { parsed("0.0.0.0/0"), parsed("::/0"), parsed("unix:"),
		parsed("all") };

	(void)state;
	assert_false(network_is_in(&unknown, networks, 3));
	assert_true(network_is_in(&unknown, networks, 4));
	assert_false(network_is_in(&unknown, networks, 0));
}

static void test_what_is_no_network_is_found(void **state)
{
	static const char *const wrong[] = { "", "/8", "10.0.0.0/", "10.0.0.0/33", "10.0.0/8",
		"10.0.0.0/-1", "::1/129", "example.com", "unix", "10.0.0.0/8/8", "010.0.0.1",
		"fe80::1%1", "1111:2222:3333:4444:5555:6666:7777:8888:9999:aaaa:bbbb" };
	static const char *const right[] = { "all", "unix:", "10.0.0.0/8", "::/0" };
	const char *both[] = { "::1", "x" };
	size_t index = 9;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_non_null(network_check(&wrong[i], 1, &index));
	assert_null(network_check(right, 4, &index));
	assert_non_null(network_check(both, 2, &index));
	assert_int_equal(index, 1);
}

static void test_address_is_neither_network_nor_word(void **state)
{
	static const char *const wrong[] = { "10.0.0.0/8", "all", "unix:", "", "[::1]", "1.2.3.4:5",
		" 1.2.3.4" };
	struct network network;

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++)
		assert_int_not_equal(network_parse_address(&network, text_of(wrong[i])), 0);
	assert_int_not_equal(network_parse_address(&network, text_literal("1.2.3.4\0")), 0);
	assert_int_equal(network_parse_address(&network, text_literal("::1")), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_begins_alike_lies_in_a_network),
		cmocka_unit_test(test_mapped_addresses_and_networks_are_of_ipv4),
		cmocka_unit_test(test_addresses_go_there_and_back),
		cmocka_unit_test(test_mapped_peer_is_the_ipv4_address),
		cmocka_unit_test(test_unknown_address_lies_in_nothing_but_all),
		cmocka_unit_test(test_what_is_no_network_is_found),
		cmocka_unit_test(test_address_is_neither_network_nor_word),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
