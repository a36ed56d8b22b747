/* The lists are searched linearly: errors are rare and the lists short. */
#include "endpoints/fallback.h"

#include "base/buffer.h"
#include "http/exchange.h"
#include "http/path.h"

static unsigned status_of(struct text page)
{
	uint64_t status;

	if (text_to_number(&status, text_first(page, text_find(page, ' '))) < 0 || status > 599)
		return 0;
	return (unsigned)status;
}

static struct text path_of(struct text page)
{
	return text_trim(text_from(page, text_find(page, ' ')));
}

struct text fallback_page(const char *const *pages, size_t count, unsigned status)
{
	for (size_t i = 0; i < count; i++) {
		if (status_of(text_of(pages[i])) == status)
			return path_of(text_of(pages[i]));
	}
	return (struct text){ NULL, 0 };
}

/* The path must be normal already, as the paths of requests are; escapes are not allowed. */
static const char *check_path(struct text path)
{
	char memory[REQUEST_PATH_SIZE];
	struct buffer normal;

	buffer_init(&normal, memory, sizeof(memory));
	if (text_find(path, '%') < path.length || path_normalize(&normal, path) < 0 ||
		normal.truncated || !text_equal(buffer_text(&normal), path))
		return "no plain path";
	return NULL;
}

const char *fallback_check_paths(const char *const *strings, size_t count, size_t *wrong)
{
	for (*wrong = 0; *wrong < count; ++*wrong) {
		const char *what = check_path(text_of(strings[*wrong]));

		if (what)
			return what;
	}
	return NULL;
}

const char *fallback_check_pages(const char *const *strings, size_t count, size_t *wrong)
{
	for (*wrong = 0; *wrong < count; ++*wrong) {
		struct text page = text_of(strings[*wrong]);
		unsigned status = status_of(page);
		const char *what = check_path(path_of(page));

		if (status < 400)
			return "no status from 400 to 599";
		if (fallback_page(strings, *wrong, status).length > 0)
			return "a second page for this status";
		if (what)
			return what;
	}
	return NULL;
}
