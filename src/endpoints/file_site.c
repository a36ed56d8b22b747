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
#include "endpoints/fallback.h"
#include "files/lookup.h"
#include "filters/byteranges.h"
#include "http/media_type.h"
#include "http/path.h"

/* A redirect's address must fit into the response's memory whole, with other fields. */
enum { REDIRECT_LENGTH_MAX = RESPONSE_MEMORY_SIZE - 512 };

struct file_site {
	struct root *root;
	struct proactor *proactor;
	const char *const *index;
	size_t index_count;
	const char *const *tries;
	size_t try_count;
	const char *const *error_pages;
	size_t error_page_count;
	struct text charset;
	bool dot_files;
	const struct file_delivery *delivery;
};

struct file_request {
	struct lookup lookup;
	struct op op; /* closes a file that is no body, after the answer */
	const struct file_site *site;
	struct exchange *exchange;
	size_t tried_count;    /* of the site's tries */
	unsigned error_status; /* the page of this error is looked for; 0: the file */
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
	{
		.name = "try",
		.type = SETTING_STRINGS,
		.fallback = "{}",
		.check = fallback_check_paths,
		.expected = "paths as in {\"/app.html\"}",
		.help = "Files beneath the root that are sent where there is none for the path, "
			"tried in this order.",
		.inherited = true,
	},
	{
		.name = "error_page",
		.type = SETTING_STRINGS,
		.fallback = "{}",
		.check = fallback_check_pages,
		.expected = "a status and a path as in {\"404 /404.html\"}",
		.help = "Files beneath the root that are the body of an error; the status stays. "
			"Without the file the body is plain.",
		.inherited = true,
	},
	{
		.name = "dot_files",
		.type = SETTING_YES_NO,
		.fallback = "no",
		.help = "Are files served whose name, or a directory's on the way, begins with a "
			"dot?  no: 404, but for /.well-known/.",
		.inherited = true,
	},
	{
		.name = "charset",
		.type = SETTING_STRING,
		.fallback = "\"utf-8\"",
		.check = media_type_check_charset,
		.expected = "the name of a character encoding as \"utf-8\", or \"\"",
		.help = "What the media type of a text file says its characters are; \"\": "
			"nothing.",
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

/* The type of a text file tells utf-8, unless the configuration knows better. */
static struct text with_charset(struct exchange *exchange, struct text type, struct text charset)
{
	const struct text utf_8 = TEXT("; charset=utf-8");
	struct text name = text_first(type, text_find(type, ';'));
	struct text copy;

	if (!text_equal(text_from(type, name.length), utf_8) ||
		text_equal_ignoring_case(charset, text_literal("utf-8")))
		return type;
	if (charset.length == 0)
		return name;
	/* The copies lie behind one another. */
	copy = exchange_copy(exchange, name);
	copy.length += exchange_copy(exchange, text_literal("; charset=")).length;
	copy.length += exchange_copy(exchange, charset).length;
	return copy;
}

static bool answer_with(struct file_request *request, const struct representation *representation)
{
	const struct file_delivery *delivery = request->site->delivery;
	int fd = request->lookup.fd;

	if (request->error_status == 0)
		return file_answer(request->exchange, delivery, representation, fd);
	return file_answer_page(
		request->exchange, delivery, representation, fd, request->error_status);
}

static void answer_file(struct file_request *request)
{
	const struct lookup *lookup = &request->lookup;
	time_t now = (time_t)(proactor_wall_ns(request->site->proactor) / 1000000000);
	struct representation representation;

	representation_init(&representation, lookup_path(lookup), &lookup->stat, now);
	representation.media_type =
		with_charset(request->exchange, representation.media_type, request->site->charset);
	if (answer_with(request, &representation))
		block_pool_return(&requests, request);
	else
		close_and_end(request);
}

/* --- where there is no file ---------------------------------------------------------------- */

static void look_up(struct file_request *request, struct text path);

/* A page that is not there either is no second error: the plain body does. */
static void answer_error(struct file_request *request, unsigned status)
{
	const struct file_site *site = request->site;
	struct text page = fallback_page(site->error_pages, site->error_page_count, status);

	if (request->error_status != 0) {
		end_request(request, request->error_status);
	} else if (page.length == 0 || request->exchange->cancelled) {
		end_request(request, status);
	} else {
		request->error_status = status;
		look_up(request, page);
	}
}

/* What stands in `try` is a file or nothing: no directory is redirected to. */
static bool may_try_more(const struct file_request *request, unsigned status)
{
	bool is_nothing = status == 404 || (request->tried_count > 0 && status < 500);

	return is_nothing && request->error_status == 0 && !request->exchange->cancelled &&
	       request->tried_count < request->site->try_count;
}

static void fall_back(struct file_request *request, unsigned status)
{
	if (may_try_more(request, status))
		look_up(request, text_of(request->site->tries[request->tried_count++]));
	else if (request->tried_count > 0 && status < 500)
		answer_error(request, 404);
	else if (status == 301 && request->error_status == 0)
		end_request(request, status);
	else
		answer_error(request, status);
}

static void looked_up(struct lookup *lookup)
{
	struct file_request *request = container_of(lookup, struct file_request, lookup);

	if (lookup->status == 200)
		answer_file(request);
	else
		fall_back(request, lookup->status);
}

/* --- requests ----------------------------------------------------------------------------- */

static void look_up(struct file_request *request, struct text path)
{
	const struct file_site *site = request->site;
	struct lookup *lookup = &request->lookup;

	lookup->root = site->root;
	lookup->index = site->index;
	lookup->index_count = site->index_count;
	lookup->done = looked_up;
	lookup->dot_files = site->dot_files;
	lookup->is_quiet = request->tried_count < site->try_count;
	if (lookup_start(lookup, path) < 0)
		fall_back(request, lookup->status);
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
	request->tried_count = 0;
	request->error_status = 0;
	look_up(request, exchange->request.path);
}

void file_site_cancelled(void *state, struct exchange *exchange)
{
	struct file_request **mine = exchange_scratch(exchange, sizeof(struct file_request *));

	(void)state;
	lookup_cancel(&(*mine)->lookup);
}

/* --- the location ------------------------------------------------------------------------- */

/* Names and paths are the configuration's, which lives as long as the worker. */
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
	site->tries = section_strings(location, "try", &site->try_count);
	site->error_pages = section_strings(location, "error_page", &site->error_page_count);
	site->dot_files = section_yes(location, "dot_files");
	site->charset = text_of(section_string(location, "charset"));
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
