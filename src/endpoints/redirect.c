/* Another address for all paths of a location: what follows the location's own path is appended to
 * the target, and so is the query.
 *
 * Both sides are joined without the slash they end in, so that "/old" and "/old/" lead alike, and a
 * path never becomes a part of the target's host name. */
#include "endpoints/registry.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "http/path.h"

/* An address must fit into the response's memory whole. */
enum { ADDRESS_LENGTH_MAX = RESPONSE_MEMORY_SIZE - 256 };

struct redirect {
	unsigned status;
	struct text target;   /* as configured */
	size_t prefix_length; /* of the location's path, without the slash it ends in */
};

static struct text without_last_slash(struct text text)
{
	bool has_one = text.length > 0 && text.bytes[text.length - 1] == '/';

	return text_first(text, text.length - has_one);
}

static void append_address(
	struct buffer *address, const struct redirect *redirect, const struct request *request)
{
	struct text rest = text_from(request->path, redirect->prefix_length);

	if (rest.length > 0) {
		buffer_append(address, without_last_slash(redirect->target));
		path_append_encoded(address, rest);
	} else {
		buffer_append(address, redirect->target);
	}
	buffer_append(address, request_query_part(request));
}

static void handle_redirect(void *state, struct exchange *exchange)
{
	char memory[ADDRESS_LENGTH_MAX];
	struct buffer address;
	const struct redirect *redirect = state;

	buffer_init(&address, memory, sizeof(memory));
	append_address(&address, redirect, &exchange->request);
	if (address.truncated)
		exchange_answer_error(exchange, 414);
	else
		exchange_answer_redirect(exchange, redirect->status, buffer_text(&address));
}

/* --- the location ------------------------------------------------------------------------- */

/* What RFC 3986 §2 lets an address consist of, but for "?" and "#", behind which no path goes. */
static bool is_address_byte(char byte)
{
	return byte > ' ' && byte < 0x7f && !strchr("\"<>\\^`{|}?#", byte);
}

static const char *check_target(const char *const *strings, size_t count, size_t *wrong)
{
	struct text target = text_of(strings[0]);
	bool is_path = text_starts_with(target, text_literal("/")) &&
		       !text_starts_with(target, text_literal("//"));

	(void)count;
	*wrong = 0;
	for (size_t i = 0; i < target.length; i++) {
		if (!is_address_byte(target.bytes[i]))
			return "no address without query";
	}
	if (text_starts_with(target, text_literal("https://")))
		target = text_from(target, strlen("https://"));
	else if (text_starts_with(target, text_literal("http://")))
		target = text_from(target, strlen("http://"));
	else
		return is_path ? NULL : "neither a path nor an http address";
	return target.length > 0 && target.bytes[0] != '/' ? NULL : "no host";
}

static const char *const status_words[] = { "301", "302", "307", "308", NULL };
static const unsigned statuses[] = { 301, 302, 307, 308 };

static const struct setting redirect_settings[] = {
	{
		.name = "redirect",
		.type = SETTING_STRING,
		.required = true,
		.check = check_target,
		.expected = "\"/path/\" or \"https://host/path/\"",
		.help = "The new address of the location's paths.  The rest of the path and the "
			"query are appended.  A location with this setting needs no endpoint.",
	},
	{
		.name = "redirect_status",
		.type = SETTING_WORD,
		.words = status_words,
		.fallback = "301",
		.help = "The status of the redirect.  301 and 308 are permanent, 302 and 307 "
			"temporary; 307 and 308 keep the method.",
	},
	{ 0 },
};

/* The texts are the configuration's, which lives as long as the worker. */
static int open_redirect(void **state, const struct section *location, struct proactor *proactor)
{
	struct redirect *redirect = malloc(sizeof(*redirect));

	(void)proactor;
	if (!redirect)
		return fail(-ENOMEM, "cannot redirect %s", location->title);
	redirect->status = statuses[section_word(location, "redirect_status")];
	redirect->target = text_of(section_string(location, "redirect"));
	redirect->prefix_length = without_last_slash(text_of(location->title)).length;
	*state = redirect;
	return 0;
}

const struct endpoint redirect_endpoint = {
	.name = "redirect",
	.summary = "Sends clients to another address.",
	.settings = redirect_settings,
	.methods = METHOD_BIT(METHOD_GET) | METHOD_BIT(METHOD_HEAD) | METHOD_BIT(METHOD_POST) |
		   METHOD_BIT(METHOD_PUT) | METHOD_BIT(METHOD_DELETE) | METHOD_BIT(METHOD_PATCH),
	.sub_paths = true,
	.open = open_redirect,
	.close = free,
	.handle = handle_redirect,
};
