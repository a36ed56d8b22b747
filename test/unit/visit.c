/* Visits: a wire that only counts the answers, and a consumer that checks each byte of the body. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "visit.h"

enum { TURNS_MAX = 100000 };

static struct visit *visit_of(struct exchange *exchange)
{
	return container_of(exchange, struct visit, exchange);
}

static void note_answer(struct exchange *exchange)
{
	visit_of(exchange)->answer_count++;
}

static void note_wanted(struct exchange *exchange)
{
	visit_of(exchange)->body_wanted = true;
}

static void note_consumed(struct exchange *exchange, size_t length)
{
	(void)exchange;
	(void)length;
}

static bool sends_files(const struct exchange *exchange)
{
	return !container_of(exchange, const struct visit, exchange)->sends_no_files;
}

static const struct exchange_wire wire = {
	.answered = note_answer,
	.body_wanted = note_wanted,
	.body_consumed = note_consumed,
	.sends_files = sends_files,
};

void visit_init(struct visit *visit, struct place *place, const char *path)
{
	memset(visit, 0, sizeof(*visit));
	visit->place = place;
	visit->patterned = true;
	exchange_init(&visit->exchange, &wire, place->proactor);
	snprintf(visit->path, sizeof(visit->path), "%s", path);
	visit->exchange.request.method = METHOD_GET;
	visit->exchange.request.path = text_of(visit->path);
}

void visit_init_with_body(
	struct visit *visit, struct place *place, enum method method, struct text body)
{
	visit_init(visit, place, "/");
	visit->exchange.request.method = method;
	visit->exchange.request.content_length = body.length;
	visit->body = body;
}

/* In parts, like a wire: never more than requested, nothing after the answer. */
static void deliver_body(struct visit *visit)
{
	struct exchange *exchange = &visit->exchange;
	struct text rest = visit->body;
	int error = rest.length > exchange->body_length_max ? -EMSGSIZE : visit->body_error;

	visit->body_wanted = false;
	rest = text_first(rest, exchange->body_length_max);
	while (rest.length > 0 && !exchange->answered) {
		exchange->sink->received(exchange->sink, text_first(rest, 1000));
		rest = text_from(rest, 1000);
	}
	if (!exchange->answered)
		exchange->sink->ended(exchange->sink, error);
}

void visit_add_field(struct visit *visit, const char *name, const char *value)
{
	struct request *request = &visit->exchange.request;

	assert_true(request->field_count < REQUEST_FIELDS_MAX);
	request->fields[request->field_count++] = (struct field){ text_of(name), text_of(value) };
}

void visit_await_answer(struct visit *visit)
{
	if (visit->body_wanted)
		deliver_body(visit);
	for (unsigned i = 0; i < TURNS_MAX && visit->answer_count == 0; i++)
		place_turn(visit->place);
	assert_int_equal(visit->answer_count, 1);
}

/* --- bodies ------------------------------------------------------------------------------- */

static void note_ready(struct body_source *source)
{
	struct visit *visit = source->consumer;

	assert_false(visit->ready);
	visit->ready = true;
}

static void note_read(struct proactor *proactor, struct op *op)
{
	(void)proactor;
	assert_true(op->result > 0);
}

static size_t read_some(
	struct visit *visit, const struct body_piece *piece, char *bytes, size_t start, size_t end)
{
	struct op op;

	op_init(&op, note_read);
	proactor_read(visit->place->proactor, &op, piece->fd, bytes + start, end - start,
		piece->offset + start);
	while (op_is_active(&op))
		place_turn(visit->place);
	return (size_t)op.result;
}

/* Reads the first bytes of an extent. */
static struct text read_extent(struct visit *visit, const struct body_piece *piece, char *bytes)
{
	size_t end = piece->length < 4096 ? piece->length : 4096;
	size_t length = 0;

	while (length < end)
		length += read_some(visit, piece, bytes, length, end);
	return (struct text){ bytes, length };
}

static void keep(struct visit *visit, struct text bytes)
{
	size_t room = sizeof(visit->kept) - visit->kept_length;

	for (size_t i = 0; i < bytes.length && visit->patterned; i++)
		visit->patterned = bytes.bytes[i] == place_byte(visit->offset + visit->length + i);
	bytes = text_first(bytes, room);
	if (visit->length == visit->kept_length && bytes.length > 0) {
		memcpy(visit->kept + visit->kept_length, bytes.bytes, bytes.length);
		visit->kept_length += bytes.length;
	}
}

static void take_piece(struct visit *visit, const struct body_piece *piece, size_t length_max)
{
	char bytes[4096];

	visit->piece_count++;
	if (piece->fd < 0) {
		assert_true(piece->bytes.length <= length_max);
		keep(visit, piece->bytes);
		visit->length += piece->bytes.length;
		return;
	}
	assert_true(piece->length > 0 && piece->length <= length_max);
	assert_true(visit->is_parted || piece->offset == visit->offset + visit->length);
	visit->extent_count++;
	if (piece->length > visit->extent_length_max)
		visit->extent_length_max = piece->length;
	keep(visit, read_extent(visit, piece, bytes));
	visit->length += piece->length;
}

static int produce(struct visit *visit, struct body_piece *piece, size_t length_max)
{
	struct body_source *body = visit->exchange.response.body;
	int outcome = body->produce(body, piece, length_max);

	assert_false(visit->ready);
	if (outcome != BODY_LATER)
		return outcome;
	visit->later_count++;
	for (unsigned i = 0; i < TURNS_MAX && !visit->ready; i++)
		place_turn(visit->place);
	assert_true(visit->ready);
	visit->ready = false;
	return produce(visit, piece, length_max);
}

int visit_pull(struct visit *visit, size_t length_max)
{
	struct body_source *body = visit->exchange.response.body;
	struct body_piece piece;

	body->consumer = visit;
	body->ready = note_ready;
	visit->outcome = produce(visit, &piece, length_max);
	if (visit->outcome >= 0)
		take_piece(visit, &piece, length_max);
	return visit->outcome;
}

void visit_pull_all(struct visit *visit, size_t length_max)
{
	if (visit->exchange.response.body) {
		while (visit_pull(visit, length_max) == BODY_PIECE)
			continue;
		visit_release(visit);
	}
}

void visit_release(struct visit *visit)
{
	visit->exchange.response.body->release(visit->exchange.response.body);
}

void visit(struct visit *visit, struct place *place, const struct endpoint *endpoint, void *state,
	const char *path)
{
	visit_init(visit, place, path);
	endpoint->handle(state, &visit->exchange);
	visit_await_answer(visit);
	visit_pull_all(visit, SIZE_MAX);
}

/* --- answers ------------------------------------------------------------------------------ */

unsigned visit_status(const struct visit *visit)
{
	assert_int_equal(visit->answer_count, 1);
	return visit->exchange.response.status;
}

struct text visit_body(const struct visit *visit)
{
	return (struct text){ visit->kept, visit->kept_length };
}

struct text visit_field(const struct visit *visit, const char *name)
{
	const struct response *response = &visit->exchange.response;

	for (unsigned i = 0; i < response->field_count; i++) {
		if (text_equal_ignoring_case(response->fields[i].name, text_of(name)))
			return response->fields[i].value;
	}
	return (struct text){ NULL, 0 };
}
