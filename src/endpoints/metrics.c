/* What the server counts, in the Prometheus text format 0.0.4: stats for a monitoring system.
 *
 * Labels are bounded: endpoints are those of the registry, codes those that were answered, states
 * those of a connection's output.  The bounds of the histograms are powers of two of nanoseconds,
 * which the buckets behind them know exactly.  Names are a contract; docs/endpoints.md lists them.
 */
#include "base/metrics.h"

#include <inttypes.h>

#include "endpoints/generated.h"
#include "endpoints/registry.h"
#include "endpoints/server_state.h"

/* Told of each histogram: 16 us, doubled up to 17 s. */
enum { BOUND_BITS_MIN = 14, BOUND_BITS_MAX = 34 };

struct family {
	enum metric metric;
	const char *name;
};

static const struct family counters[] = {
	{ METRIC_CONNECTIONS_ACCEPTED, "ringlet_connections_accepted_total" },
	{ METRIC_CONNECTIONS_CLOSED, "ringlet_connections_closed_total" },
	{ METRIC_ACCEPT_PAUSES, "ringlet_accept_pauses_total" },
	{ METRIC_RESPONSES_CUT, "ringlet_http_responses_cut_total" },
	{ METRIC_BYTES_RECEIVED, "ringlet_received_bytes_total" },
	{ METRIC_BYTES_SENT, "ringlet_sent_bytes_total" },
	{ METRIC_READS, "ringlet_file_reads_total" },
	{ METRIC_READ_BYTES, "ringlet_file_read_bytes_total" },
	{ METRIC_COMPRESSIONS, "ringlet_compressions_total" },
	{ METRIC_COMPRESSIONS_SKIPPED, "ringlet_compressions_skipped_total" },
	{ METRIC_COMPRESSION_BYTES_IN, "ringlet_compression_in_bytes_total" },
	{ METRIC_COMPRESSION_BYTES_OUT, "ringlet_compression_out_bytes_total" },
	{ METRIC_SSI_DIRECTIVES, "ringlet_ssi_directives_total" },
	{ METRIC_SSI_ERRORS, "ringlet_ssi_errors_total" },
	{ METRIC_LOG_LINES_DROPPED, "ringlet_log_lines_dropped_total" },
	{ METRIC_CACHE_HITS, "ringlet_cache_hits_total" },
	{ METRIC_CACHE_MISSES, "ringlet_cache_misses_total" },
	{ METRIC_CACHE_EVICTIONS, "ringlet_cache_evictions_total" },
	{ METRIC_CACHE_INVALIDATIONS, "ringlet_cache_invalidations_total" },
	{ METRIC_CACHE_WATCH_FAILURES, "ringlet_cache_watch_failures_total" },
	{ METRIC_OPS_SUBMITTED, "ringlet_uring_ops_submitted_total" },
	{ METRIC_OPS_COMPLETED, "ringlet_uring_ops_completed_total" },
	{ METRIC_ENTERS, "ringlet_uring_enters_total" },
	{ METRIC_COMPLETIONS, "ringlet_uring_completions_total" },
	{ METRIC_CQ_OVERFLOWS, "ringlet_uring_cq_overflows_total" },
	{ METRIC_RECEIVE_SHORTAGES, "ringlet_uring_receive_shortages_total" },
	{ METRIC_RECEIVE_SPILLS, "ringlet_uring_receive_spills_total" },
	{ METRIC_SHORT_SENDS, "ringlet_uring_short_sends_total" },
	{ METRIC_SPLICES, "ringlet_uring_splices_total" },
	{ METRIC_SPLICED_BYTES, "ringlet_uring_spliced_bytes_total" },
};

static void append_family(struct buffer *text, const char *name, const char *type, const char *help)
{
	buffer_append_format(text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

static void append_number(
	struct buffer *text, const char *name, const char *type, const char *help, uint64_t number)
{
	append_family(text, name, type, help);
	buffer_append_format(text, "%s %" PRIu64 "\n", name, number);
}

static void append_ns(struct buffer *text, uint64_t ns)
{
	buffer_append_format(
		text, "%" PRIu64 ".%09u", ns / 1000000000, (unsigned)(ns % 1000000000));
}

static void append_server(struct buffer *text, const struct server_state *state)
{
	append_family(text, "ringlet_build_info", "gauge", "version and backend; always 1");
	buffer_append_format(text,
		"ringlet_build_info{version=\"" RINGLET_VERSION "\",backend=\"%s\"} 1\n",
		state->backend);
	append_family(text, "ringlet_start_time_seconds", "gauge",
		"when the oldest worker began, in seconds since 1970");
	buffer_append_string(text, "ringlet_start_time_seconds ");
	append_ns(text, state->started_ns);
	buffer_append_string(text, "\n");
	append_number(text, "ringlet_workers", "gauge", "worker processes configured",
		state->worker_count);
	append_number(text, "ringlet_worker_restarts_total", "counter",
		"workers started again after they died", state->restarts);
	append_number(text, "ringlet_uring_io_wq_workers", "gauge",
		"threads that the kernel has started for the rings", state->io_wq_workers);
}

static void append_connections(struct buffer *text, const struct server_state *state)
{
	append_family(text, "ringlet_connections", "gauge",
		"open connections by the state of their answering side");
	for (unsigned i = METRIC_OUTPUT_READING; i < METRICS_COUNT; i++)
		buffer_append_format(text, "ringlet_connections{state=\"%s\"} %" PRIu64 "\n",
			metric_descriptions[i].key, state->values[i]);
}

static void append_cache(struct buffer *text, const struct server_state *state)
{
	static const struct family gauges[] = {
		{ METRIC_CACHE_ENTRIES, "ringlet_cache_entries" },
		{ METRIC_CACHE_BYTES, "ringlet_cache_bytes" },
		{ METRIC_CACHE_DESCRIPTORS, "ringlet_cache_open_files" },
	};

	for (size_t i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++)
		append_number(text, gauges[i].name, "gauge",
			metric_descriptions[gauges[i].metric].help,
			state->values[gauges[i].metric]);
}

static void append_counters(struct buffer *text, const struct server_state *state)
{
	for (size_t i = 0; i < sizeof(counters) / sizeof(counters[0]); i++) {
		enum metric metric = counters[i].metric;

		append_number(text, counters[i].name, "counter", metric_descriptions[metric].help,
			state->values[metric]);
	}
}

/* --- endpoints ---------------------------------------------------------------------------- */

static void append_requests(
	struct buffer *text, const char *endpoint, const struct endpoint_metrics *answered)
{
	for (unsigned i = 0; i < METRICS_STATUS_COUNT; i++) {
		if (answered->responses[i] == 0)
			continue;
		buffer_append_format(text,
			"ringlet_http_requests_total{code=\"%u\",endpoint=\"%s\"} %" PRIu64 "\n",
			METRICS_STATUS_MIN + i, endpoint, answered->responses[i]);
	}
}

static void append_durations(
	struct buffer *text, const char *endpoint, const struct endpoint_metrics *answered)
{
	static const char name[] = "ringlet_http_request_duration_seconds";
	const struct histogram *durations = &answered->durations;
	uint64_t count = histogram_count(durations);

	for (unsigned bits = BOUND_BITS_MIN; bits <= BOUND_BITS_MAX; bits++) {
		buffer_append_format(text, "%s_bucket{endpoint=\"%s\",le=\"", name, endpoint);
		append_ns(text, UINT64_C(1) << bits);
		buffer_append_format(
			text, "\"} %" PRIu64 "\n", histogram_count_within(durations, bits));
	}
	buffer_append_format(text, "%s_bucket{endpoint=\"%s\",le=\"+Inf\"} %" PRIu64 "\n", name,
		endpoint, count);
	buffer_append_format(text, "%s_sum{endpoint=\"%s\"} ", name, endpoint);
	append_ns(text, durations->sum_ns);
	buffer_append_format(
		text, "\n%s_count{endpoint=\"%s\"} %" PRIu64 "\n", name, endpoint, count);
}

typedef void append_fn(struct buffer *text, const char *endpoint, const struct endpoint_metrics *);

static void append_for_each_endpoint(struct buffer *text, append_fn *append)
{
	const char *endpoint;

	for (unsigned number = 0; (endpoint = server_state_endpoint_name(number)); number++) {
		struct endpoint_metrics answered;

		metrics_sum_endpoint(&answered, number);
		append(text, endpoint, &answered);
	}
}

static void append_endpoints(struct buffer *text)
{
	append_family(text, "ringlet_http_requests_total", "counter",
		"requests answered, by status and endpoint");
	append_for_each_endpoint(text, append_requests);
	append_family(text, "ringlet_http_request_duration_seconds", "histogram",
		"from the first byte of a request to the last of its answer, by endpoint");
	append_for_each_endpoint(text, append_durations);
}

static void handle_metrics(void *state, struct exchange *exchange)
{
	struct generated_body *body = generated_take();
	struct server_state server;

	(void)state;
	if (!body) {
		exchange_answer_error(exchange, 503);
		return;
	}
	server_state_read(&server, exchange->proactor);
	append_server(&body->text, &server);
	append_connections(&body->text, &server);
	append_cache(&body->text, &server);
	append_counters(&body->text, &server);
	append_endpoints(&body->text);
	exchange_add_field(exchange, text_literal("Cache-Control"), text_literal("no-store"));
	generated_answer(body, exchange, text_literal("text/plain; version=0.0.4; charset=utf-8"));
}

const struct endpoint metrics_endpoint = {
	.name = "metrics",
	.summary = "What the server has counted, in the text format of Prometheus.",
	.methods = METHOD_BIT(METHOD_GET) | METHOD_BIT(METHOD_HEAD),
	.local = true,
	.handle = handle_metrics,
};
