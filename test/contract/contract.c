/* The promises of proactor.h, proved for one backend:
 *
 *	contract io_uring | epoll | simulated [FIRST-SEED [LAST-SEED]]
 *
 * The seed decides what the simulated backend does, and the order of events in soak_cases.c.
 * CONTRACT_FILTER=pattern in the environment (with * and ?) runs only the cases that match. */
#include "cases.h"

#include <stdio.h>

static int run_cases(void)
{
	static int (*const groups[])(void) = {
		run_kind_cases,
		run_file_cases,
		run_time_cases,
		run_transfer_cases,
		run_cancel_cases,
		run_connection_cases,
		run_pressure_cases,
		run_soak_cases,
	};
	int failed_count = 0;

	for (size_t i = 0; i < sizeof(groups) / sizeof(groups[0]); i++)
		failed_count += groups[i]();
	return failed_count;
}

int main(int argument_count, char **arguments)
{
	const char *backend = argument_count > 1 ? arguments[1] : "";
	uint64_t first = argument_count > 2 ? strtoull(arguments[2], NULL, 10) : 0;
	uint64_t last = argument_count > 3 ? strtoull(arguments[3], NULL, 10) : first;
	int failed_count = 0;

	if (!fixture_knows(backend)) {
		fprintf(stderr, "usage: contract io_uring|epoll|simulated [FIRST [LAST]]\n");
		return 2;
	}
	if (getenv("CONTRACT_FILTER"))
		cmocka_set_test_filter(getenv("CONTRACT_FILTER"));
	for (uint64_t seed = first; seed <= last && failed_count == 0; seed++) {
		printf("%s, seed %llu\n", backend, (unsigned long long)seed);
		fflush(stdout);
		fixture_choose(backend, seed);
		failed_count += run_cases();
	}
	return failed_count == 0 ? 0 : 1;
}
