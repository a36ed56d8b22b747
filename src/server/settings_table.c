/* Every setting of the server itself: name, type, default, bounds and help in one place.
 *
 * The parser's options, the checks, -T, --help-config and docs/configuration.md are all made from
 * this table; adding a setting is adding a line here and reading it with section_*().  Endpoints
 * bring tables of their own, which extend `location`. */
#include "server/configuration.h"

#include "endpoints/fallback.h"
#include "http/compression.h"
#include "http/location_fields.h"
#include "http/media_type.h"
#include "http/network.h"
#include "http/proxies.h"

#define MILLISECOND UINT64_C(1000000)
#define SECOND      (1000 * MILLISECOND)
#define DAY         (86400 * SECOND)

static const char *const backend_words[] = { "auto", "io_uring", "epoll", NULL };
static const char *const zero_copy_words[] = { "splice", "sendfile", "auto", NULL };
static const char *const log_level_words[] = { "debug", "info", "warning", "error", NULL };
static const char *const access_log_format_words[] = { "combined", "json", NULL };
static const char *const error_log_words[] = { "stderr", NULL };
static const char *const access_log_words[] = { "-", "", NULL };
static const char *const pid_file_words[] = { "", NULL };

static const struct setting listen_table[] = { { 0 } };

static const struct setting limits_table[] = {
	{ .name = "header_bytes",
		.type = SETTING_SIZE,
		.fallback = "16K",
		.minimum = 1 << 10,
		.maximum = 1 << 20,
		.help = "The longest request head; a longer one is answered 431, or 414 when it is "
			"the target that is too long." },
	{ .name = "body_bytes",
		.type = SETTING_SIZE,
		.fallback = "1M",
		.help = "The longest request body; a longer one is answered 413." },
	{ .name = "gathered_bytes",
		.type = SETTING_SIZE,
		.fallback = "64M",
		.minimum = 64 << 10,
		.help = "Memory of one worker for request bodies that an endpoint needs whole; "
			"beyond it 503." },
	{ .name = "compressions",
		.type = SETTING_NUMBER,
		.fallback = "128",
		.minimum = 1,
		.maximum = 100000,
		.help = "Answers that one worker compresses at once, each with about 300K of "
			"memory; beyond it they go out as they are." },
	{ .name = "connections",
		.type = SETTING_NUMBER,
		.fallback = "10000",
		.minimum = 1,
		.maximum = 10000000,
		.help = "Connections that one worker keeps open at once; further ones wait in the "
			"kernel's queue." },
	{ .name = "keep_alive_requests",
		.type = SETTING_NUMBER,
		.fallback = "10000",
		.minimum = 1,
		.help = "Requests that one connection may make before it is closed." },
	{ 0 },
};

static const struct setting cache_table[] = {
	{ .name = "entries",
		.type = SETTING_NUMBER,
		.fallback = "4096",
		.maximum = 1000000,
		.help = "Paths whose end one worker remembers, the least recently used going "
			"first; "
			"of those that lead nowhere at most a quarter of that.  0: nothing is "
			"remembered." },
	{ .name = "bytes",
		.type = SETTING_SIZE,
		.fallback = "64M",
		.help = "Memory of one worker for the contents of short files." },
	{ .name = "max_file",
		.type = SETTING_SIZE,
		.fallback = "64K",
		.maximum = 64 << 20,
		.help = "The longest file whose content is kept in memory; of a longer one the "
			"descriptor is kept open." },
	{ 0 },
};

static const struct setting timeouts_table[] = {
	{ .name = "header",
		.type = SETTING_DURATION,
		.fallback = "10s",
		.minimum = MILLISECOND,
		.maximum = DAY,
		.help = "From the first byte of a request head to its last; then 408.  Also for "
			"the first byte on a new connection; then it is closed." },
	{ .name = "body",
		.type = SETTING_DURATION,
		.fallback = "30s",
		.minimum = MILLISECOND,
		.maximum = DAY,
		.help = "Without a byte of a request body; then 408." },
	{ .name = "idle",
		.type = SETTING_DURATION,
		.fallback = "75s",
		.minimum = MILLISECOND,
		.maximum = DAY,
		.help = "Without a request; then the connection is closed." },
	{ .name = "send",
		.type = SETTING_DURATION,
		.fallback = "60s",
		.minimum = MILLISECOND,
		.maximum = DAY,
		.help = "Without progress while a response is sent; then the connection is "
			"closed." },
	{ .name = "drain",
		.type = SETTING_DURATION,
		.fallback = "5s",
		.maximum = DAY,
		.help = "How long a worker that was told to end lets its requests finish." },
	{ .name = "stuck",
		.type = SETTING_DURATION,
		.fallback = "30s",
		.maximum = DAY,
		.help = "How long a worker may not react to the supervisor, because a system call "
			"or a "
			"debugger holds it; then it is logged, ended and replaced.  0s: for "
			"ever." },
	{ 0 },
};

static const char *const method_words[] = { "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH",
	"OPTIONS", NULL };

/* What stands in a site and in its locations alike. */
#define FIELD_SETTINGS                                                                             \
	{ .name = "add_header",                                                                    \
		.type = SETTING_STRINGS,                                                           \
		.inherited = true,                                                                 \
		.check = location_fields_check_added,                                              \
		.expected = "fields as in {\"X-Content-Type-Options: nosniff\"}, not those of "    \
			    "framing, without control bytes",                                      \
		.help = "Fields that every answer gets, errors too; but Cache-Control and "        \
			"Expires, which errors do not get.  What the answer already has stays as " \
			"it is, unless remove_header names it; Link, Set-Cookie and Vary are "     \
			"added beside it.  A location's list replaces its site's." },              \
		{ .name = "remove_header",                                                         \
			.type = SETTING_STRINGS,                                                   \
			.inherited = true,                                                         \
			.check = location_fields_check_removed,                                    \
			.expected = "names of fields as in {\"Server\"}, not those of framing",    \
			.help = "Fields that no answer has, before add_header adds its own." },    \
	{                                                                                          \
		.name = "expires", .type = SETTING_DURATION, .inherited = true,                    \
		.maximum = 3650 * DAY,                                                             \
		.help = "How long caches may keep what is no error: Cache-Control: max-age and "   \
			"Expires, unless the endpoint says itself.  Not set: nothing is said."     \
	}

#define TYPES_EXPECTED    "media types as in {\"text/*\", \"image/svg+xml\"}"

#define NETWORKS_EXPECTED "networks as in {\"10.0.0.0/8\", \"::1\"}, \"unix:\" or \"all\""

static const struct setting location_table[] = {
	{ .name = "endpoint",
		.type = SETTING_STRING,
		.fallback = "static",
		.help = "What answers: one of the endpoints below." },
	{ .name = "methods",
		.type = SETTING_STRINGS,
		.words = method_words,
		.fallback = "{}",
		.help = "Of the methods that the endpoint knows, those that are allowed here; "
			"others are answered 405.  GET includes HEAD, and OPTIONS is always "
			"answered.  {}: all of them." },
	{ .name = "allow",
		.type = SETTING_STRINGS,
		.check = network_check,
		.fallback = "{}",
		.expected = NETWORKS_EXPECTED,
		.help = "The clients that may ask; others are answered 403.  Networks, \"unix:\" "
			"or \"all\"; the client is who connects, or whom one of trusted_proxies "
			"names.  {}: everybody, but of stats and metrics only clients of this "
			"machine, and not through a proxy (Forwarded, X-Forwarded-For, Via)." },
	{ .name = "deny",
		.type = SETTING_STRINGS,
		.check = network_check,
		.fallback = "{}",
		.expected = NETWORKS_EXPECTED,
		.help = "Clients that are answered 403 even if allow names them." },
	{ .name = "compress",
		.type = SETTING_YES_NO,
		.inherited = true,
		.fallback = "no",
		.help = "Are answers compressed on their way (gzip) for clients that accept it?  "
			"Not where a secret stands beside what a client may choose (BREACH).  "
			"static and store send files as they are; static has precompressed." },
	{ .name = "compress_types",
		.type = SETTING_STRINGS,
		.inherited = true,
		.check = compression_check_types,
		.expected = TYPES_EXPECTED,
		.fallback = "{\"text/*\", \"application/json\", \"application/jsonl\", "
			    "\"application/manifest+json\", \"application/xml\", "
			    "\"application/xhtml+xml\", \"application/atom+xml\", "
			    "\"application/rss+xml\", \"application/wasm\", "
			    "\"image/svg+xml\"}",
		.help = "The media types that are compressed; with /* all of a kind." },
	{ .name = "compress_min_bytes",
		.type = SETTING_SIZE,
		.inherited = true,
		.minimum = 1,
		.maximum = 1 << 30,
		.fallback = "1K",
		.help = "The shortest body that is compressed; one of unknown length always is." },
	{ .name = "compress_level",
		.type = SETTING_NUMBER,
		.inherited = true,
		.minimum = 1,
		.maximum = 9,
		.fallback = "5",
		.help = "1 is fast, 9 is small." },
	FIELD_SETTINGS,
	{ 0 },
};

static const struct setting site_table[] = {
	{ .name = "root",
		.type = SETTING_DIRECTORY,
		.inherited = true,
		.help = "The directory whose files are served: a request's path is looked up in it "
			"and nothing outside it is ever served.  A relative path is relative to "
			"the "
			"configuration file.  A symbolic link is looked up again every second.  "
			"Its "
			"locations inherit it." },
	{ .name = "index",
		.type = SETTING_STRINGS,
		.inherited = true,
		.help = "The files that answer for a directory; the first that exists does.  Its "
			"locations inherit it." },
	{ .name = "try",
		.type = SETTING_STRINGS,
		.inherited = true,
		.check = fallback_check_paths,
		.expected = "paths as in {\"/app.html\"}",
		.help = "Files beneath the root that are sent where there is none for the path.  "
			"Its locations inherit it." },
	{ .name = "error_page",
		.type = SETTING_STRINGS,
		.inherited = true,
		.check = fallback_check_pages,
		.expected = "a status and a path as in {\"404 /404.html\"}",
		.help = "Files beneath the root that are the body of an error of locations with "
			"files, also of a method or client that is refused there.  Its locations "
			"inherit it." },
	{ .name = "dot_files",
		.type = SETTING_YES_NO,
		.inherited = true,
		.help = "Are files served whose name, or a directory's on the way, begins with a "
			"dot?  Its locations inherit it." },
	{ .name = "autoindex",
		.type = SETTING_YES_NO,
		.inherited = true,
		.help = "Is a directory without an index file listed?  Its locations inherit it." },
	{ .name = "charset",
		.type = SETTING_STRING,
		.inherited = true,
		.check = media_type_check_charset,
		.expected = "the name of a character encoding as \"utf-8\", or \"\"",
		.help = "What the media type of a text file says its characters are.  Its "
			"locations inherit it." },
	{ .name = "compress",
		.type = SETTING_YES_NO,
		.inherited = true,
		.help = "Are answers compressed on their way (gzip) for clients that accept it?  "
			"Its locations inherit it, but for static and store." },
	{ .name = "compress_types",
		.type = SETTING_STRINGS,
		.inherited = true,
		.check = compression_check_types,
		.expected = TYPES_EXPECTED,
		.help = "The media types that are compressed; with /* all of a kind.  Its "
			"locations inherit it." },
	{ .name = "compress_min_bytes",
		.type = SETTING_SIZE,
		.inherited = true,
		.minimum = 1,
		.maximum = 1 << 30,
		.help = "The shortest body that is compressed.  Its locations inherit it." },
	{ .name = "compress_level",
		.type = SETTING_NUMBER,
		.inherited = true,
		.minimum = 1,
		.maximum = 9,
		.help = "1 is fast, 9 is small.  Its locations inherit it." },
	FIELD_SETTINGS,
	{ .name = "location",
		.type = SETTING_SECTION,
		.titled = true,
		.children = location_table,
		.help = "The paths that begin with the title are answered by an endpoint; the "
			"longest matching location wins, whole segments count.  In a site with a "
			"root, paths that no location claims are files, served by static.  The "
			"endpoint's own settings stand here too." },
	{ 0 },
};

const struct setting settings_table[] = {
	{ .name = "listen",
		.type = SETTING_SECTION,
		.titled = true,
		.children = listen_table,
		.help = "An address to accept connections on, as the title: \"127.0.0.1:8080\", "
			"\"[::1]:8080\" or \"unix:path\"; port 0 is any free one.  At least one." },
	{ .name = "workers",
		.type = SETTING_NUMBER,
		.fallback = "0",
		.maximum = 1024,
		.help = "Worker processes; 0: one per CPU." },
	{ .name = "backend",
		.type = SETTING_WORD,
		.words = backend_words,
		.fallback = "auto",
		.help = "How the kernel is asked; auto: io_uring, or epoll where that is "
			"forbidden." },
	{ .name = "zero_copy",
		.type = SETTING_WORD,
		.words = zero_copy_words,
		.fallback = "splice",
		.help = "How io_uring moves a file to a socket: splice requests on the ring, "
			"sendfile(2) called by the loop, or auto: sendfile(2) for what is in "
			"memory, the ring "
			"for what is still on the disk." },
	{ .name = "keep_alive",
		.type = SETTING_YES_NO,
		.fallback = "yes",
		.help = "May a connection make more than one request?  no: every response "
			"closes." },
	{ .name = "server",
		.type = SETTING_YES_NO,
		.fallback = "yes",
		.help = "Does a response carry the field Server: Ringlet?" },
	{ .name = "trusted_proxies",
		.type = SETTING_STRINGS,
		.check = proxies_check,
		.fallback = "{}",
		.expected = "networks as in {\"127.0.0.1\", \"10.0.0.0/8\"} or \"unix:\"",
		.help = "Who is believed when it says for whom it asks: of X-Forwarded-For the "
			"rightmost address that is not of these is then the client's, for the "
			"access log, allow and deny.  From others the field means nothing." },
	{ .name = "user",
		.type = SETTING_STRING,
		.fallback = "\"\"",
		.help = "The user that workers become when started as root; \"\": no change." },
	{ .name = "pid_file",
		.type = SETTING_FILE,
		.words = pid_file_words,
		.fallback = "\"\"",
		.help = "Where the process id is written, by rename(2), so that its directory must "
			"be "
			"writable; \"\": nowhere." },
	{ .name = "error_log",
		.type = SETTING_FILE,
		.words = error_log_words,
		.fallback = "\"stderr\"",
		.help = "Where messages go: \"stderr\" or a file.  A log may be a symbolic link "
			"only if "
			"the link and its directory belong to root or to the user who starts the "
			"server, and only its owner may write in the directory." },
	{ .name = "log_level",
		.type = SETTING_WORD,
		.words = log_level_words,
		.fallback = "info",
		.help = "The least important messages that are written." },
	{ .name = "access_log",
		.type = SETTING_FILE,
		.words = access_log_words,
		.fallback = "\"-\"",
		.help = "Where a line for each request goes: \"-\" is standard output, \"\" is "
			"nowhere, otherwise a file." },
	{ .name = "access_log_format",
		.type = SETTING_WORD,
		.words = access_log_format_words,
		.fallback = "combined",
		.help = "combined, as other servers write it, or a JSON object a line." },
	{ .name = "limits",
		.type = SETTING_SECTION,
		.children = limits_table,
		.help = "Bounds; reaching one is an answer or a wait, never an accident." },
	{ .name = "cache",
		.type = SETTING_SECTION,
		.children = cache_table,
		.help = "What a worker remembers of files, so that it need not look for them; a "
			"change is seen by inotify, or within a second where that sees nothing." },
	{ .name = "timeouts",
		.type = SETTING_SECTION,
		.children = timeouts_table,
		.help = "How long a client may take." },
	{ .name = "site",
		.type = SETTING_SECTION,
		.titled = true,
		.children = site_table,
		.help = "What is served for the host in the title; \"*.example.com\" is for all "
			"names that end so, \"*\" for any host.  The name itself comes first, "
			"then the longest that ends so, then \"*\"; else the first site answers.  "
			"At least one." },
	{ 0 },
};
