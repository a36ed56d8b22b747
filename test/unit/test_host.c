/* http/host.h: which part of a Host field is the name, which sites match it, and which names a site
 * may have. */
#include "assert_text.h"

#include "http/host.h"

static struct text name_of(const char *host)
{
	return host_name(text_of(host));
}

/* RFC 9110 §7.2, RFC 3986 §3.2.2 */
static void test_name_is_without_port_and_without_the_roots_dot(void **state)
{
	(void)state;
	assert_text(name_of("example.com"), "example.com");
	assert_text(name_of("example.com:8080"), "example.com");
	assert_text(name_of("example.com:"), "example.com");
	assert_text(name_of("example.com.:80"), "example.com");
	assert_text(name_of("example.com."), "example.com");
	assert_text(name_of("example.com.."), "example.com.");
	assert_text(name_of("[::1]:80"), "[::1]");
	assert_text(name_of("[::1]"), "[::1]");
	assert_text(name_of(""), "");
	assert_text(name_of("."), ".");
	assert_text(name_of("["), "[");
}

static size_t fit(const char *site, const char *name)
{
	return host_fit(text_of(site), text_of(name));
}

static void test_wildcard_stands_for_one_or_more_labels(void **state)
{
	(void)state;
	assert_true(fit("*.example.com", "a.example.com") > 0);
	assert_true(fit("*.example.com", "a.b.EXAMPLE.com") > 0);
	assert_int_equal(fit("*.example.com", "example.com"), 0);
	assert_int_equal(fit("*.example.com", ".example.com"), 0);
	assert_int_equal(fit("*.example.com", "..example.com"), 0);
	assert_int_equal(fit("*.example.com", "aexample.com"), 0);
	assert_int_equal(fit("*.example.com", "a.example.com.org"), 0);
	assert_int_equal(fit("*.example.com", ""), 0);
}

static void test_what_is_said_more_exactly_fits_better(void **state)
{
	(void)state;
	assert_true(fit("*", "a.b.c") > 0);
	assert_true(fit("*.c", "a.b.c") > fit("*", "a.b.c"));
	assert_true(fit("*.b.c", "a.b.c") > fit("*.c", "a.b.c"));
	assert_true(fit("A.b.C", "a.b.c") > fit("*.b.c", "a.b.c"));
	assert_int_equal(fit("b.c", "a.b.c"), 0);
}

static void assert_wrong(const char *site, const char *what)
{
	const char *found = host_check_site(text_of(site));

	assert_non_null(found);
	assert_string_equal(found, what);
}

static void test_names_of_sites_are_checked(void **state)
{
	static const char *const RIGHT[] = { "*", "a", "example.com", "*.example.com", "*.com",
		"a_b-c.d", "192.0.2.1", "[::1]", "[2001:DB8::1]", "xn--bcher-kva.example" };
	static const char *const WILD = "a wildcard that is not the first label alone";
	char longest[256] = "";

	(void)state;
	for (size_t i = 0; i < sizeof(RIGHT) / sizeof(RIGHT[0]); i++)
		assert_null(host_check_site(text_of(RIGHT[i])));
	assert_wrong("", "no host");
	assert_wrong("example.com:80", "a port, which is no part of the name");
	assert_wrong("::1", "a port, which is no part of the name");
	assert_wrong("example.com.", "a dot at the end, which is no part of the name");
	assert_wrong("a..b", "an empty label");
	assert_wrong(".a", "an empty label");
	assert_wrong("**.a", WILD);
	assert_wrong("a.*", WILD);
	assert_wrong("a.*.b", WILD);
	assert_wrong("www*.a", WILD);
	assert_wrong("*.*.a", WILD);
	assert_wrong("a/b", "a byte that no host has");
	assert_wrong("b\xc3\xbc.de", "a byte that no host has");
	assert_wrong("a b", "a byte that no host has");
	assert_wrong("[::1]:80", "something behind the brackets");
	assert_wrong("[::1", "no IPv6 address in the brackets");
	assert_wrong("[192.0.2.1]", "no IPv6 address in the brackets");
	assert_wrong("[]", "no IPv6 address in the brackets");
	memset(longest, 'a', 64);
	assert_wrong(longest, "a label longer than 63 bytes");
	for (size_t i = 0; i < 254; i++)
		longest[i] = i % 2 == 0 ? 'a' : '.';
	longest[253] = 'a';
	assert_wrong(longest, "longer than 253 bytes");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_name_is_without_port_and_without_the_roots_dot),
		cmocka_unit_test(test_wildcard_stands_for_one_or_more_labels),
		cmocka_unit_test(test_what_is_said_more_exactly_fits_better),
		cmocka_unit_test(test_names_of_sites_are_checked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
