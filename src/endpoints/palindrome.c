/* Does a text read the same backwards?
 *
 * The text stays in the blocks it was gathered in; cursors walk over them code point by code point,
 * one from the front and one from the back, so the time is linear and no copy is made.  A long text
 * is walked on the thread pool, since the loop has others to serve; meanwhile nobody else touches
 * the blocks.
 *
 * The request lives in the exchange's scratch memory, until the answer. */
#include <errno.h>

#include "endpoints/registry.h"
#include "http/accept.h"
#include "http/gather.h"
#include "proactor/proactor.h"

/* Walking this much takes no longer than a few requests. */
enum { LENGTH_MAX_ON_LOOP = 16384 };

struct palindrome {
	struct op op;
	struct gather *gather;
	bool fold;
	bool is_palindrome;
	uint64_t length;       /* in code points */
	uint64_t fault_offset; /* of the first byte that is not UTF-8 */
	int error;             /* -EILSEQ: there is one */
};

/* --- walking ------------------------------------------------------------------------------ */

struct cursor {
	const struct list *blocks;
	struct list_node *node; /* the head of `blocks` at either end */
	size_t index;           /* in that block, of the byte behind the cursor */
};

static const struct gather_block *block_at(const struct cursor *cursor)
{
	return container_of(cursor->node, struct gather_block, node);
}

static bool is_at_end(const struct cursor *cursor)
{
	return cursor->node == &cursor->blocks->head;
}

static struct cursor cursor_at_front(const struct gather *gather)
{
	return (struct cursor){ .blocks = &gather->blocks, .node = gather->blocks.head.next };
}

static struct cursor cursor_at_back(const struct gather *gather)
{
	return (struct cursor){ .blocks = &gather->blocks,
		.node = (struct list_node *)&gather->blocks.head };
}

/* The byte behind the cursor, or -1. */
static int peek_byte(const struct cursor *cursor)
{
	return is_at_end(cursor) ? -1 : (unsigned char)block_at(cursor)->bytes[cursor->index];
}

static void step_forward(struct cursor *cursor)
{
	if (++cursor->index < block_at(cursor)->length)
		return;
	cursor->node = cursor->node->next;
	cursor->index = 0;
}

/* Moves back over one byte and returns it.  There must be one. */
static unsigned char step_back(struct cursor *cursor)
{
	if (cursor->index == 0) {
		cursor->node = cursor->node->previous;
		cursor->index = block_at(cursor)->length;
	}
	return (unsigned char)block_at(cursor)->bytes[--cursor->index];
}

/* --- UTF-8 (RFC 3629) --------------------------------------------------------------------- */

/* How many bytes follow the first, or -EILSEQ. */
static int continuation_count(unsigned char first)
{
	if (first < 0x80)
		return 0;
	if (first < 0xc2 || first > 0xf4)
		return -EILSEQ;
	return first < 0xe0 ? 1 : first < 0xf0 ? 2 : 3;
}

static uint32_t first_bits(unsigned char first, unsigned count)
{
	return count == 0 ? first : first & (0x3fu >> count);
}

/* Neither longer than need be, nor half of a UTF-16 pair, nor beyond Unicode. */
static bool is_code_point(uint32_t value, unsigned count)
{
	static const uint32_t minima[] = { 0, 0x80, 0x800, 0x10000 };

	return value >= minima[count] && value <= 0x10ffff && (value < 0xd800 || value > 0xdfff);
}

/* Moves over one code point: 0 or -EILSEQ.  There must be a byte. */
static int take_code_point(uint32_t *value, unsigned *length, struct cursor *cursor)
{
	unsigned char first = (unsigned char)peek_byte(cursor);
	int count = continuation_count(first);

	if (count < 0)
		return -EILSEQ;
	*value = first_bits(first, (unsigned)count);
	step_forward(cursor);
	for (int i = 0; i < count; i++) {
		int byte = peek_byte(cursor);

		if (byte < 0 || (byte & 0xc0) != 0x80)
			return -EILSEQ;
		*value = *value << 6 | ((uint32_t)byte & 0x3f);
		step_forward(cursor);
	}
	*length = (unsigned)count + 1;
	return is_code_point(*value, (unsigned)count) ? 0 : -EILSEQ;
}

/* Moves back over one code point of a text known to be right. */
static uint32_t take_code_point_back(unsigned *length, struct cursor *cursor)
{
	unsigned char byte = step_back(cursor);
	uint32_t value = 0;
	unsigned count = 0;

	while ((byte & 0xc0) == 0x80) {
		value |= (uint32_t)(byte & 0x3f) << (6 * count++);
		byte = step_back(cursor);
	}
	*length = count + 1;
	return value | first_bits(byte, count) << (6 * count);
}

/* --- comparing ---------------------------------------------------------------------------- */

/* 0, or -EILSEQ; fills in the length or the offset. */
static int measure(struct palindrome *palindrome)
{
	struct cursor cursor = cursor_at_front(palindrome->gather);

	palindrome->length = palindrome->fault_offset = 0;
	while (!is_at_end(&cursor)) {
		uint32_t value;
		unsigned length;

		if (take_code_point(&value, &length, &cursor) < 0)
			return -EILSEQ;
		palindrome->length++;
		palindrome->fault_offset += length;
	}
	return 0;
}

static bool is_between(uint32_t value, char first, char last)
{
	return value >= (unsigned char)first && value <= (unsigned char)last;
}

/* ASCII white space and punctuation. */
static bool is_passed_over(uint32_t value)
{
	return is_between(value, '\t', '\r') || is_between(value, ' ', '/') ||
	       is_between(value, ':', '@') || is_between(value, '[', '`') ||
	       is_between(value, '{', '~');
}

static uint32_t fold(uint32_t value)
{
	return is_between(value, 'A', 'Z') ? value + ('a' - 'A') : value;
}

/* From both ends until the cursors have met; with `folding`, some code points do not count. */
static bool reads_the_same(const struct gather *gather, bool folding)
{
	struct cursor front = cursor_at_front(gather), back = cursor_at_back(gather);
	uint64_t front_offset = 0, back_offset = gather->length;

	while (front_offset < back_offset) {
		uint32_t a = 0, b;
		unsigned a_length = 0, b_length;

		(void)take_code_point(&a, &a_length, &front);
		front_offset += a_length;
		if (folding && is_passed_over(a))
			continue;
		b = take_code_point_back(&b_length, &back);
		back_offset -= b_length;
		while (folding && is_passed_over(b) && back_offset > 0) {
			b = take_code_point_back(&b_length, &back);
			back_offset -= b_length;
		}
		if (folding ? fold(a) != fold(b) : a != b)
			return false;
	}
	return true;
}

static void walk(struct palindrome *palindrome)
{
	palindrome->error = measure(palindrome);
	palindrome->is_palindrome =
		palindrome->error == 0 && reads_the_same(palindrome->gather, palindrome->fold);
}

/* --- answers ------------------------------------------------------------------------------ */

static void write_text(struct buffer *buffer, const struct palindrome *palindrome)
{
	if (palindrome->error < 0)
		buffer_append_format(buffer, "invalid UTF-8 at offset %llu\n",
			(unsigned long long)palindrome->fault_offset);
	else
		buffer_append_string(buffer, palindrome->is_palindrome ? "true\n" : "false\n");
}

static void write_json(struct buffer *buffer, const struct palindrome *palindrome)
{
	if (palindrome->error < 0)
		buffer_append_format(buffer, "{\"error\": \"invalid UTF-8\", \"offset\": %llu}\n",
			(unsigned long long)palindrome->fault_offset);
	else
		buffer_append_format(buffer, "{\"palindrome\": %s, \"length\": %llu}\n",
			palindrome->is_palindrome ? "true" : "false",
			(unsigned long long)palindrome->length);
}

static void answer(struct palindrome *palindrome)
{
	struct exchange *exchange = palindrome->gather->exchange;
	const struct text text = TEXT("text/plain"), json = TEXT("application/json");
	bool as_text = accept_prefers(&exchange->request, text, json);
	char memory[128];
	struct buffer buffer;

	buffer_init(&buffer, memory, sizeof(memory));
	if (as_text)
		write_text(&buffer, palindrome);
	else
		write_json(&buffer, palindrome);
	gather_free(palindrome->gather);
	exchange_answer_bytes(exchange, palindrome->error < 0 ? 400 : 200,
		as_text ? text_literal("text/plain; charset=utf-8") : json,
		exchange_copy(exchange, buffer_text(&buffer)));
}

/* --- requests ----------------------------------------------------------------------------- */

static int64_t walk_on_thread(void *context)
{
	walk(context);
	return 0;
}

/* Without a thread the walk is done here: late for others, but done. */
static void walked(struct proactor *proactor, struct op *op)
{
	struct palindrome *palindrome = container_of(op, struct palindrome, op);

	(void)proactor;
	if (op->result < 0)
		walk(palindrome);
	answer(palindrome);
}

static void gathered(struct gather *gather, unsigned status)
{
	struct exchange *exchange = gather->exchange;
	struct palindrome *palindrome = gather->context;

	if (status != 0) {
		gather_free(gather);
		exchange_answer_error(exchange, status);
	} else if (gather->length > LENGTH_MAX_ON_LOOP) {
		op_init(&palindrome->op, walked);
		proactor_work(exchange->proactor, &palindrome->op, walk_on_thread, palindrome);
	} else {
		walk(palindrome);
		answer(palindrome);
	}
}

static void handle_palindrome(void *state, struct exchange *exchange)
{
	struct palindrome *palindrome = exchange_scratch(exchange, sizeof(*palindrome));
	struct gather *gather = gather_new(exchange, palindrome);

	(void)state;
	if (!gather) {
		exchange_answer_error(exchange, 503);
		return;
	}
	palindrome->gather = gather;
	palindrome->fold = text_equal(
		request_parameter(&exchange->request, text_literal("fold")), text_literal("1"));
	gather_receive(gather, UINT64_MAX, gathered);
}

const struct endpoint palindrome_endpoint = {
	.name = "palindrome",
	.summary = "Does the text of the request body read the same backwards?",
	.methods = METHOD_BIT(METHOD_POST),
	.handle = handle_palindrome,
};
