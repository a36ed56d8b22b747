/* A queue of lines for a log, written with ops so that a slow disk never stops the loop.
 *
 * Lines gather while a write is in flight and leave together with the next one: the slower the
 * log, the larger the batches.  A batch grows with what gathers in it, up to a bound, and shrinks
 * again; lines beyond the bound are dropped, counted, and reported in one line of the error log
 * when writing goes on. */
#ifndef RINGLET_SERVER_LOG_WRITER_H
#define RINGLET_SERVER_LOG_WRITER_H

#include "base/text.h"
#include "proactor/proactor.h"

enum { LOG_WRITER_SIZE = 4 << 20 }; /* bytes held at most, both batches together */

struct log_batch {
	char *bytes;
	size_t length, size;
};

struct log_writer {
	struct proactor *proactor;
	const char *name; /* "error_log", for messages */
	int fd;
	size_t batch_size_max;
	size_t length_max; /* of one write: longer writes to a shared pipe would mix lines */
	size_t written;    /* of the batch being written */
	uint64_t dropped;  /* lines, since the last report */
	bool failing;      /* the last write failed, which was reported */
	struct log_batch filling, writing;
	struct op write;
};

/* The caller closes `fd`, after the writer.  `size` bounds both batches together.  0 or -ENOMEM. */
int log_writer_open(struct log_writer *writer, struct proactor *proactor, int fd, const char *name,
	size_t size);

/* Copies the line, which ends in a newline. */
void log_writer_append(struct log_writer *writer, struct text line);

/* No line waits and no write is in flight. */
bool log_writer_is_idle(const struct log_writer *writer);

/* Writes what is left without the loop, waiting at most about a second for a log that does not
 * take it; reports the lines that remain.  A write in flight is a log that hangs: nothing more is
 * written. */
void log_writer_flush(struct log_writer *writer);

/* No write may be in flight. */
void log_writer_close(struct log_writer *writer);

#endif
