/* The error log: formatting of lines and the sink they go to. */
#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/escape.h"

static const char *const LEVEL_NAMES[] = {
	[LOG_LEVEL_DEBUG] = "debug",
	[LOG_LEVEL_INFO] = "info",
	[LOG_LEVEL_WARNING] = "warning",
	[LOG_LEVEL_ERROR] = "error",
};

static enum log_level level_min = LOG_LEVEL_INFO;
static char speaker_name[32];
static log_sink_fn *sink_write;
static void *sink_context;

void log_set_level(enum log_level level)
{
	level_min = level;
}

bool log_is_enabled(enum log_level level)
{
	return level >= level_min;
}

void log_set_speaker(const char *speaker)
{
	snprintf(speaker_name, sizeof(speaker_name), "%s", speaker ? speaker : "");
}

void log_set_sink(log_sink_fn *sink, void *context)
{
	sink_write = sink;
	sink_context = context;
}

static void append_time(struct buffer *line)
{
	struct timespec now;
	struct tm parts;

	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &parts);
	buffer_append_format(line, "%04d-%02d-%02dT%02d:%02d:%02d.%03ldZ", parts.tm_year + 1900,
		parts.tm_mon + 1, parts.tm_mday, parts.tm_hour, parts.tm_min, parts.tm_sec,
		now.tv_nsec / 1000000);
}

static void write_line(struct text line)
{
	if (sink_write) {
		sink_write(sink_context, line);
		return;
	}
	while (line.length > 0) {
		ssize_t written = write(STDERR_FILENO, line.bytes, line.length);

		if (written < 0 && errno != EINTR)
			return; /* there is no other place to report it */
		if (written > 0)
			line = text_from(line, (size_t)written);
	}
}

static void log_text(enum log_level level, struct text message)
{
	char memory[LOG_LINE_LENGTH_MAX];
	struct buffer line;

	buffer_init(&line, memory, sizeof(memory) - 1);
	append_time(&line);
	buffer_append_format(&line, " %s ", LEVEL_NAMES[level]);
	if (speaker_name[0] != '\0')
		buffer_append_format(&line, "%s ", speaker_name);
	escape_append(&line, message, ESCAPE_MESSAGE, buffer_room(&line));
	line.size++;
	buffer_append_byte(&line, '\n');
	write_line(buffer_text(&line));
}

static void log_format(enum log_level level, const char *format, va_list arguments)
{
	char message[LOG_LINE_LENGTH_MAX];
	int length = vsnprintf(message, sizeof(message), format, arguments);

	if (length < 0)
		return;
	if ((size_t)length >= sizeof(message))
		length = sizeof(message) - 1;
	log_text(level, (struct text){ message, (size_t)length });
}

void log_message(enum log_level level, const char *format, ...)
{
	int saved_errno = errno;
	va_list arguments;

	if (!log_is_enabled(level))
		return;
	va_start(arguments, format);
	log_format(level, format, arguments);
	va_end(arguments);
	errno = saved_errno;
}

int fail(int error, const char *format, ...)
{
	char message[LOG_LINE_LENGTH_MAX];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(message, sizeof(message), format, arguments);
	va_end(arguments);
	log_error("%s: %s", message, strerror(-error));
	return error;
}
