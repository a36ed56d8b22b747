/* http/access.h: which clients are allowed, and what is for this machine only. */
#include "assert_text.h"

#include <arpa/inet.h>
#include <netinet/in.h>

#include "http/access.h"
#include "http/proxies.h"

static const struct setting TABLE[] = {
	{ .name = "allow", .type = SETTING_STRINGS, .fallback = "{}" },
	{ .name = "deny", .type = SETTING_STRINGS, .fallback = "{}" },
	{ .name = "trusted_proxies", .type = SETTING_STRINGS, .fallback = "{}" },
	{ 0 },
};

static const char *client;
static const char *trusted;     /* a proxy; NULL: none */
static const char *named = "x"; /* the content of a proxy's field */

static void tell_peer(struct exchange *exchange, struct sockaddr_storage *address)
{
	struct sockaddr_in *in = (struct sockaddr_in *)address;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address;

	(void)exchange;
	if (inet_pton(AF_INET, client, &in->sin_addr) == 1)
		address->ss_family = AF_INET;
	else if (inet_pton(AF_INET6, client, &in6->sin6_addr) == 1)
		address->ss_family = AF_INET6;
	else if (strcmp(client, "unix:") == 0)
		address->ss_family = AF_UNIX;
}

static const struct exchange_wire WIRE = { .peer_address = tell_peer };

static void add(struct section *section, const char *name, const char *string)
{
	struct setting_value *value = section_find_value(section, name);

	if (!value)
		value = section_add_value(section, section_find_setting(section, name), 1);
	assert_non_null(value);
	assert_int_equal(setting_value_add_string(value, text_of(string)), 0);
}

/* Is `from` allowed with these `allow` and `deny` (NULL: empty)? */
static bool permits(
	const char *allow, const char *deny, bool local, const char *from, const char *proxy_field)
{
	static struct exchange exchange;
	struct section *section = section_new(NULL, NULL, TABLE, NULL);
	struct access *access;
	struct proxies *proxies;
	struct access_client asking;
	bool permitted;

	if (allow)
		add(section, "allow", allow);
	if (deny)
		add(section, "deny", deny);
	if (trusted)
		add(section, "trusted_proxies", trusted);
	assert_int_equal(section_complete(section), 0);
	assert_int_equal(proxies_new(&proxies, section), 0);
	assert_int_equal(access_new(&access, section, local), 0);
	section_free(section);
	client = from;
	exchange_init(&exchange, &WIRE, NULL);
	exchange.proxies = proxies;
	if (proxy_field) {
		exchange.request.fields[0] = (struct field){ text_of(proxy_field), text_of(named) };
		exchange.request.field_count = 1;
	}
	asking = access_client_of(&exchange);
	permitted = !access || access_permits(access, &asking);
	access_free(access);
	proxies_free(proxies);
	return permitted;
}

#define allowed(network, from) permits(network, NULL, false, from, NULL)

static void test_without_settings_everybody_is_let_in(void **state)
{
	(void)state;
	assert_true(permits(NULL, NULL, false, "192.0.2.1", NULL));
	assert_true(permits(NULL, NULL, false, "unknown", NULL));
}

static void test_network_holds_what_begins_alike(void **state)
{
	(void)state;
	assert_true(allowed("10.0.0.0/8", "10.255.0.1"));
	assert_false(allowed("10.0.0.0/8", "11.0.0.1"));
	assert_true(allowed("192.0.2.128/25", "192.0.2.200"));
	assert_false(allowed("192.0.2.128/25", "192.0.2.127"));
	assert_true(allowed("192.0.2.1", "192.0.2.1"));
	assert_false(allowed("192.0.2.1", "192.0.2.0"));
	assert_true(allowed("0.0.0.0/0", "192.0.2.1"));
	assert_true(allowed("2001:db8::/33", "2001:db8:7fff::1"));
	assert_false(allowed("2001:db8::/33", "2001:db8:8000::1"));
}

static void test_families_are_kept_apart(void **state)
{
	(void)state;
	assert_false(allowed("::/0", "192.0.2.1"));
	assert_false(allowed("0.0.0.0/0", "2001:db8::1"));
	assert_false(allowed("::/0", "unix:"));
	assert_true(allowed("unix:", "unix:"));
	assert_false(allowed("unix:", "127.0.0.1"));
	assert_true(allowed("all", "unix:"));
	assert_true(allowed("all", "2001:db8::1"));
}

static void test_mapped_address_is_the_ipv4_address(void **state)
{
	(void)state;
	assert_true(allowed("10.0.0.0/8", "::ffff:10.1.2.3"));
	assert_false(allowed("::/0", "::ffff:10.1.2.3"));
	assert_true(permits(NULL, NULL, true, "::ffff:127.0.0.1", NULL));
}

static void test_denied_client_is_refused_even_if_allowed(void **state)
{
	(void)state;
	assert_false(permits("10.0.0.0/8", "10.0.0.5", false, "10.0.0.5", NULL));
	assert_true(permits("10.0.0.0/8", "10.0.0.5", false, "10.0.0.6", NULL));
	assert_false(permits(NULL, "10.0.0.0/8", false, "10.0.0.5", NULL));
	assert_true(permits(NULL, "10.0.0.0/8", false, "192.0.2.1", NULL));
}

static void test_unknown_client_is_refused_wherever_there_are_rules(void **state)
{
	(void)state;
	assert_false(permits(NULL, "192.0.2.0/24", false, "unknown", NULL));
	assert_false(permits("all", "192.0.2.0/24", false, "unknown", NULL));
	assert_false(permits("0.0.0.0/0", NULL, false, "unknown", NULL));
	assert_true(permits("all", NULL, false, "unknown", NULL));
}

static void test_local_is_this_machine_and_no_proxy(void **state)
{
	(void)state;
	assert_true(permits(NULL, NULL, true, "127.0.0.9", NULL));
	assert_true(permits(NULL, NULL, true, "::1", NULL));
	assert_true(permits(NULL, NULL, true, "unix:", NULL));
	assert_false(permits(NULL, NULL, true, "192.0.2.1", NULL));
	assert_false(permits(NULL, NULL, true, "::2", NULL));
	assert_false(permits(NULL, NULL, true, "unknown", NULL));
	assert_false(permits(NULL, NULL, true, "127.0.0.1", "forwarded"));
	assert_false(permits(NULL, NULL, true, "127.0.0.1", "X-Forwarded-For"));
	assert_false(permits(NULL, NULL, true, "unix:", "Via"));
	assert_false(permits(NULL, "127.0.0.1", true, "127.0.0.1", NULL));
}

static void test_allow_opens_what_is_local(void **state)
{
	(void)state;
	assert_true(permits("192.0.2.0/24", NULL, true, "192.0.2.1", "Via"));
	assert_false(permits("192.0.2.0/24", NULL, true, "127.0.0.1", NULL));
}

/* A peer that is no trusted proxy gains nothing by writing a proxy's field. */
static void test_client_is_whom_a_trusted_proxy_names(void **state)
{
	(void)state;
	trusted = "127.0.0.1";
	named = "192.0.2.1";
	assert_true(permits("192.0.2.0/24", NULL, false, "127.0.0.1", "X-Forwarded-For"));
	assert_false(permits("127.0.0.1", NULL, false, "127.0.0.1", "X-Forwarded-For"));
	assert_false(permits(NULL, "192.0.2.0/24", false, "127.0.0.1", "X-Forwarded-For"));
	assert_false(permits("192.0.2.0/24", NULL, false, "127.0.0.2", "X-Forwarded-For"));
	assert_true(permits(NULL, "192.0.2.0/24", false, "127.0.0.2", "X-Forwarded-For"));
	trusted = NULL;
	assert_false(permits("192.0.2.0/24", NULL, false, "127.0.0.1", "X-Forwarded-For"));
}

/* Not even if the client that a trusted proxy names is on this machine. */
static void test_local_is_closed_to_what_came_through_a_trusted_proxy(void **state)
{
	(void)state;
	trusted = "127.0.0.1";
	named = "127.0.0.1";
	assert_false(permits(NULL, NULL, true, "127.0.0.1", "X-Forwarded-For"));
	assert_true(permits("127.0.0.1", NULL, true, "127.0.0.1", "X-Forwarded-For"));
	assert_true(permits(NULL, NULL, true, "127.0.0.1", NULL));
	trusted = NULL;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_without_settings_everybody_is_let_in),
		cmocka_unit_test(test_network_holds_what_begins_alike),
		cmocka_unit_test(test_families_are_kept_apart),
		cmocka_unit_test(test_mapped_address_is_the_ipv4_address),
		cmocka_unit_test(test_denied_client_is_refused_even_if_allowed),
		cmocka_unit_test(test_unknown_client_is_refused_wherever_there_are_rules),
		cmocka_unit_test(test_local_is_this_machine_and_no_proxy),
		cmocka_unit_test(test_allow_opens_what_is_local),
		cmocka_unit_test(test_client_is_whom_a_trusted_proxy_names),
		cmocka_unit_test(test_local_is_closed_to_what_came_through_a_trusted_proxy),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
