/* Every setting of the server itself: name, type, default, bounds and help in one place.
 *
 * The parser's options, the checks, -T, --help-config and docs/configuration.md are all made from
 * this table; adding a setting is adding a line here and reading it with section_*().  Endpoints
 * bring tables of their own, which extend `location`. */
#include "server/configuration.h"

#include <limits.h>

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
static const char *const error_log_words[] = { "stderr", "", NULL };
static const char *const access_log_words[] = { "-", "", NULL };
static const char *const pid_file_words[] = { "", NULL };

static const char *const method_words[] = { "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH",
	"OPTIONS", NULL };

#define TYPES_EXPECTED    "media types as in {\"text/*\", \"image/svg+xml\"}"
#define NETWORKS_EXPECTED "networks as in {\"10.0.0.0/8\", \"::1\"}, \"unix:\" or \"all\""

const struct setting settings_table[] = {
	{ "include", SETTING_INCLUDE, IN_ANY, NULL,
		"Reads the settings of other files in its place, in any section: include "
		"\"sites/*.conf\".  The path is relative to the file it stands in; files that "
		"match a pattern are read in the order of their names.  Relative paths in a file "
		"are relative to that file." },
	{ "listen", SETTING_SECTION, IN_SERVER, NULL,
		"An address to accept connections on, as the title: \"127.0.0.1:8080\", "
		"\"[::1]:8080\" or \"unix:path\"; port 0 is any free one.  At least one.",
		.opens = IN_LISTEN, .titles = 1, .bodiless = true },
	{ "ipv6_only", SETTING_YES_NO, IN_LISTEN, "no",
		"Does \"[::]:80\" leave IPv4 clients to another listen, as \"0.0.0.0:80\"?  no: "
		"it accepts both." },
	{ "workers", SETTING_NUMBER, IN_SERVER, "0", "Worker processes; 0: one per CPU.",
		.maximum = 1024 },
	{ "backend", SETTING_WORD, IN_SERVER, "auto",
		"How the kernel is asked; auto: io_uring, or epoll where that is forbidden.",
		.words = backend_words },
	{ "zero_copy", SETTING_WORD, IN_SERVER, "splice",
		"How io_uring moves a file to a socket: splice requests on the ring, sendfile(2) "
		"called by the loop, or auto: sendfile(2) for what is in memory, the ring for "
		"what is still on the disk.",
		.words = zero_copy_words },
	{ "keep_alive", SETTING_YES_NO, IN_SERVER, "yes",
		"May a connection make more than one request?  no: every response closes." },
	{ "server", SETTING_YES_NO, IN_SERVER, "yes",
		"Does a response carry the field Server: Ringlet?" },
	{ "trusted_proxies", SETTING_STRINGS, IN_SERVER, "{}",
		"Who is believed when it says for whom it asks: of X-Forwarded-For the rightmost "
		"address that is not of these is then the client's, for the access log, allow "
		"and deny.  From others the field means nothing.",
		.check = proxies_check,
		.expected = "networks as in {\"127.0.0.1\", \"10.0.0.0/8\"} or \"unix:\"" },
	{ "user", SETTING_STRING, IN_SERVER, "\"\"",
		"The user that workers become when started as root; \"\": no change." },
	{ "pid_file", SETTING_FILE, IN_SERVER, "off",
		"The file that the process id is written to, by rename(2), so that its directory "
		"must be writable.  off: none.",
		.words = pid_file_words },
	{ "error_log", SETTING_FILE, IN_SERVER, "\"stderr\"",
		"Where messages go: \"stderr\" (standard error) or a file.  off: nowhere.  A log "
		"may be a symbolic link only if the link and its directory belong to root or to "
		"the user who starts the server, and only its owner may write in the directory.",
		.words = error_log_words },
	{ "log_level", SETTING_WORD, IN_SERVER, "info",
		"The least important messages that are written.", .words = log_level_words },
	{ "access_log", SETTING_FILE, IN_SERVER, "\"-\"",
		"Where a line for each request goes: \"-\" (standard output) or a file.  off: "
		"nowhere.",
		.words = access_log_words },
	{ "access_log_format", SETTING_WORD, IN_SERVER, "combined",
		"combined, as other servers write it, or a JSON object a line.",
		.words = access_log_format_words },
	{ "limits", SETTING_SECTION, IN_SERVER, NULL,
		"Bounds; reaching one is an answer or a wait, never an accident.",
		.opens = IN_LIMITS },
	{ "header_bytes", SETTING_SIZE, IN_LIMITS, "16K",
		"The longest request head; a longer one is answered 431, or 414 when it is the "
		"target that is too long.",
		.minimum = 1 << 10, .maximum = 1 << 20 },
	{ "body_bytes", SETTING_SIZE, IN_LIMITS, "1M",
		"The longest request body; a longer one is answered 413." },
	{ "gathered_bytes", SETTING_SIZE, IN_LIMITS, "64M",
		"Memory of one worker for request bodies that an endpoint needs whole; beyond it "
		"503.",
		.minimum = 64 << 10 },
	{ "compressions", SETTING_NUMBER, IN_LIMITS, "128",
		"Answers that one worker compresses at once, each with about 300K of memory; "
		"beyond it they go out as they are.",
		.minimum = 1, .maximum = 100000 },
	{ "connections", SETTING_NUMBER, IN_LIMITS, "10000",
		"Connections that one worker keeps open at once; further ones wait in the "
		"kernel's queue.",
		.minimum = 1, .maximum = 10000000 },
	{ "keep_alive_requests", SETTING_NUMBER, IN_LIMITS, "10000",
		"Requests that one connection may make before it is closed.", .minimum = 1 },
	{ "cache", SETTING_SECTION, IN_SERVER, NULL,
		"What a worker remembers of files, so that it need not look for them; a change "
		"is seen by inotify, or within a second where that sees nothing.",
		.opens = IN_CACHE },
	{ "entries", SETTING_NUMBER, IN_CACHE, "4096",
		"Paths whose end one worker remembers, the least recently used going first; of "
		"those that lead nowhere at most a quarter of that.  0: nothing is remembered.",
		.maximum = 1000000 },
	{ "bytes", SETTING_SIZE, IN_CACHE, "64M",
		"Memory of one worker for the contents of short files." },
	{ "max_file", SETTING_SIZE, IN_CACHE, "64K",
		"The longest file whose content is kept in memory; of a longer one the "
		"descriptor is kept open.",
		.maximum = 64 << 20 },
	{ "timeouts", SETTING_SECTION, IN_SERVER, NULL, "How long a client may take.",
		.opens = IN_TIMEOUTS },
	{ "header", SETTING_DURATION, IN_TIMEOUTS, "10s",
		"From the first byte of a request head to its last; then 408.  Also for the "
		"first byte on a new connection; then it is closed.",
		.minimum = MILLISECOND, .maximum = DAY },
	{ "body", SETTING_DURATION, IN_TIMEOUTS, "30s",
		"Without a byte of a request body; then 408.", .minimum = MILLISECOND,
		.maximum = DAY },
	{ "idle", SETTING_DURATION, IN_TIMEOUTS, "75s",
		"Without a request; then the connection is closed.", .minimum = MILLISECOND,
		.maximum = DAY },
	{ "send", SETTING_DURATION, IN_TIMEOUTS, "60s",
		"Without progress while a response is sent; then the connection is closed.",
		.minimum = MILLISECOND, .maximum = DAY },
	{ "drain", SETTING_DURATION, IN_TIMEOUTS, "5s",
		"How long a worker that was told to end lets its requests finish.",
		.maximum = DAY },
	{ "stuck", SETTING_DURATION, IN_TIMEOUTS, "30s",
		"How long a worker may not react to the supervisor, because a system call or a "
		"debugger holds it; then it is logged, ended and replaced.  0: for ever.",
		.maximum = DAY },
	{ "site", SETTING_SECTION, IN_SERVER, NULL,
		"What is served for the host in the title; \"*.example.com\" is for all names "
		"that end so, \"*\" for any host.  The name itself comes first, then the longest "
		"that ends so, then \"*\"; else the first site answers.  At least one.",
		.opens = IN_SITE, .titles = UINT_MAX },
	{ "canonical", SETTING_YES_NO, IN_SITE, "no",
		"Are requests for the site's further names redirected (308) to the same path and "
		"port of the first?" },
	{ "location", SETTING_SECTION, IN_SITE, NULL,
		"The paths that begin with the title are answered by an endpoint; the longest "
		"matching location wins, whole segments count.  In a site with a root, paths "
		"that no location claims are files, served by static.  The endpoint's own "
		"settings stand here too.",
		.opens = IN_LOCATION, .titles = 1 },
	{ "endpoint", SETTING_STRING, IN_LOCATION, "static",
		"What answers: one of the endpoints below." },
	{ "methods", SETTING_STRINGS, IN_LOCATION, "{}",
		"Of the methods that the endpoint knows, those that are allowed here; others are "
		"answered 405.  GET includes HEAD, and OPTIONS is always answered.  {}: all of "
		"them.",
		.words = method_words },
	{ "allow", SETTING_STRINGS, IN_LOCATION, "{}",
		"The clients that may ask; others are answered 403.  Networks, \"unix:\" or "
		"\"all\"; the client is who connects, or whom one of trusted_proxies names.  {}: "
		"everybody, but of stats and metrics only clients of this machine, and not "
		"through a proxy (Forwarded, X-Forwarded-For, Via).",
		.check = network_check, .expected = NETWORKS_EXPECTED },
	{ "deny", SETTING_STRINGS, IN_LOCATION, "{}",
		"Clients that are answered 403 even if allow names them.", .check = network_check,
		.expected = NETWORKS_EXPECTED },
	{ "compress", SETTING_YES_NO, IN_SITE | IN_LOCATION, "no",
		"Are answers compressed on their way (gzip) for clients that accept it?  Not "
		"where a secret stands beside what a client may choose (BREACH).  static and "
		"store send files as they are; static has precompressed." },
	{ "compress_types", SETTING_STRINGS, IN_SITE | IN_LOCATION,
		"{\"text/*\", \"application/json\", \"application/jsonl\", "
		"\"application/manifest+json\", \"application/xml\", \"application/xhtml+xml\", "
		"\"application/atom+xml\", \"application/rss+xml\", \"application/wasm\", "
		"\"image/svg+xml\"}",
		"The media types that are compressed; with /* all of a kind.",
		.check = compression_check_types, .expected = TYPES_EXPECTED },
	{ "compress_min_bytes", SETTING_SIZE, IN_SITE | IN_LOCATION, "1K",
		"The shortest body that is compressed; one of unknown length always is.",
		.minimum = 1, .maximum = 1 << 30 },
	{ "compress_level", SETTING_NUMBER, IN_SITE | IN_LOCATION, "5", "1 is fast, 9 is small.",
		.minimum = 1, .maximum = 9 },
	{ "add_header", SETTING_STRINGS, IN_SITE | IN_LOCATION, NULL,
		"Fields that every answer gets, errors too; but Cache-Control and Expires, which "
		"errors do not get.  What the answer already has stays as it is, unless "
		"remove_header names it; Link, Set-Cookie and Vary are added beside it.  A "
		"location's list replaces its site's.",
		.check = location_fields_check_added,
		.expected = "fields as in {\"X-Content-Type-Options: nosniff\"}, not those of "
			    "framing, without control bytes" },
	{ "remove_header", SETTING_STRINGS, IN_SITE | IN_LOCATION, NULL,
		"Fields that no answer has, before add_header adds its own.",
		.check = location_fields_check_removed,
		.expected = "names of fields as in {\"Server\"}, not those of framing" },
	{ "expires", SETTING_DURATION, IN_SITE | IN_LOCATION, NULL,
		"How long caches may keep what is no error: Cache-Control: max-age and Expires, "
		"unless the endpoint says itself.  Not set: nothing is said.",
		.maximum = 3650 * DAY },
	{ 0 },
};
