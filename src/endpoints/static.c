/* Files by zero copy: the body consists of extents, which the kernel moves from the file to the
 * socket.  Short bodies are read into memory instead: head and body in one send cost less than a
 * send and a sendfile.  If the wire cannot send files, every body is read. */
#include "endpoints/file_location.h"
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
static const struct file_delivery static_delivery = {
	.open = static_open_body,
	.filters = no_filters,
	.from_memory = true,
	.has_siblings = true,
};

static int static_open(void **state, const struct section *location, struct proactor *proactor)
{
	return file_location_open(state, location, proactor, &static_delivery);
}

static void static_close(void *state)
{
	file_location_close(state);
	extents_trim();
	reader_trim();
}

const struct endpoint static_endpoint = {
	.name = "static",
	.summary = "Files beneath the root, sent by zero copy.",
	.settings = file_location_static_settings,
	.shared_settings = file_location_settings,
	.methods = METHOD_BIT(METHOD_GET) | METHOD_BIT(METHOD_HEAD),
	.sub_paths = true,
	.sends_files = true,
	.open = static_open,
	.close = static_close,
	.handle = file_location_handle,
	.refuse = file_location_refuse,
	.cancelled = file_location_cancelled,
};
