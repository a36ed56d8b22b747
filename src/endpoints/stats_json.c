/* stats for programs.  Every key is a contract that docs/endpoints.md lists; those of counters and
 * states come from base/metrics.h. */
#include <inttypes.h>

#include "endpoints/stats.h"

static void append_server(struct buffer *json, const struct server_state *state)
{
	uint64_t ratio = server_state_completions_per_enter(state);

	buffer_append_format(json,
		"  \"server\": \"Ringlet\",\n"
		"  \"version\": \"" RINGLET_VERSION "\",\n"
		"  \"backend\": \"%s\",\n"
		"  \"features\": \"%s\",\n"
		"  \"workers\": %zu,\n"
		"  \"restarts\": %" PRIu64 ",\n"
		"  \"uptime_seconds\": %" PRIu64 ".%03u,\n"
		"  \"io_wq_workers\": %" PRIu64 ",\n"
		"  \"completions_per_enter\": %" PRIu64 ".%03u,\n",
		state->backend, state->features, state->worker_count, state->restarts,
		state->uptime_ms / 1000, (unsigned)(state->uptime_ms % 1000), state->io_wq_workers,
		ratio / 1000, (unsigned)(ratio % 1000));
}

/* {"key": value, ...} of the metrics from `first` to before `end`. */
static void append_metrics(struct buffer *json, const struct server_state *state,
	const char *indent, unsigned first, unsigned end)
{
	buffer_append_string(json, "{");
	for (unsigned i = first; i < end; i++) {
		buffer_append_format(json, "%s\n%s  \"%s\": %" PRIu64, i > first ? "," : "", indent,
			metric_descriptions[i].key, state->values[i]);
	}
	buffer_append_format(json, "\n%s}", indent);
}

static void append_connections(struct buffer *json, const struct server_state *state)
{
	buffer_append_format(json,
		"  \"connections\": {\n"
		"    \"open\": %" PRIu64 ",\n"
		"    \"active\": %" PRIu64 ",\n"
		"    \"idle\": %" PRIu64 ",\n"
		"    \"input\": ",
		state->open, state->active, state->idle);
	append_metrics(json, state, "    ", METRIC_INPUT_READING_HEAD, METRIC_OUTPUT_READING);
	buffer_append_string(json, ",\n    \"output\": ");
	append_metrics(json, state, "    ", METRIC_OUTPUT_READING, METRICS_COUNT);
	buffer_append_string(json, "\n  },\n");
}

/* --- endpoints ---------------------------------------------------------------------------- */

static void append_responses(struct buffer *json, const struct endpoint_metrics *answered)
{
	const char *separator = "";

	buffer_append_string(json, "\"responses\": [");
	for (unsigned i = 0; i < METRICS_STATUS_COUNT; i++) {
		if (answered->responses[i] == 0)
			continue;
		buffer_append_format(json, "%s{\"status\": %u, \"count\": %" PRIu64 "}", separator,
			METRICS_STATUS_MIN + i, answered->responses[i]);
		separator = ", ";
	}
	buffer_append_string(json, "]");
}

static void append_latency(struct buffer *json, const struct histogram *durations)
{
	buffer_append_string(json, "\"latency_us\": {");
	for (unsigned i = 0; i < STATS_QUANTILE_COUNT; i++) {
		uint64_t ns = histogram_quantile_ns(durations, stats_quantiles[i].per_thousand);

		buffer_append_format(json, "%s\"%s\": %" PRIu64 ".%03u", i > 0 ? ", " : "",
			stats_quantiles[i].key, ns / 1000, (unsigned)(ns % 1000));
	}
	buffer_append_string(json, "}");
}

static void append_endpoint(struct buffer *json, unsigned number)
{
	struct endpoint_metrics answered;

	metrics_sum_endpoint(&answered, number);
	buffer_append_format(json, "%s\n    {\"name\": \"%s\", \"requests\": %" PRIu64 ", ",
		number > 0 ? "," : "", server_state_endpoint_name(number),
		histogram_count(&answered.durations));
	append_responses(json, &answered);
	buffer_append_string(json, ", ");
	append_latency(json, &answered.durations);
	buffer_append_string(json, "}");
}

void stats_append_json(struct buffer *buffer, const struct server_state *state)
{
	buffer_append_string(buffer, "{\n");
	append_server(buffer, state);
	append_connections(buffer, state);
	buffer_append_string(buffer, "  \"cache\": ");
	append_metrics(buffer, state, "  ", METRIC_CACHE_ENTRIES, METRIC_CONNECTIONS_ACTIVE);
	buffer_append_string(buffer, ",\n  \"counters\": ");
	append_metrics(buffer, state, "  ", 0, METRICS_COUNTER_COUNT);
	buffer_append_string(buffer, ",\n  \"endpoints\": [");
	for (unsigned number = 0; server_state_endpoint_name(number); number++)
		append_endpoint(buffer, number);
	buffer_append_string(buffer, "\n  ]\n}\n");
}
