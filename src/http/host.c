/* Hosts and sites.  A wildcard stands for one or more whole labels on the left, as in other
 * servers; certificates, where it is exactly one, are somebody else's business. */
#include "http/host.h"

#include "http/byte.h"
#include "http/network.h"

enum { LABEL_LENGTH_MAX = 63, NAME_LENGTH_MAX = 253 }; /* RFC 1035 §2.3.4, without the root */

struct text host_name(struct text host)
{
	size_t start = host.length > 0 && host.bytes[0] == '[' ? text_find(host, ']') : 0;
	struct text name = text_first(host, start + text_find(text_from(host, start), ':'));

	if (name.length > 1 && name.bytes[name.length - 1] == '.')
		name.length--;
	return name;
}

size_t host_fit(struct text site, struct text name)
{
	struct text end;

	if (text_equal(site, text_literal("*")))
		return 1;
	if (!text_starts_with(site, text_literal("*.")))
		return text_equal_ignoring_case(site, name) ? SIZE_MAX : 0;
	end = text_from(site, 1); /* ".example.com" */
	if (name.length <= end.length || name.bytes[0] == '.')
		return 0;
	return text_equal_ignoring_case(text_from(name, name.length - end.length), end)
		       ? site.length
		       : 0;
}

/* --- the names of sites -------------------------------------------------------------------- */

static bool is_label_byte(char byte)
{
	byte = byte_lower(byte);
	return (byte >= 'a' && byte <= 'z') || (byte >= '0' && byte <= '9') || byte == '-' ||
	       byte == '_';
}

static const char *check_label(struct text label)
{
	if (label.length == 0)
		return "an empty label";
	if (label.length > LABEL_LENGTH_MAX)
		return "a label longer than 63 bytes";
	for (size_t i = 0; i < label.length; i++) {
		if (label.bytes[i] == '*')
			return "a wildcard that is not the first label alone";
		if (!is_label_byte(label.bytes[i]))
			return "a byte that no host has";
	}
	return NULL;
}

static const char *check_labels(struct text name)
{
	const char *what = NULL;
	bool more = true;

	if (name.length > NAME_LENGTH_MAX)
		return "longer than 253 bytes";
	while (!what && more) {
		struct text label = text_first(name, text_find(name, '.'));

		what = check_label(label);
		more = label.length < name.length;
		name = text_from(name, label.length + 1);
	}
	return what;
}

static const char *check_literal(struct text literal)
{
	struct text address = text_from(text_first(literal, text_find(literal, ']')), 1);
	struct network network;

	if (address.length + 2 < literal.length)
		return "something behind the brackets";
	if (address.length + 2 > literal.length || text_find(address, ':') == address.length ||
		network_parse_address(&network, address) < 0)
		return "no IPv6 address in the brackets";
	return NULL;
}

const char *host_check_site(struct text site)
{
	if (site.length == 0)
		return "no host";
	if (site.bytes[0] == '[')
		return check_literal(site);
	if (text_equal(site, text_literal("*")))
		return NULL;
	if (text_find(site, ':') < site.length)
		return "a port, which is no part of the name";
	if (site.bytes[site.length - 1] == '.')
		return "a dot at the end, which is no part of the name";
	if (text_starts_with(site, text_literal("*.")))
		site = text_from(site, 2);
	return check_labels(site);
}
