/* Generated bodies: pooled memory with a buffer over it, handed out in one walk from front to back.
 */
#include "endpoints/generated.h"

#include "base/block_pool.h"
#include "base/list.h"
#include "base/log.h"

static struct block_pool pool = BLOCK_POOL(sizeof(struct generated_body), 2);

static int produce(struct body_source *source, struct body_piece *piece, size_t length_max)
{
	struct generated_body *body = container_of(source, struct generated_body, source);
	struct text left = (struct text){ body->text.bytes, body->text.length };

	*piece = (struct body_piece){ .fd = -1, .bytes = text_first(left, length_max) };
	body->text.bytes += piece->bytes.length;
	body->text.length -= piece->bytes.length;
	return body->text.length == 0 ? BODY_LAST : BODY_PIECE;
}

static void release(struct body_source *source)
{
	block_pool_return(&pool, container_of(source, struct generated_body, source));
}

struct generated_body *generated_take(void)
{
	struct generated_body *body = block_pool_take(&pool);

	if (!body)
		return NULL;
	body->source = (struct body_source){ .produce = produce, .release = release };
	buffer_init(&body->text, body->bytes, sizeof(body->bytes));
	return body;
}

void generated_answer(
	struct generated_body *body, struct exchange *exchange, struct text media_type)
{
	if (body->text.truncated) {
		log_error("a generated answer is longer than %d bytes", GENERATED_LENGTH_MAX);
		release(&body->source);
		exchange_answer_error(exchange, 500);
		return;
	}
	exchange_add_field(exchange, text_literal("Content-Type"), media_type);
	exchange_answer(exchange, 200, &body->source, (int64_t)body->text.length);
}
