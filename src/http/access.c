/* The guard of a location: two lists of networks, one array, made when the location is. */
#include "http/access.h"

#include <errno.h>
#include <stdlib.h>

struct access {
	bool local;
	size_t allow_count, deny_count;
	struct network networks[]; /* first those allowed, then those denied */
};

/* --- settings ------------------------------------------------------------------------------ */

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
	network_parse_list(made->networks, allow, allow_count);
	network_parse_list(made->networks + allow_count, deny, deny_count);
	*access = made;
	return 0;
}

void access_free(struct access *access)
{
	free(access);
}

/* --- the guard ----------------------------------------------------------------------------- */

static bool is_local(const struct network *client)
{
	static const struct network local[] = {
		{ .family = AF_UNIX },
		{ .family = AF_INET, .bits = 8, .bytes = { 127 } },
		{ .family = AF_INET6, .bits = 128, .bytes = { [15] = 1 } },
	};

	return network_is_in(client, local, sizeof(local) / sizeof(local[0]));
}

static bool came_through_proxy(const struct request *request)
{
	return request_field(request, text_literal("Forwarded")) ||
	       request_field(request, text_literal("X-Forwarded-For")) ||
	       request_field(request, text_literal("Via"));
}

struct access_client access_client_of(struct exchange *exchange)
{
	struct sockaddr_storage address;

	exchange_client_address(exchange, &address);
	return (struct access_client){
		.address = network_of_address(&address),
		.came_through_proxy = came_through_proxy(&exchange->request),
	};
}

bool access_permits(const struct access *access, const struct access_client *client)
{
	const struct network *address = &client->address;

	if (access->deny_count > 0 && address->family == AF_UNSPEC)
		return false;
	if (network_is_in(address, access->networks + access->allow_count, access->deny_count))
		return false;
	if (access->local)
		return is_local(address) && !client->came_through_proxy;
	return access->allow_count == 0 ||
	       network_is_in(address, access->networks, access->allow_count);
}
