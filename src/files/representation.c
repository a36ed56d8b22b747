/* The fields that describe a file. */
#include "files/representation.h"

#include <inttypes.h>

#include "http/date.h"
#include "http/media_type.h"

struct representation representation_of(struct text path, const struct stat *stat)
{
	return (struct representation){
		.media_type = media_type_of(path),
		.length = (uint64_t)stat->st_size,
		.modified = stat->st_mtim,
	};
}

void representation_write_etag(const struct representation *representation, struct buffer *etag)
{
	const struct timespec *modified = &representation->modified;
	/* A time before 1970 or after 2554 wraps around, and stays as distinct as before. */
	uint64_t modified_ns =
		(uint64_t)modified->tv_sec * UINT64_C(1000000000) + (uint64_t)modified->tv_nsec;

	buffer_append_format(
		etag, "\"%" PRIx64 "-%" PRIx64 "\"", modified_ns, representation->length);
}

void representation_add_fields(
	const struct representation *representation, struct exchange *exchange)
{
	char date[DATE_LENGTH];
	char memory[ETAG_LENGTH_MAX + 1]; /* formatting ends in a zero */
	struct buffer etag;

	exchange_add_field(exchange, text_literal("Content-Type"), representation->media_type);
	date_write(date, representation->modified.tv_sec);
	exchange_add_field(
		exchange, text_literal("Last-Modified"), (struct text){ date, DATE_LENGTH });
	buffer_init(&etag, memory, sizeof(memory));
	representation_write_etag(representation, &etag);
	exchange_add_field(exchange, text_literal("ETag"), buffer_text(&etag));
}
