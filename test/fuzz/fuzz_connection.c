/* A whole connection on the simulated kernel. Whatever a client sends, and however it is cut: no
 * empty cell of the tables is reached, nothing is left behind, and the answers are the same bytes.
 *
 * The first byte of the input is the seed of the simulation, which cuts transfers short and ends
 * ops late. A byte 0x01 is not sent; it ends what is sent together. */
#include "fuzz.h"

#include "base/buffer.h"
#include "base/log.h"
#include "http/gather.h"
#include "http1/service.h"
#include "simulated/simulated.h"

enum {
	TURNS_MAX = 100000,
	QUIET_TURNS = 60, /* turns without a byte: nothing more comes */
	BODY_LENGTH_MAX = 1000,
	ANSWERS_SIZE = 1 << 22,
};

#define SECOND UINT64_C(1000000000)

static const struct http1_options OPTIONS = {
	.header_bytes = 1024,
	.body_bytes = 100000,
	.keep_alive_requests = 50,
	.header_timeout_ns = 10 * SECOND,
	.body_timeout_ns = 30 * SECOND,
	.idle_timeout_ns = 75 * SECOND,
	.send_timeout_ns = 60 * SECOND,
	.keep_alive = true,
	.server_field = true,
};

struct world {
	struct proactor *proactor;
	struct router router;
	struct stream_service streams;
	struct http1_service service;
	struct simulated_client *client;
};

/* --- endpoints: one that leaves bodies unread, one that sends them back ---------------------- */

static void handle_ping(void *state, struct exchange *exchange)
{
	(void)state;
	exchange_answer_bytes(exchange, 200, text_literal("text/plain"), text_literal("pong"));
}

static void body_gathered(struct gather *gather, unsigned status)
{
	struct exchange *exchange = gather->exchange;

	if (status == 0) {
		gather_answer(gather, 200, text_literal("text/plain"));
		return;
	}
	gather_free(gather);
	exchange_answer_error(exchange, status);
}

static void handle_body(void *state, struct exchange *exchange)
{
	struct gather *gather = gather_new(exchange, state);

	assert(gather);
	gather_receive(gather, BODY_LENGTH_MAX, body_gathered);
}

static const struct endpoint PING = { .name = "ping", .methods = 3, .handle = handle_ping };
static const struct endpoint BODY = { .name = "body", .methods = 0xff, .handle = handle_body };

/* --- the world ------------------------------------------------------------------------------ */

static void open_world(struct world *world, uint64_t seed)
{
	const struct simulated_options options = { .seed = seed };
	struct site *site;
	int fd, r;

	r = simulated_open(&world->proactor, &options);
	assert(r == 0);
	router_init(&world->router);
	site = router_add_site(&world->router, text_literal("*"));
	router_add_location(site, text_literal("/ping"), &PING, NULL);
	router_add_location(site, text_literal("/body"), &BODY, NULL);
	stream_service_open(&world->streams, world->proactor, 0);
	http1_service_open(&world->service, &world->streams, &world->router, &OPTIONS);
	world->client = simulated_connect_pair(world->proactor, &fd);
	http1_service_accept(&world->service, fd, false);
}

/* The client leaves, and everything must end by itself. */
static void close_world(struct world *world)
{
	simulated_client_close(world->client);
	for (int i = 0; i < TURNS_MAX && world->service.wire.connection_count > 0; i++)
		proactor_turn(world->proactor, SECOND);
	for (int i = 0; i < TURNS_MAX && proactor_active_count(world->proactor) > 0; i++)
		proactor_turn(world->proactor, SECOND);
	assert(world->service.wire.connection_count == 0);
	assert(world->service.active_pool.taken_count == 0);
	assert(world->service.kept_pool.taken_count == 0);
	http1_service_close(&world->service);
	router_reset(&world->router);
	gather_trim();
	assert(proactor_active_count(world->proactor) == 0);
	proactor_free(world->proactor);
}

/* Runs until nothing more comes; no time passes. */
static void settle(struct world *world)
{
	size_t length = 0;

	for (int quiet = 0; quiet < QUIET_TURNS; quiet++) {
		proactor_turn(world->proactor, 0);
		if (simulated_client_received(world->client).length > length)
			quiet = 0;
		length = simulated_client_received(world->client).length;
	}
}

/* --- one client ----------------------------------------------------------------------------- */

static void send_in_parts(struct world *world, struct text input, bool cut)
{
	while (input.length > 0) {
		struct text part = text_first(input, text_find(input, '\1'));

		if (part.length > 0)
			simulated_client_send(world->client, part);
		if (cut)
			settle(world);
		input = text_from(input, part.length + 1);
	}
}

/* Everything that the client received, in the caller's memory. */
static void converse(struct buffer *answers, struct text input, uint64_t seed, bool cut)
{
	struct world world = { 0 };

	open_world(&world, seed);
	send_in_parts(&world, input, cut);
	settle(&world);
	buffer_append(answers, simulated_client_received(world.client));
	assert(!answers->truncated);
	close_world(&world);
}

/* Whether "100 Continue" is sent, and what may follow, depends on when the body arrives. */
static bool has_expectation(struct text input)
{
	while (input.length >= 6) {
		if (text_equal_ignoring_case(text_first(input, 6), text_literal("expect")))
			return true;
		input = text_from(input, 1);
	}
	return false;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	static char whole_memory[ANSWERS_SIZE], cut_memory[ANSWERS_SIZE];
	struct text input = text_from((struct text){ (const char *)bytes, length }, 1);
	uint64_t seed = length > 0 ? bytes[0] : 0;
	struct buffer whole, cut;

	log_set_level(LOG_LEVEL_ERROR);
	buffer_init(&whole, whole_memory, sizeof(whole_memory));
	buffer_init(&cut, cut_memory, sizeof(cut_memory));
	converse(&whole, input, 0, false);
	converse(&cut, input, seed, true);
	assert(whole.length == 0 ||
		text_starts_with(buffer_text(&whole), text_literal("HTTP/1.1 ")));
	if (!has_expectation(input))
		assert(text_equal(buffer_text(&whole), buffer_text(&cut)));
	return 0;
}
