/* What all workers together tell about themselves, read once for one answer: for stats and metrics.
 */
#ifndef RINGLET_ENDPOINTS_SERVER_STATE_H
#define RINGLET_ENDPOINTS_SERVER_STATE_H

#include "base/metrics.h"
#include "proactor/proactor.h"

struct server_state {
	const char *backend;
	const char *features; /* of the ring; "" if there is none */
	size_t worker_count;
	uint64_t restarts;
	uint64_t started_ns; /* when the oldest worker began, since 1970; 0: none has said so */
	uint64_t uptime_ms;
	uint64_t io_wq_workers;      /* threads that the kernel started for the rings */
	uint64_t open, active, idle; /* connections */
	uint64_t values[METRICS_COUNT];
};

void server_state_read(struct server_state *state, const struct proactor *proactor);

/* Completions that one enter brought on average, in thousandths. */
uint64_t server_state_completions_per_enter(const struct server_state *state);

/* The name of the endpoint with that number, "none" for 0, NULL beyond the last. */
const char *server_state_endpoint_name(unsigned number);

#endif
