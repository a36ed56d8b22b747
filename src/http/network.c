/* Networks: bytes and a count of bits, compared bytewise and at the end by a shift. */
#include "http/network.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <string.h>

#include "base/buffer.h"

enum { IPV4_BITS = 32, IPV6_BITS = 128, MAPPED_BITS = IPV6_BITS - IPV4_BITS };

static bool is_mapped(const struct network *network)
{
	static const unsigned char PREFIX[MAPPED_BITS / 8] = { [10] = 0xff, [11] = 0xff };

	return network->family == AF_INET6 && network->bits >= MAPPED_BITS &&
	       memcmp(network->bytes, PREFIX, sizeof(PREFIX)) == 0;
}

/* ::ffff:10.0.0.0/104 is 10.0.0.0/8. */
static void unmap(struct network *network)
{
	struct network ipv4 = { .family = AF_INET };

	if (!is_mapped(network))
		return;
	ipv4.bits = network->bits - MAPPED_BITS;
	memcpy(ipv4.bytes, network->bytes + MAPPED_BITS / 8, IPV4_BITS / 8);
	*network = ipv4;
}

/* As written, not yet unmapped. */
static int read_address(struct network *network, struct text text)
{
	char host[INET6_ADDRSTRLEN];
	bool is_ipv6 = text_find(text, ':') < text.length;

	*network = (struct network){ .family = is_ipv6 ? AF_INET6 : AF_INET };
	if (text.length >= sizeof(host) || text_find(text, '\0') < text.length)
		return -EINVAL;
	memcpy(host, text.bytes, text.length);
	host[text.length] = '\0';
	if (inet_pton(network->family, host, network->bytes) != 1)
		return -EINVAL;
	network->bits = is_ipv6 ? IPV6_BITS : IPV4_BITS;
	return 0;
}

int network_parse_address(struct network *network, struct text text)
{
	int r = read_address(network, text);

	if (r == 0)
		unmap(network);
	return r;
}

static int parse_numeric(struct network *network, struct text text)
{
	size_t slash = text_find(text, '/');
	int r = read_address(network, text_first(text, slash));
	uint64_t bits;

	if (r < 0)
		return r;
	if (slash < text.length) {
		if (text_to_number(&bits, text_from(text, slash + 1)) < 0 || bits > network->bits)
			return -EINVAL;
		network->bits = (unsigned)bits;
	}
	unmap(network);
	return 0;
}

int network_parse(struct network *network, struct text text)
{
	*network = (struct network){ .family = AF_UNSPEC };
	if (text_equal(text, text_literal("all")))
		return 0;
	if (!text_equal(text, text_literal("unix:")))
		return parse_numeric(network, text);
	network->family = AF_UNIX;
	return 0;
}

const char *network_check(const char *const *strings, size_t count, size_t *wrong)
{
	for (size_t i = 0; i < count; i++) {
		struct network network;

		if (network_parse(&network, text_of(strings[i])) < 0) {
			*wrong = i;
			return "is no network";
		}
	}
	return NULL;
}

void network_parse_list(struct network *networks, const char *const *strings, size_t count)
{
	for (size_t i = 0; i < count; i++)
		(void)network_parse(&networks[i], text_of(strings[i])); /* checked when loaded */
}

struct network network_of_address(const struct sockaddr_storage *address)
{
	const struct sockaddr_in *in = (const struct sockaddr_in *)address;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)address;
	struct network network = { .family = address->ss_family };

	if (address->ss_family == AF_INET) {
		network.bits = IPV4_BITS;
		memcpy(network.bytes, &in->sin_addr, IPV4_BITS / 8);
	} else if (address->ss_family == AF_INET6) {
		network.bits = IPV6_BITS;
		memcpy(network.bytes, &in6->sin6_addr, IPV6_BITS / 8);
		unmap(&network);
	}
	return network;
}

void network_to_address(struct sockaddr_storage *address, const struct network *network)
{
	struct sockaddr_in *in = (struct sockaddr_in *)address;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)address;

	*address = (struct sockaddr_storage){ .ss_family = network->family };
	if (network->family == AF_INET)
		memcpy(&in->sin_addr, network->bytes, IPV4_BITS / 8);
	else if (network->family == AF_INET6)
		memcpy(&in6->sin6_addr, network->bytes, IPV6_BITS / 8);
}

static bool first_bits_are_equal(const unsigned char *a, const unsigned char *b, unsigned bits)
{
	unsigned rest = bits % 8;

	if (memcmp(a, b, bits / 8) != 0)
		return false;
	return rest == 0 || (a[bits / 8] ^ b[bits / 8]) >> (8 - rest) == 0;
}

bool network_is_in(
	const struct network *address, const struct network *networks, size_t network_count)
{
	for (size_t i = 0; i < network_count; i++) {
		const struct network *network = &networks[i];

		if (network->family == AF_UNSPEC)
			return true;
		if (network->family == address->family &&
			first_bits_are_equal(network->bytes, address->bytes, network->bits))
			return true;
	}
	return false;
}
