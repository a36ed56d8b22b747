/* The fields that describe a file. */
#include "files/representation.h"

#include <assert.h>
#include <inttypes.h>

#include "http/media_type.h"

static void write_etag(struct representation *representation, const struct stat *stat)
{
	const struct timespec *modified = &stat->st_mtim;
	struct buffer etag;
	/* A time before 1970 or after 2554 wraps around, and stays as distinct as before. */
	uint64_t modified_ns =
		(uint64_t)modified->tv_sec * UINT64_C(1000000000) + (uint64_t)modified->tv_nsec;

	buffer_init(&etag, representation->etag, sizeof(representation->etag));
	buffer_append_format(&etag, "\"%" PRIx64 "-%" PRIx64, modified_ns, representation->length);
	if (representation->coding.length > 0)
		buffer_append_byte(&etag, '-');
	buffer_append(&etag, representation->coding);
	buffer_append_byte(&etag, '"');
	assert(!etag.truncated);
	representation->etag_length = etag.length;
}

/* A time in the future would be one that no client can have seen (§8.8.2.1). */
void representation_init(struct representation *representation, struct text path,
	struct text coding, const struct stat *stat, time_t now)
{
	representation->media_type = media_type_of(path);
	representation->coding = coding;
	representation->length = (uint64_t)stat->st_size;
	representation->last_modified = stat->st_mtim.tv_sec < now ? stat->st_mtim.tv_sec : now;
	date_write(representation->last_modified_text, representation->last_modified);
	write_etag(representation, stat);
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
	exchange_add_field(exchange, text_literal("ETag"), representation_etag(representation));
}

void representation_add_last_modified(
	const struct representation *representation, struct exchange *exchange)
{
	exchange_add_field(exchange, text_literal("Last-Modified"),
		representation_last_modified(representation));
}
