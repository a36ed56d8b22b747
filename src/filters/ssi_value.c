/* Values.
 *
 * The request is gone when the first directive is read, so that what any directive may ask for is
 * copied beforehand, into one block of the size that it needs: the fields, which limits bound, and
 * the target.
 *
 * Encoding goes on where it stopped, as often as the output has room: no value is cut, and none
 * needs memory for its encoded form. */
#include "filters/ssi_value.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>

#include "base/escape.h"
#include "base/host.h"
#include "http/byte.h"

struct ssi_request {
	struct text uri, query, document;
	struct text address; /* NULL bytes: not known */
	unsigned field_count;
	struct field *fields;
	char address_bytes[64];
	struct buffer bytes;
	char memory[]; /* the fields, then the bytes */
};

/* --- copying the request ------------------------------------------------------------------ */

static size_t length_of(const struct request *request, struct text document)
{
	size_t length = request->target.length + request->query.length + 1 + document.length;

	for (unsigned i = 0; i < request->field_count; i++)
		length += request->fields[i].name.length + request->fields[i].value.length;
	return length;
}

static struct text copy(struct buffer *bytes, struct text text)
{
	size_t start = bytes->length;

	buffer_append(bytes, text);
	return text_from(buffer_text(bytes), start);
}

static struct text copy_document(struct buffer *bytes, struct text document)
{
	size_t start = bytes->length;

	buffer_append_byte(bytes, '/');
	buffer_append(bytes, document);
	return text_from(buffer_text(bytes), start);
}

static void note_address(struct ssi_request *copied, struct exchange *exchange)
{
	struct sockaddr_storage storage;
	struct buffer address;

	exchange_client_address(exchange, &storage);
	if (storage.ss_family == AF_UNSPEC)
		return;
	buffer_init(&address, copied->address_bytes, sizeof(copied->address_bytes));
	host_append(&address, &storage);
	copied->address = buffer_text(&address);
}

struct ssi_request *ssi_request_new(struct exchange *exchange, struct text document)
{
	const struct request *request = &exchange->request;
	size_t length = length_of(request, document);
	size_t fields_size = request->field_count * sizeof(struct field);
	struct ssi_request *copied = malloc(sizeof(*copied) + fields_size + length);

	if (!copied)
		return NULL;
	*copied = (struct ssi_request){ .field_count = request->field_count };
	copied->fields = (struct field *)(void *)copied->memory;
	buffer_init(&copied->bytes, copied->memory + fields_size, length);
	copied->uri = copy(&copied->bytes, request->target);
	copied->query = copy(&copied->bytes, request->query);
	copied->document = copy_document(&copied->bytes, document);
	for (unsigned i = 0; i < request->field_count; i++) {
		copied->fields[i].name = copy(&copied->bytes, request->fields[i].name);
		copied->fields[i].value = copy(&copied->bytes, request->fields[i].value);
	}
	assert(!copied->bytes.truncated);
	note_address(copied, exchange);
	return copied;
}

void ssi_request_free(struct ssi_request *request)
{
	free(request);
}

/* --- asking it ---------------------------------------------------------------------------- */

/* "USER_AGENT" and "User-Agent". */
static bool names_field(struct text variable, struct text name)
{
	if (variable.length != name.length)
		return false;
	for (size_t i = 0; i < name.length; i++) {
		char byte = variable.bytes[i] == '_' ? '-' : byte_lower(variable.bytes[i]);

		if (byte != byte_lower(name.bytes[i]))
			return false;
	}
	return true;
}

static bool find_field(const struct ssi_request *request, struct text variable, struct text *value)
{
	for (unsigned i = 0; i < request->field_count; i++) {
		if (names_field(variable, request->fields[i].name)) {
			*value = request->fields[i].value;
			return true;
		}
	}
	return false;
}

bool ssi_request_find(const struct ssi_request *request, struct text name, struct text *value)
{
	const struct text prefix = TEXT("HTTP_");
	const struct {
		struct text name, value;
	} variables[] = {
		{ TEXT("REMOTE_ADDR"), request->address },
		{ TEXT("REQUEST_URI"), request->uri },
		{ TEXT("QUERY_STRING"), request->query },
		{ TEXT("DOCUMENT_URI"), request->document },
	};

	if (text_equal_ignoring_case(text_first(name, prefix.length), prefix))
		return find_field(request, text_from(name, prefix.length), value);
	for (size_t i = 0; i < sizeof(variables) / sizeof(variables[0]); i++) {
		if (variables[i].value.bytes && text_equal_ignoring_case(name, variables[i].name)) {
			*value = variables[i].value;
			return true;
		}
	}
	return false;
}

/* --- times and sizes ---------------------------------------------------------------------- */

/* strftime() would take GMT for local time. */
static void append_seconds(struct buffer *buffer, time_t time)
{
	if (time < 0)
		buffer_append_byte(buffer, '-');
	buffer_append_number(buffer, time < 0 ? -(uint64_t)time : (uint64_t)time);
}

int ssi_append_time(struct buffer *buffer, const char *format, time_t time, bool is_local)
{
	struct tm parts;
	size_t length;

	if (strcmp(format, "%s") == 0) {
		append_seconds(buffer, time);
		return 0;
	}
	if (!(is_local ? localtime_r(&time, &parts) : gmtime_r(&time, &parts)))
		return -ENOBUFS;
	length = strftime(buffer->bytes + buffer->length, buffer_room(buffer), format, &parts);
	if (length == 0)
		return -ENOBUFS;
	buffer->length += length;
	return 0;
}

void ssi_append_size(struct buffer *buffer, uint64_t size)
{
	static const char units[] = "KMGTPE";
	unsigned unit = 0;

	if (size < 1024) {
		buffer_append_number(buffer, size);
		return;
	}
	while (size >= 1024 * 1024 - 512) {
		size /= 1024;
		unit++;
	}
	/* In tenths, as far as a tenth is a second digit. */
	if (size * 10 + 512 < 100 * 1024) {
		size = (size * 10 + 512) / 1024;
		buffer_append_number(buffer, size / 10);
		buffer_append_byte(buffer, '.');
		buffer_append_number(buffer, size % 10);
	} else {
		buffer_append_number(buffer, (size + 512) / 1024);
	}
	buffer_append_byte(buffer, units[unit]);
}

/* --- encoding ----------------------------------------------------------------------------- */

int ssi_encoding_of(enum ssi_encoding *encoding, struct text name)
{
	static const struct text names[] = {
		[SSI_ENCODING_ENTITY] = TEXT("entity"),
		[SSI_ENCODING_URL] = TEXT("url"),
		[SSI_ENCODING_NONE] = TEXT("none"),
	};

	for (unsigned i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (text_equal(name, names[i])) {
			*encoding = (enum ssi_encoding)i;
			return 0;
		}
	}
	return -EINVAL;
}

static bool is_unreserved(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
	       (byte >= '0' && byte <= '9') || byte == '-' || byte == '.' || byte == '_' ||
	       byte == '~';
}

static struct text encode_byte(const char *byte, enum ssi_encoding encoding, char escape[3])
{
	switch (encoding) {
	case SSI_ENCODING_ENTITY:
		return escape_html(byte);
	case SSI_ENCODING_URL:
		if (!is_unreserved(*byte))
			return escape_percent(escape, *byte);
		break;
	case SSI_ENCODING_NONE:
		break;
	}
	return (struct text){ byte, 1 };
}

void ssi_append_encoded(struct buffer *buffer, struct text *rest, enum ssi_encoding encoding)
{
	char escape[3];

	while (rest->length > 0) {
		struct text encoded = encode_byte(rest->bytes, encoding, escape);

		if (encoded.length > buffer_room(buffer))
			return;
		buffer_append(buffer, encoded);
		*rest = text_from(*rest, 1);
	}
}
