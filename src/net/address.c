/* Parsing and formatting addresses.
 *
 * Hosts are numeric: resolving a name would block the start, and the result could change.  Logs and
 * the ready line use the form of the configuration, so that an address can be copied from one to
 * the other. */
#include "net/address.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/un.h>

#include "base/host.h"

static const char UNIX_PREFIX[] = "unix:";

static int parse_unix(struct address *address, struct text path, const char **expected)
{
	struct sockaddr_un *un = (struct sockaddr_un *)&address->storage;

	if (path.length == 0 || path.length >= sizeof(un->sun_path)) {
		*expected = "unix: and a path of 1 to 107 bytes";
		return -EINVAL;
	}
	un->sun_family = AF_UNIX;
	memcpy(un->sun_path, path.bytes, path.length);
	address->size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.length + 1);
	return 0;
}

static int parse_port(in_port_t *port, struct text digits, const char **expected)
{
	uint64_t number;

	if (text_to_number(&number, digits) < 0 || number > 65535) {
		*expected = "a port from 0 (any free one) to 65535 after the last colon";
		return -EINVAL;
	}
	*port = htons((uint16_t)number);
	return 0;
}

static int parse_host(
	struct address *address, struct text host, in_port_t port, const char **expected)
{
	struct sockaddr_in *ipv4 = (struct sockaddr_in *)&address->storage;
	struct sockaddr_in6 *ipv6 = (struct sockaddr_in6 *)&address->storage;
	char string[INET6_ADDRSTRLEN] = "";
	bool bracketed =
		host.length >= 2 && host.bytes[0] == '[' && host.bytes[host.length - 1] == ']';

	if (bracketed)
		host = text_from(text_first(host, host.length - 1), 1);
	else if (host.length == 0 || text_equal(host, text_literal("*")))
		return parse_host(address, text_literal("[::]"), port, expected);
	if (host.length == 0 || host.length >= sizeof(string))
		return -EINVAL;
	memcpy(string, host.bytes, host.length);
	if (!bracketed && inet_pton(AF_INET, string, &ipv4->sin_addr) == 1) {
		ipv4->sin_family = AF_INET;
		ipv4->sin_port = port;
		address->size = sizeof(*ipv4);
		return 0;
	}
	if (!bracketed || inet_pton(AF_INET6, string, &ipv6->sin6_addr) != 1)
		return -EINVAL;
	if (IN6_IS_ADDR_V4MAPPED(&ipv6->sin6_addr)) {
		*expected = "the IPv4 address itself, as in \"127.0.0.1:8080\"";
		return -EINVAL;
	}
	ipv6->sin6_family = AF_INET6;
	ipv6->sin6_port = port;
	address->size = sizeof(*ipv6);
	address->dual = IN6_IS_ADDR_UNSPECIFIED(&ipv6->sin6_addr);
	return 0;
}

static int parse_internet(struct address *address, struct text name, const char **expected)
{
	size_t colon = name.length;
	in_port_t port;
	int r;

	*expected = "\"127.0.0.1:8080\", \"[::1]:8080\", \":8080\", \"localhost:8080\" or "
		    "\"unix:path\"";
	while (colon > 0 && name.bytes[colon - 1] != ':')
		colon--;
	if (colon == 0)
		return -EINVAL;
	r = parse_port(&port, text_from(name, colon), expected);
	return r < 0 ? r : parse_host(address, text_first(name, colon - 1), port, expected);
}

int address_parse(struct address *address, struct text name, const char **expected)
{
	struct address parsed = { .size = 0 };
	struct text prefix = text_literal(UNIX_PREFIX);
	int r;

	if (name.length >= sizeof(parsed.name) || text_find(name, '\0') < name.length) {
		*expected = "an address shorter than 128 bytes";
		return -EINVAL;
	}
	if (text_starts_with(name, prefix))
		r = parse_unix(&parsed, text_from(name, prefix.length), expected);
	else
		r = parse_internet(&parsed, name, expected);
	if (r < 0)
		return r;
	memcpy(parsed.name, name.bytes, name.length);
	*address = parsed;
	return 0;
}

int address_parse_all(struct address *addresses, struct text name, const char **expected)
{
	static const char *const loopbacks[] = { "127.0.0.1", "[::1]" };
	struct text prefix = text_literal("localhost:");
	int r = 0;

	if (!text_starts_with(name, prefix)) {
		r = address_parse(addresses, name, expected);
		return r < 0 ? r : 1;
	}
	for (size_t i = 0; r == 0 && i < ADDRESSES_MAX; i++) {
		char memory[ADDRESS_NAME_LENGTH_MAX];
		struct buffer loopback;

		buffer_init(&loopback, memory, sizeof(memory));
		buffer_append_string(&loopback, loopbacks[i]);
		buffer_append(&loopback, text_from(name, prefix.length - 1));
		r = address_parse(&addresses[i], buffer_text(&loopback), expected);
	}
	return r < 0 ? r : ADDRESSES_MAX;
}

static bool is_any(const struct sockaddr_storage *storage)
{
	if (storage->ss_family == AF_INET)
		return ((const struct sockaddr_in *)storage)->sin_addr.s_addr == INADDR_ANY;
	return IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)storage)->sin6_addr);
}

bool address_overlaps(const struct address *a, const struct address *b)
{
	bool is_same_family = a->storage.ss_family == b->storage.ss_family;
	bool is_same = is_same_family && a->size == b->size &&
		       memcmp(&a->storage, &b->storage, a->size) == 0;

	if (a->storage.ss_family == AF_UNIX || b->storage.ss_family == AF_UNIX)
		return is_same;
	if (address_port(&a->storage) == 0 ||
		address_port(&a->storage) != address_port(&b->storage))
		return false;
	if (!is_same_family)
		return a->dual || b->dual;
	return is_same || is_any(&a->storage) || is_any(&b->storage);
}

void address_append(struct buffer *buffer, const struct sockaddr_storage *storage)
{
	const struct sockaddr_un *un = (const struct sockaddr_un *)storage;
	const struct sockaddr_in6 *ipv6 = (const struct sockaddr_in6 *)storage;
	bool bracketed = storage->ss_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&ipv6->sin6_addr);

	if (bracketed)
		buffer_append_byte(buffer, '[');
	host_append(buffer, storage);
	if (bracketed)
		buffer_append_byte(buffer, ']');
	if (storage->ss_family == AF_UNIX) {
		buffer_append(buffer,
			(struct text){ un->sun_path, strnlen(un->sun_path, sizeof(un->sun_path)) });
	} else {
		buffer_append_byte(buffer, ':');
		buffer_append_number(buffer, address_port(storage));
	}
}

unsigned address_port(const struct sockaddr_storage *storage)
{
	switch (storage->ss_family) {
	case AF_INET:
		return ntohs(((const struct sockaddr_in *)storage)->sin_port);
	case AF_INET6:
		return ntohs(((const struct sockaddr_in6 *)storage)->sin6_port);
	default:
		return 0;
	}
}
