/* The request, back to whoever sent it: for seeing what a proxy or a library makes of one.
 *
 * The head is written into the gather that then receives the body behind it, so that the whole
 * answer is one run of blocks.  What a page could read from another site's visitor is kept out:
 * fields that authorise are blacked out, and nosniff keeps a browser from taking an echoed script
 * for one. */
#include <errno.h>
#include <stdlib.h>

#include "base/log.h"
#include "endpoints/registry.h"
#include "http/gather.h"

struct echo {
	bool redact;
};

static const struct setting settings[] = {
	{
		.name = "redact",
		.type = SETTING_YES_NO,
		.fallback = "yes",
		.help = "Replaces the values of Authorization, Cookie and Proxy-Authorization by "
			"[redacted].",
	},
	{ 0 },
};

static bool is_secret(struct text name)
{
	static const struct text secrets[] = { TEXT("Authorization"), TEXT("Cookie"),
		TEXT("Proxy-Authorization") };

	for (size_t i = 0; i < sizeof(secrets) / sizeof(secrets[0]); i++) {
		if (text_equal_ignoring_case(name, secrets[i]))
			return true;
	}
	return false;
}

static int append_line(struct gather *gather, const struct text *parts, size_t count)
{
	int r = 0;

	for (size_t i = 0; i < count && r == 0; i++)
		r = gather_append(gather, parts[i]);
	return r < 0 ? r : gather_append(gather, text_literal("\r\n"));
}

/* 0 or -ENOBUFS. */
static int append_head(struct gather *gather, const struct request *request, bool redact)
{
	int r = append_line(gather, &request->line, 1);

	for (unsigned i = 0; i < request->field_count && r == 0; i++) {
		const struct field *field = &request->fields[i];
		bool hidden = redact && is_secret(field->name);
		const struct text parts[] = { field->name, TEXT(": "),
			hidden ? text_literal("[redacted]") : field->value };

		r = append_line(gather, parts, 3);
	}
	return r < 0 ? r : append_line(gather, NULL, 0);
}

static void answer(struct gather *gather, unsigned status)
{
	struct exchange *exchange = gather->exchange;

	if (status != 0) {
		gather_free(gather);
		exchange_answer_error(exchange, status);
		return;
	}
	exchange_add_field(
		exchange, text_literal("X-Content-Type-Options"), text_literal("nosniff"));
	exchange_add_field(exchange, text_literal("Cache-Control"), text_literal("no-store"));
	gather_answer(gather, 200, text_literal("text/plain; charset=utf-8"));
}

static void handle_echo(void *state, struct exchange *exchange)
{
	const struct echo *echo = state;
	struct gather *gather = gather_new(exchange, NULL);

	if (!gather)
		exchange_answer_error(exchange, 503);
	else if (append_head(gather, &exchange->request, echo->redact) < 0)
		answer(gather, 503);
	else if (exchange->request.content_length == 0)
		answer(gather, 0);
	else
		gather_receive(gather, UINT64_MAX, answer);
}

static int open_echo(void **state, const struct section *location, struct proactor *proactor)
{
	struct echo *echo = malloc(sizeof(*echo));

	(void)proactor;
	if (!echo)
		return fail(-ENOMEM, "cannot echo at %s", location->title);
	echo->redact = section_yes(location, "redact");
	*state = echo;
	return 0;
}

static void close_echo(void *state)
{
	gather_trim();
	free(state);
}

const struct endpoint echo_endpoint = {
	.name = "echo",
	.summary = "The request as it was received, head and body, as plain text.",
	.settings = settings,
	.methods = METHOD_BIT(METHOD_GET) | METHOD_BIT(METHOD_HEAD) | METHOD_BIT(METHOD_POST) |
		   METHOD_BIT(METHOD_PUT) | METHOD_BIT(METHOD_DELETE) | METHOD_BIT(METHOD_PATCH),
	.open = open_echo,
	.close = close_echo,
	.handle = handle_echo,
};
