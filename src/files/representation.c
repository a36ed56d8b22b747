/* Rendering of the fields that describe a file. */
#include "files/representation.h"

#include <assert.h>

#include "http/media_type.h"

static void write_etag(struct representation *representation, const struct etag *etag)
{
	struct buffer buffer;

	representation->etag_length = 0;
	if (etag->length == 0)
		return;
	buffer_init(&buffer, representation->etag, sizeof(representation->etag));
	buffer_append_byte(&buffer, '"');
	buffer_append(&buffer, (struct text){ etag->bytes, etag->length });
	if (representation->coding.length > 0)
		buffer_append_byte(&buffer, '-');
	buffer_append(&buffer, representation->coding);
	buffer_append_byte(&buffer, '"');
	assert(!buffer.truncated);
	representation->etag_length = buffer.length;
}

/* Last-Modified must not be later than Date (§8.8.2.1): a time in the future becomes `now`. */
void representation_init(struct representation *representation, struct text path,
	struct text coding, const struct stat *stat, const struct etag *etag, time_t now)
{
	representation->media_type = media_type_of(path);
	representation->coding = coding;
	representation->length = (uint64_t)stat->st_size;
	representation->is_dated = etag_trusts_time(stat);
	representation->last_modified = stat->st_mtim.tv_sec < now ? stat->st_mtim.tv_sec : now;
	date_write(representation->last_modified_text, representation->last_modified);
	write_etag(representation, etag);
}

struct text representation_etag(const struct representation *representation)
{
	return (struct text){ representation->etag, representation->etag_length };
}

struct text representation_last_modified(const struct representation *representation)
{
	return (struct text){ representation->last_modified_text, DATE_LENGTH };
}

void representation_add_etag(const struct representation *representation, struct exchange *exchange)
{
	if (representation->etag_length > 0)
		exchange_add_field(
			exchange, text_literal("ETag"), representation_etag(representation));
}

void representation_add_last_modified(
	const struct representation *representation, struct exchange *exchange, time_t now)
{
	struct text text = representation_last_modified(representation);
	char bytes[DATE_LENGTH];

	if (!representation->is_dated)
		return;
	if (representation->last_modified > now) {
		date_write(bytes, now);
		text.bytes = bytes;
	}
	exchange_add_field(exchange, text_literal("Last-Modified"), text);
}
