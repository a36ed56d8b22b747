/* net/address.h, and the part of net/listener.h that needs no loop: binding. */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/host.h"
#include "net/address.h"
#include "net/listener.h"

static struct address parsed(const char *name)
{
	struct address address;
	const char *expected = NULL;

	assert_int_equal(address_parse(&address, text_of(name), &expected), 0);
	return address;
}

static void assert_printed(const struct sockaddr_storage *storage, const char *expected)
{
	char memory[ADDRESS_NAME_LENGTH_MAX];
	struct buffer buffer;

	buffer_init(&buffer, memory, sizeof(memory) - 1);
	address_append(&buffer, storage);
	memory[buffer.length] = '\0';
	assert_string_equal(memory, expected);
}

static void assert_host(const struct sockaddr_storage *storage, const char *expected)
{
	char memory[ADDRESS_NAME_LENGTH_MAX];
	struct buffer buffer;

	buffer_init(&buffer, memory, sizeof(memory) - 1);
	host_append(&buffer, storage);
	memory[buffer.length] = '\0';
	assert_string_equal(memory, expected);
}

static void test_what_is_parsed_prints_as_it_was_written(void **state)
{
	static const char *const names[] = { "127.0.0.1:8080", "[::1]:8080", "[::]:0",
		"0.0.0.0:65535", "unix:/run/ringlet.sock", "unix:relative" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct address address = parsed(names[i]);

		assert_string_equal(address.name, names[i]);
		assert_printed(&address.storage, names[i]);
	}
}

static void test_port_is_in_host_order(void **state)
{
	struct address ipv4 = parsed("127.0.0.1:8080"), ipv6 = parsed("[::1]:81");
	struct address local = parsed("unix:/x");

	(void)state;
	assert_int_equal(address_port(&ipv4.storage), 8080);
	assert_int_equal(address_port(&ipv6.storage), 81);
	assert_int_equal(address_port(&local.storage), 0);
}

static void test_mistaken_addresses_are_refused_with_an_expectation(void **state)
{
	static const char *const names[] = { "", ":", "8080", "[*]:80", "127.0.0.1",
		"127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:-1", "127.0.0.1:80x", "127.0.0.1 :80",
		"127.1:80", "::1:8080", "[::1]", "[::1]8080", "[127.0.0.1]:80", "[]:80", "[::1:80",
		"localhost:8080", "unix:", "**:80", "[::ffff:127.0.0.1]:80", "0127.0.0.1:80" };

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct address address = { .size = 7 };
		const char *expected = NULL;

		assert_int_equal(address_parse(&address, text_of(names[i]), &expected), -EINVAL);
		assert_non_null(expected);
		assert_int_equal(address.size, 7);
	}
}

static void test_every_address_is_dual_and_localhost_is_two(void **state)
{
	static const struct {
		const char *name, *printed[2];
		int count;
		bool dual;
	} cases[] = {
		{ ":80", { "[::]:80" }, 1, true },
		{ "*:80", { "[::]:80" }, 1, true },
		{ "[::]:80", { "[::]:80" }, 1, true },
		{ "[::1]:80", { "[::1]:80" }, 1, false },
		{ "0.0.0.0:80", { "0.0.0.0:80" }, 1, false },
		{ "localhost:80", { "127.0.0.1:80", "[::1]:80" }, 2, false },
		{ "localhost:x", { NULL }, -EINVAL, false },
		{ "localhost", { NULL }, -EINVAL, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct address addresses[ADDRESSES_MAX];
		const char *expected = NULL;
		int count = address_parse_all(addresses, text_of(cases[i].name), &expected);

		assert_int_equal(count, cases[i].count);
		for (int j = 0; j < count; j++) {
			assert_printed(&addresses[j].storage, cases[i].printed[j]);
			assert_int_equal(addresses[j].dual, cases[i].dual);
		}
	}
}

static void test_addresses_overlap_as_the_kernel_sees_it(void **state)
{
	static const struct {
		const char *a, *b;
		bool overlaps;
	} cases[] = {
		{ "127.0.0.1:80", "127.0.0.1:80", true },
		{ "127.0.0.1:80", "127.0.0.1:81", false },
		{ "127.0.0.1:80", "127.0.0.2:80", false },
		{ "127.0.0.1:0", "127.0.0.1:0", false },
		{ "127.0.0.1:80", "0.0.0.0:80", true },
		{ "[::]:80", "127.0.0.1:80", true },
		{ "[::]:80", "0.0.0.0:80", true },
		{ "[::]:80", "[::1]:80", true },
		{ "[::1]:80", "127.0.0.1:80", false },
		{ "[::1]:80", "0.0.0.0:80", false },
		{ "unix:/a", "unix:/a", true },
		{ "unix:/a", "unix:/b", false },
		{ "unix:/a", "*:80", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct address a = parsed(cases[i].a), b = parsed(cases[i].b);

		assert_int_equal(address_overlaps(&a, &b), cases[i].overlaps);
		assert_int_equal(address_overlaps(&b, &a), cases[i].overlaps);
	}
}

static void test_bytes_after_a_zero_are_not_ignored(void **state)
{
	struct address address;
	const char *expected = NULL;

	(void)state;
	assert_int_equal(address_parse(&address, text_literal("unix:/a\0b"), &expected), -EINVAL);
	assert_int_equal(
		address_parse(&address, text_literal("127.0.0.1\0:80"), &expected), -EINVAL);
	assert_non_null(expected);
}

static void test_unix_path_fills_the_structure_and_no_more(void **state)
{
	char name[5 + 108 + 1] = "unix:";
	struct address address;
	const char *expected = NULL;

	(void)state;
	memset(name + 5, 'x', 108);
	assert_int_equal(address_parse(&address, text_of(name), &expected), -EINVAL);
	name[5 + 107] = '\0';
	assert_int_equal(address_parse(&address, text_of(name), &expected), 0);
	assert_printed(&address.storage, name);
}

static void test_hosts_of_peers_have_no_port(void **state)
{
	struct address ipv4 = parsed("192.0.2.1:80"), ipv6 = parsed("[2001:db8::1]:80");
	struct address mapped = parsed("[::1]:80"), local = parsed("unix:/x");
	struct sockaddr_storage unknown = { .ss_family = AF_UNSPEC };

	(void)state;
	inet_pton(
		AF_INET6, "::ffff:192.0.2.7", &((struct sockaddr_in6 *)&mapped.storage)->sin6_addr);
	assert_host(&ipv4.storage, "192.0.2.1");
	assert_host(&ipv6.storage, "2001:db8::1");
	assert_host(&mapped.storage, "192.0.2.7");
	assert_host(&local.storage, "unix:");
	assert_host(&unknown, "-");
	assert_printed(&mapped.storage, "192.0.2.7:80");
}

/* The address that a listener on port 0 got. */
static struct address bound_address(int fd)
{
	struct address address = { .size = sizeof(address.storage) };

	assert_int_equal(getsockname(fd, (struct sockaddr *)&address.storage, &address.size), 0);
	return address;
}

static void test_held_address_is_in_use_even_when_its_port_is_shared(void **state)
{
	struct address any = parsed("127.0.0.1:0"), held;
	int first, second;

	(void)state;
	first = listener_bind(&any, true, 16);
	assert_true(first >= 0);
	held = bound_address(first);
	assert_int_equal(listener_check(&held), -EADDRINUSE);
	second = listener_bind(&held, true, 16);
	assert_true(second >= 0);
	close(second);
	close(first);
	assert_int_equal(listener_check(&held), 0);
}

static struct address socket_in_a_new_directory(char *directory)
{
	char name[ADDRESS_NAME_LENGTH_MAX];

	assert_non_null(mkdtemp(directory));
	snprintf(name, sizeof(name), "unix:%s/socket", directory);
	return parsed(name);
}

static void test_socket_file_of_a_dead_server_is_replaced(void **state)
{
	char directory[] = "/tmp/ringlet-address-XXXXXX";
	struct address address = socket_in_a_new_directory(directory);
	int fd = listener_bind(&address, true, 16);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(listener_check(&address), -EADDRINUSE);
	assert_int_equal(listener_bind(&address, true, 16), -EADDRINUSE);
	close(fd);
	assert_int_equal(listener_check(&address), 0);
	fd = listener_bind(&address, true, 16);
	assert_true(fd >= 0);
	close(fd);
	unlink(((struct sockaddr_un *)&address.storage)->sun_path);
	rmdir(directory);
}

static void test_file_that_is_no_socket_is_left_alone(void **state)
{
	char directory[] = "/tmp/ringlet-address-XXXXXX";
	struct address address = socket_in_a_new_directory(directory);
	const char *path = ((struct sockaddr_un *)&address.storage)->sun_path;
	FILE *file = fopen(path, "w");

	(void)state;
	assert_non_null(file);
	fclose(file);
	assert_int_equal(listener_check(&address), -EEXIST);
	assert_int_equal(listener_bind(&address, true, 16), -EEXIST);
	assert_int_equal(unlink(path), 0);
	rmdir(directory);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_is_parsed_prints_as_it_was_written),
		cmocka_unit_test(test_port_is_in_host_order),
		cmocka_unit_test(test_mistaken_addresses_are_refused_with_an_expectation),
		cmocka_unit_test(test_every_address_is_dual_and_localhost_is_two),
		cmocka_unit_test(test_addresses_overlap_as_the_kernel_sees_it),
		cmocka_unit_test(test_bytes_after_a_zero_are_not_ignored),
		cmocka_unit_test(test_unix_path_fills_the_structure_and_no_more),
		cmocka_unit_test(test_hosts_of_peers_have_no_port),
		cmocka_unit_test(test_held_address_is_in_use_even_when_its_port_is_shared),
		cmocka_unit_test(test_socket_file_of_a_dead_server_is_replaced),
		cmocka_unit_test(test_file_that_is_no_socket_is_left_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
