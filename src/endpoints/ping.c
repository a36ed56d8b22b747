/* The cheapest answer there is: four bytes from static memory, behind a head that was rendered
 * once. */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "endpoints/registry.h"

static int open_ping(void **state, const struct section *location, struct proactor *proactor)
{
	struct prepared_head *prepared = calloc(1, sizeof(*prepared));

	(void)location;
	(void)proactor;
	if (!prepared)
		return fail(-ENOMEM, "cannot prepare the answer of ping");
	*state = prepared;
	return 0;
}

static void handle_ping(void *state, struct exchange *exchange)
{
	exchange->response.prepared = state;
	exchange_answer_bytes(exchange, 200, text_literal("text/plain"), text_literal("pong"));
}

const struct endpoint ping_endpoint = {
	.name = "ping",
	.summary = "Answers `pong`.",
	.methods = METHOD_BIT(METHOD_GET) | METHOD_BIT(METHOD_HEAD),
	.open = open_ping,
	.close = free,
	.handle = handle_ping,
};
