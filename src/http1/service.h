/* All HTTP/1 connections of one worker: what they share, and how they begin and end together. */
#ifndef RINGLET_HTTP1_SERVICE_H
#define RINGLET_HTTP1_SERVICE_H

#include "base/block_pool.h"
#include "http/router.h"
#include "http/wire.h"
#include "net/stream.h"
#include "proactor/deadline.h"

/* The configuration's values; bytes, counts and ns. */
struct http1_options {
	size_t header_bytes;
	uint64_t body_bytes;
	uint64_t keep_alive_requests;
	uint64_t header_timeout_ns, body_timeout_ns, idle_timeout_ns, send_timeout_ns;
	bool keep_alive;
	bool server_field; /* "Server: Ringlet" */
};

struct http1_service {
	struct wire wire;
	struct proactor *proactor;
	struct stream_service *streams;
	const struct router *router;
	struct http1_options options;
	uint64_t connection_serial; /* numbers connections, for the debug log */
	bool draining;
	struct list connections;
	struct deadline_queue header_deadlines, body_deadlines, idle_deadlines, send_deadlines;
	struct deadline_queue drain_deadlines, linger_deadlines;
	struct block_pool idle_pool, active_pool, kept_pool;
};

/* The pointers stay the caller's. */
void http1_service_open(struct http1_service *service, struct stream_service *streams,
	const struct router *router, const struct http1_options *options);

/* What follows is also called by way of service->wire. */
void http1_service_close(struct http1_service *service);
void http1_service_accept(struct http1_service *service, int fd, bool tls);
void http1_service_drain(struct http1_service *service);
void http1_service_stop(struct http1_service *service);

#endif
