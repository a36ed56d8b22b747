/* Files by zero copy: the body is extents, and the kernel moves them from the file to the socket.
 * A short file is read into memory: it then leaves in one send with its head, which costs less than
 * a second send from the file.  Where the wire cannot send files, every file is read. */
#include "endpoints/file_site.h"
#include "endpoints/registry.h"
#include "files/extents.h"
#include "files/reader.h"

enum { READ_LENGTH_MAX = 16384 };

static struct body_source *static_open_body(
	struct exchange *exchange, struct content *content, const struct range_set *set)
{
	if (content->fd >= 0 &&
		(range_set_length(set) <= READ_LENGTH_MAX || !exchange_sends_files(exchange)))
		return reader_open(exchange->proactor, content, set);
	return extents_open(exchange->proactor, content, set);
}

static const struct filter *const no_filters[] = { NULL };
static const struct file_delivery by_zero_copy = {
	.open = static_open_body,
	.filters = no_filters,
	.from_memory = true,
	.has_siblings = true,
};

static int open_static(void **state, const struct section *location, struct proactor *proactor)
{
	return file_site_open(state, location, proactor, &by_zero_copy);
}

static void close_static(void *state)
{
	file_site_close(state);
	extents_trim();
	reader_trim();
}

const struct endpoint static_endpoint = {
	.name = "static",
	.summary = "Files beneath the root, sent by zero copy.",
	.settings = file_site_static_settings,
	.shared_settings = file_site_settings,
	.methods = METHOD_BIT(METHOD_GET) | METHOD_BIT(METHOD_HEAD),
	.sub_paths = true,
	.sends_files = true,
	.open = open_static,
	.close = close_static,
	.handle = file_site_handle,
	.refuse = file_site_refuse,
	.cancelled = file_site_cancelled,
};
