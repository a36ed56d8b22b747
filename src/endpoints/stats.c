/* What the server counts, summed over all workers: as a page for people, as JSON for programs, and
 * in the layout of nginx's stub_status for exporters that know it.
 *
 * ?format=… decides; without it, JSON goes to whoever names application/json in Accept. */
#include "endpoints/stats.h"

#include <inttypes.h>

#include "base/smaller.h"
#include "endpoints/generated.h"
#include "endpoints/registry.h"
#include "http/accept.h"

const struct stats_quantile stats_quantiles[STATS_QUANTILE_COUNT] = {
	{ "p50", "p50", 500 },
	{ "p90", "p90", 900 },
	{ "p99", "p99", 990 },
	{ "p99_9", "p99.9", 999 },
};

struct format {
	struct text name; /* ?format= */
	struct text media_type;
	void (*append)(struct buffer *buffer, const struct server_state *state);
};

/* ngx_http_stub_status_module: "Waiting" are idle, "Reading" a head, "Writing" all others, the one
 * that asks among them. */
static void append_nginx(struct buffer *buffer, const struct server_state *state)
{
	uint64_t reading = state->values[METRIC_INPUT_READING_HEAD];
	uint64_t waiting = smaller(state->idle, reading);
	uint64_t writing = state->open > reading ? state->open - reading : 0;

	buffer_append_format(buffer,
		"Active connections: %" PRIu64 " \n"
		"server accepts handled requests\n"
		" %" PRIu64 " %" PRIu64 " %" PRIu64 " \n"
		"Reading: %" PRIu64 " Writing: %" PRIu64 " Waiting: %" PRIu64 " \n",
		state->open, state->values[METRIC_CONNECTIONS_ACCEPTED],
		state->values[METRIC_CONNECTIONS_ACCEPTED], state->values[METRIC_REQUESTS],
		reading - waiting, writing, waiting);
}

static const struct format formats[] = {
	{ TEXT("text"), TEXT("text/plain; charset=utf-8"), stats_append_text },
	{ TEXT("json"), TEXT("application/json"), stats_append_json },
	{ TEXT("nginx"), TEXT("text/plain; charset=utf-8"), append_nginx },
};
enum { FORMAT_TEXT, FORMAT_JSON, FORMAT_COUNT = sizeof(formats) / sizeof(formats[0]) };

/* NULL: a format that there is not. */
static const struct format *choose_format(const struct request *request)
{
	struct text name = request_parameter(request, text_literal("format"));

	if (!name.bytes) {
		bool prefers_json = accept_prefers(
			request, text_literal("application/json"), text_literal("text/plain"));

		return &formats[prefers_json ? FORMAT_JSON : FORMAT_TEXT];
	}
	for (unsigned i = 0; i < FORMAT_COUNT; i++) {
		if (text_equal(formats[i].name, name))
			return &formats[i];
	}
	return NULL;
}

static void handle_stats(void *state, struct exchange *exchange)
{
	const struct format *format = choose_format(&exchange->request);
	struct server_state server;
	struct generated_body *body;

	(void)state;
	exchange_add_field(exchange, text_literal("Cache-Control"), text_literal("no-store"));
	if (!format) {
		exchange_answer_bytes(exchange, 400, text_literal("text/plain; charset=utf-8"),
			text_literal("format is text, json or nginx\n"));
		return;
	}
	body = generated_take();
	if (!body) {
		exchange_answer_error(exchange, 503);
		return;
	}
	server_state_read(&server, exchange->proactor);
	format->append(&body->text, &server);
	exchange_add_field(exchange, text_literal("Vary"), text_literal("Accept"));
	generated_answer(body, exchange, format->media_type);
}

const struct endpoint stats_endpoint = {
	.name = "stats",
	.summary = "What the server has counted, for people, as JSON, or as nginx tells it.",
	.methods = METHOD_BIT(METHOD_GET) | METHOD_BIT(METHOD_HEAD),
	.local = true,
	.handle = handle_stats,
};
