/* All HTTP/1 connections of one worker: what they share, and how they begin and end together. */
#ifndef RINGLET_HTTP1_SERVICE_H
#define RINGLET_HTTP1_SERVICE_H

#include "base/block_pool.h"
#include "http/router.h"
#include "proactor/deadline.h"
#include "proactor/proactor.h"

/* The configuration's values; bytes, counts and ns. */
struct http1_options {
	size_t header_bytes;
	uint64_t body_bytes;
	uint64_t keep_alive_requests;
	uint64_t header_timeout_ns, body_timeout_ns, idle_timeout_ns, send_timeout_ns;
	bool keep_alive;
	bool server_field; /* "Server: Ringlet" */
};

struct http1_service;

/* What a finished response looked like, for the access log.  Valid during the call. */
struct http1_record {
	const struct exchange *exchange;
	const struct sockaddr_storage *client;
	bool cut; /* it ended before its last byte */
};
typedef void http1_finished_fn(struct http1_service *service, const struct http1_record *record);

/* A connection was closed; connection_count is one less. */
typedef void http1_closed_fn(struct http1_service *service);

struct http1_service {
	struct proactor *proactor;
	const struct router *router;
	struct http1_options options;
	http1_finished_fn *finished; /* NULL: no access log */
	http1_closed_fn *closed;     /* may be NULL */
	size_t connection_count;
	uint64_t connection_serial; /* numbers connections, for the debug log */
	bool draining;
	struct list connections;
	struct deadline_queue header_deadlines, body_deadlines, idle_deadlines, send_deadlines;
	struct deadline_queue drain_deadlines, linger_deadlines;
	struct block_pool idle_pool, active_pool, kept_pool;
};

/* The pointers stay the caller's. */
void http1_service_open(struct http1_service *service, struct proactor *proactor,
	const struct router *router, const struct http1_options *options);

/* No connection may be left. */
void http1_service_close(struct http1_service *service);

/* Takes over a connected, non-blocking socket. */
void http1_service_accept(struct http1_service *service, int fd);

/* From now on every response is the last of its connection, and a connection without a request is
 * closed after a second of silence. */
void http1_service_drain(struct http1_service *service);

/* Closes every connection now. */
void http1_service_stop(struct http1_service *service);

#endif
