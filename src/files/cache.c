/* The cache of lookups.
 *
 * An entry is what one view's path leads to.  It is in one of three classes, each with its bound
 * and with a list from the most to the least recently used: ABSENT (there is no file), OPEN (a
 * descriptor is kept) and LOADED (the bytes are).  A flood of paths that lead nowhere drives out
 * others of its kind, never a file.  A short file is kept OPEN at first; when it is asked for
 * again, it is read, while it is sent from its descriptor, and then becomes LOADED.  Contents are
 * counted, so that an entry may go at any time: who sends of it holds it.
 *
 * What is kept is true, in this order:
 *
 *  1. An entry is sure when every directory between its root and its name was watched, and quiet,
 *     from before its lookup until now (watch.h); no link was followed, and the file has no second
 *     name.  The first lookup in a directory therefore keeps nothing.  A sure entry goes with the
 *     first event that names it, within the turn that reads it.
 *  2. What is not sure is looked up again when it is a second old, as roots are, and goes with
 *     whatever events can be seen (that of the link, say, if not of its target).
 *  3. What is sure is looked up again after ten seconds, for what no event tells: writes through a
 *     mapping, something mounted on the way.  A lookup that finds the very same file (device,
 *     inode, length, both times) makes the entry young again and leaves its bytes.
 *  4. Bytes are taken only of a file that was last written two seconds ago or more, and only if it
 *     is the same file to fstat(2) after reading as when it was looked up; so no rewrite in place
 *     can leave a mixture.  A file put in place by a rename is another inode.
 *
 * Entries belong to a root's directory: when the root leads elsewhere they all go. */
#include "files/cache.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/block_pool.h"
#include "base/hash.h"
#include "base/log.h"
#include "base/metrics.h"
#include "files/same_file.h"
#include "files/watch.h"

#define SECOND_NS         UINT64_C(1000000000)

#define SURE_AGE_NS_MAX   (10 * SECOND_NS)
#define UNSURE_AGE_NS_MAX SECOND_NS
#define WRITTEN_AGE_S_MIN 2

enum {
	PATH_LENGTH_MAX = 1024, /* longer ones are not kept */
	NAME_COUNT_MAX = 4,     /* that one entry depends on: index files, mostly */
	ABSENT_SHARE = 4,       /* one entry in so many may be ABSENT */
};

enum entry_class { ENTRY_ABSENT, ENTRY_OPEN, ENTRY_LOADED, ENTRY_CLASS_COUNT };

struct cache_class {
	struct list entries; /* the most recently used first */
	size_t count;
};

struct cache {
	struct proactor *proactor;
	struct watcher *watcher; /* NULL: no events, nothing is sure */
	struct list trees;
	struct buckets entries;
	uint64_t seed;
	struct cache_class classes[ENTRY_CLASS_COUNT];
	size_t entry_count, byte_count;
	size_t load_count; /* under way */
};

/* What is known beneath one root. */
struct cache_tree {
	struct list_node node;
	struct root *root;
	size_t view_count;
	struct root_directory *directory; /* held; NULL: none yet */
	struct watched_directory *watched;
	struct watch_dependent itself; /* the directory */
	struct list entries;
};

struct entry;

/* One that an entry depends on. */
struct entry_name {
	struct watch_dependent dependent;
	struct entry *entry;
};

struct entry {
	struct cached_file file;
	const struct cache_view *view;
	struct cache_tree *tree;
	struct list_node by_key, in_class, in_tree;
	uint64_t hash;
	uint64_t used_ns, checked_ns;
	unsigned purpose;
	enum entry_class class;
	bool is_sure;
	bool is_loading; /* a load names it: it is that which frees it, if it is dropped */
	bool is_dropped;
	struct entry_name names[NAME_COUNT_MAX];
	size_t path_length; /* of the key; in `path` an index name may follow */
	char path[];
};

/* A file on its way into memory. */
struct load {
	struct op op;
	struct entry *entry;
	struct content *file, *bytes;
	size_t read_length;
	struct stat stat;
};

static struct cache_limits limits;
static struct cache cache;
static struct block_pool loads = BLOCK_POOL(sizeof(struct load), 16);

void cache_limit(const struct cache_limits *new_limits)
{
	assert(!cache.proactor);
	limits = *new_limits;
}

size_t cache_loaded_length_max(void)
{
	if (limits.entry_count_max == 0)
		return 0;
	return (size_t)smaller(limits.file_length_max, limits.byte_count_max);
}

/* --- entries going ------------------------------------------------------------------------ */

static void leave_class(struct entry *entry)
{
	list_remove(&entry->in_class);
	cache.classes[entry->class].count--;
	if (entry->class == ENTRY_OPEN)
		metrics_subtract(METRIC_CACHE_DESCRIPTORS, 1);
	if (entry->class == ENTRY_LOADED) {
		cache.byte_count -= entry->file.content->bytes.length;
		metrics_subtract(METRIC_CACHE_BYTES, entry->file.content->bytes.length);
	}
}

static void enter_class(struct entry *entry, enum entry_class class)
{
	entry->class = class;
	list_prepend(&cache.classes[class].entries, &entry->in_class);
	cache.classes[class].count++;
	if (class == ENTRY_OPEN)
		metrics_add(METRIC_CACHE_DESCRIPTORS, 1);
	if (class == ENTRY_LOADED) {
		cache.byte_count += entry->file.content->bytes.length;
		metrics_add(METRIC_CACHE_BYTES, entry->file.content->bytes.length);
	}
}

static void forget_names(struct entry *entry)
{
	for (size_t i = 0; i < NAME_COUNT_MAX; i++) {
		if (entry->names[i].dependent.directory)
			watch_forget(cache.watcher, &entry->names[i].dependent);
	}
}

static void drop(struct entry *entry)
{
	assert(!entry->is_dropped);
	leave_class(entry);
	forget_names(entry);
	list_remove(&entry->by_key);
	list_remove(&entry->in_tree);
	cache.entry_count--;
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

static void name_changed(struct watch_dependent *dependent)
{
	invalidate(container_of(dependent, struct entry_name, dependent)->entry);
}

static struct entry *last_of(enum entry_class class)
{
	const struct list *entries = &cache.classes[class].entries;

	if (list_is_empty(entries))
		return NULL;
	return container_of(entries->head.previous, struct entry, in_class);
}

static void evict(struct entry *entry)
{
	metrics_add(METRIC_CACHE_EVICTIONS, 1);
	drop(entry);
}

static struct entry *least_recently_used(void)
{
	struct entry *oldest = NULL;

	for (unsigned class = 0; class < ENTRY_CLASS_COUNT; class ++) {
		struct entry *last = last_of(class);

		if (last && (!oldest || last->used_ns < oldest->used_ns))
			oldest = last;
	}
	return oldest;
}

static size_t class_count_max(enum entry_class class)
{
	switch (class) {
	case ENTRY_ABSENT:
		return limits.entry_count_max / ABSENT_SHARE;
	case ENTRY_OPEN:
		return limits.descriptor_count_max;
	case ENTRY_LOADED:
	case ENTRY_CLASS_COUNT:
		break;
	}
	return limits.entry_count_max;
}

/* False: the class has no room for anything. */
static bool make_room(enum entry_class class)
{
	if (class_count_max(class) == 0)
		return false;
	while (cache.classes[class].count >= class_count_max(class))
		evict(last_of(class));
	while (cache.entry_count >= limits.entry_count_max)
		evict(least_recently_used());
	return true;
}

static bool make_room_for_bytes(size_t length)
{
	if (length > limits.byte_count_max)
		return false;
	while (cache.byte_count > limits.byte_count_max - length)
		evict(last_of(ENTRY_LOADED));
	return true;
}

/* --- loading ------------------------------------------------------------------------------ */

static void end_load(struct load *load)
{
	struct entry *entry = load->entry;

	content_return(load->file);
	content_return(load->bytes);
	block_pool_return(&loads, load);
	cache.load_count--;
	entry->is_loading = false;
	if (entry->is_dropped)
		free(entry);
}

static void file_examined(struct proactor *proactor, struct op *op)
{
	struct load *load = container_of(op, struct load, op);
	struct entry *entry = load->entry;

	(void)proactor;
	if (!entry->is_dropped && op->result == 0 && is_same_file(&load->stat, &entry->file.stat) &&
		make_room_for_bytes(load->bytes->bytes.length)) {
		leave_class(entry);
		content_return(entry->file.content);
		entry->file.content = content_take(load->bytes);
		enter_class(entry, ENTRY_LOADED);
	}
	end_load(load);
}

static void read_rest(struct load *load);

static void part_read(struct proactor *proactor, struct op *op)
{
	struct load *load = container_of(op, struct load, op);

	(void)proactor;
	if (op->result <= 0 || load->entry->is_dropped) {
		end_load(load); /* it has become shorter, or cannot be read */
		return;
	}
	load->read_length += (size_t)op->result;
	read_rest(load);
}

static void read_rest(struct load *load)
{
	size_t length = load->bytes->bytes.length;

	if (load->read_length < length) {
		op_init(&load->op, part_read);
		proactor_read(cache.proactor, &load->op, load->file->fd,
			content_memory(load->bytes) + load->read_length, length - load->read_length,
			load->read_length);
		return;
	}
	op_init(&load->op, file_examined);
	proactor_stat(cache.proactor, &load->op, load->file->fd, &load->stat);
}

static void begin_load(struct entry *entry)
{
	struct load *load = block_pool_take(&loads);

	if (!load)
		return;
	*load = (struct load){ .entry = entry };
	load->bytes = content_in_memory((size_t)entry->file.stat.st_size);
	if (!load->bytes) {
		block_pool_return(&loads, load);
		return;
	}
	load->file = content_take(entry->file.content);
	entry->is_loading = true;
	cache.load_count++;
	read_rest(load);
}

static bool is_worth_loading(const struct entry *entry)
{
	int64_t now_s = proactor_wall_ns(cache.proactor) / (int64_t)SECOND_NS;

	return entry->class == ENTRY_OPEN && !entry->is_loading && entry->view->wants_bytes &&
	       (uint64_t)entry->file.stat.st_size <= limits.file_length_max &&
	       (uint64_t)entry->file.stat.st_size <= limits.byte_count_max &&
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
	if (tree->itself.directory)
		watch_forget(cache.watcher, &tree->itself);
	forget_tree(tree);
	if (tree->watched)
		watcher_remove_root(cache.watcher, tree->watched);
	if (tree->directory)
		root_return(tree->directory);
	tree->watched = NULL;
	tree->directory = NULL;
}

/* Moved, removed, or its permissions changed: the root is looked up before anybody is answered. */
static void directory_changed(struct watch_dependent *itself)
{
	struct cache_tree *tree = container_of(itself, struct cache_tree, itself);

	root_doubt(tree->root);
	forget_tree(tree);
}

static void watch_directory(struct cache_tree *tree)
{
	const struct text no_name = { NULL, 0 };

	if (!cache.watcher)
		return;
	if (!tree->watched)
		tree->watched = watcher_add_root(cache.watcher, tree->directory->fd);
	if (tree->watched && !tree->itself.directory)
		watch_depend(cache.watcher, &tree->itself, tree->watched, no_name);
}

/* Where the root leads now.  False: that must be looked up first. */
static bool follow_root(struct cache_tree *tree)
{
	const struct root_directory *current = root_peek(tree->root);

	if (!current)
		return false;
	if (current != tree->directory) {
		leave_directory(tree);
		tree->directory = root_take(tree->root);
		watch_directory(tree);
	}
	return true;
}

/* --- finding ------------------------------------------------------------------------------ */

static uint64_t hash_key(const struct cache_view *view, const struct cache_key *key)
{
	return hash_text(cache.seed ^ (uint64_t)(uintptr_t)view ^ key->purpose, key->path);
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
	list_for_each (node, buckets_at(&cache.entries, hash)) {
		struct entry *entry = container_of(node, struct entry, by_key);

		if (entry->hash == hash && has_key(entry, view, key))
			return entry;
	}
	return NULL;
}

static bool is_young(const struct entry *entry, uint64_t now_ns)
{
	return now_ns - entry->checked_ns <= (entry->is_sure ? SURE_AGE_NS_MAX : UNSURE_AGE_NS_MAX);
}

static void use(struct entry *entry, uint64_t now_ns)
{
	entry->used_ns = now_ns;
	list_remove(&entry->in_class);
	list_prepend(&cache.classes[entry->class].entries, &entry->in_class);
}

const struct cached_file *cache_find(struct cache_view *view, const struct cache_key *key)
{
	uint64_t now_ns;
	struct entry *entry = NULL;

	if (!view->tree)
		return NULL;
	now_ns = proactor_now_ns(cache.proactor);
	if (follow_root(view->tree))
		entry = find_entry(view, key, hash_key(view, key));
	if (!entry || !is_young(entry, now_ns)) {
		metrics_add(METRIC_CACHE_MISSES, 1);
		return NULL;
	}
	metrics_add(METRIC_CACHE_HITS, 1);
	use(entry, now_ns);
	if (is_worth_loading(entry))
		begin_load(entry);
	return &entry->file;
}

struct cache_moment cache_now(const struct cache_view *view)
{
	struct cache_moment moment = { 0, 0 };

	if (!view->tree)
		return moment;
	moment.now_ns = proactor_now_ns(cache.proactor);
	if (cache.watcher)
		moment.events = watcher_now(cache.watcher);
	return moment;
}

/* --- keeping ------------------------------------------------------------------------------ */

/* What an entry will depend on. */
struct dependence {
	struct watched_directory *directory; /* NULL: on nothing that could be watched */
	struct text names[NAME_COUNT_MAX];
	size_t count;
	bool is_sure;
	bool is_too_late; /* something may have happened before it was watched */
};

static void add_name(struct dependence *dependence, struct text name)
{
	/* An index file in a directory of its own is not watched. */
	if (dependence->count == NAME_COUNT_MAX || text_find(name, '/') < name.length)
		dependence->is_sure = false;
	else
		dependence->names[dependence->count++] = name;
}

/* The names of all index files up to the one that was found. */
static void add_index_names(
	struct dependence *dependence, const struct cache_view *view, const struct lookup *lookup)
{
	for (size_t i = 0; i < view->index_count && i < lookup->index_next; i++)
		add_name(dependence, text_of(view->index[i]));
}

static bool is_certain(const struct lookup *lookup, const struct watch_reach *reach)
{
	if (lookup->passed_link || (lookup->status == 200 && lookup->stat.st_nlink > 1))
		return false;
	/* What is missing on the way to a file that is missing is reason enough. */
	return reach->error == 0 ||
	       (lookup->status == 404 && (reach->error == -ENOENT || reach->error == -ENOTDIR));
}

static void find_dependence(struct dependence *dependence, const struct cache_view *view,
	const struct cache_key *key, const struct cache_moment *since, const struct lookup *lookup)
{
	struct cache_tree *tree = view->tree;
	struct watch_reach reach;

	*dependence = (struct dependence){ .directory = NULL };
	watch_directory(tree);
	if (!tree->watched)
		return;
	reach = watch_reach(cache.watcher, tree->watched, text_from(key->path, 1));
	if (!reach.directory)
		return;
	dependence->directory = reach.directory;
	dependence->is_sure = is_certain(lookup, &reach);
	/* That a name on the way is missing was seen just now, when all above it was watched. */
	dependence->is_too_late = dependence->is_sure && reach.error != -ENOENT &&
				  !watch_is_quiet(reach.directory, since->events);
	if (reach.rest.length == 0)
		add_index_names(dependence, view, lookup);
	else
		add_name(dependence, text_first(reach.rest, text_find(reach.rest, '/')));
}

static bool may_be_kept(const struct lookup *lookup)
{
	switch (lookup->status) {
	case 200:
	case 301:
	case 404:
		return true;
	case 403:
		return lookup->fd < 0; /* else a directory to be listed */
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
	for (size_t i = 0; i < NAME_COUNT_MAX; i++) {
		watch_dependent_init(&entry->names[i].dependent, name_changed);
		entry->names[i].entry = entry;
	}
	return entry;
}

static void depend(struct entry *entry, const struct dependence *dependence)
{
	entry->is_sure = dependence->is_sure;
	for (size_t i = 0; dependence->directory && i < dependence->count; i++)
		watch_depend(cache.watcher, &entry->names[i].dependent, dependence->directory,
			dependence->names[i]);
}

static void insert(struct entry *entry)
{
	list_append(buckets_at(&cache.entries, entry->hash), &entry->by_key);
	list_append(&entry->tree->entries, &entry->in_tree);
	enter_class(entry, entry->file.content ? ENTRY_OPEN : ENTRY_ABSENT);
	cache.entry_count++;
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

/* NULL: it is no longer true, or there was none. */
static struct entry *confirm(struct entry *entry, const struct lookup *lookup,
	const struct representation *representation, uint64_t now_ns)
{
	if (!entry)
		return NULL;
	if (!is_confirmed(entry, lookup, representation)) {
		invalidate(entry);
		return NULL;
	}
	entry->checked_ns = now_ns;
	use(entry, now_ns);
	return entry;
}

const struct cached_file *cache_keep(struct cache_view *view, const struct cache_key *key,
	const struct cache_moment *since, const struct lookup *lookup,
	const struct representation *representation, struct content *content)
{
	struct dependence dependence;
	struct entry *entry;
	uint64_t hash;

	if (!view->tree || key->path.length > PATH_LENGTH_MAX || !follow_root(view->tree) ||
		lookup->directory != view->tree->directory)
		return NULL;
	hash = hash_key(view, key);
	entry = confirm(find_entry(view, key, hash), lookup, representation, since->now_ns);
	if (entry)
		return &entry->file;
	if (!may_be_kept(lookup))
		return NULL;
	find_dependence(&dependence, view, key, since, lookup);
	if (dependence.is_too_late || !make_room(content ? ENTRY_OPEN : ENTRY_ABSENT))
		return NULL;
	entry = entry_new(view, key, lookup, hash);
	if (!entry)
		return NULL;
	entry->used_ns = entry->checked_ns = since->now_ns;
	if (content) {
		entry->file.representation = *representation;
		entry->file.content = content_take(content);
	}
	depend(entry, &dependence);
	insert(entry);
	return &entry->file;
}

/* --- opening and closing ------------------------------------------------------------------ */

/* Without events everything is looked up again every second. */
static void open_watcher(void)
{
	int r;

	if (limits.directory_count_max == 0)
		return;
	r = watcher_open(&cache.watcher, cache.proactor, limits.directory_count_max);
	if (r == 0)
		return;
	cache.watcher = NULL;
	metrics_add(METRIC_CACHE_WATCH_FAILURES, 1);
	log_warning("inotify cannot be had: %s; files are looked at again every second "
		    "(fs.inotify.max_user_instances)",
		strerror(-r));
}

static int open_cache(struct proactor *proactor)
{
	if (cache.proactor) {
		assert(cache.proactor == proactor);
		return 0;
	}
	cache = (struct cache){ .proactor = NULL };
	if (buckets_open(&cache.entries, limits.entry_count_max) < 0)
		return fail(-ENOMEM, "cannot keep files");
	cache.proactor = proactor;
	cache.seed = hash_seed();
	list_init(&cache.trees);
	for (unsigned class = 0; class < ENTRY_CLASS_COUNT; class ++)
		list_init(&cache.classes[class].entries);
	open_watcher();
	return 0;
}

static void close_if_unused(void)
{
	int r = 0;

	if (!list_is_empty(&cache.trees))
		return;
	while (r >= 0 && cache.load_count > 0)
		r = proactor_turn(cache.proactor, PROACTOR_WAIT_FOREVER);
	if (r < 0) {
		(void)fail(r, "cannot wait for the reads of files"); /* they name the cache */
		return;
	}
	if (cache.watcher)
		watcher_close(cache.watcher);
	buckets_close(&cache.entries);
	block_pool_trim(&loads);
	cache.proactor = NULL;
}

static struct cache_tree *find_tree(const struct root *root)
{
	list_for_each (node, &cache.trees) {
		struct cache_tree *tree = container_of(node, struct cache_tree, node);

		if (tree->root == root)
			return tree;
	}
	return NULL;
}

static struct cache_tree *tree_new(struct root *root)
{
	struct cache_tree *tree = malloc(sizeof(*tree));

	if (!tree)
		return NULL;
	*tree = (struct cache_tree){ .root = root };
	list_init(&tree->entries);
	list_append(&cache.trees, &tree->node);
	watch_dependent_init(&tree->itself, directory_changed);
	return tree;
}

int cache_open(struct cache_view *view, struct proactor *proactor)
{
	int r;

	view->tree = NULL;
	if (limits.entry_count_max == 0)
		return 0;
	r = open_cache(proactor);
	if (r < 0)
		return r;
	view->tree = find_tree(view->root);
	if (!view->tree)
		view->tree = tree_new(view->root);
	if (!view->tree) {
		close_if_unused();
		return fail(-ENOMEM, "cannot keep the files of %s", view->root->path);
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

	if (!tree)
		return;
	drop_view(view);
	view->tree = NULL;
	if (--tree->view_count > 0)
		return;
	leave_directory(tree);
	list_remove(&tree->node);
	free(tree);
	close_if_unused();
}
