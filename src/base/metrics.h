/* What a process counts, in a page that other processes may read.
 *
 * Each worker writes one page and only its own; the pages of all workers stand in one shared
 * mapping that the supervisor makes before it forks.  A counter is one aligned 64-bit word with a
 * single writer, so that readers sum the pages without locks.  A process that never called
 * metrics_attach() (a unit test) counts in a private page.
 *
 * The name in the list is the JSON key of /stats: a contract, see docs/endpoints.md. */
#ifndef RINGLET_BASE_METRICS_H
#define RINGLET_BASE_METRICS_H

#include <stddef.h>

#include "base/histogram.h"

/* X(CONSTANT, "key", "what it counts").  Counters only grow; gauges go up and down. */
#define METRICS_COUNTERS(X)                                                                        \
	X(CONNECTIONS_ACCEPTED, "connections_accepted", "connections accepted")                    \
	X(CONNECTIONS_CLOSED, "connections_closed", "connections closed")                          \
	X(ACCEPT_PAUSES, "accept_pauses", "times accepting paused for want of descriptors")        \
	X(REQUESTS, "requests", "requests answered")                                               \
	X(RESPONSES_2XX, "responses_2xx", "responses with a status of 200 to 299")                 \
	X(RESPONSES_3XX, "responses_3xx", "responses with a status of 300 to 399")                 \
	X(RESPONSES_4XX, "responses_4xx", "responses with a status of 400 to 499")                 \
	X(RESPONSES_5XX, "responses_5xx", "responses with a status of 500 to 599")                 \
	X(RESPONSES_CUT, "responses_cut", "responses that ended before their last byte")           \
	X(TRANSITIONS, "transitions", "changes of a connection's state")                           \
	X(BYTES_RECEIVED, "bytes_received", "bytes received from clients")                         \
	X(BYTES_SENT, "bytes_sent", "bytes sent to clients")                                       \
	X(OPS_SUBMITTED, "ops_submitted", "asynchronous operations submitted")                     \
	X(OPS_COMPLETED, "ops_completed", "asynchronous operations completed")                     \
	X(OPS_CANCELLED, "ops_cancelled", "cancellations asked for")                               \
	X(ACCEPTS, "accepts", "descriptors delivered by accept ops")                               \
	X(RECEIVES, "receives", "receive ops completed with bytes")                                \
	X(RECEIVE_SPILLS, "receive_spills", "receives copied because nobody was waiting")          \
	X(RECEIVE_SHORTAGES, "receive_shortages", "times the receive buffers ran out")             \
	X(SENDS, "sends", "send ops completed")                                                    \
	X(SHORT_SENDS, "short_sends", "sends that the kernel cut short")                           \
	X(SENDFILES, "sendfiles", "zero-copy ops completed")                                       \
	X(SPLICES, "splices", "splice requests of the ring completed")                             \
	X(SPLICED_BYTES, "spliced_bytes", "bytes that reached a socket by splice")                 \
	X(SENDFILE_CALLS, "sendfile_calls", "sendfile(2) calls")                                   \
	X(SENDFILE_BYTES, "sendfile_bytes", "bytes that reached a socket by sendfile(2)")          \
	X(SOCKET_WAITS, "socket_waits", "times a full socket had to be waited for")                \
	X(OPENS, "opens", "files opened")                                                          \
	X(STATS, "stats", "files examined by fstat(2)")                                            \
	X(READS, "reads", "file reads completed")                                                  \
	X(READ_BYTES, "read_bytes", "bytes read from files by read ops")                           \
	X(WRITES, "writes", "file writes completed")                                               \
	X(COMPRESSIONS, "compressions", "responses compressed on their way")                       \
	X(COMPRESSIONS_SKIPPED, "compressions_skipped",                                            \
		"responses not compressed for want of room")                                       \
	X(COMPRESSION_BYTES_IN, "compression_bytes_in", "bytes that were compressed")              \
	X(COMPRESSION_BYTES_OUT, "compression_bytes_out", "bytes that they became")                \
	X(POOL_WORKS, "pool_works", "pieces of work done by the thread pool")                      \
	X(TURNS, "turns", "turns of the run loop")                                                 \
	X(ENTERS, "enters", "system calls that waited for events or entered the ring")             \
	X(COMPLETIONS, "completions", "completion queue entries or readiness events handled")      \
	X(CQ_OVERFLOWS, "cq_overflows", "times the completion queue overflowed")                   \
	X(SSI_DIRECTIVES, "ssi_directives", "directives of server-side includes read")             \
	X(SSI_ERRORS, "ssi_errors", "directives of server-side includes that failed")              \
	X(CACHE_HITS, "cache_hits", "times the cache knew what a path leads to")                   \
	X(CACHE_MISSES, "cache_misses", "times a path had to be looked up")                        \
	X(CACHE_EVICTIONS, "cache_evictions", "entries that left the cache for others")            \
	X(CACHE_INVALIDATIONS, "cache_invalidations", "entries that were found to be out of date") \
	X(CACHE_WATCH_FAILURES, "cache_watch_failures",                                            \
		"directories that could not be watched for want of room")                          \
	X(LOG_LINES_DROPPED, "log_lines_dropped", "log lines dropped because writing fell behind")

/* What is kept, what is busy, then the states of a connection's two tables (http1/transitions.h),
 * in the order of their enums. */
#define METRICS_GAUGES(X)                                                                          \
	X(CACHE_ENTRIES, "cache_entries", "paths whose end the cache knows")                       \
	X(CACHE_BYTES, "cache_bytes", "bytes of files in memory")                                  \
	X(CACHE_DESCRIPTORS, "cache_descriptors", "files that the cache keeps open")               \
	X(CONNECTIONS_ACTIVE, "active", "connections with a request under way")                    \
	X(INPUT_READING_HEAD, "reading_head", "connections reading a head")                        \
	X(INPUT_READING_BODY, "reading_body", "connections reading a body")                        \
	X(INPUT_STALLED, "stalled", "connections whose endpoint is behind")                        \
	X(INPUT_HOLDING, "holding", "connections with input held back")                            \
	X(INPUT_DISCARDING, "discarding", "connections discarding a body")                         \
	X(INPUT_ENDED, "ended_input", "connections whose client finished")                         \
	X(INPUT_CLOSED, "closed_input", "connections no longer read from")                         \
	X(OUTPUT_READING, "reading", "connections waiting for a request")                          \
	X(OUTPUT_HANDLING, "handling", "connections with an endpoint at work")                     \
	X(OUTPUT_SENDING_INTERIM, "sending_interim", "connections sending 100")                    \
	X(OUTPUT_SENDING, "sending", "connections sending from memory")                            \
	X(OUTPUT_SENDING_FILE, "sending_file", "connections sending a file")                       \
	X(OUTPUT_AWAITING_BODY, "awaiting_body", "connections awaiting a body")                    \
	X(OUTPUT_LINGERING, "lingering", "connections lingering")                                  \
	X(OUTPUT_CLOSING, "closing", "connections closing")

#define METRICS_CONSTANT(constant, key, help) METRIC_##constant,
enum metric {
	METRICS_COUNTERS(METRICS_CONSTANT) METRICS_COUNTER_COUNT,
	METRICS_BEFORE_GAUGES = METRICS_COUNTER_COUNT - 1,
	METRICS_GAUGES(METRICS_CONSTANT) METRICS_COUNT
};
#undef METRICS_CONSTANT

enum {
	METRICS_PAGES_PER_WORKER = 2, /* a worker and its predecessor, which finishes */
	METRICS_ENDPOINTS_MAX = 16,   /* 0 stands for what no endpoint answered */
	METRICS_STATUS_MIN = 200,
	METRICS_STATUS_COUNT = 400,
};

/* The requests that one endpoint answered. */
struct endpoint_metrics {
	uint64_t responses[METRICS_STATUS_COUNT]; /* by status, from METRICS_STATUS_MIN */
	struct histogram durations;               /* from a request's first byte to its end */
};

struct metrics {
	uint64_t values[METRICS_COUNT];
	uint64_t started_ns; /* CLOCK_REALTIME when the worker began */
	uint64_t restarts;   /* written by the supervisor */
	uint64_t pid;        /* the worker's; 0: none */
	char backend[16];    /* "io_uring" or "epoll", written once */
	struct endpoint_metrics endpoints[METRICS_ENDPOINTS_MAX];
} __attribute__((aligned(64)));

struct metric_description {
	const char *key;
	const char *help;
};
extern const struct metric_description metric_descriptions[METRICS_COUNT];

/* The page this process writes. */
extern struct metrics *metrics;

/* From now on count in pages[own]; readers sum pages[0..count). */
void metrics_attach(struct metrics *pages, size_t count, size_t own);

/* The pages of all workers, METRICS_PAGES_PER_WORKER each; a single one in a unit test. */
const struct metrics *metrics_pages(size_t *count);
uint64_t metrics_sum(enum metric metric);
void metrics_sum_endpoint(struct endpoint_metrics *sum, unsigned endpoint);

/* A request was answered, by that endpoint (0: by none), with a status of 200 to 599. */
void metrics_count_response(unsigned endpoint, unsigned status, uint64_t duration_ns);

static inline void metrics_add(enum metric metric, uint64_t amount)
{
	uint64_t *value = &metrics->values[metric];

	__atomic_store_n(value, *value + amount, __ATOMIC_RELAXED);
}

static inline void metrics_subtract(enum metric metric, uint64_t amount)
{
	uint64_t *value = &metrics->values[metric];

	__atomic_store_n(value, *value - amount, __ATOMIC_RELAXED);
}

#endif
