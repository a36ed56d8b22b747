/* There are two batches: one is filled while the other is written.
 *
 * Only the first of several failed writes is reported.  The report is a line of the error log and
 * may pass through this writer: a report per failure would cause further failures without end. */
#include "server/log_writer.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "base/metrics.h"
#include "base/smaller.h"

enum { FLUSH_WAIT_MS = 1000, BATCH_SIZE_MIN = 32 << 10 };

static size_t count_lines(struct text text)
{
	size_t count = 0;

	for (size_t i = 0; i < text.length; i++)
		count += text.bytes[i] == '\n';
	return count;
}

static struct text unwritten(const struct log_writer *writer)
{
	return text_from(
		(struct text){ writer->writing.bytes, writer->writing.length }, writer->written);
}

/* As many whole lines as one write may hold; a longer line gets a write of its own. */
static struct text next_piece(const struct log_writer *writer)
{
	struct text rest = unwritten(writer);
	const char *newline;

	if (rest.length <= writer->length_max)
		return rest;
	newline = memrchr(rest.bytes, '\n', writer->length_max);
	if (newline)
		return text_first(rest, (size_t)(newline - rest.bytes) + 1);
	return text_first(rest, text_find(rest, '\n') + 1);
}

static void write_piece(struct log_writer *writer)
{
	struct text piece = next_piece(writer);

	proactor_write(
		writer->proactor, &writer->write, writer->fd, piece.bytes, piece.length, OP_APPEND);
}

/* Grows by doubling; false at the bound or without memory. */
static bool make_room(const struct log_writer *writer, struct log_batch *batch, size_t length)
{
	size_t size = batch->size;
	char *bytes;

	if (length <= size - batch->length)
		return true;
	while (length > size - batch->length && size < writer->batch_size_max)
		size = smaller(size * 2, writer->batch_size_max);
	if (length > size - batch->length)
		return false;
	bytes = realloc(batch->bytes, size);
	if (!bytes)
		return false;
	batch->bytes = bytes;
	batch->size = size;
	return true;
}

/* After a burst, a batch halves each time it was less than a quarter full. */
static void shrink(struct log_batch *batch)
{
	char *bytes;

	if (batch->size / 2 < BATCH_SIZE_MIN || batch->length > batch->size / 4)
		return;
	bytes = realloc(batch->bytes, batch->size / 2);
	if (!bytes)
		return;
	batch->bytes = bytes;
	batch->size /= 2;
}

static void swap_batches(struct log_writer *writer)
{
	struct log_batch written = writer->writing;

	shrink(&written);
	written.length = 0;
	writer->writing = writer->filling;
	writer->filling = written;
	writer->written = 0;
}

static void write_next(struct log_writer *writer)
{
	if (writer->written == writer->writing.length) {
		if (writer->filling.length == 0)
			return;
		swap_batches(writer);
	}
	write_piece(writer);
}

static void drop(struct log_writer *writer, size_t line_count)
{
	writer->dropped += line_count;
	metrics_add(METRIC_LOG_LINES_DROPPED, line_count);
}

static void report_drops(struct log_writer *writer)
{
	unsigned long long dropped = writer->dropped;

	if (dropped == 0)
		return;
	writer->dropped = 0;
	log_warning("%s: %llu lines dropped because writing fell behind", writer->name, dropped);
}

static void give_up_batch(struct log_writer *writer, int error)
{
	drop(writer, count_lines(unwritten(writer)));
	writer->written = writer->writing.length;
	if (writer->failing)
		return;
	writer->failing = true;
	log_error("cannot write %s: %s", writer->name, strerror(-error));
}

static void on_written(struct proactor *proactor, struct op *op)
{
	struct log_writer *writer = container_of(op, struct log_writer, write);

	(void)proactor;
	if (op->result >= 0) {
		writer->failing = false;
		writer->written += (size_t)op->result;
		if (writer->written == writer->writing.length)
			report_drops(writer);
	} else if (op->result != -ECANCELED) {
		give_up_batch(writer, (int)op->result);
	} else {
		return; /* the worker ends: log_writer_flush() writes the rest */
	}
	if (!op_is_active(op)) /* the report may have started the next write */
		write_next(writer);
}

int log_writer_open(
	struct log_writer *writer, struct proactor *proactor, int fd, const char *name, size_t size)
{
	struct stat stat;
	bool shared_pipe = fstat(fd, &stat) == 0 && S_ISFIFO(stat.st_mode);
	size_t batch_size = smaller(size / 2, BATCH_SIZE_MIN);
	struct log_batch filling = { .bytes = malloc(batch_size), .size = batch_size };
	struct log_batch writing = { .bytes = malloc(batch_size), .size = batch_size };

	if (!filling.bytes || !writing.bytes) {
		free(filling.bytes);
		free(writing.bytes);
		return -ENOMEM;
	}
	*writer = (struct log_writer){
		.proactor = proactor,
		.name = name,
		.fd = fd,
		.batch_size_max = size / 2,
		.length_max = shared_pipe ? PIPE_BUF : size,
		.filling = filling,
		.writing = writing,
	};
	op_init(&writer->write, on_written);
	return 0;
}

void log_writer_append(struct log_writer *writer, struct text line)
{
	struct log_batch *batch = &writer->filling;

	assert(line.length > 0 && line.bytes[line.length - 1] == '\n');
	if (!make_room(writer, batch, line.length)) {
		drop(writer, 1);
		return;
	}
	memcpy(batch->bytes + batch->length, line.bytes, line.length);
	batch->length += line.length;
	if (!op_is_active(&writer->write))
		write_next(writer);
}

bool log_writer_is_idle(const struct log_writer *writer)
{
	return !op_is_active(&writer->write) && writer->filling.length == 0 &&
	       writer->written == writer->writing.length;
}

/* A writable pipe accepts PIPE_BUF bytes without blocking. */
static int write_patiently(int fd, struct text rest)
{
	struct pollfd writable = { .fd = fd, .events = POLLOUT };

	while (rest.length > 0) {
		struct text step = text_first(rest, PIPE_BUF);
		ssize_t written;

		if (poll(&writable, 1, FLUSH_WAIT_MS) <= 0)
			return -ETIMEDOUT;
		written = write(fd, step.bytes, step.length);
		if (written < 0 && errno != EINTR)
			return -errno;
		if (written > 0)
			rest = text_from(rest, (size_t)written);
	}
	return 0;
}

void log_writer_flush(struct log_writer *writer)
{
	struct text filling = { writer->filling.bytes, writer->filling.length };

	while (!op_is_active(&writer->write) && !log_writer_is_idle(writer) &&
		write_patiently(writer->fd, unwritten(writer)) == 0) {
		swap_batches(writer);
		filling.length = 0;
	}
	drop(writer, count_lines(unwritten(writer)) + count_lines(filling));
	report_drops(writer);
}

void log_writer_close(struct log_writer *writer)
{
	assert(!op_is_active(&writer->write));
	free(writer->filling.bytes);
	free(writer->writing.bytes);
	*writer = (struct log_writer){ .fd = -1 };
}
