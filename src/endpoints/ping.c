/* The cheapest answer there is: four bytes from static memory. */
#include "endpoints/registry.h"

static void handle_ping(void *state, struct exchange *exchange)
{
	(void)state;
	exchange_answer_bytes(exchange, 200, text_literal("text/plain"), text_literal("pong"));
}

const struct endpoint ping_endpoint = {
	.name = "ping",
	.summary = "Answers `pong`.",
	.methods = METHOD_BIT(METHOD_GET) | METHOD_BIT(METHOD_HEAD),
	.handle = handle_ping,
};
