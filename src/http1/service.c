/* All connections of a worker: pools, deadlines, and ending them together. */
#include "http1/service.h"

#include <assert.h>

#include "http1/connection.h"

enum {
	IDLE_BLOCKS_KEPT = 1024,
	ACTIVE_BLOCKS_KEPT = 64,
};

/* How long a drained connection may be silent, and how long a finished one may linger. */
#define DRAIN_IDLE_NS UINT64_C(1000000000)
#define LINGER_NS     UINT64_C(5000000000)

static void connection_expired(struct proactor *proactor, struct deadline *deadline)
{
	struct connection *connection = container_of(deadline, struct connection, deadline);

	(void)proactor;
	connection->deadline_queue = NULL;
	connection_post_output(connection, OUTPUT_EVENT_TIMED_OUT);
}

/* --- as a wire ---------------------------------------------------------------------------- */

static void wire_accept(struct wire *wire, int fd, bool tls)
{
	http1_service_accept(container_of(wire, struct http1_service, wire), fd, tls);
}

static void wire_drain(struct wire *wire)
{
	http1_service_drain(container_of(wire, struct http1_service, wire));
}

static void wire_stop(struct wire *wire)
{
	http1_service_stop(container_of(wire, struct http1_service, wire));
}

static void wire_close(struct wire *wire)
{
	http1_service_close(container_of(wire, struct http1_service, wire));
}

static const struct wire_kind HTTP1_WIRE = {
	.accept = wire_accept,
	.drain = wire_drain,
	.stop = wire_stop,
	.close = wire_close,
};

/* --- as it is ----------------------------------------------------------------------------- */

void http1_service_open(struct http1_service *service, struct stream_service *streams,
	const struct router *router, const struct http1_options *options)
{
	const struct {
		struct deadline_queue *queue;
		uint64_t duration_ns;
	} deadlines[] = {
		{ &service->header_deadlines, options->header_timeout_ns },
		{ &service->body_deadlines, options->body_timeout_ns },
		{ &service->idle_deadlines, options->idle_timeout_ns },
		{ &service->send_deadlines, options->send_timeout_ns },
		{ &service->drain_deadlines, DRAIN_IDLE_NS },
		{ &service->linger_deadlines, LINGER_NS },
	};

	*service = (struct http1_service){
		.wire.kind = &HTTP1_WIRE,
		.proactor = streams->proactor,
		.streams = streams,
		.router = router,
		.options = *options,
		.idle_pool = BLOCK_POOL(sizeof(struct connection), IDLE_BLOCKS_KEPT),
		.active_pool = BLOCK_POOL(
			sizeof(struct active) + options->header_bytes, ACTIVE_BLOCKS_KEPT),
		.kept_pool = BLOCK_POOL(
			options->header_bytes + PROACTOR_LOAN_LENGTH_MAX, ACTIVE_BLOCKS_KEPT),
	};
	list_init(&service->connections);
	for (size_t i = 0; i < sizeof(deadlines) / sizeof(deadlines[0]); i++)
		deadline_queue_open(deadlines[i].queue, streams->proactor, deadlines[i].duration_ns,
			connection_expired);
}

void http1_service_close(struct http1_service *service)
{
	assert(service->wire.connection_count == 0);
	deadline_queue_close(&service->header_deadlines);
	deadline_queue_close(&service->body_deadlines);
	deadline_queue_close(&service->idle_deadlines);
	deadline_queue_close(&service->send_deadlines);
	deadline_queue_close(&service->drain_deadlines);
	deadline_queue_close(&service->linger_deadlines);
	block_pool_trim(&service->idle_pool);
	block_pool_trim(&service->active_pool);
	block_pool_trim(&service->kept_pool);
}

void http1_service_accept(struct http1_service *service, int fd, bool tls)
{
	connection_open(service, fd, tls);
}

static void post_to_all(struct http1_service *service, enum output_event event)
{
	list_for_each_safe (node, &service->connections)
		connection_post_output(container_of(node, struct connection, node), event);
}

void http1_service_drain(struct http1_service *service)
{
	service->draining = true;
	post_to_all(service, OUTPUT_EVENT_DRAIN);
}

void http1_service_stop(struct http1_service *service)
{
	service->draining = true;
	post_to_all(service, OUTPUT_EVENT_FAILED);
}
