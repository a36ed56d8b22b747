/* One value per directory, kept so that it survives: POST or PUT saves it, GET gives it back.
 *
 * A value is never changed in place.  It is written to a file of its own, which is synced and then
 * renamed over the old one, and the directory is synced before the client hears of it:
 *
 *	open → write … → fsync → close → rename → fsync of the directory → 201 or 204
 *
 * Whatever ends the sequence early, and whichever workers write at the same time, under the value's
 * name there is one whole value, the old or the new.  A reader that has the file open keeps the
 * value it opened.  The first rename refuses to replace: its success is what tells a first value
 * (201) from a later one, for one writer among many.
 *
 * Each step is an op whose done() begins the next; a struct saving from a pool holds what they
 * need, since the client may go away meanwhile (the saving goes on).  A worker that dies leaves
 * its unfinished file behind, named by its process id; the next worker to start removes it. */
#include <assert.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/block_pool.h"
#include "base/log.h"
#include "endpoints/registry.h"
#include "files/extents.h"
#include "files/reader.h"
#include "http/gather.h"
#include "proactor/proactor.h"

#define VALUE_NAME    "value"
#define FRESH_FORMAT  ".value-%d-%u"
#define FRESH_PATTERN ".value-%d-%u%n"

struct store {
	struct proactor *proactor;
	const char *path; /* the configuration's */
	uint64_t length_max;
	int directory;
	struct op op; /* opens and closes the directory */
};

struct saving {
	struct op op;
	struct store *store;
	struct exchange *exchange;
	struct gather *gather;   /* NULL: the value is being removed */
	struct list_node *block; /* being written */
	uint64_t offset;
	int fd;    /* the fresh file; -1: not open */
	int error; /* the first one */
	bool created;
	char fresh[40]; /* the fresh file's name; "": there is none */
};

struct reading {
	struct op op;
	struct store *store;
	struct exchange *exchange;
	struct stat stat;
	int fd;
	unsigned status; /* to answer with when the file is closed */
};

static struct block_pool savings = BLOCK_POOL(sizeof(struct saving), 64);
static struct block_pool readings = BLOCK_POOL(sizeof(struct reading), 64);

static const struct setting settings[] = {
	{
		.name = "directory",
		.type = SETTING_DIRECTORY,
		.required = true,
		.made = true,
		.help = "The directory that holds the value.  Locations with the same directory "
			"share it.  If only the last part of the path is missing, a worker "
			"creates it with mode 0700.  The workers' user must be allowed to write "
			"there.",
	},
	{
		.name = "store_bytes",
		.type = SETTING_SIZE,
		.fallback = "1K",
		.help = "The maximum length of the value in bytes.  A longer one gets 413; "
			"limits.body_bytes applies too.",
	},
	{ 0 },
};

/* --- saving ------------------------------------------------------------------------------- */

/* The same op takes the next step. */
static void prepare(struct saving *saving, op_done_fn *done)
{
	op_init(&saving->op, done);
}

static unsigned status_of(int error)
{
	return error == -ENOSPC || error == -EDQUOT ? 507 : 500;
}

static void end_saving(struct saving *saving)
{
	struct exchange *exchange = saving->exchange;
	int error = saving->error;
	bool created = saving->created;

	if (saving->gather)
		gather_free(saving->gather);
	block_pool_return(&savings, saving);
	if (error < 0)
		exchange_answer_error(exchange, status_of(error));
	else
		exchange_answer(exchange, created ? 201 : 204, NULL, 0);
}

static void fresh_removed(struct proactor *proactor, struct op *op)
{
	(void)proactor;
	end_saving(container_of(op, struct saving, op));
}

static void remove_fresh(struct saving *saving)
{
	if (saving->fresh[0] == '\0') {
		end_saving(saving);
		return;
	}
	prepare(saving, fresh_removed);
	proactor_unlink(
		saving->store->proactor, &saving->op, saving->store->directory, saving->fresh, 0);
}

static void failed_closed(struct proactor *proactor, struct op *op)
{
	(void)proactor;
	remove_fresh(container_of(op, struct saving, op));
}

/* What was begun is undone, then the client is told. */
static void fail_saving(struct saving *saving, int64_t error, const char *step)
{
	saving->error =
		fail((int)error, "cannot store a value in %s: %s", saving->store->path, step);
	if (saving->fd < 0) {
		remove_fresh(saving);
		return;
	}
	prepare(saving, failed_closed);
	proactor_close(saving->store->proactor, &saving->op, saving->fd);
}

static void directory_synced(struct proactor *proactor, struct op *op)
{
	struct saving *saving = container_of(op, struct saving, op);

	(void)proactor;
	if (op->result < 0)
		fail_saving(saving, op->result, "fsync of the directory");
	else
		end_saving(saving);
}

static void sync_directory(struct saving *saving)
{
	saving->fresh[0] = '\0';
	prepare(saving, directory_synced);
	proactor_fsync(saving->store->proactor, &saving->op, saving->store->directory);
}

static void renamed(struct proactor *proactor, struct op *op)
{
	struct saving *saving = container_of(op, struct saving, op);

	(void)proactor;
	if (op->result < 0)
		fail_saving(saving, op->result, "rename");
	else
		sync_directory(saving);
}

static void rename_fresh(struct saving *saving, unsigned flags, op_done_fn *done)
{
	prepare(saving, done);
	proactor_rename(saving->store->proactor, &saving->op, saving->store->directory,
		saving->fresh, VALUE_NAME, flags);
}

/* -EINVAL: a file system that cannot rename so. */
static void renamed_as_first(struct proactor *proactor, struct op *op)
{
	struct saving *saving = container_of(op, struct saving, op);

	saving->created = op->result == 0;
	if (op->result == -EEXIST || op->result == -EINVAL)
		rename_fresh(saving, 0, renamed);
	else
		renamed(proactor, op);
}

static void fresh_closed(struct proactor *proactor, struct op *op)
{
	struct saving *saving = container_of(op, struct saving, op);

	(void)proactor;
	saving->fd = -1;
	if (op->result < 0)
		fail_saving(saving, op->result, "close");
	else
		rename_fresh(saving, RENAME_NOREPLACE, renamed_as_first);
}

static void fresh_synced(struct proactor *proactor, struct op *op)
{
	struct saving *saving = container_of(op, struct saving, op);

	if (op->result < 0) {
		fail_saving(saving, op->result, "fsync");
		return;
	}
	prepare(saving, fresh_closed);
	proactor_close(proactor, &saving->op, saving->fd);
}

static void written(struct proactor *proactor, struct op *op);

/* One block, or what follows when all are written. */
static void write_block(struct saving *saving)
{
	struct proactor *proactor = saving->store->proactor;
	const struct gather_block *block = container_of(saving->block, struct gather_block, node);

	if (saving->block == &saving->gather->blocks.head) {
		prepare(saving, fresh_synced);
		proactor_fsync(proactor, &saving->op, saving->fd);
		return;
	}
	prepare(saving, written);
	proactor_write(
		proactor, &saving->op, saving->fd, block->bytes, block->length, saving->offset);
}

static void written(struct proactor *proactor, struct op *op)
{
	struct saving *saving = container_of(op, struct saving, op);

	(void)proactor;
	if (op->result < 0) {
		fail_saving(saving, op->result, "write");
		return;
	}
	saving->offset += (uint64_t)op->result;
	saving->block = saving->block->next;
	write_block(saving);
}

static void open_fresh(struct saving *saving);

/* A name may be taken: by what a dead process of the same id left. */
static void fresh_opened(struct proactor *proactor, struct op *op)
{
	struct saving *saving = container_of(op, struct saving, op);

	(void)proactor;
	if (op->result == -EEXIST) {
		open_fresh(saving);
	} else if (op->result < 0) {
		saving->fresh[0] = '\0';
		fail_saving(saving, op->result, "open");
	} else {
		saving->fd = (int)op->result;
		saving->block = saving->gather->blocks.head.next;
		write_block(saving);
	}
}

static void open_fresh(struct saving *saving)
{
	static const struct open_how how = { .flags = O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC,
		.mode = 0600 };
	static unsigned count;

	snprintf(saving->fresh, sizeof(saving->fresh), FRESH_FORMAT, getpid(), count++);
	prepare(saving, fresh_opened);
	proactor_open_file(saving->store->proactor, &saving->op, saving->store->directory,
		saving->fresh, &how);
}

static void gathered(struct gather *gather, unsigned status)
{
	struct exchange *exchange = gather->exchange;
	struct saving *saving = status == 0 ? block_pool_take(&savings) : NULL;

	if (!saving) {
		gather_free(gather);
		exchange_answer_error(exchange, status != 0 ? status : 503);
		return;
	}
	*saving = (struct saving){
		.store = gather->context, .exchange = exchange, .gather = gather, .fd = -1
	};
	open_fresh(saving);
}

/* A part is refused before it replaces the whole (RFC 9110 §14.5). */
static bool is_part(const struct request *request)
{
	return request->method == METHOD_PUT &&
	       request_field(request, text_literal("Content-Range"));
}

static void save(struct store *store, struct exchange *exchange)
{
	struct gather *gather;

	if (is_part(&exchange->request)) {
		exchange_answer_error(exchange, 400);
		return;
	}
	gather = gather_new(exchange, store);
	if (gather)
		gather_receive(gather, store->length_max, gathered);
	else
		exchange_answer_error(exchange, 503);
}

/* --- removing ----------------------------------------------------------------------------- */

/* What is not there is removed already; but whoever removed it may not have synced yet. */
static void value_removed(struct proactor *proactor, struct op *op)
{
	struct saving *saving = container_of(op, struct saving, op);

	(void)proactor;
	if (op->result < 0 && op->result != -ENOENT)
		fail_saving(saving, op->result, "unlink");
	else
		sync_directory(saving);
}

static void remove_value(struct store *store, struct exchange *exchange)
{
	struct saving *saving = block_pool_take(&savings);

	if (!saving) {
		exchange_answer_error(exchange, 503);
		return;
	}
	*saving = (struct saving){ .store = store, .exchange = exchange, .fd = -1 };
	prepare(saving, value_removed);
	proactor_unlink(store->proactor, &saving->op, store->directory, VALUE_NAME, 0);
}

/* --- reading ------------------------------------------------------------------------------ */

static void end_reading(struct reading *reading, unsigned status)
{
	struct exchange *exchange = reading->exchange;

	block_pool_return(&readings, reading);
	if (status == 404)
		exchange_answer_bytes(exchange, 404, text_literal("text/plain; charset=utf-8"),
			text_literal("Nothing is stored here.\n"));
	else
		exchange_answer_error(exchange, status);
}

static void unread_closed(struct proactor *proactor, struct op *op)
{
	struct reading *reading = container_of(op, struct reading, op);

	(void)proactor;
	end_reading(reading, reading->status);
}

static void close_unread(struct reading *reading, unsigned status)
{
	reading->status = status;
	op_init(&reading->op, unread_closed);
	proactor_close(reading->store->proactor, &reading->op, reading->fd);
}

/* The file has its last length already: nobody writes to one that has the value's name. */
static void examined(struct proactor *proactor, struct op *op)
{
	struct reading *reading = container_of(op, struct reading, op);
	struct exchange *exchange = reading->exchange;
	int64_t length = reading->stat.st_size;
	struct content *content;
	struct body_source *body;
	struct range_set whole;

	if (op->result < 0) {
		fail((int)op->result, "cannot examine the value in %s", reading->store->path);
		close_unread(reading, 500);
		return;
	}
	if (!S_ISREG(reading->stat.st_mode)) {
		log_warning("%s/" VALUE_NAME " is no file", reading->store->path);
		close_unread(reading, 500);
		return;
	}
	content = content_of_file(proactor, reading->fd);
	if (!content) {
		close_unread(reading, 503);
		return;
	}
	range_set_whole(&whole, (uint64_t)length);
	body = exchange_sends_files(exchange) ? extents_open(proactor, content, &whole)
					      : reader_open(proactor, content, &whole);
	content_return(content);
	if (!body) {
		end_reading(reading, 503);
		return;
	}
	block_pool_return(&readings, reading);
	exchange_add_field(
		exchange, text_literal("Content-Type"), text_literal("application/octet-stream"));
	exchange_add_field(exchange, text_literal("Cache-Control"), text_literal("no-store"));
	exchange_answer(exchange, 200, body, length);
}

static void value_opened(struct proactor *proactor, struct op *op)
{
	struct reading *reading = container_of(op, struct reading, op);

	if (op->result == -ENOENT) {
		end_reading(reading, 404);
	} else if (op->result < 0) {
		fail((int)op->result, "cannot open the value in %s", reading->store->path);
		end_reading(reading, 500);
	} else {
		reading->fd = (int)op->result;
		op_init(&reading->op, examined);
		proactor_stat(proactor, &reading->op, reading->fd, &reading->stat);
	}
}

static void read_value(struct store *store, struct exchange *exchange)
{
	static const struct open_how how = { .flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK |
						      O_CLOEXEC };
	struct reading *reading = block_pool_take(&readings);

	if (!reading) {
		exchange_answer_error(exchange, 503);
		return;
	}
	*reading = (struct reading){ .store = store, .exchange = exchange };
	op_init(&reading->op, value_opened);
	proactor_open_file(store->proactor, &reading->op, store->directory, VALUE_NAME, &how);
}

/* A body that was forgotten must not pass for an empty value (RFC 9110 §15.5.12). */
static bool length_is_told(const struct request *request)
{
	return request->content_length > 0 ||
	       request_field(request, text_literal("Content-Length"));
}

static void handle_store(void *state, struct exchange *exchange)
{
	switch (exchange->request.method) {
	case METHOD_POST:
	case METHOD_PUT:
		if (length_is_told(&exchange->request))
			save(state, exchange);
		else
			exchange_answer_error(exchange, 411);
		return;
	case METHOD_DELETE:
		remove_value(state, exchange);
		return;
	case METHOD_GET:
	case METHOD_HEAD:
	case METHOD_PATCH:
	case METHOD_OPTIONS:
	case METHOD_CONNECT:
	case METHOD_TRACE:
	case METHOD_UNKNOWN:
		read_value(state, exchange);
		return;
	}
}

/* --- the location ------------------------------------------------------------------------- */

static bool is_left_behind(const char *name)
{
	unsigned number;
	int id, length = 0;

	if (sscanf(name, FRESH_PATTERN, &id, &number, &length) != 2 || name[length] != '\0')
		return false;
	return id == getpid() || (id > 0 && kill(id, 0) < 0 && errno == ESRCH);
}

/* Unfinished files of processes that are no more, one of the same id included: in a container ids
 * begin anew, and this process has not written yet.  A directory that cannot be read has none that
 * we could remove; whether it can be used the first request will tell. */
static void remove_left_behind(const char *path)
{
	DIR *directory = opendir(path);
	struct dirent *entry;

	while (directory && (entry = readdir(directory))) {
		if (is_left_behind(entry->d_name) &&
			unlinkat(dirfd(directory), entry->d_name, 0) == 0)
			log_info("removed %s/%s, which nobody will finish", path, entry->d_name);
	}
	if (directory)
		closedir(directory);
}

static void note_done(struct proactor *proactor, struct op *op)
{
	(void)proactor;
	(void)op;
}

static int await(struct store *store)
{
	int r = proactor_await(store->proactor, &store->op);

	if (r < 0)
		return r;
	return store->op.result < 0 ? (int)store->op.result : 0;
}

/* Sets store->directory. */
static int open_directory(struct store *store)
{
	static const struct open_how how = { .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC };
	struct stat stat;
	int r;

	op_init(&store->op, note_done);
	proactor_open_file(store->proactor, &store->op, AT_FDCWD, store->path, &how);
	r = await(store);
	if (r < 0)
		return r;
	store->directory = (int)store->op.result;
	op_init(&store->op, note_done); /* whether its file system may be late becomes known */
	proactor_stat(store->proactor, &store->op, store->directory, &stat);
	return await(store);
}

/* Another worker may have been faster. */
static int make_directory(struct store *store)
{
	if (mkdir(store->path, 0700) == 0)
		log_info("made the directory %s", store->path);
	else if (errno != EEXIST)
		return -errno;
	return open_directory(store);
}

static int open_store(void **state, const struct section *location, struct proactor *proactor)
{
	const char *path = section_string(location, "directory");
	struct store *store = malloc(sizeof(*store));
	int r;

	if (!store)
		return fail(-ENOMEM, "cannot store in %s", path);
	*store = (struct store){ .proactor = proactor, .path = path };
	store->length_max = section_number(location, "store_bytes");
	r = open_directory(store);
	if (r == -ENOENT)
		r = make_directory(store);
	if (r < 0) {
		free(store);
		return fail(r, "cannot store in %s", path);
	}
	remove_left_behind(path);
	*state = store;
	return 0;
}

static void close_store(void *state)
{
	struct store *store = state;

	op_init(&store->op, note_done);
	proactor_close(store->proactor, &store->op, store->directory);
	(void)await(store);
	block_pool_trim(&savings);
	block_pool_trim(&readings);
	gather_trim();
	extents_trim();
	reader_trim();
	content_trim();
	free(store);
}

const struct endpoint store_endpoint = {
	.name = "store",
	.summary =
		"One value, durably: POST or PUT saves it, GET gives it back, DELETE removes it.",
	.settings = settings,
	.methods = METHOD_BIT(METHOD_GET) | METHOD_BIT(METHOD_HEAD) | METHOD_BIT(METHOD_POST) |
		   METHOD_BIT(METHOD_PUT) | METHOD_BIT(METHOD_DELETE),
	.sends_files = true,
	.open = open_store,
	.close = close_store,
	.handle = handle_store,
};
