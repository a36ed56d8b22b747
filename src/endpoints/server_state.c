/* The workers' pages summed, and the little that stands elsewhere.
 *
 * The numbers are read one after the other while the workers go on counting: two of them may differ
 * by what happened in between, so that differences are never taken to be less than nothing.
 *
 * The kernel's own workers (io-wq) are counted by no one.  They are threads of ours, so their names
 * are looked at in /proc, now that somebody asks; /proc is memory, reading it waits for nobody. */
#include "endpoints/server_state.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "endpoints/registry.h"

static uint64_t difference(uint64_t more, uint64_t less)
{
	return more > less ? more - less : 0;
}

/* --- io-wq -------------------------------------------------------------------------------- */

static bool is_kernel_worker(int directory, const char *thread)
{
	static const char prefix[] = "iou-wrk-";
	char path[64], name[16] = "";
	int file;
	ssize_t length;

	if (thread[0] == '.' ||
		snprintf(path, sizeof(path), "%s/comm", thread) >= (int)sizeof(path))
		return false;
	file = openat(directory, path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return false;
	length = read(file, name, sizeof(name));
	close(file);
	return length > 0 && strncmp(name, prefix, sizeof(prefix) - 1) == 0;
}

static uint64_t count_kernel_workers(uint64_t pid)
{
	uint64_t count = 0;
	char path[64];
	struct dirent *entry;
	DIR *threads;

	snprintf(path, sizeof(path), "/proc/%llu/task", (unsigned long long)pid);
	threads = opendir(path);
	if (!threads)
		return 0;
	while ((entry = readdir(threads)))
		count += is_kernel_worker(dirfd(threads), entry->d_name);
	closedir(threads);
	return count;
}

/* --- the pages ---------------------------------------------------------------------------- */

static void read_page(struct server_state *state, const struct metrics *page)
{
	uint64_t started_ns = __atomic_load_n(&page->started_ns, __ATOMIC_RELAXED);
	uint64_t pid = __atomic_load_n(&page->pid, __ATOMIC_RELAXED);

	state->restarts += __atomic_load_n(&page->restarts, __ATOMIC_RELAXED);
	if (started_ns > 0 && (state->started_ns == 0 || started_ns < state->started_ns))
		state->started_ns = started_ns;
	if (pid > 0 && state->features[0] != '\0')
		state->io_wq_workers += count_kernel_workers(pid);
}

static void read_connections(struct server_state *state)
{
	state->open = difference(state->values[METRIC_CONNECTIONS_ACCEPTED],
		state->values[METRIC_CONNECTIONS_CLOSED]);
	state->active = state->values[METRIC_CONNECTIONS_ACTIVE];
	state->idle = difference(state->open, state->active);
}

void server_state_read(struct server_state *state, const struct proactor *proactor)
{
	const struct metrics *pages;
	size_t page_count;

	*state = (struct server_state){
		.backend = proactor_backend_name(proactor),
		.features = proactor_features(proactor),
	};
	pages = metrics_pages(&page_count);
	state->worker_count = (page_count + 1) / METRICS_PAGES_PER_WORKER;
	for (size_t i = 0; i < page_count; i++)
		read_page(state, &pages[i]);
	/* Ends before beginnings: nothing seems to have ended that had not begun. */
	for (unsigned i = METRICS_COUNT; i-- > 0;)
		state->values[i] = metrics_sum((enum metric)i);
	read_connections(state);
	if (state->started_ns > 0)
		state->uptime_ms =
			difference((uint64_t)proactor_wall_ns(proactor), state->started_ns) /
			1000000;
}

uint64_t server_state_completions_per_enter(const struct server_state *state)
{
	uint64_t enters = state->values[METRIC_ENTERS];

	return enters > 0 ? state->values[METRIC_COMPLETIONS] * 1000 / enters : 0;
}

const char *server_state_endpoint_name(unsigned number)
{
	if (number == 0)
		return "none";
	return endpoints[number - 1] ? endpoints[number - 1]->name : NULL;
}
