/* The life of a connection: events through the tables, deadlines by state, the end.
 *
 * Events come from the stream, from the endpoint through the exchange, from the body source and
 * from deadlines; actions post further ones.  They are advanced one after another, never from
 * inside an action, so that each action sees a state that is settled. */
#include "http1/connection.h"

#include <assert.h>
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/metrics.h"

uint64_t input_cell_counts[INPUT_STATE_COUNT][INPUT_EVENT_COUNT];
uint64_t output_cell_counts[OUTPUT_STATE_COUNT][OUTPUT_EVENT_COUNT];

/* Events of both tables stand in one queue; this bit tells them apart. */
#define OUTPUT_EVENT_BIT 0x80u

_Static_assert(METRIC_INPUT_READING_HEAD + INPUT_CLOSED == METRIC_INPUT_CLOSED,
	"the input's gauges stand in the order of its states");
_Static_assert(METRIC_OUTPUT_READING + OUTPUT_CLOSING == METRIC_OUTPUT_CLOSING,
	"the output's gauges stand in the order of its states");

/* --- the two writers of the states -------------------------------------------------------- */

static void move_gauge(enum metric first, unsigned from, unsigned to)
{
	if (from == to)
		return;
	metrics_subtract(first + from, 1);
	metrics_add(first + to, 1);
}

static void http1_advance_input(struct connection *connection, enum input_event event)
{
	enum input_state from = (enum input_state)connection->input;
	const struct input_cell *cell = &input_table[from][event];
	enum input_state to;

	assert(cell->action);
	input_cell_counts[from][event]++;
	to = cell->action(connection);
	assert(cell->next & 1u << to);
	connection->input = (uint8_t)to;
	metrics_add(METRIC_TRANSITIONS, 1);
	move_gauge(METRIC_INPUT_READING_HEAD, from, to);
	log_debug("connection %llu: input %s + %s -> %s", (unsigned long long)connection->serial,
		input_state_names[from], input_event_names[event], input_state_names[to]);
}

static void http1_advance_output(struct connection *connection, enum output_event event)
{
	enum output_state from = (enum output_state)connection->output;
	const struct output_cell *cell = &output_table[from][event];
	enum output_state to;

	assert(cell->action);
	output_cell_counts[from][event]++;
	to = cell->action(connection);
	assert(cell->next & 1u << to);
	connection->output = (uint8_t)to;
	metrics_add(METRIC_TRANSITIONS, 1);
	move_gauge(METRIC_OUTPUT_READING, from, to);
	log_debug("connection %llu: %s + %s -> %s", (unsigned long long)connection->serial,
		output_state_names[from], output_event_names[event], output_state_names[to]);
}

/* --- deadlines ---------------------------------------------------------------------------- */

static struct deadline_queue *reading_deadlines(const struct connection *connection)
{
	struct http1_service *service = connection->service;

	if (connection->input == INPUT_DISCARDING)
		return &service->body_deadlines;
	if (input_kept_length(connection) > 0)
		return &service->header_deadlines;
	if (service->draining)
		return &service->drain_deadlines;
	return connection->request_count == 0 ? &service->header_deadlines
					      : &service->idle_deadlines;
}

/* Which deadline the states call for; NULL: none. */
static struct deadline_queue *wanted_deadlines(const struct connection *connection)
{
	struct http1_service *service = connection->service;

	switch ((enum output_state)connection->output) {
	case OUTPUT_READING:
		return reading_deadlines(connection);
	case OUTPUT_HANDLING:
		return connection->input == INPUT_READING_BODY ? &service->body_deadlines : NULL;
	case OUTPUT_SENDING_INTERIM:
	case OUTPUT_SENDING:
	case OUTPUT_SENDING_FILE:
	case OUTPUT_AWAITING_BODY:
		return &service->send_deadlines;
	case OUTPUT_LINGERING:
		return connection->unacknowledged_length > 0 ? &service->send_deadlines
							     : &service->linger_deadlines;
	case OUTPUT_CLOSING:
	case OUTPUT_STATE_COUNT:
		return NULL;
	}
	return NULL;
}

/* A running deadline of the right queue runs on, unless something moved. */
static void settle_deadline(struct connection *connection)
{
	struct deadline_queue *queue = wanted_deadlines(connection);
	bool progressed = connection->progressed;

	connection->progressed = false;
	if (queue == connection->deadline_queue && !progressed)
		return;
	connection->deadline_queue = queue;
	if (queue)
		deadline_start(&connection->deadline, queue, connection->service->proactor);
	else
		deadline_stop(&connection->deadline);
}

/* --- receiving ---------------------------------------------------------------------------- */

static bool wants_no_bytes(const struct connection *connection)
{
	return connection->input == INPUT_STALLED ||
	       input_kept_length(connection) >= connection->service->options.header_bytes;
}

/* While receiving goes on, less is kept than header_bytes, so that one more loan always fits. */
static void settle_receiving(struct connection *connection)
{
	if (wants_no_bytes(connection))
		stream_pause(&connection->stream);
	else
		stream_resume(&connection->stream);
}

/* --- the loop of events ------------------------------------------------------------------- */

static void connection_free(struct connection *connection)
{
	struct http1_service *service = connection->service;

	if (connection->active)
		output_break_off(connection);
	connection_idle(connection);
	metrics_subtract(METRIC_INPUT_READING_HEAD + connection->input, 1);
	metrics_subtract(METRIC_OUTPUT_READING + connection->output, 1);
	metrics_add(METRIC_CONNECTIONS_CLOSED, 1);
	list_remove(&connection->node);
	block_pool_return(&service->idle_pool, connection);
	service->wire.connection_count--;
	if (service->wire.closed)
		service->wire.closed(service->wire.owner);
}

static bool is_over(const struct connection *connection)
{
	const struct active *active = connection->active;

	return connection->stream_closed &&
	       !(active && active->exchanging && !active->exchange.answered);
}

static void settle(struct connection *connection)
{
	if (is_over(connection)) {
		connection_free(connection);
		return;
	}
	assert(connection->output != OUTPUT_READING || !connection->active ||
		connection->active->output.length == 0);
	settle_receiving(connection);
	settle_deadline(connection);
}

static void advance_all(struct connection *connection)
{
	connection->running = true;
	while (connection->event_count > 0) {
		unsigned event = connection->events[connection->event_first];

		connection->event_first = (connection->event_first + 1u) % CONNECTION_EVENTS_MAX;
		connection->event_count--;
		if (event & OUTPUT_EVENT_BIT)
			http1_advance_output(connection, event & ~OUTPUT_EVENT_BIT);
		else
			http1_advance_input(connection, event);
	}
	connection->running = false;
	settle(connection);
}

static void post(struct connection *connection, unsigned event)
{
	unsigned last = connection->event_first + connection->event_count;

	assert(connection->event_count < CONNECTION_EVENTS_MAX);
	connection->events[last % CONNECTION_EVENTS_MAX] = (uint8_t)event;
	connection->event_count++;
	if (!connection->running)
		advance_all(connection);
}

void connection_post_input(struct connection *connection, enum input_event event)
{
	post(connection, event);
}

void connection_post_output(struct connection *connection, enum output_event event)
{
	post(connection, event | OUTPUT_EVENT_BIT);
}

static void on_stream_event(struct stream *stream, enum stream_event event)
{
	struct connection *connection = container_of(stream, struct connection, stream);

	switch (event) {
	case STREAM_READY:
		return;
	case STREAM_RECEIVED:
		metrics_add(METRIC_BYTES_RECEIVED, stream_received(stream).length);
		connection_post_input(connection, INPUT_EVENT_RECEIVED);
		return;
	case STREAM_ENDED:
		connection_post_input(connection, INPUT_EVENT_PEER_ENDED);
		return;
	case STREAM_SENT:
		connection_post_output(connection, OUTPUT_EVENT_SENT);
		return;
	case STREAM_FAILED:
		log_debug("connection %llu: %s", (unsigned long long)connection->serial,
			strerror(-stream_error(stream)));
		connection_post_output(connection, OUTPUT_EVENT_FAILED);
		return;
	case STREAM_CLOSED:
		connection->stream_closed = true;
		settle(connection);
		return;
	}
}

/* --- beginning, and what is held ---------------------------------------------------------- */

int connection_activate(struct connection *connection)
{
	struct http1_service *service = connection->service;
	struct active *active = connection->active;

	if (active)
		return 0;
	active = block_pool_take(&service->active_pool);
	if (!active)
		return -ENOMEM;
	active->connection = connection;
	active->scan = (struct http1_scan){ 0 };
	active->kept = (struct buffer){ 0 };
	active->bad_status = 0;
	active->started_ns = 0;
	active->gathered_count = 0;
	active->exchanging = false;
	active->sending = false;
	buffer_init(&active->output, active->output_memory, sizeof(active->output_memory));
	connection->active = active;
	metrics_add(METRIC_CONNECTIONS_ACTIVE, 1);
	return 0;
}

void connection_idle(struct connection *connection)
{
	struct http1_service *service = connection->service;
	struct active *active = connection->active;

	if (!active)
		return;
	assert(!active->exchanging);
	if (active->kept.bytes)
		block_pool_return(&service->kept_pool, active->kept.bytes);
	block_pool_return(&service->active_pool, active);
	connection->active = NULL;
	metrics_subtract(METRIC_CONNECTIONS_ACTIVE, 1);
}

/* The address is asked for at once: after a reset the kernel no longer tells it, but still delivers
 * the request that came before.  A client that resets must not escape `deny`, nor the log. */
void connection_open(struct http1_service *service, int fd, bool tls)
{
	struct connection *connection;
	struct sockaddr_storage peer;
	int r = stream_peer_address(service->streams, fd, &peer);

	if (r < 0) {
		log_debug("closed a connection without a peer: %s", strerror(-r));
		close(fd);
		return;
	}
	connection = block_pool_take(&service->idle_pool);
	if (!connection) {
		log_warning("out of memory: a connection was refused");
		close(fd);
		return;
	}
	*connection = (struct connection){ .service = service,
		.serial = ++service->connection_serial,
		.input = INPUT_READING_HEAD,
		.output = OUTPUT_READING };
	memcpy(&connection->peer, &peer, sizeof(connection->peer));
	list_append(&service->connections, &connection->node);
	service->wire.connection_count++;
	deadline_init(&connection->deadline);
	metrics_add(METRIC_CONNECTIONS_ACCEPTED, 1);
	metrics_add(METRIC_INPUT_READING_HEAD, 1);
	metrics_add(METRIC_OUTPUT_READING, 1);
	if (tls)
		stream_open_tls(&connection->stream, service->streams, fd, on_stream_event);
	else
		stream_open(&connection->stream, service->streams, fd, on_stream_event);
	stream_receive(&connection->stream);
	settle(connection);
}
