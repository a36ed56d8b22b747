/* The back-off between restarts of a worker: 0 s after the first death, then 1, 2, 4 … 30 s as long
 * as each worker lives for less than 5 s.  A broken worker must not keep a CPU busy. */
#ifndef RINGLET_SERVER_RESTART_H
#define RINGLET_SERVER_RESTART_H

#include <stdint.h>

struct restart {
	unsigned early_deaths; /* in a row */
	uint64_t started_ns;
};

void restart_started(struct restart *restart, uint64_t now_ns);

/* The worker died at `now_ns`: the delay before the next start. */
uint64_t restart_delay_ns(struct restart *restart, uint64_t now_ns);

#endif
