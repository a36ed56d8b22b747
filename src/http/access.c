/* Networks, and whether an address lies in one: of the same family, with the same first bits.  An
 * IPv4 address that came to an IPv6 socket (::ffff:10.0.0.1) is the IPv4 address. */
#include "http/access.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

struct network {
	sa_family_t family; /* AF_UNSPEC: everybody; AF_UNIX; AF_INET; AF_INET6 */
	unsigned bits;      /* that count, of `bytes` */
	unsigned char bytes[16];
};

struct access {
	bool local;
	size_t allow_count, deny_count;
	struct network networks[]; /* first those allowed, then those denied */
};

/* --- settings ------------------------------------------------------------------------------ */

static int parse_bits(unsigned *bits, struct text text, unsigned bits_max)
{
	uint64_t number;

	if (text_to_number(&number, text) < 0 || number > bits_max)
		return -EINVAL;
	*bits = (unsigned)number;
	return 0;
}

/* "10.0.0.0/8", "::1", without a length all bits. */
static int parse_address(struct network *network, struct text text)
{
	size_t slash = text_find(text, '/');
	char host[INET6_ADDRSTRLEN];
	struct buffer buffer;
	unsigned bits_max;

	buffer_init(&buffer, host, sizeof(host) - 1);
	buffer_append(&buffer, text_first(text, slash));
	host[buffer.length] = '\0';
	if (buffer.truncated)
		return -EINVAL;
	network->family = text_find(text, ':') < text.length ? AF_INET6 : AF_INET;
	if (inet_pton(network->family, host, network->bytes) != 1)
		return -EINVAL;
	bits_max = network->family == AF_INET6 ? 128 : 32;
	network->bits = bits_max;
	return slash == text.length
		       ? 0
		       : parse_bits(&network->bits, text_from(text, slash + 1), bits_max);
}

static int parse_network(struct network *network, struct text text)
{
	*network = (struct network){ .family = AF_UNSPEC };
	if (text_equal(text, text_literal("all")))
		return 0;
	if (!text_equal(text, text_literal("unix:")))
		return parse_address(network, text);
	network->family = AF_UNIX;
	return 0;
}

const char *access_check(const char *const *strings, size_t count, size_t *wrong)
{
	for (size_t i = 0; i < count; i++) {
		struct network network;

		if (parse_network(&network, text_of(strings[i])) < 0) {
			*wrong = i;
			return "is no network";
		}
	}
	return NULL;
}

static void parse_list(struct network *networks, const char *const *strings, size_t count)
{
	for (size_t i = 0; i < count; i++)
		(void)parse_network(&networks[i], text_of(strings[i])); /* checked when loaded */
}

int access_new(struct access **access, const struct section *location, bool local)
{
	size_t allow_count, deny_count;
	const char *const *allow = section_strings(location, "allow", &allow_count);
	const char *const *deny = section_strings(location, "deny", &deny_count);
	struct access *made;

	*access = NULL;
	if (allow_count > 0)
		local = false;
	if (!local && allow_count + deny_count == 0)
		return 0;
	made = calloc(1, sizeof(*made) + (allow_count + deny_count) * sizeof(struct network));
	if (!made)
		return -ENOMEM;
	made->local = local;
	made->allow_count = allow_count;
	made->deny_count = deny_count;
	parse_list(made->networks, allow, allow_count);
	parse_list(made->networks + allow_count, deny, deny_count);
	*access = made;
	return 0;
}

void access_free(struct access *access)
{
	free(access);
}

/* --- the guard ----------------------------------------------------------------------------- */

/* The client's address as a network of one; AF_UNSPEC when it is not known. */
static struct network client_of(struct exchange *exchange)
{
	struct sockaddr_storage peer;
	const struct sockaddr_in *in = (const struct sockaddr_in *)&peer;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)&peer;
	struct network client = { .family = AF_UNSPEC };

	exchange_peer_address(exchange, &peer);
	client.family = peer.ss_family;
	if (peer.ss_family == AF_INET) {
		memcpy(client.bytes, &in->sin_addr, 4);
	} else if (peer.ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr)) {
		client.family = AF_INET;
		memcpy(client.bytes, in6->sin6_addr.s6_addr + 12, 4);
	} else if (peer.ss_family == AF_INET6) {
		memcpy(client.bytes, &in6->sin6_addr, 16);
	}
	return client;
}

static bool first_bits_are_equal(const unsigned char *a, const unsigned char *b, unsigned bits)
{
	unsigned rest = bits % 8;

	if (memcmp(a, b, bits / 8) != 0)
		return false;
	return rest == 0 || (a[bits / 8] ^ b[bits / 8]) >> (8 - rest) == 0;
}

static bool is_in(const struct network *client, const struct network *networks, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		if (networks[i].family == AF_UNSPEC)
			return true;
		if (networks[i].family == client->family &&
			first_bits_are_equal(networks[i].bytes, client->bytes, networks[i].bits))
			return true;
	}
	return false;
}

static bool is_local(const struct network *client)
{
	static const struct network local[] = {
		{ .family = AF_UNIX },
		{ .family = AF_INET, .bits = 8, .bytes = { 127 } },
		{ .family = AF_INET6, .bits = 128, .bytes = { [15] = 1 } },
	};

	return is_in(client, local, sizeof(local) / sizeof(local[0]));
}

static bool came_through_proxy(const struct request *request)
{
	return request_field(request, text_literal("Forwarded")) ||
	       request_field(request, text_literal("X-Forwarded-For")) ||
	       request_field(request, text_literal("Via"));
}

bool access_permits(const struct access *access, struct exchange *exchange)
{
	struct network client = client_of(exchange);

	if (is_in(&client, access->networks + access->allow_count, access->deny_count))
		return false;
	if (access->local)
		return is_local(&client) && !came_through_proxy(&exchange->request);
	return access->allow_count == 0 || is_in(&client, access->networks, access->allow_count);
}
