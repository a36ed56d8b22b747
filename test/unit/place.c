/* Places: the same operations on the simulated file system and on a real one. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "place.h"
#include "simulated/simulated.h"

bool place_is_simulated(const struct place *place)
{
	return strcmp(place->backend, "simulated") == 0;
}

static size_t count_descriptors(const struct place *place)
{
	DIR *directory;
	size_t count = 0;

	if (place_is_simulated(place))
		return simulated_open_count(place->proactor);
	directory = opendir("/proc/self/fd");
	assert_non_null(directory);
	while (readdir(directory))
		count++;
	closedir(directory);
	return count;
}

static void open_real(struct place *place)
{
	enum backend_choice choice =
		strcmp(place->backend, "epoll") == 0 ? BACKEND_EPOLL : BACKEND_IO_URING;
	const struct proactor_options options = { 0 };
	char directory[] = "/tmp/ringlet-place-XXXXXX";

	assert_non_null(mkdtemp(directory));
	snprintf(place->base, sizeof(place->base), "%s/", directory);
	assert_int_equal(proactor_open(&place->proactor, choice, &options), 0);
}

static int64_t do_nothing(void *context)
{
	(void)context;
	return 0;
}

static void note_done(struct proactor *proactor, struct op *op)
{
	(void)proactor;
	(void)op;
}

/* Descriptors that the pool opens when it is first used do not count as left open. */
static void warm_up(struct place *place)
{
	struct op op;

	op_init(&op, note_done);
	proactor_work(place->proactor, &op, do_nothing, NULL);
	while (op_is_active(&op))
		place_turn(place);
}

void place_open(struct place *place, const char *backend, uint64_t seed)
{
	const struct simulated_options options = { .seed = seed };

	*place = (struct place){ .backend = backend };
	if (place_is_simulated(place))
		assert_int_equal(simulated_open(&place->proactor, &options), 0);
	else
		open_real(place);
	warm_up(place);
	place->count_at_start = count_descriptors(place);
}

static int remove_entry(const char *path, const struct stat *stat, int type, struct FTW *walk)
{
	(void)stat;
	(void)type;
	(void)walk;
	return remove(path);
}

void place_close(struct place *place)
{
	while (proactor_active_count(place->proactor) > 0)
		place_turn(place);
	assert_int_equal(place_open_count(place), 0);
	proactor_free(place->proactor);
	if (!place_is_simulated(place))
		nftw(place->base, remove_entry, 16, FTW_DEPTH | FTW_PHYS);
}

size_t place_open_count(const struct place *place)
{
	return count_descriptors(place) - place->count_at_start;
}

void place_turn(struct place *place)
{
	uint64_t wait_ns = place_is_simulated(place) ? PROACTOR_WAIT_FOREVER : 1000000000;

	assert_int_equal(proactor_turn(place->proactor, wait_ns), 0);
}

const char *place_path(struct place *place, const char *path)
{
	static char memory[PATH_MAX];

	snprintf(memory, sizeof(memory), "%s%s", place->base, path);
	return memory;
}

/* --- files -------------------------------------------------------------------------------- */

static void make_parents(struct place *place, const char *path)
{
	char memory[PATH_MAX];

	snprintf(memory, sizeof(memory), "%s", place_path(place, path));
	for (char *slash = strchr(memory + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		if (mkdir(memory, 0755) < 0)
			assert_int_equal(errno, EEXIST);
		*slash = '/';
	}
}

void place_make_directory(struct place *place, const char *path)
{
	if (place_is_simulated(place)) {
		simulated_make_directory(place->proactor, path);
		return;
	}
	make_parents(place, path);
	assert_int_equal(mkdir(place_path(place, path), 0755), 0);
}

void place_make_file(struct place *place, const char *path, struct text contents)
{
	int fd;

	if (place_is_simulated(place)) {
		simulated_make_file(place->proactor, path, contents);
		return;
	}
	make_parents(place, path);
	fd = open(place_path(place, path), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, contents.bytes, contents.length), (ssize_t)contents.length);
	close(fd);
}

void place_make_symlink(struct place *place, const char *path, const char *target)
{
	if (place_is_simulated(place)) {
		simulated_make_symlink(place->proactor, path, target);
		return;
	}
	make_parents(place, path);
	unlink(place_path(place, path));
	assert_int_equal(symlink(target, place_path(place, path)), 0);
}

void place_make_fifo(struct place *place, const char *path)
{
	if (place_is_simulated(place)) {
		simulated_make_special(place->proactor, path, S_IFIFO);
		return;
	}
	make_parents(place, path);
	assert_int_equal(mkfifo(place_path(place, path), 0644), 0);
}

void place_truncate(struct place *place, const char *path, uint64_t length)
{
	if (place_is_simulated(place))
		simulated_truncate(place->proactor, path, length);
	else
		assert_int_equal(truncate(place_path(place, path), (off_t)length), 0);
}

void place_remove(struct place *place, const char *path)
{
	if (place_is_simulated(place))
		simulated_remove(place->proactor, path);
	else
		assert_int_equal(
			nftw(place_path(place, path), remove_entry, 16, FTW_DEPTH | FTW_PHYS), 0);
}

char place_byte(uint64_t offset)
{
	return (char)(offset * 7 + (offset >> 8) * 13 + (offset >> 16) * 29);
}

void place_make_pattern(struct place *place, const char *path, size_t length)
{
	char *bytes = malloc(length + 1);

	assert_non_null(bytes);
	for (size_t i = 0; i < length; i++)
		bytes[i] = place_byte(i);
	place_make_file(place, path, (struct text){ bytes, length });
	free(bytes);
}
