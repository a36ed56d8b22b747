/* Requests for files.
 *
 * While a request is looked up it is a struct file_request, from a pool, found again through the
 * exchange's scratch memory.  It ends with the answer; then only the body lives on, which owns the
 * file.  An answer without the file's body, such as 304, leaves the request behind until the file
 * is closed. */
#include "endpoints/file_site.h"

#include <errno.h>
#include <stdlib.h>

#include "base/block_pool.h"
#include "base/log.h"
#include "files/lookup.h"
#include "filters/byteranges.h"
#include "http/path.h"

/* A redirect's address must fit into the response's memory whole, with other fields. */
enum { REDIRECT_LENGTH_MAX = RESPONSE_MEMORY_SIZE - 512 };

struct file_site {
	struct root *root;
	struct proactor *proactor;
	const char *const *index;
	size_t index_count;
	const struct file_delivery *delivery;
};

struct file_request {
	struct lookup lookup;
	struct op op; /* closes a file that is no body, after the answer */
	const struct file_site *site;
	struct exchange *exchange;
};

static struct block_pool requests = BLOCK_POOL(sizeof(struct file_request), 64);

const struct setting file_site_settings[] = {
	{
		.name = "root",
		.type = SETTING_DIRECTORY,
		.help = "The directory whose files are served; relative to the configuration file. "
			"Links in it may lead to whatever is inside, never outside.",
		.inherited = true,
	},
	{
		.name = "index",
		.type = SETTING_STRINGS,
		.fallback = "{\"index.html\"}",
		.help = "Names of the files that stand for their directory, tried in this order.",
		.inherited = true,
	},
	{ 0 },
};

/* --- answers ------------------------------------------------------------------------------ */

/* The address of the directory itself, so that relative links on its page lead into it. */
static void answer_redirect(struct exchange *exchange)
{
	char memory[REDIRECT_LENGTH_MAX];
	struct buffer location;

	buffer_init(&location, memory, sizeof(memory));
	path_append_encoded(&location, exchange->request.path);
	buffer_append_byte(&location, '/');
	if (exchange->request.query.length > 0) {
		buffer_append_byte(&location, '?');
		buffer_append(&location, exchange->request.query);
	}
	if (location.truncated)
		exchange_answer_error(exchange, 414);
	else
		exchange_answer_redirect(exchange, 301, buffer_text(&location));
}

static void end_request(struct file_request *request, unsigned status)
{
	struct exchange *exchange = request->exchange;

	block_pool_return(&requests, request);
	if (status == 301)
		answer_redirect(exchange);
	else
		exchange_answer_error(exchange, status);
}

static void file_closed(struct proactor *proactor, struct op *op)
{
	(void)proactor;
	block_pool_return(&requests, container_of(op, struct file_request, op));
}

/* Nothing is read of the file: the answer did not wait for its close. */
static void close_and_end(struct file_request *request)
{
	op_init(&request->op, file_closed);
	proactor_close(request->site->proactor, &request->op, request->lookup.fd);
}

static void answer_file(struct file_request *request)
{
	const struct lookup *lookup = &request->lookup;
	time_t now = (time_t)(proactor_wall_ns(request->site->proactor) / 1000000000);
	struct representation representation;

	representation_init(&representation, lookup_path(lookup), &lookup->stat, now);
	if (file_answer(request->exchange, request->site->delivery, &representation, lookup->fd))
		block_pool_return(&requests, request);
	else
		close_and_end(request);
}

static void looked_up(struct lookup *lookup)
{
	struct file_request *request = container_of(lookup, struct file_request, lookup);

	if (lookup->status == 200)
		answer_file(request);
	else
		end_request(request, lookup->status);
}

/* --- requests ----------------------------------------------------------------------------- */

static void start_lookup(struct file_request *request)
{
	const struct file_site *site = request->site;
	struct lookup *lookup = &request->lookup;

	lookup->root = site->root;
	lookup->index = site->index;
	lookup->index_count = site->index_count;
	lookup->done = looked_up;
	if (lookup_start(lookup, request->exchange->request.path) < 0)
		end_request(request, lookup->status);
}

void file_site_handle(void *state, struct exchange *exchange)
{
	struct file_request *request = block_pool_take(&requests);
	struct file_request **mine = exchange_scratch(exchange, sizeof(struct file_request *));

	if (!request) {
		exchange_answer_error(exchange, 503);
		return;
	}
	*mine = request;
	request->site = state;
	request->exchange = exchange;
	start_lookup(request);
}

void file_site_cancelled(void *state, struct exchange *exchange)
{
	struct file_request **mine = exchange_scratch(exchange, sizeof(struct file_request *));

	(void)state;
	lookup_cancel(&(*mine)->lookup);
}

/* --- the location ------------------------------------------------------------------------- */

/* The index names are the configuration's, which lives as long as the worker. */
int file_site_open(void **state, const struct section *location, struct proactor *proactor,
	const struct file_delivery *delivery)
{
	const char *path = section_string(location, "root");
	struct file_site *site = malloc(sizeof(*site));
	int r;

	if (!site)
		return fail(-ENOMEM, "cannot serve %s", path);
	*site = (struct file_site){ .proactor = proactor, .delivery = delivery };
	site->index = section_strings(location, "index", &site->index_count);
	r = root_open(&site->root, path, proactor);
	if (r < 0) {
		free(site);
		return r;
	}
	*state = site;
	return 0;
}

void file_site_close(void *state)
{
	struct file_site *site = state;

	root_close(site->root);
	block_pool_trim(&requests);
	byteranges_trim();
	free(site);
}
