/* Hosts: what logs and pages call a peer.  An IPv4 address that came over a socket of both families
 * is written as what it is, so that a client has one name whichever listener it came by. */
#include "base/host.h"

#include <arpa/inet.h>
#include <netinet/in.h>

static void append_ipv6(struct buffer *buffer, const struct in6_addr *host)
{
	char string[INET6_ADDRSTRLEN];

	if (IN6_IS_ADDR_V4MAPPED(host))
		inet_ntop(AF_INET, &host->s6_addr[12], string, sizeof(string));
	else
		inet_ntop(AF_INET6, host, string, sizeof(string));
	buffer_append_string(buffer, string);
}

void host_append(struct buffer *buffer, const struct sockaddr_storage *storage)
{
	const struct sockaddr_in *ipv4 = (const struct sockaddr_in *)storage;
	const struct sockaddr_in6 *ipv6 = (const struct sockaddr_in6 *)storage;
	char string[INET_ADDRSTRLEN];

	switch (storage->ss_family) {
	case AF_INET:
		inet_ntop(AF_INET, &ipv4->sin_addr, string, sizeof(string));
		buffer_append_string(buffer, string);
		return;
	case AF_INET6:
		append_ipv6(buffer, &ipv6->sin6_addr);
		return;
	case AF_UNIX:
		buffer_append_string(buffer, "unix:");
		return;
	default:
		buffer_append_byte(buffer, '-');
	}
}
