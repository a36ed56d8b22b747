/* X-Forwarded-For; each line of the input is one field. The client is the peer, or an entry to
 * whose right every address is trusted, whatever is to its left. */
#include "fuzz.h"

#include "http/network.h"
#include "http/proxies.h"

static const struct setting TABLE[] = {
	{ .name = "trusted_proxies", .type = SETTING_STRINGS, .fallback = "{}" },
	{ 0 },
};

static struct proxies *trust_loopback(void)
{
	struct section *section = section_new(NULL, NULL, TABLE, NULL);
	struct setting_value *value = section_add_value(section, &TABLE[0], 1);
	struct proxies *proxies;

	setting_value_add_string(value, text_literal("127.0.0.0/8"));
	setting_value_add_string(value, text_literal("::1"));
	assert(section_complete(section) == 0);
	assert(proxies_new(&proxies, section) == 0);
	section_free(section);
	return proxies;
}

static void split_lines(struct request *request, struct text text)
{
	request_init(request);
	while (text.length > 0 && request->field_count < REQUEST_FIELDS_MAX) {
		size_t length = text_find(text, '\n');

		request->fields[request->field_count++] =
			(struct field){ text_literal("X-Forwarded-For"),
				text_trim(text_first(text, length)) };
		text = text_from(text, length + 1);
	}
}

static struct network find_client(
	const struct proxies *proxies, const struct request *request, const struct network *peer)
{
	struct sockaddr_storage address;

	network_to_address(&address, peer);
	proxies_find_client(proxies, request, &address);
	return network_of_address(&address);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static struct request request;
	static const struct network STRANGER = { AF_INET, 32, { 198, 51, 100, 1 } };
	static const struct network PEER = { AF_INET, 32, { 127, 0, 0, 1 } };
	struct text text = { (const char *)bytes, length };
	struct proxies *proxies = trust_loopback();
	struct network client, again;

	split_lines(&request, text);
	client = find_client(proxies, &request, &STRANGER);
	assert(memcmp(&client, &STRANGER, sizeof(client)) == 0);
	client = find_client(proxies, &request, &PEER);
	assert(client.family == AF_INET || client.family == AF_INET6 || client.family == AF_UNSPEC);
	assert(client.bits == (client.family == AF_INET           ? 32
				      : client.family == AF_INET6 ? 128
								  : 0));

	/* A further proxy that names it: from there on the walk is the same. */
	if (request.field_count < REQUEST_FIELDS_MAX) {
		bool is_peer = memcmp(&client, &PEER, sizeof(client)) == 0;

		request.fields[request.field_count++] =
			(struct field){ text_literal("x-forwarded-for"), text_literal("[::1]:1") };
		again = find_client(proxies, &request, &PEER);
		assert(is_peer || memcmp(&again, &client, sizeof(again)) == 0);
		request.fields[request.field_count - 1].value =
			text_literal("192.0.2.8, 127.0.0.3");
		again = find_client(proxies, &request, &PEER);
		assert(again.family == AF_INET && again.bytes[3] == 8);
	}
	proxies_free(proxies);
	return 0;
}
