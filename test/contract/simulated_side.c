/* The other side of the simulated backend: all of it is in simulated.h. */
#include "fixture.h"
#include "simulated/simulated.h"

#define SMALL_BUFFER 4096

static int open_simulated(struct fixture *fixture, const struct proactor_options *options)
{
	struct simulated_options simulated_options = {
		.seed = fixture->seed,
		.receive_buffer_length = options->receive_buffer_length,
	};
	int r = simulated_open(&fixture->proactor, &simulated_options);

	if (r < 0)
		return r;
	fixture->directory = simulated_open_root(fixture->proactor);
	assert_true(fixture->directory >= 0);
	return 0;
}

static void close_simulated(struct fixture *fixture)
{
	proactor_free(fixture->proactor);
}

static size_t open_count(const struct fixture *fixture)
{
	simulated_print_open(fixture->proactor, stderr);
	return simulated_open_count(fixture->proactor);
}

static void limit_descriptors(struct fixture *fixture, unsigned extra)
{
	simulated_limit_descriptors(
		fixture->proactor, (unsigned)simulated_open_count(fixture->proactor) + extra);
}

static void unlimit_descriptors(struct fixture *fixture)
{
	simulated_limit_descriptors(fixture->proactor, 1024);
}

/* --- connections -------------------------------------------------------------------------- */

static int listen_simulated(struct fixture *fixture)
{
	return simulated_listen(fixture->proactor);
}

static void connect_simulated(struct fixture *fixture, struct peer *peer, int listener)
{
	*peer = (struct peer){ .fixture = fixture,
		.client = simulated_connect(fixture->proactor, listener) };
	simulated_client_stop_reading(peer->client);
}

static int pair_simulated(struct fixture *fixture, struct peer *peer, bool small_buffers)
{
	int fd;

	*peer = (struct peer){ .fixture = fixture,
		.client = simulated_connect_pair(fixture->proactor, &fd) };
	simulated_client_stop_reading(peer->client);
	if (small_buffers)
		simulated_client_set_buffers(peer->client, SMALL_BUFFER);
	return fd;
}

static size_t write_simulated(struct peer *peer, const void *bytes, size_t length)
{
	simulated_client_send(peer->client, (struct text){ bytes, length });
	return length;
}

/* As much as was asked for arrives during the turns that follow. */
static ssize_t read_simulated(struct peer *peer, void *bytes, size_t length)
{
	struct text received = simulated_client_received(peer->client);

	simulated_client_read(peer->client, length);
	if (length > received.length)
		length = received.length;
	if (length > 0) {
		memcpy(bytes, received.bytes, length);
		simulated_client_take(peer->client, length);
		return (ssize_t)length;
	}
	if (simulated_client_saw_reset(peer->client))
		return -ECONNRESET;
	return simulated_client_saw_end(peer->client) ? 0 : -EAGAIN;
}

static void stop_reading_simulated(struct peer *peer)
{
	simulated_client_stop_reading(peer->client);
}

static void end_simulated(struct peer *peer)
{
	simulated_client_end(peer->client);
}

static void reset_simulated(struct peer *peer)
{
	simulated_client_reset(peer->client);
}

static void close_peer_simulated(struct peer *peer)
{
	simulated_client_close(peer->client);
}

/* --- files -------------------------------------------------------------------------------- */

static void make_directory(struct fixture *fixture, const char *name)
{
	simulated_make_directory(fixture->proactor, name);
}

static void make_symlink(struct fixture *fixture, const char *name, const char *target)
{
	simulated_make_symlink(fixture->proactor, name, target);
}

static void write_file(struct fixture *fixture, const char *name, uint64_t offset,
	const void *bytes, size_t length)
{
	struct text contents = simulated_read_file(fixture->proactor, name);

	if (!contents.bytes)
		simulated_make_file(fixture->proactor, name, (struct text){ "", 0 });
	free((char *)contents.bytes);
	simulated_write_file(fixture->proactor, name, offset, (struct text){ bytes, length });
}

static void truncate_file(struct fixture *fixture, const char *name, uint64_t length)
{
	simulated_truncate(fixture->proactor, name, length);
}

static ssize_t read_file(struct fixture *fixture, const char *name, void *bytes, size_t length)
{
	struct text contents = simulated_read_file(fixture->proactor, name);

	if (!contents.bytes)
		return -ENOENT;
	if (length > contents.length)
		length = contents.length;
	memcpy(bytes, contents.bytes, length);
	free((char *)contents.bytes);
	return (ssize_t)length;
}

static int open_event(struct fixture *fixture)
{
	return simulated_open_event(fixture->proactor);
}

static void signal_event(struct fixture *fixture, int fd)
{
	simulated_event_signal(fixture->proactor, fd);
}

const struct side simulated_side = {
	.has_threads = false,
	.open = open_simulated,
	.close = close_simulated,
	.open_count = open_count,
	.limit_descriptors = limit_descriptors,
	.unlimit_descriptors = unlimit_descriptors,
	.listen = listen_simulated,
	.connect = connect_simulated,
	.pair = pair_simulated,
	.write = write_simulated,
	.read = read_simulated,
	.stop_reading = stop_reading_simulated,
	.end = end_simulated,
	.reset = reset_simulated,
	.close_peer = close_peer_simulated,
	.make_directory = make_directory,
	.make_symlink = make_symlink,
	.write_file = write_file,
	.truncate_file = truncate_file,
	.read_file = read_file,
	.open_event = open_event,
	.signal_event = signal_event,
};
