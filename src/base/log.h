/* The error log of a process: one line per message, with a level.
 *
 * A line reads `2026-11-21T09:46:03.123Z warning worker=2 text`.  It goes to the sink: standard
 * error by default; a worker sets a sink that writes with ops, so that a slow log never stops its
 * loop.  Messages are escaped (base/escape.h). */
#ifndef RINGLET_BASE_LOG_H
#define RINGLET_BASE_LOG_H

#include "base/text.h"

enum log_level { LOG_LEVEL_DEBUG, LOG_LEVEL_INFO, LOG_LEVEL_WARNING, LOG_LEVEL_ERROR };

/* Longest line, with its newline; longer messages are cut. */
enum { LOG_LINE_LENGTH_MAX = 2048 };

/* `line` ends in a newline and is valid only during the call. */
typedef void log_sink_fn(void *context, struct text line);

void log_set_level(enum log_level level);
bool log_is_enabled(enum log_level level);

/* The process that logs: "supervisor", "worker=2"; NULL or "": none.  Copied, 31 bytes at most. */
void log_set_speaker(const char *speaker);

/* NULL: standard error. */
void log_set_sink(log_sink_fn *sink, void *context);

void log_message(enum log_level level, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

#define log_error(...)   log_message(LOG_LEVEL_ERROR, __VA_ARGS__)
#define log_warning(...) log_message(LOG_LEVEL_WARNING, __VA_ARGS__)
#define log_info(...)    log_message(LOG_LEVEL_INFO, __VA_ARGS__)
#define log_debug(...)                                                                             \
	do {                                                                                       \
		if (log_is_enabled(LOG_LEVEL_DEBUG))                                               \
			log_message(LOG_LEVEL_DEBUG, __VA_ARGS__);                                 \
	} while (0)

/* Logs `format: description of error` and returns `error`, a negative errno.  The function where an
 * error occurs calls this; its callers only pass the error on:
 * `return fail(r, "cannot listen on %s", name)`. */
int fail(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));

#endif
