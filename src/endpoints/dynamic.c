/* Files by asynchronous reads, through filters: the body passes through memory, where it can be
 * worked on.  For now the one filter lets everything pass. */
#include "endpoints/file_site.h"
#include "endpoints/registry.h"
#include "files/reader.h"

static const struct filter *const identity_only[] = { &identity_filter, NULL };
static const struct file_delivery by_reads = { .open = reader_open, .filters = identity_only };

static int open_dynamic(void **state, const struct section *location, struct proactor *proactor)
{
	return file_site_open(state, location, proactor, &by_reads);
}

static void close_dynamic(void *state)
{
	file_site_close(state);
	reader_trim();
}

const struct endpoint dynamic_endpoint = {
	.name = "dynamic",
	.summary = "Files beneath the root, read asynchronously and passed through filters.",
	.settings = file_site_settings + FILE_SITE_SIBLING_SETTINGS,
	.methods = METHOD_BIT(METHOD_GET) | METHOD_BIT(METHOD_HEAD),
	.sub_paths = true,
	.open = open_dynamic,
	.close = close_dynamic,
	.handle = file_site_handle,
	.cancelled = file_site_cancelled,
};
