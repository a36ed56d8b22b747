/* When a worker that died is started again: at once the first time, then after 1, 2, 4 … 30 s as
 * long as each lives for a few seconds only, so that a broken worker does not keep a CPU busy. */
#ifndef RINGLET_SERVER_RESTART_H
#define RINGLET_SERVER_RESTART_H

#include <stdint.h>

struct restart {
	unsigned early_deaths; /* in a row */
	uint64_t started_ns;
};

void restart_started(struct restart *restart, uint64_t now_ns);

/* The worker died at `now_ns`: how long to wait. */
uint64_t restart_delay_ns(struct restart *restart, uint64_t now_ns);

#endif
