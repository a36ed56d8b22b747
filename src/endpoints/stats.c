/* What the server counts, as JSON: the sum over the pages of all workers, read without locks.
 *
 * Every key is a contract that docs/endpoints.md lists; those of counters and states come from
 * base/metrics.h.  The numbers of one answer are read one after the other, while others write: two
 * of them may differ by what happened in between. */
#include <inttypes.h>

#include "base/metrics.h"
#include "endpoints/generated.h"
#include "endpoints/registry.h"
#include "proactor/proactor.h"

static uint64_t restarts(void)
{
	size_t count;
	const struct metrics *pages = metrics_pages(&count);
	uint64_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += __atomic_load_n(&pages[i].restarts, __ATOMIC_RELAXED);
	return sum;
}

/* Since the oldest worker began; 0 when none has said so. */
static uint64_t uptime_ms(int64_t now_ns)
{
	size_t count;
	const struct metrics *pages = metrics_pages(&count);
	uint64_t first_ns = 0;

	for (size_t i = 0; i < count; i++) {
		uint64_t started_ns = __atomic_load_n(&pages[i].started_ns, __ATOMIC_RELAXED);

		if (started_ns > 0 && (first_ns == 0 || started_ns < first_ns))
			first_ns = started_ns;
	}
	if (first_ns == 0 || first_ns > (uint64_t)now_ns)
		return 0;
	return ((uint64_t)now_ns - first_ns) / 1000000;
}

static void append_server(struct buffer *json, const struct proactor *proactor)
{
	uint64_t ms = uptime_ms(proactor_wall_ns(proactor));
	size_t worker_count;

	(void)metrics_pages(&worker_count);
	buffer_append_format(json,
		"  \"server\": \"Ringlet\",\n"
		"  \"version\": \"" RINGLET_VERSION "\",\n"
		"  \"backend\": \"%s\",\n"
		"  \"workers\": %zu,\n"
		"  \"restarts\": %" PRIu64 ",\n"
		"  \"uptime_seconds\": %" PRIu64 ".%03u,\n",
		proactor_backend_name(proactor), worker_count, restarts(), ms / 1000,
		(unsigned)(ms % 1000));
}

/* {"key": value, ...} of the metrics from `first` to before `end`. */
static void append_metrics(struct buffer *json, const char *indent, unsigned first, unsigned end)
{
	buffer_append_string(json, "{");
	for (unsigned i = first; i < end; i++) {
		buffer_append_format(json, "%s\n%s  \"%s\": %" PRIu64, i > first ? "," : "", indent,
			metric_descriptions[i].key, metrics_sum((enum metric)i));
	}
	buffer_append_format(json, "\n%s}", indent);
}

/* Two numbers of a moment that passes: never less than nothing. */
static uint64_t open_connections(void)
{
	uint64_t closed = metrics_sum(METRIC_CONNECTIONS_CLOSED);
	uint64_t accepted = metrics_sum(METRIC_CONNECTIONS_ACCEPTED);

	return accepted > closed ? accepted - closed : 0;
}

static void append_connections(struct buffer *json)
{
	buffer_append_format(json,
		"  \"connections\": {\n    \"open\": %" PRIu64 ",\n    \"input\": ",
		open_connections());
	append_metrics(json, "    ", METRIC_INPUT_READING_HEAD, METRIC_OUTPUT_READING);
	buffer_append_string(json, ",\n    \"output\": ");
	append_metrics(json, "    ", METRIC_OUTPUT_READING, METRICS_COUNT);
	buffer_append_string(json, "\n  },\n");
}

static void handle_stats(void *state, struct exchange *exchange)
{
	struct generated_body *body = generated_take();

	(void)state;
	if (!body) {
		exchange_answer_error(exchange, 503);
		return;
	}
	buffer_append_string(&body->text, "{\n");
	append_server(&body->text, exchange->proactor);
	append_connections(&body->text);
	buffer_append_string(&body->text, "  \"counters\": ");
	append_metrics(&body->text, "  ", 0, METRICS_COUNTER_COUNT);
	buffer_append_string(&body->text, "\n}\n");
	exchange_add_field(exchange, text_literal("Cache-Control"), text_literal("no-store"));
	generated_answer(body, exchange, text_literal("application/json"));
}

const struct endpoint stats_endpoint = {
	.name = "stats",
	.summary = "What the server has counted, as JSON.",
	.methods = METHOD_BIT(METHOD_GET) | METHOD_BIT(METHOD_HEAD),
	.handle = handle_stats,
};
