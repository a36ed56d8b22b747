/* The cache of lookups.
 *
 * An entry is the outcome of one lookup: what one path of one view leads to.  It is in one of three
 * classes, each with a bound and a list from the most to the least recently used: ABSENT (there is
 * no file), OPEN (a descriptor is kept) and LOADED (the bytes are).  A flood of missing paths
 * evicts only other missing paths.  A short file is OPEN at first.  When it is requested again it
 * is read, while it is sent from its descriptor, and becomes LOADED.  Contents are counted, so that
 * an entry may be dropped at any time: a response that sends a content holds it.
 *
 * These rules keep entries true:
 *
 *  1. An entry remembers the number of the last event (watch.h) for which it was true.  If events
 *     happened since, it is answered only if none of them was on its path.  Otherwise the file is
 *     looked up again.  A lookup that finds the same file (device, inode, length, mode and both
 *     times) makes the entry true again and leaves its bytes.
 *  2. An entry is sure if every directory on its path was watched since before the lookup, no
 *     symbolic link was followed, the file has one name only, and it is not itself a mount.  The
 *     first lookup in a directory therefore keeps nothing.
 *  3. An entry that is not sure is looked up again when it is older than a second, like roots.
 *  4. An entry that is sure is looked up again when it is older than ten seconds, because of what
 *     no event reports: writes through a mapping, or a second name that was made later.  Whether
 *     something was mounted on the way is looked at every second, for all entries.
 *  5. Bytes are read only if the file was last written at least two seconds ago, and kept only if
 *     fstat(2) finds the same file after the read.  A rewrite in place can thus not leave a
 * mixture. A file put in place by a rename is another inode.  Bytes older than ten seconds are read
 *     anew after a lookup, because a store through a mapping may leave the times as they are.
 *
 * An OPEN entry that was not used for some seconds is dropped, so that a file system can be
 * unmounted and the space of a deleted file is free.
 *
 * Entries belong to one directory of a root: when the root leads to another they are dropped. */
#include "files/cache.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/block_pool.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/metrics.h"
#include "base/smaller.h"
#include "files/same_file.h"
#include "files/watch.h"
#include "proactor/deadline.h"

#define SECOND_NS         UINT64_C(1000000000)

#define SURE_AGE_NS_MAX   (10 * SECOND_NS)
#define UNSURE_AGE_NS_MAX SECOND_NS
#define MOUNTS_AGE_NS_MAX SECOND_NS
#define BYTES_AGE_NS_MAX  (10 * SECOND_NS)
#define UNUSED_AGE_NS_MAX (5 * SECOND_NS) /* of an entry that keeps a descriptor */
#define WRITTEN_AGE_S_MIN 2

enum {
	PATH_LENGTH_MAX = 1024, /* longer ones are not kept */
	ABSENT_SHARE = 4,       /* at most a fourth of the entries is ABSENT */
};

enum entry_class { ENTRY_ABSENT, ENTRY_OPEN, ENTRY_LOADED, ENTRY_CLASS_COUNT };

struct cache_class {
	struct list entries; /* the most recently used one first */
	size_t count;
};

/* One per proactor. */
struct cache {
	struct list_node node; /* among the caches of this process */
	struct proactor *proactor;
	struct cache_limits limits;
	struct watcher *watcher; /* NULL: there are no events, and no entry is sure */
	struct list trees;
	struct buckets entries;
	uint64_t seed;
	struct cache_class classes[ENTRY_CLASS_COUNT];
	size_t entry_count, byte_count;
	size_t load_count; /* of loads that have not ended */
	uint64_t mounts_seen_ns;
	struct deadline unused; /* when unused descriptors are closed */
	struct deadline_queue unused_queue;
};

/* The entries of one root. */
struct cache_tree {
	struct cache *cache;
	struct list_node node;
	struct root *root;
	size_t view_count;
	struct root_directory *directory; /* held; NULL before the first lookup */
	struct watched_directory *watched;
	uint64_t events; /* the last one for which `directory` was seen to be undisturbed */
	struct list entries;
};

struct entry {
	struct cached_file file;
	const struct cache_view *view;
	struct cache_tree *tree;
	struct list_node by_key, in_class, in_tree;
	uint64_t hash;
	uint64_t used_ns, checked_ns, loaded_ns;
	uint64_t events;                     /* the last one for which the entry was true */
	struct watched_directory *directory; /* the deepest that is watched; held; NULL */
	unsigned purpose;
	size_t index_count; /* how many of the view's index names decide */
	enum entry_class class;
	bool is_sure;
	bool is_loading; /* a load refers to the entry, and frees it if it is dropped */
	bool is_dropped;
	size_t path_length; /* of the key; `path` may continue with an index name */
	char path[];
};

/* A file that is being read into memory. */
struct load {
	struct op op;
	struct cache *cache;
	struct entry *entry;
	struct content *file, *bytes;
	size_t read_length;
	struct stat stat;
};

static struct cache_limits limits;
static struct list caches = { { &caches.head, &caches.head } };
static struct block_pool loads = BLOCK_POOL(sizeof(struct load), 16);

void cache_limit(const struct cache_limits *new_limits)
{
	assert(list_is_empty(&caches));
	limits = *new_limits;
}

size_t cache_loaded_length_max(void)
{
	if (limits.entry_count_max == 0)
		return 0;
	return (size_t)smaller(limits.file_length_max, limits.byte_count_max);
}

/* --- dropping entries --------------------------------------------------------------------- */

static void leave_class(struct entry *entry)
{
	struct cache *cache = entry->tree->cache;
	list_remove(&entry->in_class);
	cache->classes[entry->class].count--;
	if (entry->class == ENTRY_OPEN)
		metrics_subtract(METRIC_CACHE_DESCRIPTORS, 1);
	if (entry->class == ENTRY_LOADED) {
		cache->byte_count -= entry->file.content->bytes.length;
		metrics_subtract(METRIC_CACHE_BYTES, entry->file.content->bytes.length);
	}
}

static void enter_class(struct entry *entry, enum entry_class class)
{
	struct cache *cache = entry->tree->cache;
	entry->class = class;
	list_prepend(&cache->classes[class].entries, &entry->in_class);
	cache->classes[class].count++;
	if (class == ENTRY_OPEN) {
		metrics_add(METRIC_CACHE_DESCRIPTORS, 1);
		if (!deadline_is_running(&cache->unused))
			deadline_start(&cache->unused, &cache->unused_queue, cache->proactor);
	}
	if (class == ENTRY_LOADED) {
		cache->byte_count += entry->file.content->bytes.length;
		metrics_add(METRIC_CACHE_BYTES, entry->file.content->bytes.length);
	}
}

/* Holds the new one first: releasing the old one may make it idle. */
static void set_directory(struct entry *entry, struct watched_directory *directory)
{
	struct cache *cache = entry->tree->cache;
	if (directory)
		watch_hold(directory);
	if (entry->directory)
		watch_release(cache->watcher, entry->directory);
	entry->directory = directory;
}

static void drop(struct entry *entry)
{
	struct cache *cache = entry->tree->cache;
	assert(!entry->is_dropped);
	leave_class(entry);
	set_directory(entry, NULL);
	list_remove(&entry->by_key);
	list_remove(&entry->in_tree);
	cache->entry_count--;
	metrics_subtract(METRIC_CACHE_ENTRIES, 1);
	if (entry->file.content)
		content_return(entry->file.content);
	entry->is_dropped = true;
	if (!entry->is_loading)
		free(entry);
}

static void invalidate(struct entry *entry)
{
	metrics_add(METRIC_CACHE_INVALIDATIONS, 1);
	drop(entry);
}

static struct entry *last_of(struct cache *cache, enum entry_class class)
{
	const struct list *entries = &cache->classes[class].entries;

	if (list_is_empty(entries))
		return NULL;
	return container_of(entries->head.previous, struct entry, in_class);
}

static void evict(struct entry *entry)
{
	metrics_add(METRIC_CACHE_EVICTIONS, 1);
	drop(entry);
}

static struct entry *least_recently_used(struct cache *cache)
{
	struct entry *oldest = NULL;

	for (unsigned class = 0; class < ENTRY_CLASS_COUNT; class ++) {
		struct entry *last = last_of(cache, class);

		if (last && (!oldest || last->used_ns < oldest->used_ns))
			oldest = last;
	}
	return oldest;
}

static size_t class_count_max(struct cache *cache, enum entry_class class)
{
	switch (class) {
	case ENTRY_ABSENT:
		return cache->limits.entry_count_max / ABSENT_SHARE;
	case ENTRY_OPEN:
		return cache->limits.descriptor_count_max;
	case ENTRY_LOADED:
	case ENTRY_CLASS_COUNT:
		break;
	}
	return cache->limits.entry_count_max;
}

/* False: the limit of the class is 0. */
static bool make_room(struct cache *cache, enum entry_class class)
{
	if (class_count_max(cache, class) == 0)
		return false;
	while (cache->classes[class].count >= class_count_max(cache, class))
		evict(last_of(cache, class));
	while (cache->entry_count >= cache->limits.entry_count_max)
		evict(least_recently_used(cache));
	return true;
}

static bool make_room_for_bytes(struct cache *cache, size_t length)
{
	if (length > cache->limits.byte_count_max)
		return false;
	while (cache->byte_count > cache->limits.byte_count_max - length)
		evict(last_of(cache, ENTRY_LOADED));
	return true;
}

/* --- unused descriptors ---------------------------------------------------------- */

static void close_unused(struct proactor *proactor, struct deadline *deadline)
{
	struct cache *cache = container_of(deadline, struct cache, unused);
	uint64_t now_ns = proactor_now_ns(proactor);
	struct entry *entry;

	while ((entry = last_of(cache, ENTRY_OPEN)) && now_ns - entry->used_ns >= UNUSED_AGE_NS_MAX)
		drop(entry);
	if (entry)
		deadline_start(&cache->unused, &cache->unused_queue, proactor);
}

/* --- loading ------------------------------------------------------------------------------ */

static void end_load(struct load *load)
{
	struct cache *cache = load->cache;
	struct entry *entry = load->entry;

	content_return(load->file);
	content_return(load->bytes);
	block_pool_return(&loads, load);
	cache->load_count--;
	entry->is_loading = false;
	if (entry->is_dropped)
		free(entry);
}

/* The entry may be LOADED already; then it is read anew. */
static void use_bytes(struct entry *entry, struct content *bytes)
{
	struct cache *cache = entry->tree->cache;
	struct content *old = entry->file.content;
	enum entry_class class = entry->class;

	leave_class(entry);
	if (make_room_for_bytes(cache, bytes->bytes.length)) {
		entry->file.content = content_take(bytes);
		class = ENTRY_LOADED;
	}
	enter_class(entry, class);
	if (entry->file.content != old)
		content_return(old);
}

static void file_examined(struct proactor *proactor, struct op *op)
{
	struct load *load = container_of(op, struct load, op);
	struct entry *entry = load->entry;

	(void)proactor;
	if (!entry->is_dropped && op->result == 0 && is_same_file(&load->stat, &entry->file.stat))
		use_bytes(entry, load->bytes);
	end_load(load);
}

static void read_rest(struct load *load);

static void part_read(struct proactor *proactor, struct op *op)
{
	struct load *load = container_of(op, struct load, op);

	(void)proactor;
	if (op->result <= 0 || load->entry->is_dropped) {
		end_load(load); /* the file has become shorter, or reading it failed */
		return;
	}
	load->read_length += (size_t)op->result;
	read_rest(load);
}

static void read_rest(struct load *load)
{
	struct cache *cache = load->cache;
	size_t length = load->bytes->bytes.length;

	if (load->read_length < length) {
		op_init(&load->op, part_read);
		proactor_read(cache->proactor, &load->op, load->file->fd,
			content_memory(load->bytes) + load->read_length, length - load->read_length,
			load->read_length);
		return;
	}
	op_init(&load->op, file_examined);
	proactor_stat(cache->proactor, &load->op, load->file->fd, &load->stat);
}

static void begin_load(struct entry *entry, struct content *file)
{
	struct cache *cache = entry->tree->cache;
	struct load *load = block_pool_take(&loads);

	if (!load)
		return;
	*load = (struct load){ .cache = cache, .entry = entry };
	load->bytes = content_in_memory((size_t)entry->file.stat.st_size);
	if (!load->bytes) {
		block_pool_return(&loads, load);
		return;
	}
	load->file = content_take(file);
	entry->is_loading = true;
	entry->loaded_ns = proactor_now_ns(cache->proactor);
	cache->load_count++;
	read_rest(load);
}

static bool may_load(const struct entry *entry)
{
	struct cache *cache = entry->tree->cache;
	int64_t now_s = proactor_wall_ns(cache->proactor) / (int64_t)SECOND_NS;

	return !entry->is_loading && entry->view->wants_bytes &&
	       (uint64_t)entry->file.stat.st_size <= cache->limits.file_length_max &&
	       (uint64_t)entry->file.stat.st_size <= cache->limits.byte_count_max &&
	       now_s - entry->file.stat.st_mtim.tv_sec > WRITTEN_AGE_S_MIN;
}

/* --- trees -------------------------------------------------------------------------------- */

static void forget_tree(struct cache_tree *tree)
{
	struct list_node *node;

	while ((node = list_first(&tree->entries)))
		invalidate(container_of(node, struct entry, in_tree));
}

static void leave_directory(struct cache_tree *tree)
{
	struct cache *cache = tree->cache;
	forget_tree(tree);
	if (tree->watched)
		watcher_remove_root(cache->watcher, tree->watched);
	if (tree->directory)
		root_return(tree->directory);
	tree->watched = NULL;
	tree->directory = NULL;
}

static void watch_directory(struct cache_tree *tree)
{
	struct cache *cache = tree->cache;

	if (!cache->watcher || tree->watched ||
		proactor_may_be_late(cache->proactor, tree->directory->fd))
		return;
	tree->watched = watcher_add_root(cache->watcher, tree->directory->fd);
	tree->events = watcher_now(cache->watcher);
}

/* If the directory was moved or removed, or its permissions changed, the root is looked up before
 * the next answer. */
static void note_events_of_root(struct cache_tree *tree)
{
	struct cache *cache = tree->cache;
	const struct watch_path itself = { .root = tree->watched };

	if (tree->watched && !watch_is_quiet(cache->watcher, &itself, tree->events))
		root_doubt(tree->root);
	tree->events = watcher_now(cache->watcher);
}

static void enter_directory(struct cache_tree *tree)
{
	leave_directory(tree);
	tree->directory = root_take(tree->root);
	watch_directory(tree);
}

/* Notices that the root leads to another directory.  False: the root must be looked up first. */
static bool follow_root(struct cache_tree *tree)
{
	const struct root_directory *current = root_peek(tree->root);

	if (current && current != tree->directory)
		enter_directory(tree);
	return current;
}

/* --- finding ------------------------------------------------------------------------------ */

static uint64_t hash_key(const struct cache_view *view, const struct cache_key *key)
{
	struct cache *cache = view->tree->cache;
	return hash_text(cache->seed ^ (uint64_t)(uintptr_t)view ^ key->purpose, key->path);
}

static bool has_key(
	const struct entry *entry, const struct cache_view *view, const struct cache_key *key)
{
	const struct text path = { entry->path, entry->path_length };

	return entry->view == view && entry->purpose == key->purpose && text_equal(path, key->path);
}

static struct entry *find_entry(
	const struct cache_view *view, const struct cache_key *key, uint64_t hash)
{
	struct cache *cache = view->tree->cache;
	list_for_each (node, buckets_at(&cache->entries, hash)) {
		struct entry *entry = container_of(node, struct entry, by_key);

		if (entry->hash == hash && has_key(entry, view, key))
			return entry;
	}
	return NULL;
}

static struct watch_path watch_path_of(
	const struct cache_view *view, struct text path, size_t index_count)
{
	return (struct watch_path){
		.root = view->tree->watched,
		.path = text_from(path, 1),
		.names = view->index,
		.name_count = index_count,
	};
}

static bool is_undisturbed(struct entry *entry)
{
	struct cache *cache = entry->tree->cache;
	const struct text path = { entry->path, entry->path_length };
	struct watch_path watched;

	if (!entry->tree->watched || entry->events == watcher_now(cache->watcher))
		return true;
	watched = watch_path_of(entry->view, path, entry->index_count);
	if (!watch_is_quiet(cache->watcher, &watched, entry->events))
		return false;
	entry->events = watcher_now(cache->watcher);
	return true;
}

static void look_at_mounts(struct cache *cache, uint64_t now_ns)
{
	cache->mounts_seen_ns = now_ns;
	if (cache->watcher)
		watcher_look_at_mounts(cache->watcher);
}

static bool is_young(const struct entry *entry, uint64_t now_ns)
{
	return now_ns - entry->checked_ns <= (entry->is_sure ? SURE_AGE_NS_MAX : UNSURE_AGE_NS_MAX);
}

static void use(struct entry *entry, uint64_t now_ns)
{
	struct cache *cache = entry->tree->cache;
	entry->used_ns = now_ns;
	list_remove(&entry->in_class);
	list_prepend(&cache->classes[entry->class].entries, &entry->in_class);
}

const struct cached_file *cache_find(struct cache_view *view, const struct cache_key *key)
{
	struct entry *entry = NULL;
	struct cache *cache;
	uint64_t now_ns;

	if (!view->tree)
		return NULL;
	cache = view->tree->cache;
	now_ns = proactor_now_ns(cache->proactor);
	if (now_ns - cache->mounts_seen_ns >= MOUNTS_AGE_NS_MAX)
		look_at_mounts(cache, now_ns);
	if (cache->watcher && view->tree->events != watcher_now(cache->watcher))
		note_events_of_root(view->tree);
	if (follow_root(view->tree))
		entry = find_entry(view, key, hash_key(view, key));
	if (!entry || !is_young(entry, now_ns) || !is_undisturbed(entry)) {
		metrics_add(METRIC_CACHE_MISSES, 1);
		return NULL;
	}
	metrics_add(METRIC_CACHE_HITS, 1);
	use(entry, now_ns);
	if (entry->class == ENTRY_OPEN && may_load(entry))
		begin_load(entry, entry->file.content);
	return &entry->file;
}

struct cache_moment cache_now(const struct cache_view *view)
{
	struct cache_moment moment = { 0, 0 };
	const struct cache *cache;

	if (!view->tree)
		return moment;
	cache = view->tree->cache;
	moment.now_ns = proactor_now_ns(cache->proactor);
	if (cache->watcher)
		moment.events = watcher_now(cache->watcher);
	return moment;
}

/* --- keeping ------------------------------------------------------------------------------ */

/* What makes an outcome true. */
struct ground {
	struct watched_directory *directory; /* the deepest that is watched; NULL */
	uint64_t events;                     /* the outcome is true as of this event */
	size_t index_count;
	bool is_sure;
	bool is_shaken; /* something may have changed since the lookup began */
};

/* How many index names decide: those up to the one that was found.  An index name with a slash is
 * in another directory, which is not watched. */
static size_t count_index(const struct cache_view *view, const struct cache_key *key,
	const struct lookup *lookup, bool *all_are_watched)
{
	size_t count = smaller(view->index_count, lookup->index_next);

	if (key->path.bytes[key->path.length - 1] != '/')
		return 0;
	for (size_t i = 0; i < count; i++) {
		if (strchr(view->index[i], '/'))
			*all_are_watched = false;
	}
	return count;
}

/* No event reports a change through a second name of the file, or to a file that is a mount. */
static bool has_hidden_changes(const struct lookup *lookup, const struct content *content,
	const struct watched_directory *directory)
{
	if (lookup->passed_link)
		return true;
	return content &&
	       (lookup->stat.st_nlink > 1 || watch_mount_of(content->fd) != watch_mount(directory));
}

static struct ground find_ground(const struct cache_view *view, const struct cache_key *key,
	const struct cache_moment *since, const struct lookup *lookup,
	const struct content *content)
{
	struct cache *cache = view->tree->cache;
	struct ground ground = { .events = since->events };
	struct watch_path path;
	struct watch_reach reach;
	bool is_missing, all_are_watched = true;

	watch_directory(view->tree);
	if (!view->tree->watched || lookup->is_late)
		return ground;
	ground.index_count = count_index(view, key, lookup, &all_are_watched);
	path = watch_path_of(view, key->path, ground.index_count);
	reach = watch_reach(cache->watcher, &path);
	ground.directory = reach.directory;
	/* watch_reach() itself found the directory missing, with all directories above it watched.
	 */
	is_missing = lookup->status == 404 && (reach.error == -ENOENT || reach.error == -ENOTDIR);
	ground.is_sure = reach.directory && all_are_watched && (reach.error == 0 || is_missing) &&
			 !has_hidden_changes(lookup, content, reach.directory);
	if (ground.is_sure && is_missing)
		ground.events = watcher_now(cache->watcher);
	else
		ground.is_shaken = (ground.is_sure && reach.since > since->events) ||
				   !watch_is_quiet(cache->watcher, &path, since->events);
	return ground;
}

static bool may_be_kept(const struct lookup *lookup)
{
	switch (lookup->status) {
	case 200:
	case 301:
	case 404:
		return true;
	case 403:
		return lookup->fd < 0; /* otherwise it is a directory to be listed */
	default:
		return false;
	}
}

static struct entry *entry_new(const struct cache_view *view, const struct cache_key *key,
	const struct lookup *lookup, uint64_t hash)
{
	struct text path = lookup->status == 200 ? lookup_path(lookup) : text_from(key->path, 1);
	struct entry *entry = malloc(sizeof(*entry) + 1 + path.length);

	if (!entry)
		return NULL;
	*entry = (struct entry){ .view = view, .tree = view->tree, .hash = hash };
	entry->purpose = key->purpose;
	entry->path_length = key->path.length;
	entry->path[0] = '/';
	memcpy(entry->path + 1, path.bytes, path.length);
	entry->file.status = lookup->status;
	entry->file.path = (struct text){ entry->path + 1, path.length };
	entry->file.stat = lookup->stat;
	return entry;
}

static void insert(struct entry *entry)
{
	struct cache *cache = entry->tree->cache;
	list_append(buckets_at(&cache->entries, entry->hash), &entry->by_key);
	list_append(&entry->tree->entries, &entry->in_tree);
	enter_class(entry, entry->file.content ? ENTRY_OPEN : ENTRY_ABSENT);
	cache->entry_count++;
	metrics_add(METRIC_CACHE_ENTRIES, 1);
}

static bool is_confirmed(const struct entry *entry, const struct lookup *lookup,
	const struct representation *representation)
{
	if (entry->file.status != lookup->status)
		return false;
	return lookup->status != 200 ||
	       (is_same_file(&entry->file.stat, &lookup->stat) &&
		       text_equal(entry->file.path, lookup_path(lookup)) &&
		       text_equal(representation_etag(&entry->file.representation),
			       representation_etag(representation)));
}

static void rest_on(struct entry *entry, const struct ground *ground, uint64_t since_ns)
{
	set_directory(entry, ground->directory);
	entry->is_sure = ground->is_sure;
	entry->events = ground->events;
	entry->index_count = ground->index_count;
	entry->checked_ns = since_ns;
}

/* The lookup found what the entry says.  If something may have changed since the lookup began, the
 * entry stays as it was, and the next request looks again. */
static void confirm(struct entry *entry, const struct ground *ground, uint64_t since_ns,
	struct content *content)
{
	use(entry, since_ns);
	if (ground->is_shaken)
		return;
	rest_on(entry, ground, since_ns);
	if (entry->class == ENTRY_LOADED && since_ns - entry->loaded_ns > BYTES_AGE_NS_MAX &&
		may_load(entry))
		begin_load(entry, content);
}

static struct entry *add_entry(struct cache_view *view, const struct cache_key *key,
	const struct lookup *lookup, const struct representation *representation,
	struct content *content)
{
	struct cache *cache = view->tree->cache;
	struct entry *entry;

	if (!make_room(cache, content ? ENTRY_OPEN : ENTRY_ABSENT))
		return NULL;
	entry = entry_new(view, key, lookup, hash_key(view, key));
	if (!entry)
		return NULL;
	if (content) {
		entry->file.representation = *representation;
		entry->file.content = content_take(content);
	}
	return entry;
}

const struct cached_file *cache_keep(struct cache_view *view, const struct cache_key *key,
	const struct cache_moment *since, const struct lookup *lookup,
	const struct representation *representation, struct content *content)
{
	struct ground ground;
	struct entry *entry;

	if (!view->tree || key->path.length > PATH_LENGTH_MAX || !follow_root(view->tree) ||
		lookup->directory != view->tree->directory)
		return NULL;
	entry = find_entry(view, key, hash_key(view, key));
	if (entry && !is_confirmed(entry, lookup, representation)) {
		invalidate(entry);
		entry = NULL;
	}
	if (!entry && !may_be_kept(lookup))
		return NULL;
	ground = find_ground(view, key, since, lookup, content);
	if (entry) {
		confirm(entry, &ground, since->now_ns, content);
		return &entry->file;
	}
	if (ground.is_shaken)
		return NULL;
	entry = add_entry(view, key, lookup, representation, content);
	if (!entry)
		return NULL;
	rest_on(entry, &ground, since->now_ns);
	entry->used_ns = since->now_ns;
	insert(entry);
	return &entry->file;
}

/* --- opening and closing ------------------------------------------------------------------ */

/* Without inotify every entry is looked up again when it is older than a second. */
static void open_watcher(struct cache *cache)
{
	int r;

	if (cache->limits.directory_count_max == 0)
		return;
	r = watcher_open(&cache->watcher, cache->proactor, cache->limits.directory_count_max);
	if (r == 0)
		return;
	cache->watcher = NULL;
	metrics_add(METRIC_CACHE_WATCH_FAILURES, 1);
	log_warning("cannot use inotify: %s; changes of files are noticed after a second "
		    "(fs.inotify.max_user_instances)",
		strerror(-r));
}

static struct cache *find_cache(const struct proactor *proactor)
{
	list_for_each (node, &caches) {
		struct cache *cache = container_of(node, struct cache, node);

		if (cache->proactor == proactor)
			return cache;
	}
	return NULL;
}

static struct cache *cache_new(struct proactor *proactor)
{
	struct cache *cache = malloc(sizeof(*cache));

	if (!cache)
		return NULL;
	*cache = (struct cache){ .proactor = proactor, .limits = limits };
	if (buckets_open(&cache->entries, limits.entry_count_max) < 0) {
		free(cache);
		return NULL;
	}
	cache->seed = hash_seed();
	deadline_queue_open(&cache->unused_queue, proactor, UNUSED_AGE_NS_MAX, close_unused);
	deadline_init(&cache->unused);
	list_init(&cache->trees);
	for (unsigned class = 0; class < ENTRY_CLASS_COUNT; class ++)
		list_init(&cache->classes[class].entries);
	open_watcher(cache);
	list_append(&caches, &cache->node);
	return cache;
}

static void close_if_unused(struct cache *cache)
{
	int r = 0;

	if (!list_is_empty(&cache->trees))
		return;
	deadline_stop(&cache->unused);
	while (r >= 0 && cache->load_count > 0)
		r = proactor_turn(cache->proactor, PROACTOR_WAIT_FOREVER);
	if (r < 0) {
		(void)fail(r, "cannot wait for the reads of files"); /* they refer to the cache */
		return;
	}
	if (cache->watcher)
		watcher_close(cache->watcher);
	deadline_queue_close(&cache->unused_queue);
	buckets_close(&cache->entries);
	block_pool_trim(&loads);
	list_remove(&cache->node);
	free(cache);
}

static struct cache_tree *find_tree(struct cache *cache, const struct root *root)
{
	list_for_each (node, &cache->trees) {
		struct cache_tree *tree = container_of(node, struct cache_tree, node);

		if (tree->root == root)
			return tree;
	}
	return NULL;
}

static struct cache_tree *tree_new(struct cache *cache, struct root *root)
{
	struct cache_tree *tree = malloc(sizeof(*tree));

	if (!tree)
		return NULL;
	*tree = (struct cache_tree){ .cache = cache, .root = root };
	list_init(&tree->entries);
	list_append(&cache->trees, &tree->node);
	return tree;
}

int cache_open(struct cache_view *view, struct proactor *proactor)
{
	struct cache *cache;

	view->tree = NULL;
	if (limits.entry_count_max == 0)
		return 0;
	cache = find_cache(proactor);
	if (!cache)
		cache = cache_new(proactor);
	if (cache)
		view->tree = find_tree(cache, view->root);
	if (cache && !view->tree)
		view->tree = tree_new(cache, view->root);
	if (!view->tree) {
		if (cache)
			close_if_unused(cache);
		return fail(-ENOMEM, "cannot cache the files of %s", view->root->path);
	}
	view->tree->view_count++;
	return 0;
}

static void drop_view(const struct cache_view *view)
{
	list_for_each_safe (node, &view->tree->entries) {
		struct entry *entry = container_of(node, struct entry, in_tree);

		if (entry->view == view)
			drop(entry);
	}
}

void cache_close(struct cache_view *view)
{
	struct cache_tree *tree = view->tree;
	struct cache *cache;

	if (!tree)
		return;
	cache = tree->cache;
	drop_view(view);
	view->tree = NULL;
	if (--tree->view_count > 0)
		return;
	leave_directory(tree);
	list_remove(&tree->node);
	free(tree);
	close_if_unused(cache);
}
