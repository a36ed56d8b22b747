/* The walk through X-Forwarded-For, from right to left: the last line's last entry first. */
#include "http/proxies.h"

#include <errno.h>
#include <stdlib.h>

#include "http/network.h"

struct proxies {
	size_t count;
	struct network networks[];
};

/* --- settings ------------------------------------------------------------------------------ */

/* Whoever trusts everybody lets clients say who they are. */
const char *proxies_check(const char *const *strings, size_t count, size_t *wrong)
{
	for (*wrong = 0; *wrong < count; ++*wrong) {
		if (text_equal(text_of(strings[*wrong]), text_literal("all")))
			return "is everybody";
	}
	return network_check(strings, count, wrong);
}

int proxies_new(struct proxies **proxies, const struct section *section)
{
	size_t count;
	const char *const *strings = section_strings(section, "trusted_proxies", &count);
	struct proxies *made;

	*proxies = NULL;
	if (count == 0)
		return 0;
	made = calloc(1, sizeof(*made) + count * sizeof(struct network));
	if (!made)
		return -ENOMEM;
	made->count = count;
	network_parse_list(made->networks, strings, count);
	*proxies = made;
	return 0;
}

void proxies_free(struct proxies *proxies)
{
	free(proxies);
}

/* --- the walk ------------------------------------------------------------------------------ */

/* The field's entries that were not looked at yet: what is left of the line at hand, and the lines
 * before it. */
struct walk {
	const struct request *request;
	unsigned field_count;
	struct text line;
};

static bool take_last_line(struct walk *walk)
{
	while (walk->field_count > 0) {
		const struct field *field = &walk->request->fields[--walk->field_count];

		if (text_equal_ignoring_case(field->name, text_literal("X-Forwarded-For"))) {
			walk->line = field->value;
			return true;
		}
	}
	return false;
}

/* The last entry that is not empty; false: there are no more. */
static bool take_last_entry(struct text *entry, struct walk *walk)
{
	do {
		while (walk->line.length > 0) {
			size_t start = walk->line.length;

			while (start > 0 && walk->line.bytes[start - 1] != ',')
				start--;
			*entry = text_trim(text_from(walk->line, start));
			walk->line = text_first(walk->line, start > 0 ? start - 1 : 0);
			if (entry->length > 0)
				return true;
		}
	} while (take_last_line(walk));
	return false;
}

/* ":8080" or nothing. */
static bool is_port(struct text text)
{
	uint64_t port;

	if (text.length == 0)
		return true;
	return text.bytes[0] == ':' && text_to_number(&port, text_from(text, 1)) == 0 &&
	       port <= UINT16_MAX;
}

/* "192.0.2.1", "192.0.2.1:80", "2001:db8::1", "[2001:db8::1]" or "[2001:db8::1]:80". */
static int parse_entry(struct network *address, struct text entry)
{
	bool bracketed = entry.bytes[0] == '[';
	size_t colon = text_find(entry, ':');
	struct text host = entry, port = { 0 };

	if (bracketed) {
		host = text_from(text_first(entry, text_find(entry, ']')), 1);
		if (host.length + 1 == entry.length || text_find(host, ':') == host.length)
			return -EINVAL;
		port = text_from(entry, host.length + 2);
	} else if (text_find(text_from(entry, colon + 1), ':') + colon + 1 >= entry.length) {
		/* At most one colon: what follows it is a port. */
		host = text_first(entry, colon);
		port = text_from(entry, colon);
	}
	return is_port(port) ? network_parse_address(address, host) : -EINVAL;
}

void proxies_find_client(const struct proxies *proxies, const struct request *request,
	struct sockaddr_storage *address)
{
	struct network client = network_of_address(address);
	struct walk walk = { .request = request, .field_count = request->field_count };
	struct text entry;
	bool moved = false;

	while (network_is_in(&client, proxies->networks, proxies->count) &&
		take_last_entry(&entry, &walk)) {
		if (parse_entry(&client, entry) < 0)
			client = (struct network){ .family = AF_UNSPEC };
		moved = true;
	}
	if (moved)
		network_to_address(address, &client);
}
