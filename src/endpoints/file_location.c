/* Requests for files.
 *
 * A struct file_request, from a pool, holds the state of a request from handle() to the answer; the
 * exchange's scratch memory points to it.  The body outlives it and holds the file's content.
 *
 * Each step asks the cache first: the path, the fallbacks of `try`, the page of an error, each
 * sibling.  If the cache knows the outcome, the step needs no op, so that most requests are
 * answered within handle().
 *
 * With `precompressed`, the original is looked up first, because a sibling counts only if the
 * original exists and is not much younger.  Then the siblings are tried in the client's order. */
#include "endpoints/file_location.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/block_pool.h"
#include "base/log.h"
#include "endpoints/autoindex.h"
#include "endpoints/fallback.h"
#include "files/cache.h"
#include "files/siblings.h"
#include "filters/byteranges.h"
#include "http/media_type.h"
#include "http/path.h"
#include "http/router.h"

/* The address of a redirect must fit into the response's memory together with other fields. */
enum { REDIRECT_LENGTH_MAX = RESPONSE_MEMORY_SIZE - 512 };

/* One path has several cache entries: as requested (may be a listing), as a fallback (a directory
 * counts as missing), and as a sibling (with the media type of its original).  PURPOSE_SIBLING plus
 * the sibling's number is the purpose of a sibling. */
enum { PURPOSE_FILE, PURPOSE_FALLBACK, PURPOSE_SIBLING };

struct file_location {
	struct root *root;
	struct cache_view view;
	struct proactor *proactor;
	const char *const *index;
	size_t index_count;
	const char *const *tries;
	size_t try_count;
	const char *const *error_pages;
	size_t error_page_count;
	struct text charset;
	bool dot_files;
	struct listings *listings; /* NULL: directories are not listed */
	struct etags etags;
	const struct file_delivery *delivery;
	const struct sibling_kind *siblings[SIBLING_KIND_COUNT];
	size_t sibling_count;
	struct stale_siblings stale_siblings;
};

struct file_request {
	struct lookup lookup;
	struct cache_key key; /* of the path being looked up */
	struct cache_moment since;
	struct file_location *location;
	struct exchange *exchange;
	size_t tried_count;    /* paths of `try` used so far */
	unsigned error_status; /* the status whose error page is looked up; 0: none */

	/* The search for the tag of the file found; `tagged` continues then.  NULL: no search. */
	struct etag_search search;
	void (*tagged)(struct file_request *request, struct content *content);

	/* The file to send; its path has no leading slash. */
	struct text found_path;
	const struct stat *found_stat;
	struct content *content;                     /* NULL: none found yet */
	const struct representation *representation; /* `described`, or the cache's for now */
	struct representation described;

	/* The siblings: bits of those tried, the number of the current one, the original's stat.
	 * `path` is the original's path, followed by the suffix of the current sibling. */
	unsigned siblings_tried, sibling;
	struct accept_codings codings;
	struct stat original;
	size_t path_length;
	char path[PATH_MAX + 8];

	struct op op; /* a close */
};

static struct block_pool requests = BLOCK_POOL(sizeof(struct file_request), 64);

/* What a location with files has, and its site, where it holds for all of these. */
const struct setting file_location_settings[] = {
	{
		.name = "root",
		.type = SETTING_DIRECTORY,
		.where = IN_SITE | IN_LOCATION,
		.required = true,
		.help = "The directory whose files are served.  A relative path is relative to "
			"the file that names it.  Symbolic links in it may lead anywhere inside, "
			"never outside.  If the root is itself a symbolic link, it is looked up "
			"again every second, so a new release can be put live by switching it.",
	},
	{
		.name = "index",
		.type = SETTING_STRINGS,
		.where = IN_SITE | IN_LOCATION,
		.fallback = "{\"index.html\"}",
		.help = "The files that are served for a directory: the first that can be sent, "
			"if allow and deny of its own location permit it.",
	},
	{
		.name = "try",
		.type = SETTING_STRINGS,
		.where = IN_SITE | IN_LOCATION,
		.fallback = "{}",
		.check = fallback_check_paths,
		.expected = "paths as in {\"/app.html\"}",
		.help = "Files beneath the root that are served, with 200, when the requested "
			"file does not exist: the first that exists, whatever allow and deny of "
			"its own location say.  Set it to {\"/app.html\"} "
			"for an application with routes of its own.",
	},
	{
		.name = "error_page",
		.type = SETTING_STRINGS,
		.where = IN_SITE | IN_LOCATION,
		.fallback = "{}",
		.check = fallback_check_pages,
		.expected = "a status and a path as in {\"404 /404.html\"}",
		.help = "Files beneath the root that are the body of error responses, also when a "
			"method or client is refused, whatever allow and deny of their own "
			"location say.  The status stays; without the file the body is plain.",
	},
	{
		.name = "dot_files",
		.type = SETTING_YES_NO,
		.where = IN_SITE | IN_LOCATION,
		.fallback = "no",
		.help = "Serves files whose name, or a directory in whose path, begins with a "
			"dot.  no: they get 404, except below /.well-known/.",
	},
	{
		.name = "autoindex",
		.type = SETTING_YES_NO,
		.where = IN_SITE | IN_LOCATION,
		.fallback = "no",
		.help = "Lists a directory that has no index file, by name, size and time.  no: "
			"403.",
	},
	{
		.name = "etag",
		.type = SETTING_WORD,
		.where = IN_SITE | IN_LOCATION,
		.fallback = "auto",
		.words = etag_words,
		.check = etag_check,
		.help = "Which entity tags files get.  auto: a hash of the content for files that "
			"the cache may hold in memory; for longer ones the tag in FILE.etag beside "
			"the file, if there is one, else a hash of their times, inode and length.  "
			"content: a hash of the content for all, computed once per version of a "
			"file, so that servers agree about copies of it.  time: the time of "
			"modification and the length; right only where every change of a file "
			"changes one of them.  no: none.  A time of modification that tools write "
			"into every file (1970, 1980-01-01 and the like) gives neither a tag nor "
			"Last-Modified.",
	},
	{
		.name = "charset",
		.type = SETTING_STRING,
		.where = IN_SITE | IN_LOCATION,
		.fallback = "\"utf-8\"",
		.check = media_type_check_charset,
		.expected = "the name of a character encoding as \"utf-8\", or \"\"",
		.help = "The character encoding that the media type of text files names.  \"\": "
			"none.",
	},
	{ 0 },
};

const struct setting file_location_static_settings[] = {
	{
		.name = "precompressed",
		.type = SETTING_STRINGS,
		.fallback = "{}",
		.check = siblings_check,
		.expected = "some of \"zst\", \"br\" and \"gz\", each once",
		.help = "Serves FILE.gz, FILE.br or FILE.zst in place of FILE to clients that "
			"accept it, unless it is more than a minute older than FILE.  Among those "
			"a client accepts equally, the first in the list wins.",
	},
	{ 0 },
};

const struct setting file_location_dynamic_settings[] = {
	{
		.name = "filters",
		.type = SETTING_STRINGS,
		.fallback = "{\"identity\"}",
		.check = filters_check,
		.expected = "some of \"identity\" and \"ssi\", each once",
		.help = "The filters that files pass through, in this order.  ssi executes "
			"server-side includes in HTML; identity changes nothing.",
	},
	{ 0 },
};

/* --- answers ------------------------------------------------------------------------------ */

/* Redirects to the directory's path with a slash, so that relative links on its page lead into it.
 */
static void answer_redirect(struct exchange *exchange)
{
	char memory[REDIRECT_LENGTH_MAX];
	struct buffer address;

	buffer_init(&address, memory, sizeof(memory));
	path_append_encoded(&address, exchange->request.path);
	buffer_append_byte(&address, '/');
	buffer_append(&address, request_query_part(&exchange->request));
	if (address.truncated)
		exchange_answer_error(exchange, 414);
	else
		exchange_answer_redirect(exchange, 301, buffer_text(&address));
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

/* Replaces the default charset utf-8 of text files by that of the configuration. */
static struct text with_charset(struct exchange *exchange, struct text type, struct text charset)
{
	const struct text utf_8 = TEXT("; charset=utf-8");
	struct text name = media_type_name(type);
	struct text copy;

	if (!text_equal(text_from(type, name.length), utf_8) ||
		text_equal_ignoring_case(charset, text_literal("utf-8")))
		return type;
	if (charset.length == 0)
		return name;
	/* The copies are adjacent, so that they form one text. */
	copy = exchange_copy(exchange, name);
	copy.length += exchange_copy(exchange, text_literal("; charset=")).length;
	copy.length += exchange_copy(exchange, charset).length;
	return copy;
}

static void answer_file(struct file_request *request)
{
	const struct file_location *location = request->location;
	const struct filter_context context = {
		.exchange = request->exchange,
		.root = location->root,
		.dot_files = location->dot_files,
		.path = request->found_path,
		.stat = request->found_stat,
	};
	const struct file_offer offer = {
		.representation = request->representation,
		.media_type = with_charset(
			request->exchange, request->representation->media_type, location->charset),
		.is_negotiated = location->sibling_count > 0,
		.content = request->content,
		.context = &context,
	};

	if (request->error_status == 0)
		file_answer(request->exchange, location->delivery, &offer);
	else
		file_answer_page(
			request->exchange, location->delivery, &offer, request->error_status);
	content_return(request->content);
	block_pool_return(&requests, request);
}

static void unkept_closed(struct proactor *proactor, struct op *op)
{
	(void)proactor;
	end_request(container_of(op, struct file_request, op), 503);
}

/* Takes the descriptor that the lookup opened.  NULL: out of memory, and the request has ended. */
static struct content *hold_file(struct file_request *request)
{
	struct proactor *proactor = request->location->proactor;
	struct content *content = content_of_file(proactor, request->lookup.fd);

	if (content) {
		content_describe(content, &request->lookup.stat);
	} else {
		op_init(&request->op, unkept_closed);
		proactor_close(proactor, &request->op, request->lookup.fd);
	}
	return content;
}

/* --- the cache ----------------------------------------------------------------------------- */

static const struct cached_file *find_kept(
	struct file_request *request, struct text path, unsigned purpose)
{
	request->key = (struct cache_key){ .path = path, .purpose = purpose };
	return cache_find(&request->location->view, &request->key);
}

static const struct cached_file *keep(struct file_request *request,
	const struct representation *representation, struct content *content)
{
	return cache_keep(&request->location->view, &request->key, &request->since,
		&request->lookup, representation, content);
}

static int start_lookup(struct file_request *request)
{
	request->lookup.notes_links = request->location->view.tree;
	request->since = cache_now(&request->location->view);
	return lookup_start(&request->lookup, request->key.path);
}

static void abandon(struct file_request *request, struct content *content)
{
	content_return(content);
	if (request->content)
		content_return(request->content);
	end_request(request, 503);
}

static void tag_found(struct etag_search *search)
{
	struct file_request *request = container_of(search, struct file_request, search);
	struct root_directory *directory = search->directory;
	void (*tagged)(struct file_request *, struct content *) = request->tagged;

	request->tagged = NULL;
	if (request->exchange->cancelled)
		abandon(request, search->content);
	else
		tagged(request, search->content);
	root_return(directory);
}

/* Calls `tagged` when the tag is known, now or later.  Holds the root's directory until then: the
 * cache compares its address to see whether the root has been switched. */
static void find_tag(struct file_request *request, struct content *content,
	void (*tagged)(struct file_request *request, struct content *content))
{
	struct etag_search *search = &request->search;

	search->etags = &request->location->etags;
	search->content = content;
	search->stat = &request->lookup.stat;
	search->directory = request->lookup.directory;
	search->path = lookup_path(&request->lookup);
	search->done = tag_found;
	if (etag_search_start(search)) {
		tagged(request, content);
		return;
	}
	request->tagged = tagged;
	root_hold(search->directory);
}

/* Describes the file that was looked up and offers it to the cache; the media type is that of
 * `path`.  Returns the content to send: the given one, or the cache's, which may be in memory. */
static struct content *describe(struct file_request *request, struct representation *representation,
	struct content *content, struct text path, struct text coding)
{
	time_t now = (time_t)(proactor_wall_ns(request->location->proactor) / 1000000000);
	const struct cached_file *kept;

	representation_init(
		representation, path, coding, &request->lookup.stat, &request->search.etag, now);
	kept = keep(request, representation, content);
	if (!kept || kept->content == content)
		return content;
	content_return(content);
	return content_take(kept->content);
}

static void choose_kept(struct file_request *request, const struct cached_file *kept)
{
	request->found_path = kept->path;
	request->found_stat = &kept->stat;
	request->content = content_take(kept->content);
	request->representation = &kept->representation;
}

/* --- siblings ----------------------------------------------------------------------------- */

static bool original_is_acceptable(const struct file_request *request)
{
	return request->representation->coding.length > 0 || request->exchange->cancelled ||
	       accept_codings_weight(&request->codings, text_literal("identity")) > 0;
}

static void answer_chosen(struct file_request *request)
{
	struct exchange *exchange = request->exchange;

	if (original_is_acceptable(request)) {
		answer_file(request);
		return;
	}
	exchange_add_field(exchange, text_literal("Vary"), text_literal("Accept-Encoding"));
	content_return(request->content);
	end_request(request, 406);
}

static void use_kept_sibling(struct file_request *request, const struct cached_file *kept)
{
	content_return(request->content);
	choose_kept(request, kept);
	answer_chosen(request);
}

static void try_siblings(struct file_request *request);
static void answer_error(struct file_request *request, unsigned status);

static void sibling_tagged(struct file_request *request, struct content *content)
{
	const struct text path = { request->path, request->path_length };
	struct representation representation;

	content = describe(request, &representation, content, path,
		request->location->siblings[request->sibling]->coding);
	if (!sibling_is_current(&request->lookup.stat, &request->original)) {
		if (stale_siblings_add(&request->location->stale_siblings, &request->lookup.stat))
			log_warning("%s%s is more than %d s older than its original, and not sent; "
				    "compress the original again",
				request->location->root->path, request->path, SIBLING_AGE_S_MAX);
		content_return(content);
		try_siblings(request);
		return;
	}
	content_return(request->content);
	request->content = content;
	request->described = representation;
	request->representation = &request->described;
	answer_chosen(request);
}

static void sibling_looked_up(struct lookup *lookup)
{
	struct file_request *request = container_of(lookup, struct file_request, lookup);
	struct content *original = request->content;
	struct content *content;

	if (lookup->status != 200) {
		keep(request, NULL, NULL);
		try_siblings(request);
		return;
	}
	content = hold_file(request);
	if (content)
		find_tag(request, content, sibling_tagged);
	else
		content_return(original);
}

/* False: no sibling is left to try. */
static bool choose_sibling(struct file_request *request)
{
	const struct file_location *location = request->location;
	int index = siblings_choose(location->siblings, location->sibling_count,
		request->siblings_tried, &request->codings);
	const char *suffix;

	if (index < 0 || request->exchange->cancelled)
		return false;
	request->sibling = (unsigned)index;
	request->siblings_tried |= 1u << index;
	suffix = location->siblings[index]->suffix;
	memcpy(request->path + request->path_length, suffix, strlen(suffix) + 1);
	return true;
}

static void try_siblings(struct file_request *request)
{
	while (choose_sibling(request)) {
		const struct cached_file *kept = find_kept(
			request, text_of(request->path), PURPOSE_SIBLING + request->sibling);

		if (!kept && start_lookup(request) == 0)
			return;
		if (kept && kept->status == 200 &&
			sibling_is_current(&kept->stat, &request->original)) {
			use_kept_sibling(request, kept);
			return;
		}
	}
	answer_chosen(request);
}

/* The lookup is used again for the siblings, so the original's path and stat are copied. */
static void begin_siblings(
	struct file_request *request, struct text path, const struct stat *original)
{
	struct lookup *lookup = &request->lookup;

	accept_codings_read(&request->codings, &request->exchange->request);
	request->original = *original;
	request->path[0] = '/';
	memcpy(request->path + 1, path.bytes, path.length);
	request->path_length = 1 + path.length;
	request->found_path = (struct text){ request->path + 1, path.length };
	request->found_stat = &request->original;
	lookup->is_quiet = true;
	lookup->wants_directory = false;
	lookup->done = sibling_looked_up;
	try_siblings(request);
}

/* Error pages are never negotiated. */
static bool may_have_siblings(const struct file_request *request)
{
	return request->location->sibling_count > 0 && request->error_status == 0;
}

/* An index file is the one file that nobody asked for by its path, and that is chosen by the client
 * all the same: the rules of its own path are asked, too. */
static bool index_is_permitted(const struct file_request *request)
{
	struct exchange *exchange = request->exchange;
	char memory[PATH_MAX + 1];
	struct access_client client;
	struct buffer path;

	if (request->tried_count > 0 || request->error_status != 0 ||
		exchange->request.path.bytes[exchange->request.path.length - 1] != '/')
		return true;
	buffer_init(&path, memory, sizeof(memory));
	buffer_append_byte(&path, '/');
	buffer_append(&path, request->found_path);
	client = access_client_of(exchange);
	return router_permits(exchange->location, buffer_text(&path), &client);
}

static void use_found(struct file_request *request)
{
	if (!index_is_permitted(request)) {
		content_return(request->content);
		answer_error(request, 403);
	} else if (may_have_siblings(request)) {
		begin_siblings(request, request->found_path, request->found_stat);
	} else {
		answer_file(request);
	}
}

static void file_tagged(struct file_request *request, struct content *content)
{
	const struct text no_coding = { NULL, 0 };
	struct text path = lookup_path(&request->lookup);

	request->found_path = path;
	request->found_stat = &request->lookup.stat;
	request->content = describe(request, &request->described, content, path, no_coding);
	request->representation = &request->described;
	use_found(request);
}

static void file_found(struct file_request *request)
{
	struct content *content = hold_file(request);

	if (content)
		find_tag(request, content, file_tagged);
}

static void file_is_kept(struct file_request *request, const struct cached_file *kept)
{
	choose_kept(request, kept);
	if (may_have_siblings(request)) {
		request->described = kept->representation; /* the cache is asked again */
		request->representation = &request->described;
	}
	use_found(request);
}

/* --- fallbacks --------------------------------------------------------------------------- */

static void look_up(struct file_request *request, struct text path);

/* If the error page is missing too, the plain body of the first error is sent. */
static void answer_error(struct file_request *request, unsigned status)
{
	const struct file_location *location = request->location;
	struct text page = fallback_page(location->error_pages, location->error_page_count, status);

	if (request->error_status != 0) {
		end_request(request, request->error_status);
	} else if (page.length == 0 || request->exchange->cancelled) {
		end_request(request, status);
	} else {
		request->error_status = status;
		look_up(request, page);
	}
}

/* A path of `try` that is a directory counts as missing; it causes no redirect. */
static bool may_try_more(const struct file_request *request, unsigned status)
{
	bool is_nothing = status == 404 || (request->tried_count > 0 && status < 500);

	return is_nothing && request->error_status == 0 && !request->exchange->cancelled &&
	       request->tried_count < request->location->try_count;
}

static void fall_back(struct file_request *request, unsigned status)
{
	if (may_try_more(request, status))
		look_up(request, text_of(request->location->tries[request->tried_count++]));
	else if (request->tried_count > 0 && status < 500)
		answer_error(request, 404);
	else if (status == 301 && request->error_status == 0)
		end_request(request, status);
	else
		answer_error(request, status);
}

/* Runs after the answer, when the location may be closed already. */
static void listed_directory_closed(struct proactor *proactor, struct op *op)
{
	(void)proactor;
	block_pool_return(&requests, container_of(op, struct file_request, op));
}

static void listing_answered(void *owner)
{
	struct file_request *request = owner;

	op_init(&request->op, listed_directory_closed);
	proactor_close(request->location->proactor, &request->op, request->lookup.fd);
}

/* A directory without an index file. */
static void answer_listing(struct file_request *request)
{
	if (autoindex_start(request->exchange, request->location->listings, request->lookup.fd,
		    listing_answered, request))
		return;
	exchange_answer_error(request->exchange, 503);
	listing_answered(request);
}

static void nothing_found(struct file_request *request)
{
	keep(request, NULL, NULL);
	fall_back(request, request->lookup.status);
}

static void file_looked_up(struct lookup *lookup)
{
	struct file_request *request = container_of(lookup, struct file_request, lookup);

	if (lookup->status == 200)
		file_found(request);
	else if (lookup->fd >= 0)
		answer_listing(request);
	else
		nothing_found(request);
}

/* --- requests ----------------------------------------------------------------------------- */

static void prepare_lookup(struct file_request *request, bool is_asked_for)
{
	const struct file_location *location = request->location;
	struct lookup *lookup = &request->lookup;

	lookup->root = location->root;
	lookup->index = location->index;
	lookup->index_count = location->index_count;
	lookup->done = file_looked_up;
	lookup->dot_files = location->dot_files;
	lookup->wants_directory = location->listings && is_asked_for;
	lookup->is_quiet = request->tried_count < location->try_count;
}

static void look_up(struct file_request *request, struct text path)
{
	bool is_asked_for = request->tried_count == 0 && request->error_status == 0;
	const struct cached_file *kept =
		find_kept(request, path, is_asked_for ? PURPOSE_FILE : PURPOSE_FALLBACK);

	prepare_lookup(request, is_asked_for);
	if (!kept && start_lookup(request) < 0)
		fall_back(request, request->lookup.status);
	else if (kept && kept->status == 200)
		file_is_kept(request, kept);
	else if (kept)
		fall_back(request, kept->status);
}

/* NULL: out of memory. */
static struct file_request *begin_request(struct file_location *location, struct exchange *exchange)
{
	struct file_request *request = block_pool_take(&requests);
	struct file_request **mine = exchange_scratch(exchange, sizeof(struct file_request *));

	if (!request)
		return NULL;
	*mine = request;
	request->location = location;
	request->exchange = exchange;
	request->tried_count = 0;
	request->error_status = 0;
	request->siblings_tried = 0;
	request->tagged = NULL;
	request->content = NULL;
	return request;
}

void file_location_handle(void *state, struct exchange *exchange)
{
	struct file_request *request = begin_request(state, exchange);

	if (request)
		look_up(request, exchange->request.path);
	else
		exchange_answer_error(exchange, 503);
}

bool file_location_refuse(void *state, struct exchange *exchange, unsigned status)
{
	struct file_location *location = state;
	struct file_request *request;

	if (fallback_page(location->error_pages, location->error_page_count, status).length == 0)
		return false;
	request = begin_request(location, exchange);
	if (!request)
		return false;
	answer_error(request, status);
	return true;
}

void file_location_cancelled(void *state, struct exchange *exchange)
{
	struct file_request **mine = exchange_scratch(exchange, sizeof(struct file_request *));

	(void)state;
	if ((*mine)->tagged)
		etag_search_cancel(&(*mine)->search);
	else
		lookup_cancel(&(*mine)->lookup);
}

/* --- the location ------------------------------------------------------------------------- */

static void read_siblings(struct file_location *location, const struct section *section)
{
	const char *const *names =
		section_strings(section, "precompressed", &location->sibling_count);

	siblings_find_kinds(location->siblings, names, location->sibling_count);
}

static int open_listings(struct file_location *location, const struct section *section)
{
	if (!section_yes(section, "autoindex"))
		return 0;
	location->listings = listings_open(location->proactor, location->dot_files);
	return location->listings
		       ? 0
		       : fail(-ENOMEM, "cannot list directories of %s", location->root->path);
}

static int open_view(struct file_location *location)
{
	location->view = (struct cache_view){
		.root = location->root,
		.index = location->index,
		.index_count = location->index_count,
		.wants_bytes = location->delivery->from_memory,
	};
	return cache_open(&location->view, location->proactor);
}

/* Names and paths belong to the configuration, which outlives the location. */
int file_location_open(void **state, const struct section *section, struct proactor *proactor,
	const struct file_delivery *delivery)
{
	const char *path = section_string(section, "root");
	struct file_location *location = malloc(sizeof(*location));
	int r;

	if (!location)
		return fail(-ENOMEM, "cannot serve %s", path);
	*location = (struct file_location){ .proactor = proactor, .delivery = delivery };
	location->index = section_strings(section, "index", &location->index_count);
	location->tries = section_strings(section, "try", &location->try_count);
	location->error_pages = section_strings(section, "error_page", &location->error_page_count);
	location->dot_files = section_yes(section, "dot_files");
	location->charset = text_of(section_string(section, "charset"));
	etags_open(&location->etags, proactor, section_word(section, "etag"));
	if (delivery->has_siblings)
		read_siblings(location, section);
	r = root_open(&location->root, path, proactor);
	if (r < 0) {
		free(location);
		return r;
	}
	r = open_listings(location, section);
	if (r == 0)
		r = open_view(location);
	if (r < 0) {
		root_close(location->root);
		free(location->listings);
		free(location);
		return r;
	}
	*state = location;
	return 0;
}

void file_location_close(void *state)
{
	struct file_location *location = state;

	etags_close(&location->etags);
	if (location->listings)
		listings_close(location->listings);
	cache_close(&location->view);
	root_close(location->root);
	block_pool_trim(&requests);
	byteranges_trim();
	content_trim();
	free(location);
}
