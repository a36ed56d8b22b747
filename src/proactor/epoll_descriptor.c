/* The records of descriptors, found by number.
 *
 * Numbers are small and dense, so an array serves; in chunks, because a record holds the head of a
 * list and must not move when the array grows.  Chunks are made when a number first appears and
 * kept: the kernel gives the lowest free number, so they are used again. */
#include <assert.h>
#include <stdlib.h>

#include "proactor/epoll.h"

enum { CHUNK_COUNT = 128 };

struct epoll_descriptor *epoll_descriptor_find(const struct epoll_descriptor_table *table, int fd)
{
	size_t index = (size_t)fd / CHUNK_COUNT;

	if (fd < 0 || index >= table->chunk_count || !table->chunks[index])
		return NULL;
	return &table->chunks[index][(size_t)fd % CHUNK_COUNT];
}

static bool has_room_for_chunk(struct epoll_descriptor_table *table, size_t index)
{
	size_t count = 2 * table->chunk_count > index ? 2 * table->chunk_count : index + 1;
	struct epoll_descriptor **chunks;

	if (index < table->chunk_count)
		return true;
	chunks = realloc(table->chunks, count * sizeof(struct epoll_descriptor *));
	if (!chunks)
		return false;
	for (size_t i = table->chunk_count; i < count; i++)
		chunks[i] = NULL;
	table->chunks = chunks;
	table->chunk_count = count;
	return true;
}

static struct epoll_descriptor *new_chunk(void)
{
	struct epoll_descriptor *chunk = calloc(CHUNK_COUNT, sizeof(struct epoll_descriptor));

	if (!chunk)
		return NULL;
	for (size_t i = 0; i < CHUNK_COUNT; i++) {
		list_init(&chunk[i].parked);
		list_node_init(&chunk[i].node);
		epoll_descriptor_reset(&chunk[i]);
	}
	return chunk;
}

struct epoll_descriptor *epoll_descriptor_of(struct epoll_descriptor_table *table, int fd)
{
	struct epoll_descriptor *found = epoll_descriptor_find(table, fd);
	size_t index = (size_t)fd / CHUNK_COUNT;

	assert(fd >= 0);
	if (found)
		return found;
	if (!has_room_for_chunk(table, index))
		return NULL;
	table->chunks[index] = new_chunk();
	return epoll_descriptor_find(table, fd);
}

void epoll_descriptor_reset(struct epoll_descriptor *descriptor)
{
	assert(list_is_empty(&descriptor->parked));
	list_remove(&descriptor->node);
	descriptor->registered = false;
	descriptor->readable = true; /* for all one knows: nobody has tried */
	descriptor->hung_up = false;
}

void epoll_descriptor_table_free(struct epoll_descriptor_table *table)
{
	for (size_t i = 0; i < table->chunk_count; i++)
		free(table->chunks[i]);
	free(table->chunks);
	*table = (struct epoll_descriptor_table){ NULL, 0 };
}
