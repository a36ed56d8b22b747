/* What is answered where there is no file: another file of a `try` list, or the page of an
 * `error_page` list.  Both are paths beneath the root. */
#ifndef RINGLET_ENDPOINTS_FALLBACK_H
#define RINGLET_ENDPOINTS_FALLBACK_H

#include "base/text.h"

/* "/404.html" of {"404 /404.html", "503 /busy.html"}; empty when the status has no page. */
struct text fallback_page(const char *const *pages, size_t count, unsigned status);

/* For the settings' tables: what is wrong with a list of paths, or of "404 /path". */
const char *fallback_check_paths(const char *const *strings, size_t count, size_t *wrong);
const char *fallback_check_pages(const char *const *strings, size_t count, size_t *wrong);

#endif
