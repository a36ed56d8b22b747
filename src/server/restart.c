/* The delay doubles with each early death, up to a maximum. */
#include "server/restart.h"

#define SECOND_NS        UINT64_C(1000000000)
#define LONG_LIFE_NS     (5 * SECOND_NS)
#define DELAY_NS_MAX     (30 * SECOND_NS)
#define DOUBLINGS_ENOUGH 5u /* 32 s exceeds the maximum */

void restart_started(struct restart *restart, uint64_t now_ns)
{
	restart->started_ns = now_ns;
}

uint64_t restart_delay_ns(struct restart *restart, uint64_t now_ns)
{
	unsigned doublings = restart->early_deaths;
	uint64_t delay_ns;

	if (now_ns - restart->started_ns >= LONG_LIFE_NS)
		doublings = 0;
	restart->early_deaths = doublings + 1;
	if (doublings == 0)
		return 0;
	doublings = doublings - 1 < DOUBLINGS_ENOUGH ? doublings - 1 : DOUBLINGS_ENOUGH;
	delay_ns = SECOND_NS << doublings;
	return delay_ns < DELAY_NS_MAX ? delay_ns : DELAY_NS_MAX;
}
