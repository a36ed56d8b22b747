/* A stream that speaks TLS, on the simulated kernel, against an OpenSSL client in memory.
 *
 * The owner of the stream sends back what it receives.  The seed cuts ciphertext anywhere, and says
 * how much the client writes, when the owner pauses and when one of the two gives up.  Whatever
 * happens: what the client got is what it wrote, as far as it goes; nothing is left open. */
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

#include "certificates.h"
#include "net/stream.h"
#include "net/tls.h"
#include "simulated/simulated.h"

enum { LENGTH_MAX = 1 << 20, TURNS_MAX = 200000, SEEDS = 150 };

enum way_to_end {
	CLIENT_SAYS_CLOSE,   /* close_notify, then FIN */
	CLIENT_SAYS_NOTHING, /* FIN alone */
	CLIENT_RESETS,
	CLIENT_UPDATES_KEYS, /* in between; ends by close_notify */
	CLIENT_RENEGOTIATES, /* tries to; TLS 1.2 */
	SERVER_CLOSES,       /* whatever is in flight */
	WAYS,
};

struct world {
	struct proactor *proactor;
	struct stream_service streams;
	struct tls_service tls;
	uint64_t random;
	enum way_to_end way;

	/* The owner. */
	struct stream stream;
	struct stream_output output;
	struct iovec vector[2];
	char *queue; /* received and not sent back */
	size_t queue_length, sending_length;
	bool ready, ended, sending, sent_last, paused, failed, closing, closed;

	/* The client. */
	struct simulated_client *client;
	SSL_CTX *context;
	SSL *ssl;
	BIO *in, *out;
	char *written, *read;
	size_t written_length, read_length, goal;
	bool saw_close, over, finished;
};

static size_t below(struct world *world, size_t bound)
{
	world->random = world->random * UINT64_C(6364136223846793005) + 1442695040888963407u;
	return (size_t)(world->random >> 33) % bound;
}

/* --- the owner ---------------------------------------------------------------------------- */

static void send_back(struct world *world)
{
	size_t length = world->queue_length, half = below(world, length + 1);

	if (world->sending || world->closing || world->sent_last)
		return;
	if (length == 0 && !world->ended)
		return;
	world->sending = true;
	world->sending_length = length;
	world->vector[0] = (struct iovec){ world->queue, half };
	world->vector[1] = (struct iovec){ world->queue + half, length - half };
	if (length == 0) {
		world->sent_last = true;
		world->vector[0] = (struct iovec){ (char *)(uintptr_t) "bye", 3 };
		stream_send_last(&world->stream, &world->output, world->vector, 1);
	} else {
		stream_send(&world->stream, &world->output, world->vector, 2, below(world, 2) == 0);
	}
}

static void close_stream(struct world *world)
{
	world->closing = true;
	stream_close(&world->stream);
}

static void on_event(struct stream *stream, enum stream_event event)
{
	struct world *world = container_of(stream, struct world, stream);
	struct text received;

	switch (event) {
	case STREAM_READY:
		assert_false(world->ready);
		world->ready = true;
		return;
	case STREAM_RECEIVED:
		assert_true(world->ready && !world->ended);
		received = stream_received(stream);
		memcpy(world->queue + world->queue_length, received.bytes, received.length);
		world->queue_length += received.length;
		if (below(world, 3) == 0) {
			stream_pause(stream);
			world->paused = true;
		}
		send_back(world);
		return;
	case STREAM_SENT:
		assert_int_equal(stream_sent_length(&world->output),
			world->sent_last ? 3 : world->sending_length);
		world->sending = false;
		world->queue_length -= world->sending_length;
		memmove(world->queue, world->queue + world->sending_length, world->queue_length);
		if (world->sent_last)
			close_stream(world);
		else
			send_back(world);
		return;
	case STREAM_ENDED:
		world->ended = true;
		send_back(world);
		return;
	case STREAM_FAILED:
		world->failed = true;
		close_stream(world);
		return;
	case STREAM_CLOSED:
		world->closed = true;
		return;
	}
}

/* --- the client --------------------------------------------------------------------------- */

static void write_some(struct world *world)
{
	size_t length = smaller(1 + below(world, 40000), world->goal - world->written_length);

	for (size_t i = 0; i < length; i++)
		world->written[world->written_length + i] = (char)below(world, 256);
	if (SSL_write(world->ssl, world->written + world->written_length, (int)length) > 0)
		world->written_length += length;
}

static void end_client(struct world *world)
{
	world->over = true;
	if (world->way == CLIENT_RESETS) {
		simulated_client_reset(world->client);
		world->finished = true;
		return;
	}
	if (world->way != CLIENT_SAYS_NOTHING)
		SSL_shutdown(world->ssl);
}

static void act(struct world *world)
{
	if (!SSL_is_init_finished(world->ssl) || world->over)
		return;
	if (world->way == CLIENT_UPDATES_KEYS && below(world, 4) == 0)
		SSL_key_update(world->ssl, SSL_KEY_UPDATE_REQUESTED);
	if (world->way == CLIENT_RENEGOTIATES && below(world, 20) == 0)
		SSL_renegotiate(world->ssl);
	if (world->written_length < world->goal)
		write_some(world);
	else if (world->read_length == world->goal)
		end_client(world);
}

static void read_all(struct world *world)
{
	char bytes[20000];
	int length;

	while ((length = SSL_read(world->ssl, bytes, sizeof(bytes))) > 0) {
		memcpy(world->read + world->read_length, bytes, (size_t)length);
		world->read_length += (size_t)length;
	}
	if (SSL_get_shutdown(world->ssl) & SSL_RECEIVED_SHUTDOWN)
		world->saw_close = true;
	ERR_clear_error();
}

static void carry(struct world *world)
{
	struct text received = simulated_client_received(world->client);
	char *bytes;
	long length;

	BIO_write(world->in, received.bytes, (int)received.length);
	simulated_client_take(world->client, received.length);
	read_all(world);
	act(world);
	length = BIO_get_mem_data(world->out, &bytes);
	if (length > 0 && !world->finished)
		simulated_client_send(world->client, (struct text){ bytes, (size_t)length });
	BIO_reset(world->out);
	if (world->over && !world->finished) {
		world->finished = true;
		simulated_client_end(world->client);
	}
}

/* --- a world ------------------------------------------------------------------------------ */

static void open_client(struct world *world, int version)
{
	world->context = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_max_proto_version(world->context, version);
	world->ssl = SSL_new(world->context);
	world->in = BIO_new(BIO_s_mem());
	world->out = BIO_new(BIO_s_mem());
	SSL_set_bio(world->ssl, world->in, world->out);
	SSL_set_connect_state(world->ssl);
}

static struct tls_contexts *make_contexts(enum test_key kind)
{
	const struct tls_options options = { .protocol_1_2 = true, .protocol_1_3 = true };
	const struct text names[] = { TEXT("example.com") };
	struct tls_site site = { .names = names, .name_count = 1, .pair_count = 1 };
	struct tls_contexts *contexts;
	char memory[256];
	struct buffer problem;

	buffer_init(&problem, memory, sizeof(memory));
	site.pairs[0] = make_certificate(kind, "example.com");
	assert_int_equal(tls_contexts_new(&contexts, &options), 0);
	assert_int_equal(tls_contexts_add(contexts, &site, &problem), 0);
	free_certificate(&site.pairs[0]);
	return contexts;
}

static struct world *open_world(uint64_t seed, struct tls_contexts *contexts)
{
	struct world *world = calloc(1, sizeof(*world));
	const struct simulated_options options = { .seed = seed };
	int fd;

	world->random = seed;
	world->way = (enum way_to_end)(seed % WAYS);
	world->goal = below(world, 8) == 0 ? LENGTH_MAX / 2 : below(world, 50000);
	world->queue = malloc(LENGTH_MAX);
	world->written = malloc(LENGTH_MAX);
	world->read = malloc(LENGTH_MAX);
	assert_int_equal(simulated_open(&world->proactor, &options), 0);
	stream_service_open(&world->streams, world->proactor, 0);
	tls_service_open(&world->tls, contexts);
	world->streams.tls = &world->tls;
	world->client = simulated_connect_pair(world->proactor, &fd);
	open_client(world, world->way == CLIENT_RENEGOTIATES ? TLS1_2_VERSION : 0);
	stream_open_tls(&world->stream, &world->streams, fd, on_event);
	stream_receive(&world->stream);
	return world;
}

static void close_world(struct world *world)
{
	SSL_free(world->ssl);
	SSL_CTX_free(world->context);
	assert_int_equal(world->tls.outputs.taken_count, 0);
	assert_int_equal(simulated_open_count(world->proactor), 0);
	tls_service_close(&world->tls);
	proactor_free(world->proactor);
	free(world->queue);
	free(world->written);
	free(world->read);
	free(world);
}

static void run_world(struct world *world)
{
	size_t closes_at = world->way == SERVER_CLOSES ? below(world, 60) : SIZE_MAX;
	bool is_whole = world->way == CLIENT_SAYS_CLOSE || world->way == CLIENT_SAYS_NOTHING ||
			world->way == CLIENT_UPDATES_KEYS;

	for (size_t turn = 0; !world->closed; turn++) {
		assert_true(turn < TURNS_MAX);
		carry(world);
		if (turn == closes_at && !world->closing)
			close_stream(world);
		if (world->paused && !world->closing && below(world, 3) == 0) {
			world->paused = false;
			stream_resume(&world->stream);
		}
		assert_int_equal(proactor_turn(world->proactor, 1000000), 0);
	}
	/* What was sent last may still travel. */
	for (size_t turn = 0; is_whole && !simulated_client_saw_end(world->client); turn++) {
		assert_true(turn < TURNS_MAX);
		assert_int_equal(proactor_turn(world->proactor, 1000000), 0);
		carry(world);
	}
	carry(world);
	assert_true(world->read_length <= world->goal + 3);
	if (is_whole) {
		assert_int_equal(world->read_length, world->goal + 3);
		assert_memory_equal(world->read + world->goal, "bye", 3);
		assert_true(world->saw_close);
		assert_false(world->failed);
	}
	assert_memory_equal(world->read, world->written, smaller(world->read_length, world->goal));
}

static void run_seeds(enum test_key kind)
{
	struct tls_contexts *contexts = make_contexts(kind);

	for (uint64_t seed = 1; seed <= SEEDS; seed++) {
		struct world *world = open_world(seed, contexts);

		run_world(world);
		close_world(world);
	}
	tls_contexts_release(contexts);
}

static void test_bytes_come_back_whatever_the_seed_does(void **state)
{
	(void)state;
	run_seeds(TEST_KEY_P256);
}

static void test_handshakes_may_be_on_the_pool_meanwhile(void **state)
{
	(void)state;
	run_seeds(TEST_KEY_P384);
}

/* Each ends the stream at another byte of the client's first flights. */
static void test_connection_may_end_at_any_byte_of_the_handshake(void **state)
{
	struct tls_contexts *contexts = make_contexts(TEST_KEY_P256);

	(void)state;
	for (size_t cut = 0; cut < 400; cut += 3) {
		struct world *world = open_world(0, contexts);
		char *bytes;
		long length;

		world->way = CLIENT_SAYS_NOTHING;
		SSL_do_handshake(world->ssl);
		length = BIO_get_mem_data(world->out, &bytes);
		simulated_client_send(
			world->client, text_first((struct text){ bytes, (size_t)length }, cut));
		simulated_client_end(world->client);
		for (unsigned turn = 0; !world->closed; turn++) {
			assert_true(turn < 1000);
			assert_int_equal(proactor_turn(world->proactor, 1000000), 0);
			if (world->ended && !world->closing && !world->sending)
				close_stream(world);
		}
		close_world(world);
	}
	tls_contexts_release(contexts);
}

static void test_plain_request_makes_the_stream_plain(void **state)
{
	struct tls_contexts *contexts = make_contexts(TEST_KEY_P256);
	struct world *world = open_world(0, contexts);

	(void)state;
	simulated_client_send(world->client, text_literal("GET / HTTP/1.1\r\n"));
	simulated_client_end(world->client);
	assert_true(stream_is_secure(&world->stream));
	while (!world->closed)
		assert_int_equal(proactor_turn(world->proactor, 1000000), 0);
	assert_true(stream_is_misled(&world->stream));
	assert_false(stream_is_secure(&world->stream));
	assert_true(text_equal(
		simulated_client_received(world->client), text_literal("GET / HTTP/1.1\r\nbye")));
	close_world(world);
	tls_contexts_release(contexts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_come_back_whatever_the_seed_does),
		cmocka_unit_test(test_handshakes_may_be_on_the_pool_meanwhile),
		cmocka_unit_test(test_connection_may_end_at_any_byte_of_the_handshake),
		cmocka_unit_test(test_plain_request_makes_the_stream_plain),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
