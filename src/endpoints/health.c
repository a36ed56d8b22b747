/* For whoever watches the server: is it alive, and should it be sent requests?
 *
 * An answer at all is what health says.  ready says no as soon as the worker drains, so that a load
 * balancer that asks on a connection it keeps takes the server out before it is gone. */
#include "endpoints/registry.h"

static void answer(struct exchange *exchange, unsigned status, struct text text)
{
	exchange_add_field(exchange, text_literal("Cache-Control"), text_literal("no-store"));
	exchange_answer_bytes(exchange, status, text_literal("text/plain"), text);
}

static void handle_health(void *state, struct exchange *exchange)
{
	(void)state;
	answer(exchange, 200, text_literal("ok\n"));
}

static void handle_ready(void *state, struct exchange *exchange)
{
	(void)state;
	if (exchange_is_draining(exchange))
		answer(exchange, 503, text_literal("draining\n"));
	else
		answer(exchange, 200, text_literal("ready\n"));
}

const struct endpoint health_endpoint = {
	.name = "health",
	.summary = "Answers 200 as long as the server is alive.",
	.methods = METHOD_BIT(METHOD_GET) | METHOD_BIT(METHOD_HEAD),
	.handle = handle_health,
};

const struct endpoint ready_endpoint = {
	.name = "ready",
	.summary = "Answers 200, or 503 while the server drains.",
	.methods = METHOD_BIT(METHOD_GET) | METHOD_BIT(METHOD_HEAD),
	.handle = handle_ready,
};
