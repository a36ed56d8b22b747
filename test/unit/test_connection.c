/* The HTTP/1 connection on the simulated backend: the tests visit every cell of both tables.
 *
 * Each test opens a world (a proactor, a router with the endpoints below, a service), lets clients
 * talk to it, and checks every byte that they get. The group runs with several seeds: with seed 0
 * everything happens at once and in order; with others, transfers are short and ops end late. The
 * last test asserts that no cell was left out. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#undef fail /* ours is base/log.h's */

#include "base/log.h"
#include "base/metrics.h"
#include "http1/connection.h"
#include "http1/service.h"
#include "simulated/simulated.h"

enum { TURNS_MAX = 20000 };

#define SECOND UINT64_C(1000000000)

static uint64_t seed;

struct world {
	struct proactor *proactor;
	struct router router;
	struct stream_service streams;
	struct http1_service service;
	unsigned finished_count, cut_count;
	uint64_t sent_length; /* of the last one that finished */
	unsigned cancelled_count;
};
static struct world world;

/* --- endpoints of the test ---------------------------------------------------------------- */

static void handle_ping(void *state, struct exchange *exchange)
{
	(void)state;
	exchange_answer_bytes(exchange, 200, text_literal("text/plain"), text_literal("pong"));
}

static const struct endpoint ping = { .name = "ping", .methods = 3, .handle = handle_ping };

/* /later: answers after 50 ms, or when cancelled. */
struct later {
	struct op timer;
	struct exchange *exchange;
};

static void later_done(struct proactor *proactor, struct op *op)
{
	(void)proactor;
	handle_ping(NULL, container_of(op, struct later, timer)->exchange);
}

static void handle_later(void *state, struct exchange *exchange)
{
	struct later *later = exchange_scratch(exchange, sizeof(*later));

	(void)state;
	later->exchange = exchange;
	op_init(&later->timer, later_done);
	proactor_timeout(exchange->proactor, &later->timer, SECOND / 20);
}

static void cancel_later(void *state, struct exchange *exchange)
{
	struct later *later = exchange_scratch(exchange, sizeof(*later));

	(void)state;
	world.cancelled_count++;
	proactor_cancel(exchange->proactor, &later->timer);
}

static const struct endpoint later_endpoint = {
	.name = "later", .methods = 3, .handle = handle_later, .cancelled = cancel_later
};

/* /body: counts the body and answers "LENGTH ERROR"; ?slow consumes 1000 bytes per millisecond,
 * ?idle nothing, and answers after a second; ?early answers at the first byte, ?never does not ask
 * for the body, ?small asks for 10 bytes. */
struct collector {
	struct body_sink sink;
	struct op timer;
	struct exchange *exchange;
	uint64_t length, unconsumed;
	int error;
	bool slow, idle, early, ended;
};

static void collector_answer(struct collector *collector)
{
	char memory[64];
	struct buffer buffer;

	if (op_is_active(&collector->timer) || collector->exchange->answered)
		return;
	buffer_init(&buffer, memory, sizeof(memory));
	buffer_append_format(
		&buffer, "%llu %d", (unsigned long long)collector->length, -collector->error);
	exchange_answer_bytes(collector->exchange, collector->error ? 400 : 200,
		text_literal("text/plain"),
		exchange_copy(collector->exchange, buffer_text(&buffer)));
}

static void collector_consume(struct proactor *proactor, struct op *op)
{
	struct collector *collector = container_of(op, struct collector, timer);
	size_t length = collector->unconsumed < 1000 ? collector->unconsumed : 1000;

	if (collector->idle) {
		collector_answer(collector);
		return;
	}
	collector->unconsumed -= length;
	exchange_consumed(collector->exchange, length);
	if (collector->unconsumed > 0 && !collector->ended && !op_is_active(op))
		proactor_timeout(proactor, op, SECOND / 1000);
	if (collector->ended)
		collector_answer(collector);
}

static void collector_received(struct body_sink *sink, struct text bytes)
{
	struct collector *collector = container_of(sink, struct collector, sink);

	collector->length += bytes.length;
	if (collector->early) {
		collector_answer(collector);
		return;
	}
	if (!collector->slow) {
		exchange_consumed(collector->exchange, bytes.length);
		return;
	}
	collector->unconsumed += bytes.length;
	if (!op_is_active(&collector->timer))
		proactor_timeout(collector->exchange->proactor, &collector->timer,
			collector->idle ? SECOND : SECOND / 1000);
}

static void collector_ended(struct body_sink *sink, int error)
{
	struct collector *collector = container_of(sink, struct collector, sink);

	collector->ended = true;
	collector->error = error;
	collector_answer(collector);
}

static void handle_body(void *state, struct exchange *exchange)
{
	struct collector *collector = exchange_scratch(exchange, sizeof(*collector));
	struct text query = exchange->request.query;

	(void)state;
	if (text_equal(query, text_literal("never"))) {
		handle_ping(NULL, exchange);
		return;
	}
	*collector = (struct collector){ .sink = { collector_received, collector_ended },
		.exchange = exchange };
	op_init(&collector->timer, collector_consume);
	collector->idle = text_equal(query, text_literal("idle"));
	collector->slow = collector->idle || text_equal(query, text_literal("slow"));
	collector->early = text_equal(query, text_literal("early"));
	exchange_receive(exchange, &collector->sink,
		text_equal(query, text_literal("small")) ? 10 : 1000000);
	if (text_equal(query, text_literal("twice")))
		handle_ping(NULL, exchange);
}

static void cancel_body(void *state, struct exchange *exchange)
{
	(void)state;
	(void)exchange;
	world.cancelled_count++;
}

static const struct endpoint body_endpoint = {
	.name = "body",
	.methods = 1u << METHOD_POST,
	.handle = handle_body,
	.cancelled = cancel_body,
};

/* /script?SCRIPT: a response body by letters: m a piece of memory, h one that all share, with room
 * for a head before it, f a piece of a file, F one of 2 MB, z an empty piece, l LATER (ready after
 * 10 ms), sl the same but soon, n LATER for ever, e an error, o want of memory; a leading digit n
 * announces n bytes, otherwise the length is unknown. */
struct script {
	struct body_source source;
	struct op timer;
	struct text rest;
	bool released;
	char letters[32];
};
static unsigned script_count;
static struct {
	struct headroom headroom;
	char bytes[4000];
} shared;
static int script_file;

static void script_free(struct script *script)
{
	if (!script->released || op_is_active(&script->timer))
		return;
	script_count--;
	free(script);
}

static void script_later_done(struct proactor *proactor, struct op *op)
{
	struct script *script = container_of(op, struct script, timer);

	(void)proactor;
	if (script->released)
		script_free(script);
	else
		script->source.ready(&script->source);
}

static int script_produce(struct body_source *source, struct body_piece *piece, size_t length_max)
{
	struct script *script = container_of(source, struct script, source);
	char letter = script->rest.length > 0 ? script->rest.bytes[0] : 'z';
	int outcome;

	assert_true(length_max >= 65536);
	script->rest = text_from(script->rest, 1);
	outcome = script->rest.length > 0 ? BODY_PIECE : BODY_LAST;
	switch (letter) {
	case 'm':
		piece->bytes = text_literal("memory");
		return outcome;
	case 'h':
		piece->bytes = (struct text){ shared.bytes, sizeof(shared.bytes) };
		piece->headroom = &shared.headroom;
		return outcome;
	case 'f':
		*piece = (struct body_piece){ .fd = script_file, .offset = 2, .length = 4 };
		return outcome;
	case 'F':
		*piece = (struct body_piece){ .fd = script_file, .length = 200000 };
		return outcome;
	case 's':
		piece->is_continued = true;
		script->rest = text_from(script->rest, 1);
		proactor_timeout(world.proactor, &script->timer, SECOND / 100);
		return BODY_LATER;
	case 'l':
		proactor_timeout(world.proactor, &script->timer, SECOND / 100);
		return BODY_LATER;
	case 'n':
		return BODY_LATER;
	case 'e':
		return -EIO;
	case 'o':
		return -ENOMEM;
	default:
		return outcome;
	}
}

static void script_release(struct body_source *source)
{
	struct script *script = container_of(source, struct script, source);

	assert_false(script->released);
	script->released = true;
	shared.headroom.user_count--;
	proactor_cancel(world.proactor, &script->timer);
	script_free(script);
}

static void handle_script(void *state, struct exchange *exchange)
{
	struct script *script = calloc(1, sizeof(*script));
	struct text query = exchange->request.query;
	int64_t length = -1;

	(void)state;
	script_count++;
	shared.headroom.user_count++;
	op_init(&script->timer, script_later_done);
	script->source.produce = script_produce;
	script->source.release = script_release;
	if (query.bytes[0] >= '0' && query.bytes[0] <= '9') {
		length = query.bytes[0] - '0';
		query = text_from(query, 1);
	}
	memcpy(script->letters, query.bytes, query.length);
	script->rest = (struct text){ script->letters, query.length };
	exchange_answer(exchange, 200, &script->source, length);
}

static const struct endpoint script_endpoint = {
	.name = "script", .methods = 3, .handle = handle_script
};

/* --- the world ---------------------------------------------------------------------------- */

static void count_finished(void *owner, const struct finished_exchange *record)
{
	(void)owner;
	world.finished_count++;
	world.cut_count += record->cut;
	world.sent_length = record->exchange->sent_length;
}

static const struct http1_options usual_options = {
	.header_bytes = 16384,
	.body_bytes = 1000000,
	.keep_alive_requests = 1000,
	.header_timeout_ns = 10 * SECOND,
	.body_timeout_ns = 30 * SECOND,
	.idle_timeout_ns = 75 * SECOND,
	.send_timeout_ns = 60 * SECOND,
	.keep_alive = true,
	.server_field = true,
};

static void world_open_with(const struct http1_options *options)
{
	static char contents[200000];
	struct site *site;

	memset(contents, 'x', sizeof(contents));
	memcpy(contents, "0123456789", 10);
	world = (struct world){ 0 };
	assert_int_equal(
		simulated_open(&world.proactor, &(struct simulated_options){ .seed = seed }), 0);
	simulated_make_file(world.proactor, "file", (struct text){ contents, sizeof(contents) });
	router_init(&world.router);
	site = router_add_site(&world.router, text_literal("*"));
	router_add_location(site, text_literal("/ping"), &ping, NULL);
	router_add_location(site, text_literal("/later"), &later_endpoint, NULL);
	router_add_location(site, text_literal("/body"), &body_endpoint, NULL);
	router_add_location(site, text_literal("/script"), &script_endpoint, NULL);
	stream_service_open(&world.streams, world.proactor, 0);
	http1_service_open(&world.service, &world.streams, &world.router, options);
	world.service.wire.finished = count_finished;
}

static void open_done(struct proactor *proactor, struct op *op)
{
	(void)proactor;
	script_file = (int)op->result;
}

static void world_open_file(void)
{
	static struct op op;
	int root = simulated_open_root(world.proactor);

	op_init(&op, open_done);
	proactor_open_file(
		world.proactor, &op, root, "file", &(struct open_how){ .flags = O_RDONLY });
	for (int i = 0; i < TURNS_MAX && op_is_active(&op); i++)
		proactor_turn(world.proactor, 0);
	assert_true(script_file >= 0);
}

static void world_open(void)
{
	world_open_with(&usual_options);
	world_open_file();
}

/* Nothing is left behind: no connection, no body source, no op. */
static void world_close(void)
{
	http1_service_stop(&world.service);
	for (int i = 0; i < TURNS_MAX && world.service.wire.connection_count > 0; i++)
		proactor_turn(world.proactor, SECOND / 10);
	for (int i = 0; i < TURNS_MAX && proactor_active_count(world.proactor) > 0; i++)
		proactor_turn(world.proactor, SECOND / 10);
	assert_int_equal(world.service.wire.connection_count, 0);
	assert_int_equal(script_count, 0);
	assert_int_equal(world.service.active_pool.taken_count, 0);
	assert_int_equal(world.service.kept_pool.taken_count, 0);
	http1_service_close(&world.service);
	router_reset(&world.router);
	assert_int_equal(proactor_active_count(world.proactor), 0);
	proactor_free(world.proactor);
}

static struct simulated_client *connect_client(void)
{
	int fd;
	struct simulated_client *client = simulated_connect_pair(world.proactor, &fd);

	http1_service_accept(&world.service, fd, false);
	return client;
}

static void send_string(struct simulated_client *client, const char *string)
{
	simulated_client_send(client, text_of(string));
}

/* Runs everything that can happen without time passing. */
static void turn_some(unsigned count)
{
	for (unsigned i = 0; i < count; i++)
		proactor_turn(world.proactor, 0);
}

static bool received_has(const struct simulated_client *client, const char *string)
{
	struct text received = simulated_client_received(client);

	return received.length > 0 &&
	       memmem(received.bytes, received.length, string, strlen(string)) != NULL;
}

/* Runs turns until the client has received `string`; time may pass, at most `wait_ns` per turn. */
static void await(struct simulated_client *client, const char *string, uint64_t wait_ns)
{
	for (int i = 0; i < TURNS_MAX && !received_has(client, string); i++)
		proactor_turn(world.proactor, wait_ns);
	if (!received_has(client, string)) {
		struct text received = simulated_client_received(client);

		print_error("seed %llu: \"%s\" was not received, but %zu bytes: %.*s\n",
			(unsigned long long)seed, string, received.length,
			received.length > 400 ? 400 : (int)received.length, received.bytes);
	}
	assert_true(received_has(client, string));
}

static void await_end(struct simulated_client *client, uint64_t wait_ns)
{
	for (int i = 0; i < TURNS_MAX && !simulated_client_saw_end(client) &&
			!simulated_client_saw_reset(client);
		i++)
		proactor_turn(world.proactor, wait_ns);
	assert_true(simulated_client_saw_end(client) || simulated_client_saw_reset(client));
}

static void await_gone(uint64_t wait_ns)
{
	for (int i = 0; i < TURNS_MAX && world.service.wire.connection_count > 0; i++)
		proactor_turn(world.proactor, wait_ns);
	assert_int_equal(world.service.wire.connection_count, 0);
}

static void forget(struct simulated_client *client)
{
	simulated_client_take(client, simulated_client_received(client).length);
}

static unsigned count_of(const struct simulated_client *client, const char *string)
{
	struct text received = simulated_client_received(client);
	unsigned count = 0;
	const char *found;

	while (received.length > 0 &&
		(found = memmem(received.bytes, received.length, string, strlen(string)))) {
		received = text_from(received, (size_t)(found - received.bytes) + strlen(string));
		count++;
	}
	return count;
}

static void await_count(struct simulated_client *client, const char *string, unsigned count)
{
	for (int i = 0; i < TURNS_MAX && count_of(client, string) < count; i++)
		proactor_turn(world.proactor, SECOND / 1000);
	assert_int_equal(count_of(client, string), count);
}

#define GET(target) "GET " target " HTTP/1.1\r\nHost: x\r\n\r\n"
#define PONG        "\r\n\r\npong"

/* Runs turns until the gauge says that a connection is in this state. */
static void await_gauge(enum metric gauge)
{
	for (int i = 0; i < TURNS_MAX && metrics->values[gauge] == 0; i++)
		proactor_turn(world.proactor, SECOND / 1000);
	assert_int_equal(metrics->values[gauge], 1);
}

/* --- requests and responses --------------------------------------------------------------- */

static void test_requests_follow_one_another(void **state)
{
	struct simulated_client *client;

	(void)state;
	world_open();
	client = connect_client();
	for (int i = 0; i < 3; i++) {
		send_string(client, GET("/ping"));
		await(client, PONG, 0);
		assert_true(received_has(client, "HTTP/1.1 200 OK\r\n"));
		assert_true(received_has(client, "Content-Length: 4\r\n"));
		assert_false(received_has(client, "Connection:"));
		forget(client);
	}
	assert_int_equal(world.finished_count, 3);
	assert_int_equal(world.service.active_pool.taken_count, 0);
	simulated_client_close(client);
	await_gone(0);
	world_close();
}

static void test_request_may_come_byte_by_byte(void **state)
{
	static const char request[] = GET("/ping");
	struct simulated_client *client;

	(void)state;
	world_open();
	client = connect_client();
	for (size_t i = 0; i < sizeof(request) - 1; i++) {
		simulated_client_send(client, (struct text){ request + i, 1 });
		turn_some(3);
	}
	await(client, PONG, 0);
	world_close();
}

static void test_pipelined_answers_leave_together(void **state)
{
	struct simulated_client *client;
	uint64_t sends;

	(void)state;
	world_open();
	client = connect_client();
	sends = metrics_sum(METRIC_SENDS);
	for (int i = 0; i < 12; i++)
		send_string(client, GET("/ping"));
	await_count(client, PONG, 12);
	if (seed == 0)
		assert_in_range(metrics_sum(METRIC_SENDS) - sends, 0, 2);
	world_close();
}

static void test_earlier_answers_do_not_wait_for_a_slow_one(void **state)
{
	struct simulated_client *client;

	(void)state;
	world_open();
	client = connect_client();
	send_string(client, GET("/ping") GET("/later") GET("/ping"));
	await(client, PONG, 0);
	assert_int_equal(count_of(client, PONG), 1);
	await_count(client, PONG, 3);
	world_close();
}

static void test_more_is_pipelined_than_may_be_kept(void **state)
{
	struct http1_options options = usual_options;
	struct simulated_client *client;

	(void)state;
	options.header_bytes = 1000;
	options.keep_alive_requests = 150;
	world_open_with(&options);
	client = connect_client();
	for (int i = 0; i < 1000; i++)
		send_string(client, GET("/later?a-query-to-make-the-request-longer"));
	await_count(client, PONG, 150);
	assert_true(received_has(client, "Connection: close\r\n"));
	world_close();
}

static void test_head_has_no_body(void **state)
{
	struct simulated_client *client;

	(void)state;
	world_open();
	client = connect_client();
	send_string(client, "HEAD /ping HTTP/1.1\r\nHost: x\r\n\r\n" GET("/nothing"));
	await(client, "404 Not Found\n", 0);
	assert_true(received_has(client, "Content-Length: 4\r\n"));
	assert_false(received_has(client, "pong"));
	world_close();
}

static void test_without_keep_alive_every_response_says_close(void **state)
{
	struct http1_options options = usual_options;
	struct simulated_client *client;

	(void)state;
	options.keep_alive = false;
	world_open_with(&options);
	client = connect_client();
	send_string(client, GET("/ping") GET("/ping"));
	await_end(client, 0);
	assert_true(received_has(client, "Connection: close\r\n"));
	assert_int_equal(count_of(client, PONG), 1);
	simulated_client_close(client);
	await_gone(0);
	world_close();
}

static void test_old_clients_are_told_keep_alive_or_close(void **state)
{
	struct simulated_client *client;

	(void)state;
	world_open();
	client = connect_client();
	send_string(client, "GET /ping HTTP/1.0\r\nConnection: keep-alive\r\n\r\n");
	await(client, PONG, 0);
	assert_true(received_has(client, "Connection: keep-alive\r\n"));
	forget(client);
	send_string(client, "GET /ping HTTP/1.0\r\n\r\n");
	await_end(client, 0);
	assert_true(received_has(client, "Connection: close\r\n"));
	world_close();
}

static void test_bad_head_is_refused_and_the_rest_dropped(void **state)
{
	struct simulated_client *client;

	(void)state;
	world_open();
	client = connect_client();
	send_string(client, "GET /ping HTTP/1.1\nHost: x\n\n" GET("/ping"));
	await(client, "400 Bad Request\n", 0);
	send_string(client, GET("/ping"));
	await_end(client, 0);
	assert_true(received_has(client, "Connection: close\r\n"));
	assert_false(received_has(client, PONG));
	simulated_client_end(client);
	await_gone(0);
	world_close();
}

static void test_long_head_is_refused(void **state)
{
	char line[1000];
	struct simulated_client *client;

	(void)state;
	world_open();
	client = connect_client();
	send_string(client, "GET /ping HTTP/1.1\r\nHost: x\r\n");
	memset(line, 'a', sizeof(line));
	memcpy(line, "X: ", 3);
	memcpy(line + sizeof(line) - 2, "\r\n", 2);
	for (int i = 0; i < 40; i++)
		simulated_client_send(client, (struct text){ line, sizeof(line) });
	await_end(client, SECOND);
	assert_true(received_has(client, "HTTP/1.1 431 "));
	world_close();
}

/* --- ends --------------------------------------------------------------------------------- */

static void test_half_closed_client_gets_its_answer(void **state)
{
	struct simulated_client *client;

	(void)state;
	world_open();
	client = connect_client();
	send_string(client, GET("/later"));
	simulated_client_end(client);
	await(client, PONG, SECOND);
	await_end(client, 0);
	await_gone(0);
	world_close();
}

static void test_client_that_ends_without_a_word_is_closed(void **state)
{
	struct simulated_client *client;

	(void)state;
	world_open();
	client = connect_client();
	simulated_client_end(client);
	await_gone(0);
	assert_int_equal(simulated_client_received(client).length, 0);
	world_close();
}

static void test_half_a_head_and_the_end_is_bad(void **state)
{
	struct simulated_client *client;

	(void)state;
	world_open();
	client = connect_client();
	send_string(client, "GET /ping HTTP/1.1\r\nHo");
	turn_some(50);
	simulated_client_end(client);
	await(client, "400 Bad Request\n", 0);
	await_gone(0);
	client = connect_client();
	send_string(client, GET("/later") "GET /pi");
	simulated_client_end(client);
	await(client, "400 Bad Request\n", SECOND);
	await_gone(0);
	world_close();
}

static void test_slow_head_is_answered_with_408(void **state)
{
	struct simulated_client *client;

	(void)state;
	world_open();
	client = connect_client();
	send_string(client, "GET /ping HTTP/1.1\r\nHo");
	await(client, "408 Request Timeout\n", SECOND);
	await_gone(SECOND);
	world_close();
}

/* 10 s, which no byte extends and no earlier silence shortens. */
static void test_head_has_its_time_from_its_first_byte(void **state)
{
	struct simulated_client *prompt, *slow;

	(void)state;
	world_open();
	prompt = connect_client();
	slow = connect_client();
	turn_some(20);
	simulated_advance(world.proactor, 9 * SECOND);
	send_string(prompt, "GET /ping HT");
	send_string(slow, "GET /ping HT");
	turn_some(20);
	simulated_advance(world.proactor, 9 * SECOND);
	send_string(prompt, "TP/1.1\r\nHost: x\r\n\r\n");
	send_string(slow, "TP/1.1\r\n");
	await(prompt, PONG, 0);
	turn_some(20);
	assert_int_equal(simulated_client_received(slow).length, 0);
	simulated_advance(world.proactor, 3 * SECOND);
	await(slow, "408 Request Timeout\n", 0);
	simulated_client_end(prompt);
	await_gone(SECOND);
	world_close();
}

static void test_idle_connection_is_closed_without_a_word(void **state)
{
	struct simulated_client *client;
	uint64_t begin;

	(void)state;
	world_open();
	client = connect_client();
	send_string(client, GET("/ping"));
	await(client, PONG, 0);
	forget(client);
	begin = proactor_now_ns(world.proactor);
	await_gone(SECOND);
	assert_in_range((proactor_now_ns(world.proactor) - begin) / SECOND, 75, 77);
	assert_int_equal(simulated_client_received(client).length, 0);
	world_close();
}

static void test_client_that_takes_nothing_is_closed(void **state)
{
	struct simulated_client *client;

	(void)state;
	world_open();
	client = connect_client();
	simulated_client_set_buffers(client, 1000);
	simulated_client_stop_reading(client);
	send_string(client, GET("/script?FFF"));
	await_gone(SECOND);
	assert_true(simulated_client_saw_reset(client));
	assert_int_equal(world.cut_count, 1);
	world_close();
}

/* The socket takes all of the answer at once, the client a little of it now and then. */
static void test_client_that_reads_slowly_is_neither_closed_nor_reset(void **state)
{
	static const char *const requests[] = { GET("/script?FmF"),
		"GET /script?FmF HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct simulated_client *client;

		world_open();
		client = connect_client();
		simulated_client_set_buffers(client, 1 << 20);
		simulated_client_stop_reading(client);
		send_string(client, requests[i]);
		turn_some(100);
		for (int j = 0; j < 40; j++) {
			simulated_advance(world.proactor, 59 * SECOND);
			turn_some(5);
			simulated_client_read(client, 5000);
			turn_some(20);
			if (i == 1)
				send_string(client, "a closed socket says reset to this");
		}
		simulated_client_start_reading(client);
		turn_some(50);
		assert_int_equal(world.cut_count, 0);
		assert_true(received_has(client, "\r\n0\r\n\r\n"));
		world_close();
	}
}

/* Its answer has left, but it reads nothing of it. */
static void test_client_that_acknowledges_nothing_is_reset(void **state)
{
	static const char *const requests[] = { GET("/script?F"),
		"GET /script?F HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n" };

	(void)state;
	for (size_t i = 0; i < 2; i++) {
		struct simulated_client *client;

		world_open();
		client = connect_client();
		simulated_client_set_buffers(client, 1 << 20);
		simulated_client_stop_reading(client);
		send_string(client, requests[i]);
		await_gone(SECOND);
		assert_int_equal(world.finished_count, 1);
		assert_true(simulated_client_saw_reset(client));
		world_close();
	}
}

/* What stands behind the first `mark`; without bytes where there is none. */
static struct text behind(struct text text, const char *mark)
{
	const char *found = memmem(text.bytes, text.length, mark, strlen(mark));

	if (!found)
		return (struct text){ NULL, 0 };
	return text_from(text, (size_t)(found - text.bytes) + strlen(mark));
}

/* The bytes of the body that a client received: behind the head, without chunk framing. */
static uint64_t body_length_of(struct text received)
{
	bool is_chunked = behind(received, "chunked").bytes;
	struct text rest = behind(received, "\r\n\r\n");
	uint64_t sum = 0;

	if (!is_chunked)
		return rest.length;
	while (rest.length > 0) {
		size_t length = strtoul(rest.bytes, NULL, 16);

		rest = behind(rest, "\r\n");
		sum += length < rest.length ? length : rest.length;
		rest = text_from(rest, length + 2 < rest.length ? length + 2 : rest.length);
	}
	return sum;
}

static void cut_response(const char *script, const char *version, size_t taken)
{
	uint64_t sent = metrics_sum(METRIC_BYTES_SENT);
	struct simulated_client *client;
	struct text received;
	char request[64];

	world_open();
	client = connect_client();
	simulated_client_set_buffers(client, taken);
	simulated_client_stop_reading(client);
	snprintf(request, sizeof(request), "GET /script?%s HTTP/%s\r\nHost: x\r\n\r\n", script,
		version);
	send_string(client, request);
	turn_some(50);
	http1_service_stop(&world.service);
	await_gone(0);
	simulated_client_start_reading(client);
	turn_some(20);
	received = simulated_client_received(client);
	assert_true(received.length > 0);
	assert_int_equal(world.cut_count, 1);
	assert_int_equal(metrics_sum(METRIC_BYTES_SENT) - sent, received.length);
	assert_int_equal(world.sent_length, body_length_of(received));
	world_close();
}

/* For a response that was cut (in its head, its memory, its files or their framing), the log and
 * the counters have the length that the client can have received. */
static void test_of_a_cut_response_what_has_left_is_recorded(void **state)
{
	static const char *const scripts[] = { "FF", "fF", "mF", "mfFm", "ffmmF" };

	(void)state;
	for (size_t i = 0; i < sizeof(scripts) / sizeof(scripts[0]); i++) {
		for (size_t taken = 80; taken < 250; taken += 3) {
			cut_response(scripts[i], "1.1", taken);
			cut_response(scripts[i], "1.0", taken);
		}
	}
}

static void test_slow_client_that_takes_something_is_served(void **state)
{
	struct simulated_client *client;

	(void)state;
	world_open();
	client = connect_client();
	simulated_client_set_buffers(client, 50000);
	send_string(client, GET("/script?FmF"));
	await(client, "HTTP/1.1 200 OK", 0);
	for (int i = 0; i < TURNS_MAX && world.finished_count == 0; i++) {
		simulated_client_stop_reading(client);
		simulated_advance(world.proactor, 10 * SECOND);
		turn_some(5);
		simulated_client_start_reading(client);
		turn_some(20);
	}
	assert_int_equal(world.finished_count, 1);
	assert_int_equal(world.cut_count, 0);
	world_close();
}

static void test_lingering_ends_by_its_timer(void **state)
{
	struct simulated_client *client;

	(void)state;
	world_open();
	client = connect_client();
	send_string(client, "GET /ping HTTP/1.1\r\n\r\n");
	await_end(client, 0);
	assert_int_equal(metrics->values[METRIC_OUTPUT_LINGERING], 1);
	send_string(client, "more than was asked for");
	turn_some(50);
	await_gone(SECOND);
	world_close();
}

static void expect_last_of(const char *request, unsigned lingering_count)
{
	struct simulated_client *client;

	world_open();
	client = connect_client();
	send_string(client, request);
	await_end(client, 0);
	turn_some(50);
	assert_int_equal(metrics->values[METRIC_OUTPUT_LINGERING], lingering_count);
	if (lingering_count == 0)
		await_gone(0);
	world_close();
}

/* RFC 9112 §9.6: it MUST NOT send further requests. */
static void test_a_client_that_said_close_is_not_waited_for(void **state)
{
	(void)state;
	expect_last_of("GET /ping HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n", 0);
	expect_last_of("GET /ping HTTP/1.0\r\n\r\n", 0);
	expect_last_of("HEAD /ping HTTP/1.0\r\n\r\n", 0);
}

/* A reset would destroy the response for a client that continues to send. */
static void test_a_client_that_may_send_on_is_waited_for(void **state)
{
	(void)state;
	expect_last_of("GET /ping HTTP/1.0\r\n\r\nand more", 1);
	expect_last_of("POST /body HTTP/1.0\r\nContent-Length: 5\r\n\r\nhello", 1);
	expect_last_of("GET /ping HTTP/1.1\r\nHost\r\n\r\n", 1);
}

/* --- request bodies ----------------------------------------------------------------------- */

static void test_counted_and_chunked_bodies_reach_the_endpoint(void **state)
{
	struct simulated_client *client;

	(void)state;
	world_open();
	client = connect_client();
	send_string(client, "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n\r\nhello"
			    "POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
			    "3\r\nabc\r\n4\r\ndefg\r\n0\r\n\r\n"
			    "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
	await(client, "\r\n\r\n5 0", 0);
	await(client, "\r\n\r\n7 0", 0);
	await(client, "\r\n\r\n0 0", 0);
	assert_int_equal(count_of(client, "HTTP/1.1 200 OK"), 3);
	world_close();
}

static void send_many(struct simulated_client *client, size_t length)
{
	static char bytes[10000];

	memset(bytes, 'b', sizeof(bytes));
	for (size_t i = 0; i < length; i += sizeof(bytes))
		simulated_client_send(client, (struct text){ bytes, sizeof(bytes) });
}

static void test_slow_endpoint_stalls_the_client_and_gets_all(void **state)
{
	struct simulated_client *client;

	(void)state;
	world_open();
	client = connect_client();
	send_string(
		client, "POST /body?slow HTTP/1.1\r\nHost: x\r\nContent-Length: 300000\r\n\r\n");
	send_many(client, 300000);
	await_gauge(METRIC_INPUT_STALLED);
	assert_true(simulated_client_unsent(client) > 0);
	await(client, "\r\n\r\n300000 0", SECOND / 100);
	send_string(client, GET("/ping"));
	await(client, PONG, 0);
	world_close();
}

static void test_body_may_be_consumed_while_more_comes_and_after_it_broke_off(void **state)
{
	static const char head[] =
		"POST /body?slow HTTP/1.1\r\nHost: x\r\nContent-Length: 8000\r\n\r\n";
	struct simulated_client *client;

	(void)state;
	world_open();
	client = connect_client();
	for (unsigned broken = 0; broken < 2; broken++) {
		send_string(client, head);
		for (unsigned i = 0; i < 5000; i++)
			send_string(client, "x");
		await_gauge(METRIC_INPUT_READING_BODY);
		if (broken)
			break;
		for (unsigned i = 0; i < 50; i++)
			proactor_turn(world.proactor, SECOND / 10000);
		for (unsigned i = 0; i < 3000; i++)
			send_string(client, "x");
		await(client, "\r\n\r\n8000 0", SECOND / 100);
		forget(client);
	}
	simulated_client_end(client);
	await(client, "\r\n\r\n5000 104", SECOND / 100);
	await_gone(SECOND);
	world_close();
}

/* While the request is held, 90,000 bytes overfill the window although receiving continues. */
static struct simulated_client *stall_while_receiving(const char *head)
{
	static struct http1_options options;
	struct simulated_client *client;

	options = usual_options;
	options.header_bytes = 200000;
	world_open_with(&options);
	client = connect_client();
	send_string(client, GET("/later"));
	send_string(client, head);
	send_many(client, 90000);
	while (simulated_client_unsent(client) > 0)
		proactor_turn(world.proactor, 0);
	turn_some(200);
	await_gauge(METRIC_INPUT_STALLED);
	return client;
}

static void test_stalled_client_may_send_more_and_end(void **state)
{
	struct simulated_client *client;

	(void)state;
	client = stall_while_receiving(
		"POST /body?slow HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\n");
	send_many(client, 10000);
	simulated_client_end(client);
	await(client, "\r\n\r\n100000 0", SECOND / 100);
	await_gone(SECOND);
	world_close();
	client = stall_while_receiving(
		"POST /body?slow HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n");
	simulated_client_end(client);
	await(client, "\r\n\r\n90000 0", SECOND / 100);
	await_gone(SECOND);
	world_close();
}

static void test_endpoint_may_answer_while_it_stalls_the_client(void **state)
{
	struct simulated_client *client;

	(void)state;
	world_open();
	client = connect_client();
	send_string(client, "POST /body?idle HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n");
	send_many(client, 90000);
	send_string(client, GET("/ping"));
	await(client, "\r\n\r\n65536 0", SECOND);
	await(client, PONG, SECOND / 1000);
	world_close();
}

static void test_body_longer_than_wanted_is_an_error(void **state)
{
	struct simulated_client *client;

	(void)state;
	world_open();
	client = connect_client();
	send_string(client,
		"POST /body?small HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nhello world");
	await(client, "\r\n\r\n0 90", 0);
	assert_true(received_has(client, "Connection: close"));
	client = connect_client();
	send_string(client,
		"POST /body?small HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
		"b\r\nhello world\r\n0\r\n\r\n");
	await(client, " 90", 0);
	await_end(client, 0);
	simulated_client_close(client);
	world_close();
}

static void test_malformed_chunk_is_an_error(void **state)
{
	struct simulated_client *client;

	(void)state;
	world_open();
	client = connect_client();
	send_string(client,
		"POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nxyz\r\n");
	await(client, "\r\n\r\n0 71", 0);
	await_end(client, 0);
	world_close();
}

static void test_body_cut_short_is_told_to_the_endpoint(void **state)
{
	struct simulated_client *client;

	(void)state;
	world_open();
	client = connect_client();
	send_string(client, "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhello");
	await_gauge(METRIC_INPUT_READING_BODY);
	turn_some(50);
	simulated_client_end(client);
	await(client, "\r\n\r\n5 104", 0);
	await_gone(0);
	/* The end came before the endpoint requested the body. */
	client = connect_client();
	send_string(client, GET("/later") "POST /body HTTP/1.1\r\nHost: x\r\n"
					  "Content-Length: 9\r\n\r\nhello");
	simulated_client_end(client);
	await(client, "\r\n\r\n5 104", SECOND);
	await_gone(SECOND);
	world_close();
}

static void test_body_that_does_not_come_times_out(void **state)
{
	struct simulated_client *client;

	(void)state;
	world_open();
	client = connect_client();
	send_string(client, "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhello");
	await(client, "\r\n\r\n5 110", SECOND);
	await_gone(SECOND);
	world_close();
}

/* Far more pieces in one receive than events can be posted. */
static void test_body_of_tiny_chunks_is_consumed_piece_by_piece(void **state)
{
	char request[8192] = "POST /body HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
	struct simulated_client *client;

	(void)state;
	for (int i = 0; i < 500; i++)
		strcat(request, "1\r\nx\r\n");
	strcat(request, "0\r\n\r\n");
	world_open();
	client = connect_client();
	send_string(client, request);
	await(client, "\r\n\r\n500 0", 0);
	world_close();
}

static void test_unwanted_body_is_discarded(void **state)
{
	struct simulated_client *client;

	(void)state;
	world_open();
	client = connect_client();
	send_string(
		client, "POST /body?never HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhello");
	await(client, PONG, 0);
	await_gauge(METRIC_INPUT_DISCARDING);
	forget(client);
	send_string(client, "1234" GET("/ping"));
	await(client, PONG, 0);
	world_close();
}

static void test_discarding_ends_with_client_timer_or_bound(void **state)
{
	static const char chunked[] = "POST /body?never HTTP/1.1\r\nHost: x\r\n"
				      "Transfer-Encoding: chunked\r\n\r\n";
	struct simulated_client *client;

	(void)state;
	world_open();
	client = connect_client();
	send_string(client, chunked);
	await_gauge(METRIC_INPUT_DISCARDING);
	turn_some(50);
	simulated_client_end(client);
	await_gone(0);
	client = connect_client();
	send_string(client, chunked);
	await_gauge(METRIC_INPUT_DISCARDING);
	await_gone(SECOND);
	client = connect_client();
	send_string(client, chunked);
	send_string(client, "20000\r\n");
	send_many(client, 130000);
	await_end(client, 0);
	simulated_client_end(client);
	await_gone(0);
	world_close();
}

/* Of tiny chunks the framing is most: it counts like content. */
static void test_framing_of_a_discarded_body_is_bounded(void **state)
{
	struct simulated_client *client;

	(void)state;
	world_open();
	client = connect_client();
	send_string(client, "POST /body?never HTTP/1.1\r\nHost: x\r\n"
			    "Transfer-Encoding: chunked\r\n\r\n");
	for (int i = 0; i < 20000; i++)
		send_string(client, "1\r\nx\r\n");
	await_end(client, 0);
	simulated_client_end(client);
	await_gone(0);
	world_close();
}

static void test_discarded_body_has_one_deadline_in_total(void **state)
{
	struct simulated_client *client;

	(void)state;
	world_open();
	client = connect_client();
	send_string(client, "POST /body?never HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n");
	await_gauge(METRIC_INPUT_DISCARDING);
	for (int i = 0; i < 4; i++) {
		send_string(client, "x");
		turn_some(20);
		simulated_advance(world.proactor, 10 * SECOND);
		turn_some(5);
	}
	await_gone(0);
	world_close();
}

/* RFC 9112 §9.6: who is still sending when that is known reads the whole answer. */
static void test_broken_unwanted_body_loses_no_answer(void **state)
{
	struct simulated_client *client;

	(void)state;
	world_open();
	client = connect_client();
	send_string(client, "POST /body?never HTTP/1.1\r\nHost: x\r\n"
			    "Transfer-Encoding: chunked\r\n\r\n3 \r\nabc\r\n");
	send_many(client, 100000);
	await_end(client, 0);
	assert_true(received_has(client, PONG));
	assert_true(simulated_client_saw_end(client));
	assert_false(simulated_client_saw_reset(client));
	simulated_client_end(client);
	await_gone(0);
	assert_false(simulated_client_saw_reset(client));
	world_close();
}

static void test_large_unwanted_body_ends_the_connection(void **state)
{
	struct simulated_client *client;

	(void)state;
	world_open();
	client = connect_client();
	send_string(
		client, "POST /body?never HTTP/1.1\r\nHost: x\r\nContent-Length: 900000\r\n\r\n");
	await_end(client, 0);
	assert_true(received_has(client, "Connection: close\r\n"));
	assert_true(received_has(client, PONG));
	world_close();
}

static void test_endpoint_may_answer_before_the_body_is_whole(void **state)
{
	struct simulated_client *client;

	(void)state;
	world_open();
	client = connect_client();
	send_string(
		client, "POST /body?early HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhello");
	await(client, " 0", 0);
	await_gauge(METRIC_INPUT_DISCARDING);
	forget(client);
	send_string(client, "1234" GET("/ping"));
	await(client, PONG, 0);
	forget(client);
	send_string(client,
		"POST /body?twice HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhello1234" GET(
			"/ping"));
	await_count(client, PONG, 2);
	world_close();
}

static void test_continue_is_sent_when_the_body_is_wanted(void **state)
{
	static const char head[] = "POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
				   "Expect: 100-continue\r\n\r\n";
	struct simulated_client *client;

	(void)state;
	world_open();
	client = connect_client();
	send_string(client, head);
	await(client, "HTTP/1.1 100 Continue\r\n\r\n", 0);
	assert_false(received_has(client, " 200 "));
	send_string(client, "hello");
	await(client, "\r\n\r\n5 0", 0);
	forget(client);
	/* Behind an answer that has not left yet. */
	send_string(client, GET("/ping"));
	send_string(client, head);
	await(client, "HTTP/1.1 100 Continue\r\n\r\n", 0);
	assert_int_equal(count_of(client, PONG), 1);
	send_string(client, "hello");
	await(client, "\r\n\r\n5 0", 0);
	world_close();
}

static void test_continue_is_not_sent_when_it_is_unwanted(void **state)
{
	struct simulated_client *client;

	(void)state;
	world_open();
	client = connect_client();
	send_string(client, "POST /body?never HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
			    "Expect: 100-continue\r\n\r\n");
	await_end(client, 0);
	assert_false(received_has(client, "100 Continue"));
	assert_true(received_has(client, "Connection: close\r\n"));
	world_close();
}

/* --- response bodies ---------------------------------------------------------------------- */

static void test_bodies_are_framed_by_length_or_in_chunks(void **state)
{
	static const char *const cases[][2] = {
		{ GET("/script?6m"), "Content-Length: 6\r\n\r\nmemory" },
		{ GET("/script?4f"), "Content-Length: 4\r\n\r\n2345" },
		{ GET("/script?0z"), "Content-Length: 0\r\n\r\n" },
		{ GET("/script?6lm"), "Content-Length: 6\r\n\r\nmemory" },
		{ GET("/script?6lzlzm"), "Content-Length: 6\r\n\r\nmemory" },
		{ GET("/script?8ff"), "Content-Length: 8\r\n\r\n23452345" },
		{ GET("/script?m"), "\r\n\r\n6\r\nmemory\r\n0\r\n\r\n" },
		{ GET("/script?mf"), "\r\n\r\n6\r\nmemory\r\n4\r\n2345\r\n0\r\n\r\n" },
		{ GET("/script?fm"), "\r\n\r\n4\r\n2345\r\n6\r\nmemory\r\n0\r\n\r\n" },
		{ GET("/script?mz"), "\r\n\r\n6\r\nmemory\r\n0\r\n\r\n" },
		{ GET("/script?flz"), "\r\n\r\n4\r\n2345\r\n0\r\n\r\n" },
		{ GET("/script?mlm"), "\r\n\r\n6\r\nmemory\r\n6\r\nmemory\r\n0\r\n\r\n" },
		{ "GET /script?mf HTTP/1.0\r\n\r\n", "Connection: close\r\n\r\nmemory2345" },
	};
	struct simulated_client *client;

	(void)state;
	world_open();
	client = connect_client();
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		send_string(client, cases[i][0]);
		await(client, cases[i][1], SECOND / 1000);
		turn_some(20);
		forget(client);
	}
	await_end(client, 0);
	assert_int_equal(world.cut_count, 0);
	world_close();
}

/* The client got the shared piece behind the head; returns the length of the head. */
static size_t assert_shared(const struct simulated_client *client, const char *before)
{
	struct text received = simulated_client_received(client);
	const char *end = memmem(received.bytes, received.length, before, strlen(before));

	assert_non_null(end);
	received = text_from(received, (size_t)(end - received.bytes) + strlen(before));
	assert_true(received.length >= sizeof(shared.bytes));
	assert_memory_equal(received.bytes, shared.bytes, sizeof(shared.bytes));
	return (size_t)(received.bytes - simulated_client_received(client).bytes);
}

static void assert_room_holds_head(const struct simulated_client *client, size_t length)
{
	assert_memory_equal(shared.headroom.bytes + sizeof(shared.headroom.bytes) - length,
		simulated_client_received(client).bytes, length);
}

#define OLD_GET(target) "GET " target " HTTP/1.0\r\n\r\n"

/* While a response is being sent, the head before the shared bytes stays. A response with the same
 * head uses it; another one brings its own head. */
static void test_head_may_stand_before_bytes_that_are_shared(void **state)
{
	static const char chunked[] = "\r\n\r\nfa0\r\n";
	struct simulated_client *stuck, *same, *other;
	struct headroom room;

	(void)state;
	memset(shared.bytes, 's', sizeof(shared.bytes));
	shared.headroom = (struct headroom){ 0 };
	world_open();
	stuck = connect_client();
	simulated_client_set_buffers(stuck, 100);
	simulated_client_stop_reading(stuck);
	send_string(stuck, GET("/script?h"));
	await_gauge(METRIC_OUTPUT_SENDING);
	assert_int_equal(shared.headroom.user_count, 1);
	room = shared.headroom;

	same = connect_client();
	send_string(same, GET("/script?h"));
	await(same, "\r\n0\r\n\r\n", 0);
	assert_room_holds_head(same, assert_shared(same, chunked));
	other = connect_client();
	send_string(other, OLD_GET("/script?h"));
	await_end(other, 0);
	assert_shared(other, "\r\n\r\n");
	assert_memory_equal(room.bytes, shared.headroom.bytes, sizeof(room.bytes));

	simulated_client_start_reading(stuck);
	await(stuck, "\r\n0\r\n\r\n", 0);
	assert_room_holds_head(stuck, assert_shared(stuck, chunked));
	assert_int_equal(shared.headroom.user_count, 0);
	other = connect_client();
	send_string(other, OLD_GET("/script?h"));
	await_end(other, 0);
	assert_room_holds_head(other, assert_shared(other, "\r\n\r\n"));
	world_close();
}

static void test_body_that_fails_cuts_the_response(void **state)
{
	static const char *const targets[] = { GET("/script?me"), GET("/script?8mm"),
		GET("/script?le"), GET("/script?9lm") };

	(void)state;
	world_open();
	for (unsigned i = 0; i < 4; i++) {
		struct simulated_client *client = connect_client();

		send_string(client, targets[i]);
		await_gone(SECOND / 1000);
		assert_int_equal(world.cut_count, i + 1);
		assert_false(received_has(client, "\r\n0\r\n\r\n"));
	}
	world_close();
}

/* Nothing of the failing answer has left: it becomes an error, and no other answer suffers. */
static void test_body_that_fails_at_once_becomes_an_error(void **state)
{
	static const char internal[] = "HTTP/1.1 500 Internal Server Error\r\n";
	static const struct {
		const char *requests, *status_line;
	} rows[] = {
		{ GET("/ping") GET("/ping") GET("/script?e") GET("/ping"), internal },
		{ GET("/ping") GET("/ping") GET("/script?3m") GET("/ping"), internal },
		{ GET("/ping") GET("/ping") GET("/script?9m") GET("/ping"), internal },
		{ GET("/ping") GET("/ping") GET("/script?sle") GET("/ping"), internal },
		{ GET("/ping") GET("/ping") GET("/script?o") GET("/ping"),
			"HTTP/1.1 503 Service Unavailable\r\n" },
	};

	(void)state;
	world_open();
	for (unsigned i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct simulated_client *client = connect_client();

		send_string(client, rows[i].requests);
		await_count(client, PONG, 3);
		assert_int_equal(count_of(client, rows[i].status_line), 1);
		assert_int_equal(count_of(client, "HTTP/1.1 200 OK\r\n"), 3);
		forget(client);
	}
	assert_int_equal(world.cut_count, 0);
	assert_int_equal(script_count, 0);
	world_close();
}

static void test_earlier_answers_do_not_wait_for_a_slow_body(void **state)
{
	struct simulated_client *client;

	(void)state;
	world_open();
	client = connect_client();
	send_string(client, GET("/ping") GET("/ping") GET("/script?6slm"));
	await_count(client, PONG, 2);
	assert_int_equal(world.finished_count, 2);
	assert_int_equal(count_of(client, "HTTP/1.1 200 OK\r\n"), 2);
	await(client, "Content-Length: 6\r\n\r\nmemory", SECOND);
	world_close();
}

static void test_head_goes_out_before_a_late_body(void **state)
{
	struct simulated_client *client;

	(void)state;
	world_open();
	client = connect_client();
	send_string(client, GET("/script?6lm"));
	await(client, "Content-Length: 6\r\n\r\n", 0);
	await_gauge(METRIC_OUTPUT_AWAITING_BODY);
	await(client, "memory", SECOND);
	world_close();
}

static void test_body_may_be_ready_before_the_head_has_left(void **state)
{
	struct simulated_client *client;

	(void)state;
	world_open();
	client = connect_client();
	simulated_client_set_buffers(client, 50);
	simulated_client_stop_reading(client);
	send_string(client, GET("/script?6lm"));
	await_gauge(METRIC_OUTPUT_SENDING);
	for (int i = 0; i < 100; i++)
		proactor_turn(world.proactor, SECOND / 1000);
	simulated_client_start_reading(client);
	await(client, "Content-Length: 6\r\n\r\nmemory", SECOND);
	world_close();
}

/* --- resets, drains, stops in every state ------------------------------------------------- */

/* Requests that bring a connection into a state and keep it there. */
static const struct situation {
	enum metric gauge;
	const char *request;
	bool deaf;          /* the client takes nothing */
	size_t body_length; /* sent behind the request */
} situations[] = {
	{ METRIC_OUTPUT_READING, NULL, false, 0 },
	{ METRIC_OUTPUT_READING, "GET /pi", false, 0 },
	{ METRIC_OUTPUT_READING,
		"POST /body?never HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n", false,
		0 },
	{ METRIC_OUTPUT_HANDLING, GET("/later"), false, 0 },
	{ METRIC_INPUT_READING_BODY,
		"POST /body HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\nhello", false, 0 },
	{ METRIC_INPUT_STALLED,
		"POST /body?idle HTTP/1.1\r\nHost: x\r\nContent-Length: 90000\r\n\r\n", false,
		90000 },
	{ METRIC_OUTPUT_SENDING_INTERIM, GET("/ping") GET("/later"), true, 0 },
	{ METRIC_OUTPUT_SENDING, GET("/ping"), true, 0 },
	{ METRIC_OUTPUT_SENDING_FILE, GET("/script?Fm"), false, 0 },
	{ METRIC_OUTPUT_AWAITING_BODY, GET("/script?mlm"), false, 0 },
	{ METRIC_OUTPUT_LINGERING, "GET /ping HTTP/1.1\r\n\r\n", false, 0 },
	{ METRIC_INPUT_ENDED, "GET /ping HTTP/1.1\nHost: x\n\n", true, 0 },
};

/* The socket of a client that does not read holds so little that every send stays in flight. */
static struct simulated_client *bring_about(const struct situation *situation)
{
	struct simulated_client *client = connect_client();

	if (situation->deaf || situation->gauge == METRIC_OUTPUT_SENDING_FILE) {
		simulated_client_set_buffers(client, 600);
		simulated_client_stop_reading(client);
	}
	if (situation->deaf)
		simulated_client_set_buffers(client, 80);
	if (situation->request)
		send_string(client, situation->request);
	send_many(client, situation->body_length);
	/* With a seed, the request may arrive in pieces and lead to another state. */
	for (int i = 0; i < 300 && metrics->values[situation->gauge] == 0; i++)
		proactor_turn(world.proactor, SECOND / 1000);
	if (seed == 0)
		assert_int_equal(metrics->values[situation->gauge], 1);
	return client;
}

static void test_reset_in_every_state_leaves_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(situations) / sizeof(situations[0]); i++) {
		world_open();
		simulated_client_reset(bring_about(&situations[i]));
		await_gone(SECOND);
		world_close();
	}
}

static void test_time_ends_every_state(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(situations) / sizeof(situations[0]); i++) {
		world_open();
		bring_about(&situations[i]);
		await_gone(SECOND);
		world_close();
	}
	world_open();
	send_string(connect_client(), GET("/script?mn"));
	await_gone(SECOND);
	assert_int_equal(world.cut_count, 1);
	world_close();
}

static void test_refused_client_may_end_before_it_is_told(void **state)
{
	struct simulated_client *client;

	(void)state;
	world_open();
	client = connect_client();
	simulated_client_set_buffers(client, 80);
	simulated_client_stop_reading(client);
	send_string(client, "GET /ping HTTP/1.1\nHost: x\n\n");
	await_gauge(METRIC_INPUT_ENDED);
	simulated_client_end(client);
	turn_some(100);
	simulated_client_start_reading(client);
	await(client, "400 Bad Request\n", 0);
	await_gone(0);
	world_close();
}

static void test_stop_in_every_state_leaves_nothing(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(situations) / sizeof(situations[0]); i++) {
		world_open();
		bring_about(&situations[i]);
		http1_service_stop(&world.service);
		http1_service_stop(&world.service);
		http1_service_drain(&world.service);
		await_gone(SECOND);
		world_close();
	}
}

static void test_drain_in_every_state_ends_every_connection(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(situations) / sizeof(situations[0]); i++) {
		struct simulated_client *client;

		world_open();
		client = bring_about(&situations[i]);
		http1_service_drain(&world.service);
		turn_some(10);
		simulated_client_start_reading(client);
		for (int j = 0; j < TURNS_MAX && !simulated_client_saw_end(client) &&
				!simulated_client_saw_reset(client);
			j++)
			proactor_turn(world.proactor, SECOND / 10);
		simulated_client_close(client);
		await_gone(SECOND);
		world_close();
	}
}

static void test_drained_response_says_close(void **state)
{
	struct simulated_client *client;

	(void)state;
	world_open();
	client = connect_client();
	send_string(client, GET("/later"));
	await_gauge(METRIC_OUTPUT_HANDLING);
	http1_service_drain(&world.service);
	await(client, PONG, SECOND);
	assert_true(received_has(client, "Connection: close\r\n"));
	await_end(client, 0);
	world_close();
}

static void test_drained_idle_connection_has_a_second_for_one_more_request(void **state)
{
	struct simulated_client *client, *silent;

	(void)state;
	world_open();
	client = connect_client();
	silent = connect_client();
	http1_service_drain(&world.service);
	send_string(client, GET("/ping"));
	await(client, PONG, 0);
	assert_true(received_has(client, "Connection: close\r\n"));
	await_end(silent, SECOND / 10);
	assert_int_equal(simulated_client_received(silent).length, 0);
	world_close();
}

static void test_endpoint_is_told_when_its_client_is_gone(void **state)
{
	struct simulated_client *client;

	(void)state;
	world_open();
	client = connect_client();
	send_string(client, GET("/later"));
	await_gauge(METRIC_OUTPUT_HANDLING);
	simulated_client_reset(client);
	await_gone(0);
	assert_int_equal(world.cancelled_count, 1);
	assert_int_equal(world.cut_count, 1);
	world_close();
}

static void test_client_that_was_gone_before_it_was_known_is_not_served(void **state)
{
	struct simulated_client *client;
	int fd;

	(void)state;
	world_open();
	client = simulated_connect_pair(world.proactor, &fd);
	send_string(client, GET("/ping"));
	simulated_client_reset(client);
	http1_service_accept(&world.service, fd, false);
	assert_int_equal(world.service.wire.connection_count, 0);
	world_close();
}

/* --- the tables --------------------------------------------------------------------------- */

/* Cells for several events in one advance; no seed is certain to reach them. */
static bool is_only_a_race(bool output, unsigned from, unsigned event)
{
	if (output)
		return from == OUTPUT_CLOSING && event != OUTPUT_EVENT_ANSWERED &&
		       event != OUTPUT_EVENT_DRAIN && event != OUTPUT_EVENT_FAILED;
	return from == INPUT_CLOSED;
}

static void test_every_cell_was_walked(void **state)
{
	unsigned missing = 0;

	(void)state;
	for (unsigned from = 0; from < INPUT_STATE_COUNT; from++) {
		for (unsigned event = 0; event < INPUT_EVENT_COUNT; event++) {
			if (!input_table[from][event].action || input_cell_counts[from][event] ||
				is_only_a_race(false, from, event))
				continue;
			missing++;
			print_error("not walked: input %s + %s\n", input_state_names[from],
				input_event_names[event]);
		}
	}
	for (unsigned from = 0; from < OUTPUT_STATE_COUNT; from++) {
		for (unsigned event = 0; event < OUTPUT_EVENT_COUNT; event++) {
			if (!output_table[from][event].action || output_cell_counts[from][event] ||
				is_only_a_race(true, from, event))
				continue;
			missing++;
			print_error("not walked: %s + %s\n", output_state_names[from],
				output_event_names[event]);
		}
	}
	assert_int_equal(missing, 0);
}

static const struct CMUnitTest tests[] = {
	cmocka_unit_test(test_requests_follow_one_another),
	cmocka_unit_test(test_request_may_come_byte_by_byte),
	cmocka_unit_test(test_pipelined_answers_leave_together),
	cmocka_unit_test(test_earlier_answers_do_not_wait_for_a_slow_one),
	cmocka_unit_test(test_more_is_pipelined_than_may_be_kept),
	cmocka_unit_test(test_head_has_no_body),
	cmocka_unit_test(test_without_keep_alive_every_response_says_close),
	cmocka_unit_test(test_old_clients_are_told_keep_alive_or_close),
	cmocka_unit_test(test_bad_head_is_refused_and_the_rest_dropped),
	cmocka_unit_test(test_long_head_is_refused),
	cmocka_unit_test(test_half_closed_client_gets_its_answer),
	cmocka_unit_test(test_client_that_ends_without_a_word_is_closed),
	cmocka_unit_test(test_half_a_head_and_the_end_is_bad),
	cmocka_unit_test(test_slow_head_is_answered_with_408),
	cmocka_unit_test(test_head_has_its_time_from_its_first_byte),
	cmocka_unit_test(test_idle_connection_is_closed_without_a_word),
	cmocka_unit_test(test_client_that_takes_nothing_is_closed),
	cmocka_unit_test(test_client_that_reads_slowly_is_neither_closed_nor_reset),
	cmocka_unit_test(test_client_that_acknowledges_nothing_is_reset),
	cmocka_unit_test(test_of_a_cut_response_what_has_left_is_recorded),
	cmocka_unit_test(test_slow_client_that_takes_something_is_served),
	cmocka_unit_test(test_lingering_ends_by_its_timer),
	cmocka_unit_test(test_a_client_that_said_close_is_not_waited_for),
	cmocka_unit_test(test_a_client_that_may_send_on_is_waited_for),
	cmocka_unit_test(test_counted_and_chunked_bodies_reach_the_endpoint),
	cmocka_unit_test(test_slow_endpoint_stalls_the_client_and_gets_all),
	cmocka_unit_test(test_body_may_be_consumed_while_more_comes_and_after_it_broke_off),
	cmocka_unit_test(test_stalled_client_may_send_more_and_end),
	cmocka_unit_test(test_endpoint_may_answer_while_it_stalls_the_client),
	cmocka_unit_test(test_body_longer_than_wanted_is_an_error),
	cmocka_unit_test(test_malformed_chunk_is_an_error),
	cmocka_unit_test(test_body_cut_short_is_told_to_the_endpoint),
	cmocka_unit_test(test_body_that_does_not_come_times_out),
	cmocka_unit_test(test_body_of_tiny_chunks_is_consumed_piece_by_piece),
	cmocka_unit_test(test_unwanted_body_is_discarded),
	cmocka_unit_test(test_discarding_ends_with_client_timer_or_bound),
	cmocka_unit_test(test_framing_of_a_discarded_body_is_bounded),
	cmocka_unit_test(test_discarded_body_has_one_deadline_in_total),
	cmocka_unit_test(test_broken_unwanted_body_loses_no_answer),
	cmocka_unit_test(test_large_unwanted_body_ends_the_connection),
	cmocka_unit_test(test_endpoint_may_answer_before_the_body_is_whole),
	cmocka_unit_test(test_continue_is_sent_when_the_body_is_wanted),
	cmocka_unit_test(test_continue_is_not_sent_when_it_is_unwanted),
	cmocka_unit_test(test_bodies_are_framed_by_length_or_in_chunks),
	cmocka_unit_test(test_head_may_stand_before_bytes_that_are_shared),
	cmocka_unit_test(test_body_that_fails_cuts_the_response),
	cmocka_unit_test(test_body_that_fails_at_once_becomes_an_error),
	cmocka_unit_test(test_earlier_answers_do_not_wait_for_a_slow_body),
	cmocka_unit_test(test_head_goes_out_before_a_late_body),
	cmocka_unit_test(test_body_may_be_ready_before_the_head_has_left),
	cmocka_unit_test(test_reset_in_every_state_leaves_nothing),
	cmocka_unit_test(test_time_ends_every_state),
	cmocka_unit_test(test_refused_client_may_end_before_it_is_told),
	cmocka_unit_test(test_stop_in_every_state_leaves_nothing),
	cmocka_unit_test(test_drain_in_every_state_ends_every_connection),
	cmocka_unit_test(test_drained_response_says_close),
	cmocka_unit_test(test_drained_idle_connection_has_a_second_for_one_more_request),
	cmocka_unit_test(test_endpoint_is_told_when_its_client_is_gone),
	cmocka_unit_test(test_client_that_was_gone_before_it_was_known_is_not_served),
};

int main(void)
{
	const struct CMUnitTest table_tests[] = {
		cmocka_unit_test(test_every_cell_was_walked),
	};
	int failed = 0;

	log_set_level(LOG_LEVEL_ERROR);
	for (seed = 0; seed <= 12; seed++)
		failed += cmocka_run_group_tests_name("connection", tests, NULL, NULL);
	failed += cmocka_run_group_tests_name("tables", table_tests, NULL, NULL);
	return failed;
}
