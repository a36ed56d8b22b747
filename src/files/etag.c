/* Searches for tags.
 *
 *	auto, short file; content:  known? ─ no ─ read and hash, part by part ─ unchanged? ─ tag
 *	auto, longer file:          open FILE.etag ─ stat ─ read ─ close ─ tag
 *	                                  └─ none: tag by metadata
 *
 * A file is hashed once, however many requests wait for its tag: they join the job that is under
 * way.  A job goes on without waiting requests, so that a file that takes longer to hash than its
 * clients wait is known in the end.  Short files are hashed by the loop, longer ones by the pool.
 *
 * Hashes are remembered beside the cache, because they cost most where the cache cannot hold the
 * file, and because an entry that is looked up again is mostly the same file.  A hash is remembered
 * only of a file that did not change for two seconds: the clock of file systems may not tell apart
 * two changes that follow each other sooner. */
#include "files/etag.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/log.h"
#include "files/cache.h"
#include "files/content_hash.h"
#include "files/same_file.h"

#define SECOND_NS INT64_C(1000000000)

enum {
	PART_LENGTH = 256 * 1024, /* read and hashed at once */
	LOOP_LENGTH_MAX = 65536,  /* hashed by the loop: some microseconds */
	KNOWN_COUNT_MAX = 4096,   /* files whose hash is remembered */
	QUIET_AGE_S_MIN = 2,
	ATTEMPTS_MAX = 64,
};

/* A file whose hash is remembered. */
struct known_hash {
	struct list_node by_file, by_use;
	struct stat stat;
	unsigned char digest[CONTENT_HASH_SIZE];
};

/* A file that is being hashed. */
struct hash_job {
	struct op op;
	struct list_node node; /* among the location's */
	struct etags *etags;
	struct content *content;
	struct stat stat, stat_after;
	struct list searches; /* that wait for the hash */
	struct content_hash *hash;
	uint64_t hashed_length;
	size_t part_length; /* read, not hashed yet */
	char part[];
};

/* --- the setting -------------------------------------------------------------------------- */

const char *const etag_words[] = { "auto", "content", "time", "no", NULL };

const char *etag_check(const char *const *strings, size_t count, size_t *wrong)
{
	(void)count;
	*wrong = 0;
	if (!content_hash_is_built() && strcmp(strings[0], etag_words[ETAG_CONTENT]) == 0)
		return "not possible with this ringlet, which was built without libxxhash";
	return NULL;
}

/* --- tags without a hash ------------------------------------------------------------------ */

bool etag_trusts_time(const struct stat *stat)
{
	static const time_t constants[] = {
		315532800,  /* 1980-01-01: zip's first day, and SOURCE_DATE_EPOCH of many builds */
		315619200,  /* 1980-01-02: the same, in every time zone */
		318211200,  /* 1980-02-01: Gradle */
		499162500,  /* 1985-10-26 08:15: npm */
		946684800,  /* 2000-01-01 */
		1262304000, /* 2010-01-01: Bazel */
	};
	time_t modified = stat->st_mtim.tv_sec;

	if (modified <= 1) /* Nix, OSTree, Flatpak, Jib */
		return false;
	for (size_t i = 0; i < sizeof(constants) / sizeof(constants[0]); i++) {
		if (modified == constants[i])
			return false;
	}
	return true;
}

/* Times before 1970 and after 2554 wrap around; different times stay different. */
static uint64_t in_ns(const struct timespec *time)
{
	return (uint64_t)time->tv_sec * (uint64_t)SECOND_NS + (uint64_t)time->tv_nsec;
}

static void set_two_numbers(struct etag *etag, uint64_t a, uint64_t b)
{
	struct buffer buffer;

	buffer_init(&buffer, etag->bytes, sizeof(etag->bytes));
	buffer_append_format(&buffer, "%" PRIx64 "-%" PRIx64, a, b);
	etag->length = buffer.length;
}

static void tag_by_time(struct etag *etag, const struct stat *stat)
{
	if (etag_trusts_time(stat))
		set_two_numbers(etag, in_ns(&stat->st_mtim), (uint64_t)stat->st_size);
}

/* The inode number is hashed, because clients must not learn it.  The device number is left out: it
 * may change with a reboot. */
static void tag_by_metadata(struct etag *etag, const struct stat *stat)
{
	const uint64_t metadata[] = { in_ns(&stat->st_mtim), in_ns(&stat->st_ctim), stat->st_ino };
	struct text bytes = { (const char *)metadata, sizeof(metadata) };

	if (etag_trusts_time(stat))
		set_two_numbers(etag, hash_text(0, bytes), (uint64_t)stat->st_size);
}

/* base64url is a third shorter than hexadecimal, and every response carries it. */
static void tag_by_digest(struct etag *etag, const unsigned char digest[CONTENT_HASH_SIZE])
{
	static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				      "0123456789-_";
	unsigned bits = 0, bit_count = 0;

	etag->length = 0;
	for (size_t i = 0; i < CONTENT_HASH_SIZE; i++) {
		bits = bits << 8 | digest[i];
		for (bit_count += 8; bit_count >= 6; bit_count -= 6)
			etag->bytes[etag->length++] = letters[bits >> (bit_count - 6) & 63];
	}
	etag->bytes[etag->length++] = letters[bits << (6 - bit_count) & 63];
}

/* --- hashes that are known ---------------------------------------------------------------- */

static uint64_t hash_file(const struct stat *stat)
{
	return hash_text(0, (struct text){ (const char *)&stat->st_ino, sizeof(stat->st_ino) });
}

static struct known_hash *find_known(struct etags *etags, const struct stat *stat)
{
	if (!etags->known.lists)
		return NULL;
	list_for_each (node, buckets_at(&etags->known, hash_file(stat))) {
		struct known_hash *known = container_of(node, struct known_hash, by_file);

		if (is_same_file(&known->stat, stat)) {
			list_remove(&known->by_use);
			list_prepend(&etags->by_use, &known->by_use);
			return known;
		}
	}
	return NULL;
}

static void forget(struct etags *etags, struct known_hash *known)
{
	list_remove(&known->by_file);
	list_remove(&known->by_use);
	etags->known_count--;
	free(known);
}

static struct known_hash *last_used(struct etags *etags)
{
	return container_of(etags->by_use.head.previous, struct known_hash, by_use);
}

static bool is_quiet(const struct etags *etags, const struct stat *stat)
{
	int64_t now_s = proactor_wall_ns(etags->proactor) / SECOND_NS;

	return now_s - stat->st_mtim.tv_sec > QUIET_AGE_S_MIN &&
	       now_s - stat->st_ctim.tv_sec > QUIET_AGE_S_MIN;
}

/* If there is no memory, the file is hashed again next time. */
static void remember(
	struct etags *etags, const struct stat *stat, const unsigned char digest[CONTENT_HASH_SIZE])
{
	struct known_hash *known;

	if (!is_quiet(etags, stat) ||
		(!etags->known.lists && buckets_open(&etags->known, KNOWN_COUNT_MAX) < 0))
		return;
	known = malloc(sizeof(*known));
	if (!known)
		return;
	if (etags->known_count == KNOWN_COUNT_MAX)
		forget(etags, last_used(etags));
	known->stat = *stat;
	memcpy(known->digest, digest, CONTENT_HASH_SIZE);
	list_append(buckets_at(&etags->known, hash_file(stat)), &known->by_file);
	list_prepend(&etags->by_use, &known->by_use);
	etags->known_count++;
}

/* --- hashing ------------------------------------------------------------------------------ */

static void tell_searches(struct hash_job *job, const unsigned char *digest)
{
	struct list_node *node;

	while ((node = list_take_first(&job->searches))) {
		struct etag_search *search = container_of(node, struct etag_search, node);

		if (digest)
			tag_by_digest(&search->etag, digest);
		search->done(search);
	}
}

/* Without a digest the searches end without a tag. */
static void end_job(struct hash_job *job, const unsigned char *digest)
{
	list_remove(&job->node);
	content_return(job->content);
	content_hash_free(job->hash);
	tell_searches(job, digest);
	free(job);
}

static void hashed_file_examined(struct proactor *proactor, struct op *op)
{
	struct hash_job *job = container_of(op, struct hash_job, op);
	unsigned char digest[CONTENT_HASH_SIZE];

	(void)proactor;
	if (op->result < 0 || !is_same_file(&job->stat, &job->stat_after)) {
		end_job(job, NULL);
		return;
	}
	content_hash_digest(job->hash, digest);
	remember(job->etags, &job->stat, digest);
	end_job(job, digest);
}

static void tell_cancelled(struct hash_job *job)
{
	list_for_each_safe (node, &job->searches) {
		struct etag_search *search = container_of(node, struct etag_search, node);

		if (!search->cancelled)
			continue;
		list_remove(&search->node);
		search->done(search);
	}
}

static void read_part(struct hash_job *job);

static int64_t hash_part(void *context)
{
	struct hash_job *job = context;

	content_hash_add(job->hash, (struct text){ job->part, job->part_length });
	return 0;
}

static void part_hashed(struct proactor *proactor, struct op *op)
{
	struct hash_job *job = container_of(op, struct hash_job, op);

	(void)proactor;
	job->hashed_length += job->part_length;
	read_part(job);
}

static void part_read(struct proactor *proactor, struct op *op)
{
	struct hash_job *job = container_of(op, struct hash_job, op);

	if (op->result <= 0) {
		end_job(job, NULL); /* the file has become shorter, or cannot be read */
		return;
	}
	job->part_length = (size_t)op->result;
	if (job->stat.st_size <= LOOP_LENGTH_MAX) {
		hash_part(job);
		part_hashed(proactor, op);
	} else {
		op_init(op, part_hashed);
		proactor_work(proactor, op, hash_part, job);
	}
}

static size_t part_length(uint64_t left)
{
	return (size_t)smaller(left, PART_LENGTH);
}

static void read_part(struct hash_job *job)
{
	struct proactor *proactor = job->etags->proactor;
	uint64_t left = (uint64_t)job->stat.st_size - job->hashed_length;

	tell_cancelled(job);
	if (job->etags->is_closing) {
		end_job(job, NULL);
	} else if (left > 0) {
		op_init(&job->op, part_read);
		proactor_read(proactor, &job->op, job->content->fd, job->part, part_length(left),
			job->hashed_length);
	} else {
		op_init(&job->op, hashed_file_examined);
		proactor_stat(proactor, &job->op, job->content->fd, &job->stat_after);
	}
}

static struct hash_job *find_job(struct etags *etags, const struct stat *stat)
{
	list_for_each (node, &etags->jobs) {
		struct hash_job *job = container_of(node, struct hash_job, node);

		if (is_same_file(&job->stat, stat))
			return job;
	}
	return NULL;
}

/* NULL: out of memory. */
static struct hash_job *start_job(struct etag_search *search)
{
	size_t room = part_length((uint64_t)search->stat->st_size);
	struct hash_job *job = malloc(sizeof(*job) + room);

	if (!job)
		return NULL;
	*job = (struct hash_job){ .etags = search->etags, .stat = *search->stat };
	job->hash = content_hash_new();
	if (!job->hash) {
		free(job);
		return NULL;
	}
	job->content = content_take(search->content);
	list_init(&job->searches);
	list_append(&job->etags->jobs, &job->node);
	read_part(job);
	return job;
}

/* True: the search has ended, with a tag or, if out of memory, without. */
static bool find_by_content(struct etag_search *search)
{
	struct known_hash *known = find_known(search->etags, search->stat);
	struct hash_job *job;

	if (known) {
		tag_by_digest(&search->etag, known->digest);
		return true;
	}
	job = find_job(search->etags, search->stat);
	if (!job)
		job = start_job(search);
	if (job)
		list_append(&job->searches, &search->node);
	return !job;
}

/* --- FILE.etag ---------------------------------------------------------------------------- */

static void end_search(struct etag_search *search)
{
	if (search->etag.length == 0)
		tag_by_metadata(&search->etag, search->stat);
	search->done(search);
}

/* One tag, with or without its quotes, and a line's end.  False: it is anything else. */
static bool read_tag(struct etag *etag, struct text text)
{
	text = text_trim(text_first(text, text_find(text, '\n')));
	if (text.length > 0 && text.bytes[text.length - 1] == '\r')
		text.length--;
	if (text.length >= 2 && text.bytes[0] == '"' && text.bytes[text.length - 1] == '"')
		text = text_from(text_first(text, text.length - 1), 1);
	if (text.length == 0 || text.length > ETAG_TEXT_MAX)
		return false;
	for (size_t i = 0; i < text.length; i++) {
		if (text.bytes[i] <= ' ' || text.bytes[i] > '~' || text.bytes[i] == '"')
			return false;
	}
	memcpy(etag->bytes, text.bytes, text.length);
	etag->length = text.length;
	return true;
}

static void sidecar_closed(struct proactor *proactor, struct op *op)
{
	(void)proactor;
	end_search(container_of(op, struct etag_search, op));
}

static void close_sidecar(struct etag_search *search)
{
	op_init(&search->op, sidecar_closed);
	proactor_close(search->etags->proactor, &search->op, search->fd);
}

static void sidecar_read(struct proactor *proactor, struct op *op)
{
	struct etag_search *search = container_of(op, struct etag_search, op);
	struct text text = { search->bytes, op->result > 0 ? (size_t)op->result : 0 };

	(void)proactor;
	if (!read_tag(&search->etag, text))
		log_warning("ignored %s: expected one entity tag of at most %d characters",
			search->sidecar_path, ETAG_TEXT_MAX);
	close_sidecar(search);
}

static bool is_older(const struct timespec *a, const struct timespec *b)
{
	return a->tv_sec != b->tv_sec ? a->tv_sec < b->tv_sec : a->tv_nsec < b->tv_nsec;
}

/* A FILE.etag older than FILE belongs to an older version of it. */
static void sidecar_examined(struct proactor *proactor, struct op *op)
{
	struct etag_search *search = container_of(op, struct etag_search, op);

	if (op->result < 0 || !S_ISREG(search->sidecar.st_mode) || search->cancelled) {
		close_sidecar(search);
	} else if (is_older(&search->sidecar.st_mtim, &search->stat->st_mtim)) {
		log_info("ignored %s: older than its file", search->sidecar_path);
		close_sidecar(search);
	} else {
		op_init(&search->op, sidecar_read);
		proactor_read(
			proactor, &search->op, search->fd, search->bytes, sizeof(search->bytes), 0);
	}
}

static void open_sidecar(struct etag_search *search);

static void sidecar_opened(struct proactor *proactor, struct op *op)
{
	struct etag_search *search = container_of(op, struct etag_search, op);

	if (op->result == -EAGAIN && ++search->attempts < ATTEMPTS_MAX) {
		open_sidecar(search);
		return;
	}
	if (op->result < 0) {
		end_search(search);
		return;
	}
	search->fd = (int)op->result;
	op_init(&search->op, sidecar_examined);
	proactor_stat(proactor, &search->op, search->fd, &search->sidecar);
}

static void open_sidecar(struct etag_search *search)
{
	static const struct open_how how = {
		.flags = O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};

	op_init(&search->op, sidecar_opened);
	proactor_open_file(search->etags->proactor, &search->op, search->directory->fd,
		search->sidecar_path, &how);
}

/* True: the search has ended, because the name would be too long. */
static bool find_by_sidecar(struct etag_search *search)
{
	int length = snprintf(search->sidecar_path, sizeof(search->sidecar_path), "%.*s.etag",
		TEXT_ARGUMENTS(search->path));

	if (length < 0 || length >= PATH_MAX) {
		tag_by_metadata(&search->etag, search->stat);
		return true;
	}
	open_sidecar(search);
	return false;
}

/* --- searches ----------------------------------------------------------------------------- */

static bool is_hashed_by_itself(const struct stat *stat)
{
	return content_hash_is_built() && (uint64_t)stat->st_size <= cache_loaded_length_max();
}

bool etag_search_start(struct etag_search *search)
{
	search->etag.length = 0;
	search->attempts = 0;
	search->cancelled = false;
	op_init(&search->op, sidecar_opened);
	switch (search->etags->mode) {
	case ETAG_NO:
		return true;
	case ETAG_TIME:
		tag_by_time(&search->etag, search->stat);
		return true;
	case ETAG_CONTENT:
		return find_by_content(search);
	case ETAG_AUTO:
		break;
	}
	return is_hashed_by_itself(search->stat) ? find_by_content(search)
						 : find_by_sidecar(search);
}

void etag_search_cancel(struct etag_search *search)
{
	search->cancelled = true;
	proactor_cancel(search->etags->proactor, &search->op);
}

void etags_open(struct etags *etags, struct proactor *proactor, enum etag_mode mode)
{
	*etags = (struct etags){ .proactor = proactor, .mode = mode };
	list_init(&etags->by_use);
	list_init(&etags->jobs);
}

void etags_close(struct etags *etags)
{
	int r = 0;

	etags->is_closing = true;
	while (r >= 0 && !list_is_empty(&etags->jobs))
		r = proactor_turn(etags->proactor, PROACTOR_WAIT_FOREVER);
	if (r < 0)
		(void)fail(r, "cannot wait for the hashing of files");
	while (etags->known_count > 0)
		forget(etags, last_used(etags));
	buckets_close(&etags->known);
}
