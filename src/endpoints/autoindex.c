/* Listings of directories as HTML.
 *
 * A page is a body source, allocated for its request.  It holds the listing, which it shares with
 * other pages of the same directory, and one buffer, into which each produce() writes as many rows
 * as fit.  The page is freed by release().
 *
 * There is no script, and colours follow the reader's choice of light or dark.  Names are percent-
 * encoded in addresses and escaped in text.  An address begins with "./", so that a colon in a name
 * does not turn the text before it into a scheme. */
#include "endpoints/autoindex.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/escape.h"
#include "base/list.h"
#include "base/log.h"
#include "files/listing.h"
#include "http/path.h"

enum {
	PAGE_BUFFER_SIZE = 32768,
	TITLE_LENGTH_MAX = 1024, /* the page has it twice, escaped */
	/* A name of 255 bytes, each "%XX" in the address and "&quot;" in the text, and the rest. */
	ROW_LENGTH_MAX = 255 * 3 + 255 * 6 + 512,
};

struct page {
	struct body_source source;
	struct listing_wait wait;
	struct exchange *exchange; /* until it is answered */
	void (*done)(void *owner);
	void *owner;
	struct listing *listing;
	bool begun;
	size_t next; /* entry */
	size_t path_length;
	char path[REQUEST_PATH_SIZE];
	char bytes[PAGE_BUFFER_SIZE];
};

static const char BEGIN[] =
	"<!DOCTYPE html>\n"
	"<html lang=\"en\">\n"
	"<head>\n"
	"<meta charset=\"utf-8\">\n"
	"<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
	"<meta name=\"color-scheme\" content=\"light dark\">\n"
	"<style>\n"
	"body { font: 1rem/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; "
	"padding: 0 1rem }\n"
	"table { border-collapse: collapse; width: 100% }\n"
	"th, td { border-bottom: 1px solid color-mix(in srgb, currentColor 20%, transparent); "
	"font-weight: normal; padding: .3rem .5rem; text-align: left }\n"
	"thead th { font-weight: bold }\n"
	"tbody th { overflow-wrap: anywhere }\n"
	"th + th, td { text-align: right; white-space: nowrap }\n"
	"</style>\n";

/* --- writing ------------------------------------------------------------------------------- */

static void append_escaped(struct buffer *buffer, struct text text)
{
	for (size_t i = 0; i < text.length; i++)
		buffer_append(buffer, escape_html(&text.bytes[i]));
}

static void append_address(struct buffer *buffer, struct text name)
{
	char memory[3 * 256];
	struct buffer encoded;

	buffer_init(&encoded, memory, sizeof(memory));
	path_append_encoded(&encoded, name);
	append_escaped(buffer, buffer_text(&encoded));
}

/* "512 B", "1.5 KiB" */
static void append_length(struct buffer *buffer, uint64_t length)
{
	static const char *const UNITS[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	uint64_t unit = 1024;
	unsigned i = 0;

	if (length < 1024) {
		buffer_append_format(buffer, "%u B", (unsigned)length);
		return;
	}
	for (; i < 5 && length / unit >= 1024; i++)
		unit *= 1024;
	buffer_append_format(buffer, "%u.%u %s", (unsigned)(length / unit),
		(unsigned)(length % unit / (unit / 1024) * 10 / 1024), UNITS[i]);
}

static void append_time(struct buffer *buffer, time_t time)
{
	char machine[40], person[40];
	struct tm parts;

	if (!gmtime_r(&time, &parts))
		return;
	strftime(machine, sizeof(machine), "%Y-%m-%dT%H:%M:%SZ", &parts);
	strftime(person, sizeof(person), "%Y-%m-%d %H:%M", &parts);
	buffer_append_format(buffer, "<time datetime=\"%s\">%s</time>", machine, person);
}

static void append_row(
	struct buffer *buffer, const struct listing *listing, const struct listing_entry *entry)
{
	struct text name = text_of(listing->names + entry->name);
	const char *slash = entry->kind == LISTING_DIRECTORY ? "/" : "";

	buffer_append_string(buffer, "<tr><th scope=\"row\"><a href=\"./");
	append_address(buffer, name);
	buffer_append_format(buffer, "%s\">", slash);
	append_escaped(buffer, name);
	buffer_append_format(buffer, "%s</a></th><td>", slash);
	if (entry->kind == LISTING_FILE)
		append_length(buffer, entry->length);
	buffer_append_string(buffer, "</td><td>");
	if (entry->kind != LISTING_LINK)
		append_time(buffer, entry->modified);
	buffer_append_string(buffer, "</td></tr>\n");
}

static void append_begin(const struct page *page, struct buffer *buffer)
{
	struct text path = { page->path, page->path_length };
	struct text shown = text_first(path, TITLE_LENGTH_MAX);

	buffer_append_string(buffer, BEGIN);
	buffer_append_string(buffer, "<title>Index of ");
	append_escaped(buffer, shown);
	buffer_append_string(buffer, "</title>\n</head>\n<body>\n<main>\n<h1>Index of ");
	append_escaped(buffer, shown);
	buffer_append_string(buffer, "</h1>\n");
	if (path.length > 1)
		buffer_append_string(
			buffer, "<p><a href=\"../\">Up to the directory above</a></p>\n");
	buffer_append_string(buffer,
		"<table>\n<thead><tr><th scope=\"col\">Name</th>"
		"<th scope=\"col\">Size</th>"
		"<th scope=\"col\">Modified (UTC)</th></tr></thead>\n<tbody>\n");
}

static void append_end(const struct page *page, struct buffer *buffer)
{
	buffer_append_string(buffer, "</tbody>\n</table>\n");
	if (page->listing->count == 0)
		buffer_append_string(buffer, "<p>The directory is empty.</p>\n");
	if (page->listing->is_cut)
		buffer_append_string(
			buffer, "<p>The directory has more entries than are listed.</p>\n");
	buffer_append_string(buffer, "</main>\n</body>\n</html>\n");
}

/* --- the body ------------------------------------------------------------------------------ */

static int produce(struct body_source *source, struct body_piece *piece, size_t length_max)
{
	struct page *page = container_of(source, struct page, source);
	const struct listing *listing = page->listing;
	size_t size = length_max < sizeof(page->bytes) ? length_max : sizeof(page->bytes);
	struct buffer buffer;
	bool is_whole;

	buffer_init(&buffer, page->bytes, size);
	if (!page->begun)
		append_begin(page, &buffer);
	page->begun = true;
	while (page->next < listing->count && buffer_room(&buffer) >= ROW_LENGTH_MAX)
		append_row(&buffer, listing, &listing->entries[page->next++]);
	is_whole = page->next == listing->count && buffer_room(&buffer) >= ROW_LENGTH_MAX;
	if (is_whole)
		append_end(page, &buffer);
	piece->fd = -1;
	piece->bytes = buffer_text(&buffer);
	if (buffer.truncated || buffer.length == 0)
		return -ENOBUFS; /* a row is longer than length_max */
	return is_whole ? BODY_LAST : BODY_PIECE;
}

static void release(struct body_source *source)
{
	struct page *page = container_of(source, struct page, source);

	if (page->listing)
		listing_return(page->listing);
	free(page);
}

/* --- the request --------------------------------------------------------------------------- */

static void answer(struct page *page, int error)
{
	struct exchange *exchange = page->exchange;

	if (error < 0 || exchange->cancelled) {
		unsigned status = error == -EACCES ? 403 : 503;

		if (error < 0)
			log_info("%u: cannot list %.*s: %s", status, (int)page->path_length,
				page->path, strerror(-error));
		release(&page->source);
		exchange_answer_error(exchange, status);
		return;
	}
	exchange_add_field(
		exchange, text_literal("Content-Type"), text_literal("text/html; charset=utf-8"));
	exchange_answer(exchange, 200, &page->source, -1);
}

static void listing_found(struct listing_wait *wait, struct listing *listing, int error)
{
	struct page *page = container_of(wait, struct page, wait);
	void (*done)(void *owner) = page->done;
	void *owner = page->owner;

	page->listing = listing;
	answer(page, error);
	done(owner);
}

bool autoindex_start(struct exchange *exchange, struct listings *listings, int fd,
	void (*done)(void *owner), void *owner)
{
	struct page *page = malloc(sizeof(*page));
	struct text path = text_first(exchange->request.path, REQUEST_PATH_SIZE);

	if (!page)
		return false;
	page->source = (struct body_source){ .produce = produce, .release = release };
	page->exchange = exchange;
	page->done = done;
	page->owner = owner;
	page->wait.fd = fd;
	page->wait.found = listing_found;
	page->listing = NULL;
	page->begun = false;
	page->next = 0;
	page->path_length = path.length;
	memcpy(page->path, path.bytes, path.length);
	listing_await(listings, &page->wait);
	return true;
}
