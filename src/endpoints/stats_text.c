/* stats for people: what one looks at first, in the units one thinks in. */
#include <inttypes.h>

#include "endpoints/stats.h"

static void append_server(struct buffer *text, const struct server_state *state)
{
	uint64_t seconds = state->uptime_ms / 1000;

	buffer_append_format(text,
		"Ringlet " RINGLET_VERSION " on %s\n\n"
		"up             %" PRIu64 " d %02u:%02u:%02u\n"
		"workers        %zu, restarted %" PRIu64 " times\n",
		state->backend, seconds / 86400, (unsigned)(seconds / 3600 % 24),
		(unsigned)(seconds / 60 % 60), (unsigned)(seconds % 60), state->worker_count,
		state->restarts);
	if (state->features[0] != '\0')
		buffer_append_format(text, "ring           %s\n", state->features);
}

static void append_states(struct buffer *text, const struct server_state *state, const char *title,
	unsigned first, unsigned end)
{
	const char *separator = "";

	buffer_append_format(text, "  %-12s ", title);
	for (unsigned i = first; i < end; i++) {
		if (state->values[i] == 0)
			continue;
		buffer_append_format(text, "%s%" PRIu64 " %s", separator, state->values[i],
			metric_descriptions[i].key);
		separator = ", ";
	}
	buffer_append_string(text, "\n");
}

static void append_connections(struct buffer *text, const struct server_state *state)
{
	buffer_append_format(text,
		"connections    %" PRIu64 " open: %" PRIu64 " active, %" PRIu64 " idle; %" PRIu64
		" accepted\n",
		state->open, state->active, state->idle,
		state->values[METRIC_CONNECTIONS_ACCEPTED]);
	append_states(text, state, "input", METRIC_INPUT_READING_HEAD, METRIC_OUTPUT_READING);
	append_states(text, state, "output", METRIC_OUTPUT_READING, METRICS_COUNT);
}

static void append_traffic(struct buffer *text, const struct server_state *state)
{
	const uint64_t *values = state->values;

	buffer_append_format(text,
		"requests       %" PRIu64 ": %" PRIu64 " 2xx, %" PRIu64 " 3xx, %" PRIu64
		" 4xx, %" PRIu64 " 5xx; %" PRIu64 " cut\n"
		"bytes          %" PRIu64 " received, %" PRIu64 " sent\n",
		values[METRIC_REQUESTS], values[METRIC_RESPONSES_2XX], values[METRIC_RESPONSES_3XX],
		values[METRIC_RESPONSES_4XX], values[METRIC_RESPONSES_5XX],
		values[METRIC_RESPONSES_CUT], values[METRIC_BYTES_RECEIVED],
		values[METRIC_BYTES_SENT]);
}

static void append_compression(struct buffer *text, const struct server_state *state)
{
	const uint64_t *values = state->values;

	buffer_append_format(text,
		"compressed     %" PRIu64 " responses, %" PRIu64 " bytes to %" PRIu64 "; %" PRIu64
		" not for want of room\n",
		values[METRIC_COMPRESSIONS], values[METRIC_COMPRESSION_BYTES_IN],
		values[METRIC_COMPRESSION_BYTES_OUT], values[METRIC_COMPRESSIONS_SKIPPED]);
}

static void append_kernel(struct buffer *text, const struct server_state *state)
{
	const uint64_t *values = state->values;
	uint64_t ratio = server_state_completions_per_enter(state);

	buffer_append_format(text,
		"cache          %" PRIu64 " hits, %" PRIu64 " misses; %" PRIu64 " entries, %" PRIu64
		" bytes, %" PRIu64 " open files\n"
		"files          %" PRIu64 " splices, %" PRIu64 " sendfiles, %" PRIu64 " reads\n"
		"kernel         %" PRIu64 " enters, %" PRIu64 ".%03u completions each, %" PRIu64
		" io-wq workers\n"
		"shortages      %" PRIu64 " short sends, %" PRIu64 " of receive buffers, %" PRIu64
		" completion queue overflows\n",
		values[METRIC_CACHE_HITS], values[METRIC_CACHE_MISSES],
		values[METRIC_CACHE_ENTRIES], values[METRIC_CACHE_BYTES],
		values[METRIC_CACHE_DESCRIPTORS], values[METRIC_SPLICES],
		values[METRIC_SENDFILE_CALLS], values[METRIC_READS], values[METRIC_ENTERS],
		ratio / 1000, (unsigned)(ratio % 1000), state->io_wq_workers,
		values[METRIC_SHORT_SENDS], values[METRIC_RECEIVE_SHORTAGES],
		values[METRIC_CQ_OVERFLOWS]);
}

static void append_endpoint(struct buffer *text, unsigned number)
{
	struct endpoint_metrics answered;

	metrics_sum_endpoint(&answered, number);
	buffer_append_format(text, "%-14s %12" PRIu64, server_state_endpoint_name(number),
		histogram_count(&answered.durations));
	for (unsigned i = 0; i < STATS_QUANTILE_COUNT; i++) {
		uint64_t us = histogram_quantile_ns(
				      &answered.durations, stats_quantiles[i].per_thousand) /
			      1000;

		buffer_append_format(text, " %8" PRIu64 ".%03u", us / 1000, (unsigned)(us % 1000));
	}
	buffer_append_string(text, "\n");
}

void stats_append_text(struct buffer *buffer, const struct server_state *state)
{
	append_server(buffer, state);
	append_connections(buffer, state);
	append_traffic(buffer, state);
	append_compression(buffer, state);
	append_kernel(buffer, state);
	buffer_append_format(buffer, "\n%-14s %12s", "endpoint", "requests");
	for (unsigned i = 0; i < STATS_QUANTILE_COUNT; i++)
		buffer_append_format(buffer, " %9s ms", stats_quantiles[i].title);
	buffer_append_string(buffer, "\n");
	for (unsigned number = 0; server_state_endpoint_name(number); number++)
		append_endpoint(buffer, number);
}
