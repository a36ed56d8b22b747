/* Reference counts.  A content behind a descriptor comes from a pool of the process, and may
 * outlive the endpoint that opened it; it is returned to the pool when its file is closed.  A
 * content in memory is one block of the heap, with the bytes at its end. */
#include "files/content.h"

#include <assert.h>
#include <stdlib.h>

#include "base/block_pool.h"
#include "files/same_file.h"

struct memory {
	struct content content;
	struct headroom headroom;
	char bytes[];
};

static struct block_pool pool = BLOCK_POOL(sizeof(struct content), 256);

static void file_closed(struct proactor *proactor, struct op *op)
{
	(void)proactor;
	block_pool_return(&pool, container_of(op, struct content, op));
}

struct content *content_of_file(struct proactor *proactor, int fd)
{
	struct content *content = block_pool_take(&pool);

	if (!content)
		return NULL;
	*content = (struct content){ .fd = fd, .proactor = proactor, .user_count = 1 };
	op_init(&content->op, file_closed);
	return content;
}

struct content *content_in_memory(size_t length)
{
	struct memory *memory = malloc(sizeof(*memory) + length);

	if (!memory)
		return NULL;
	memory->content = (struct content){ .fd = -1, .user_count = 1 };
	memory->content.bytes = (struct text){ memory->bytes, length };
	memory->content.headroom = &memory->headroom;
	memory->headroom = (struct headroom){ 0 };
	return &memory->content;
}

char *content_memory(struct content *content)
{
	assert(content->fd < 0 && content->user_count == 1);
	return container_of(content, struct memory, content)->bytes;
}

void content_describe(struct content *content, const struct stat *stat)
{
	content->is_described = true;
	content->modified = stat->st_mtim;
	content->length = stat->st_size;
}

bool content_has_changed(const struct content *content, const struct stat *stat)
{
	if (!content->is_described || stat->st_size > content->length)
		return false;
	return stat->st_size < content->length || !is_same_time(&stat->st_mtim, &content->modified);
}

struct content *content_take(struct content *content)
{
	assert(content->user_count > 0);
	content->user_count++;
	return content;
}

void content_return(struct content *content)
{
	assert(content->user_count > 0);
	if (--content->user_count > 0)
		return;
	if (content->fd >= 0)
		proactor_close(content->proactor, &content->op, content->fd);
	else
		free(container_of(content, struct memory, content));
}

void content_trim(void)
{
	block_pool_trim(&pool);
}
