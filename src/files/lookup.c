/* Lookups: a chain of ops; each done() starts the next.
 *
 *	root fresh? ─ no ─ wait ─┐            ┌─ -EAGAIN: again
 *	     └── yes ────────── open ────────┼─ -EXDEV: resolve on the pool, open once more
 *	                          │           └─ an index name that leads nowhere: the next name
 *	                        fstat ─ regular: done
 *	                          ├─ an index name: close, the next name
 *	                          └─ anything else: close, done
 *
 * A file is opened for reading before its type is known: asking first, through an O_PATH
 *descriptor, would cost every file a second open.  O_NONBLOCK keeps the open of a FIFO or a device
 *from blocking.  The side effects remain: the writer of a FIFO sees a reader come and go, a tape
 *may rewind.
 *
 * RESOLVE_BENEATH refuses every absolute link, also one that leads back inside.  A thread of the
 * pool resolves such a path without it, to a name only.  If the name is beneath that of the root,
 * the rest of it is opened beneath the root as before.  Whatever happens between the two steps, the
 * second cannot leave the root.  If it finds nothing there, a link may have been switched between
 * the two: the lookup tries again. */
#include "files/lookup.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "base/log.h"
#include "base/owned.h"
#include "http/path.h"

/* openat2(2) returns -EAGAIN if a rename anywhere raced with a ".."; bounds the retries. */
enum { ATTEMPTS_MAX = 64 };

/* Bounds the retries after a link was switched; an absolute link that dangles costs as many. */
enum { SWITCH_COUNT_MAX = 8 };

static void open_path(struct lookup *lookup);

/* --- outcomes ----------------------------------------------------------------------------- */

static unsigned status_of(int error)
{
	switch (-error) {
	case EACCES:
	case EPERM:
	case ENXIO: /* a socket, or a device without a driver */
	case ENODEV:
		return 403;
	case ENOENT:
	case ENOTDIR:
	case ENAMETOOLONG:
	case ELOOP:
	case EXDEV: /* outside the root: do not tell whether it exists */
		return 404;
	case EMFILE:
	case ENFILE:
	case ENOMEM:
	case EAGAIN:
	case ESTALE: /* the root is switched all the time */
		return 503;
	default:
		return 500;
	}
}

static void log_outcome(const struct lookup *lookup, const char *reason)
{
	enum log_level level;

	if (lookup->is_quiet && lookup->status == 404)
		return;
	level = lookup->status < 500 ? LOG_LEVEL_INFO : LOG_LEVEL_WARNING;

	log_message(
		level, "%u %s/%s: %s", lookup->status, lookup->root->path, lookup->path, reason);
}

static void log_error_outcome(const struct lookup *lookup, int error)
{
	const char *name = strerrorname_np(-error);
	char reason[128];

	snprintf(reason, sizeof(reason), "%s (%s)", name ? name : "?", strerror(-error));
	log_outcome(lookup, reason);
}

/* The directory is returned after done(), so that the owner can take a reference of its own. */
static void lookup_finish(struct lookup *lookup)
{
	struct root_directory *directory = lookup->directory;

	free(lookup->resolved);
	lookup->done(lookup);
	if (directory)
		root_return(directory);
}

static void lookup_finish_with_error(struct lookup *lookup, int error)
{
	lookup->status = lookup->cancelled ? 503 : status_of(error);
	if (!lookup->cancelled)
		log_error_outcome(lookup, error);
	lookup_finish(lookup);
}

static void file_closed(struct proactor *proactor, struct op *op)
{
	(void)proactor;
	lookup_finish(container_of(op, struct lookup, op));
}

static void close_and_finish(struct lookup *lookup, int fd, unsigned status, const char *reason)
{
	lookup->status = status;
	if (reason)
		log_outcome(lookup, reason);
	lookup->fd = -1;
	op_init(&lookup->op, file_closed);
	proactor_close(lookup->root->proactor, &lookup->op, fd);
}

/* --- fstat: the file's type ---------------------------------------------------------------- */

static bool is_for_directory(const struct lookup *lookup)
{
	return lookup->path_length == 0 || lookup->path[lookup->path_length - 1] == '/';
}

static void open_index(struct lookup *lookup);

static void index_closed(struct proactor *proactor, struct op *op)
{
	struct lookup *lookup = container_of(op, struct lookup, op);

	(void)proactor;
	if (lookup->cancelled)
		lookup_finish_with_error(lookup, -ECANCELED);
	else
		open_index(lookup);
}

/* An index name that is not a regular file: try the next name. */
static void close_index(struct lookup *lookup)
{
	int fd = lookup->fd;

	lookup->fd = -1;
	op_init(&lookup->op, index_closed);
	proactor_close(lookup->root->proactor, &lookup->op, fd);
}

static void file_examined(struct proactor *proactor, struct op *op)
{
	struct lookup *lookup = container_of(op, struct lookup, op);
	mode_t mode = lookup->stat.st_mode;

	if (lookup->cancelled) {
		close_and_finish(lookup, lookup->fd, 503, NULL);
	} else if (op->result < 0) {
		close_and_finish(lookup, lookup->fd, 500, strerror((int)-op->result));
	} else if (S_ISREG(mode)) {
		lookup->status = 200;
		lookup->is_late = proactor_may_be_late(proactor, lookup->fd);
		lookup_finish(lookup);
	} else if (S_ISDIR(mode) && !is_for_directory(lookup)) {
		close_and_finish(lookup, lookup->fd, 301, NULL);
	} else if (is_for_directory(lookup)) {
		close_index(lookup);
	} else {
		close_and_finish(lookup, lookup->fd, 403, "not a regular file");
	}
}

static void examine_file(struct lookup *lookup, int fd)
{
	lookup->fd = fd;
	op_init(&lookup->op, file_examined);
	proactor_stat(lookup->root->proactor, &lookup->op, fd, &lookup->stat);
}

/* --- links with an absolute target, on a thread of the pool ------------------------------- */

/* The rest of `name` after the whole segments of `root`; NULL if `name` is not beneath `root`. */
static const char *name_beneath(const char *root, const char *name)
{
	size_t length = strlen(root);

	if (strcmp(root, "/") == 0)
		return name + 1;
	if (strncmp(name, root, length) != 0)
		return NULL;
	if (name[length] == '\0')
		return name + length;
	return name[length] == '/' ? name + length + 1 : NULL;
}

/* Uses realpath(3), because it needs no /proc. */
static int64_t resolve(void *context)
{
	struct lookup *lookup = context;
	char root[PATH_MAX], name[PATH_MAX], path[2 * PATH_MAX];
	const char *rest;
	struct stat stat_now;

	if (!realpath(lookup->root->path, root))
		return -errno;
	if (stat(root, &stat_now) < 0)
		return -errno;
	if (stat_now.st_dev != lookup->directory->device ||
		stat_now.st_ino != lookup->directory->inode)
		return -ESTALE;
	snprintf(path, sizeof(path), "%s/%s", root, lookup->path);
	if (!realpath(path, name))
		return -errno;
	rest = name_beneath(root, name);
	if (!rest)
		return -EXDEV;
	lookup->resolved = strdup(rest[0] != '\0' ? rest : ".");
	return lookup->resolved ? 0 : -ENOMEM;
}

static void open_failed(struct lookup *lookup, int error);

static void link_resolved(struct proactor *proactor, struct op *op)
{
	struct lookup *lookup = container_of(op, struct lookup, op);

	(void)proactor;
	if (op->result < 0 || lookup->cancelled)
		open_failed(lookup, op->result < 0 ? (int)op->result : -ECANCELED);
	else
		open_path(lookup);
}

static void resolve_link(struct lookup *lookup)
{
	op_init(&lookup->op, link_resolved);
	proactor_work(lookup->root->proactor, &lookup->op, resolve, lookup);
}

/* --- open --------------------------------------------------------------------------------- */

/* Opens the next index name, or, after the last one, the directory itself to see whether it exists.
 */
static void open_index(struct lookup *lookup)
{
	const char *name = "";

	if (lookup->index_next < lookup->index_count)
		name = lookup->index[lookup->index_next++];
	else
		lookup->probing = true;
	/* set_path() has checked that it fits. */
	memcpy(lookup->path + lookup->path_length, name, strlen(name) + 1);
	free(lookup->resolved);
	lookup->resolved = NULL;
	open_path(lookup);
}

/* -EACCES may come from a directory that must not be read but has an index file that may be: then
 * the answer is a redirect to the path with a slash. */
static void probe(struct lookup *lookup)
{
	lookup->probing = true;
	open_path(lookup);
}

/* The first open only found out whether there is a link. */
static void follow_links(struct lookup *lookup)
{
	lookup->passed_link = true;
	open_path(lookup);
}

/* The first step met an absolute link, and the second finds nothing: the link may have been
 * switched in between. */
static bool may_have_been_switched(const struct lookup *lookup, int error)
{
	bool is_gone = error == -ENOENT || error == -ENOTDIR || error == -ELOOP;

	if (lookup->op.kind == OP_WORK)
		return is_gone;
	return lookup->resolved && (is_gone || error == -EXDEV);
}

static void resolve_again(struct lookup *lookup)
{
	free(lookup->resolved);
	lookup->resolved = NULL;
	open_path(lookup);
}

/* Starts over, because the root has been switched to another directory. */
static void begin_again(struct lookup *lookup)
{
	root_return(lookup->directory);
	lookup->directory = NULL;
	lookup->index_next = 0;
	lookup->probing = lookup->passed_link = false;
	root_doubt(lookup->root);
	root_await(lookup->root, &lookup->wait);
}

/* An index name that is missing, leads out of the root or in a circle, or is a socket or a device.
 * An unreadable one (-EACCES) is not passed over: it may be meant to hide the directory. */
static bool is_no_index(const struct lookup *lookup, int error)
{
	if (!is_for_directory(lookup) || lookup->probing)
		return false;
	return error == -ENOENT || error == -EXDEV || error == -ELOOP || error == -ENXIO ||
	       error == -ENODEV;
}

static void open_failed(struct lookup *lookup, int error)
{
	bool may_be_directory = error == -EACCES && !is_for_directory(lookup) && !lookup->probing;

	if (lookup->cancelled)
		lookup_finish_with_error(lookup, -ECANCELED);
	else if (error == -EAGAIN && ++lookup->attempts < ATTEMPTS_MAX)
		open_path(lookup);
	else if (error == -ELOOP && lookup->notes_links && !lookup->passed_link)
		follow_links(lookup);
	else if (error == -EXDEV && !lookup->resolved && lookup->op.kind == OP_OPEN)
		resolve_link(lookup);
	else if (error == -ESTALE && ++lookup->switch_count < SWITCH_COUNT_MAX)
		begin_again(lookup);
	else if (may_have_been_switched(lookup, error) && ++lookup->switch_count < SWITCH_COUNT_MAX)
		resolve_again(lookup);
	else if (is_no_index(lookup, error))
		open_index(lookup);
	else if (may_be_directory)
		probe(lookup);
	else if (lookup->probing && !is_for_directory(lookup))
		lookup_finish_with_error(
			lookup, -EACCES); /* not a directory: the first error counts */
	else
		lookup_finish_with_error(lookup, error);
}

/* The probe has found a directory. */
static void finish_probing(struct lookup *lookup, int fd)
{
	if (is_for_directory(lookup) && lookup->wants_directory) {
		lookup->status = 403;
		lookup->fd = fd;
		lookup_finish(lookup);
		return;
	}
	if (is_for_directory(lookup))
		close_and_finish(lookup, fd, 403, "no index file");
	else
		close_and_finish(lookup, fd, 301, NULL);
}

static void path_opened(struct proactor *proactor, struct op *op)
{
	struct lookup *lookup = container_of(op, struct lookup, op);

	(void)proactor;
	lookup->is_late = op->is_late;
	if (op->result < 0)
		open_failed(lookup, (int)op->result);
	else if (lookup->cancelled)
		close_and_finish(lookup, (int)op->result, 503, NULL);
	else if (lookup->probing)
		finish_probing(lookup, (int)op->result);
	else
		examine_file(lookup, (int)op->result);
}

static void open_path(struct lookup *lookup)
{
	struct open_how how = {
		.flags = lookup->probing ? O_PATH | O_DIRECTORY | O_CLOEXEC
					 : O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	const char *path = lookup->path[0] != '\0' ? lookup->path : ".";

	if (lookup->notes_links && !lookup->passed_link)
		how.resolve |= RESOLVE_NO_SYMLINKS;
	op_init(&lookup->op, path_opened);
	proactor_open_file(lookup->root->proactor, &lookup->op, lookup->directory->fd,
		lookup->resolved ? lookup->resolved : path, &how);
}

/* --- beginning and cancelling ------------------------------------------------------------- */

static void lookup_begin(struct lookup *lookup, struct root_directory *directory)
{
	lookup->directory = directory;
	if (is_for_directory(lookup))
		open_index(lookup);
	else
		open_path(lookup);
}

static void root_found(struct root_wait *wait, struct root_directory *directory, int error)
{
	struct lookup *lookup = container_of(wait, struct lookup, wait);

	lookup->directory = directory;
	if (!directory || lookup->cancelled) {
		lookup->status = 503;
		if (!lookup->cancelled)
			log_error_outcome(lookup, error);
		lookup_finish(lookup);
		return;
	}
	lookup_begin(lookup, directory);
}

static size_t index_length_max(const struct lookup *lookup)
{
	size_t length_max = 0;

	for (size_t i = 0; i < lookup->index_count; i++) {
		size_t length = strlen(lookup->index[i]);

		length_max = length > length_max ? length : length_max;
	}
	return length_max;
}

/* A path that is too long is cut, so that the log shows its beginning. */
static int set_path(struct lookup *lookup, struct text path)
{
	struct text relative = text_from(path, 1);
	size_t length = relative.length;

	relative = text_first(relative, sizeof(lookup->path) - 1);
	memcpy(lookup->path, relative.bytes, relative.length);
	lookup->path[relative.length] = '\0';
	lookup->path_length = relative.length;
	if (is_for_directory(lookup))
		length += index_length_max(lookup);
	return length < sizeof(lookup->path) ? 0 : -ENAMETOOLONG;
}

int lookup_start(struct lookup *lookup, struct text path)
{
	struct root_directory *directory;
	int r = set_path(lookup, path);

	lookup->fd = -1;
	lookup->directory = NULL;
	lookup->resolved = NULL;
	lookup->index_next = 0;
	lookup->attempts = lookup->switch_count = 0;
	lookup->probing = lookup->cancelled = lookup->passed_link = false;
	lookup->wait.found = root_found;
	op_init(&lookup->op, path_opened);
	if (r == 0 && !lookup->dot_files && path_has_dot_segment(path))
		r = -ENOENT;
	if (r < 0) {
		lookup->status = status_of(r);
		log_error_outcome(lookup, r);
		return r;
	}
	directory = root_take(lookup->root);
	if (directory)
		lookup_begin(lookup, directory);
	else
		root_await(lookup->root, &lookup->wait);
	return 0;
}

void lookup_cancel(struct lookup *lookup)
{
	lookup->cancelled = true;
	proactor_cancel(lookup->root->proactor, &lookup->op);
}

struct text lookup_path(const struct lookup *lookup)
{
	return text_of(lookup->path);
}
