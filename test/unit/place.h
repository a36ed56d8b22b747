/* A place has files and a proactor: in the memory of the simulated backend, or in a temporary
 * directory with one of the real ones. A test that uses a place runs on all of them. */
#ifndef RINGLET_TEST_PLACE_H
#define RINGLET_TEST_PLACE_H

#include <limits.h>

#include "proactor/proactor.h"

struct place {
	struct proactor *proactor;
	const char *backend;     /* "simulated", "epoll", "io_uring" */
	size_t count_at_start;   /* of descriptors */
	char base[PATH_MAX / 4]; /* all paths below are relative to it; "" or "/tmp/…/" */
};

/* `seed` is for the simulated backend.  Asserts that it works. */
void place_open(struct place *place, const char *backend, uint64_t seed);

/* Asserts that every descriptor opened since place_open() is closed; removes the files. */
void place_close(struct place *place);

bool place_is_simulated(const struct place *place);

/* Runs one turn of the loop, which waits until something happens. */
void place_turn(struct place *place);

/* "<base>path", valid until the next call. */
const char *place_path(struct place *place, const char *path);

/* Makes missing directories, too. */
void place_make_directory(struct place *place, const char *path);
void place_make_file(struct place *place, const char *path, struct text contents);
void place_make_symlink(struct place *place, const char *path, const char *target);
void place_make_fifo(struct place *place, const char *path);
void place_truncate(struct place *place, const char *path, uint64_t length);
void place_remove(struct place *place, const char *path);

/* Makes a file of `length` bytes, each place_byte() of its offset. */
void place_make_pattern(struct place *place, const char *path, size_t length);
char place_byte(uint64_t offset);

/* The descriptors that are open now and were not at the start. */
size_t place_open_count(const struct place *place);

#endif
