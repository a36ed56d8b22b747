/* What replaces a missing file: another file from the list `try`, or an error page from the list
 * `error_page`.  Both are paths beneath the root. */
#ifndef RINGLET_ENDPOINTS_FALLBACK_H
#define RINGLET_ENDPOINTS_FALLBACK_H

#include "base/text.h"

/* The page of a status: "/404.html" from {"404 /404.html", "503 /busy.html"}; empty if it has none.
 */
struct text fallback_page(const char *const *pages, size_t count, unsigned status);

/* The checks of the two settings: see `check` of struct setting. */
const char *fallback_check_paths(const char *const *strings, size_t count, size_t *wrong);
const char *fallback_check_pages(const char *const *strings, size_t count, size_t *wrong);

#endif
