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

static const char *const protocol_words[] = { "1.2", "1.3", NULL };
static const char *const method_words[] = { "GET", "HEAD", "POST", "PUT", "DELETE", "PATCH",
	"OPTIONS", NULL };

#define TYPES_EXPECTED    "media types as in {\"text/*\", \"image/svg+xml\"}"
#define NETWORKS_EXPECTED "networks as in {\"10.0.0.0/8\", \"::1\"}, \"unix:\" or \"all\""

const struct setting settings_table[] = {
	{ "include", SETTING_INCLUDE, IN_ANY, NULL,
		"Reads other files as if their text stood here; allowed in every section.  The "
		"path is relative to the file that contains the include and may be a pattern: "
		"include \"sites/*.conf\".  Matching files are read in the order of their names; "
		"a pattern may match nothing, a plain path must exist.  Use it to keep one file "
		"per site." },
	{ "listen", SETTING_SECTION, IN_SERVER, NULL,
		"Accepts connections on the address in the title: \"127.0.0.1:8080\", "
		"\"[::1]:8080\", \"localhost:8080\" (both loopback addresses), \":8080\" or "
		"\"*:8080\" (all IPv4 and IPv6 addresses) or \"unix:path\".  Port 0 is any free "
		"one.  The braces may be left out.  At least one listen is required.",
		.opens = IN_LISTEN, .titles = 1, .bodiless = true },
	{ "ipv6_only", SETTING_YES_NO, IN_LISTEN, "no",
		"Accepts only IPv6 clients on \"[::]:80\".  Without it that address accepts IPv4 "
		"clients too.  Set it when another listen or another server uses \"0.0.0.0:80\"." },
	{ "tls", SETTING_YES_NO, IN_LISTEN, "no",
		"Clients speak TLS (HTTPS) on this address.  Needs a site with a certificate." },
	{ "tls", SETTING_SECTION, IN_SERVER, NULL,
		"Options of TLS, for every listen with tls = yes.", .opens = IN_TLS },
	{ "protocols", SETTING_STRINGS, IN_TLS, "{\"1.2\", \"1.3\"}",
		"The versions of TLS that clients may use.  Name only \"1.3\" where all clients "
		"know it.",
		.words = protocol_words, .required = true },
	{ "tickets", SETTING_YES_NO, IN_TLS, "yes",
		"Clients may resume their sessions by tickets, which saves most of the handshake.  "
		"The keys of tickets change every 8 hours." },
	{ "reject_unknown_names", SETTING_YES_NO, IN_TLS, "no",
		"Refuses the handshake if the client names a host that no site has.  no: it gets "
		"the certificate of the site \"*\", or of the first site with a certificate." },
	{ "workers", SETTING_NUMBER, IN_SERVER, "0",
		"The number of worker processes.  0: one per CPU that the server may use.  Lower "
		"it when other programs need the CPUs.",
		.maximum = 1024 },
	{ "backend", SETTING_WORD, IN_SERVER, "auto",
		"The kernel interface for all input and output.  auto: io_uring, or epoll where "
		"the kernel lacks or forbids io_uring.  Name one to compare them, or to be told "
		"at the start when io_uring is missing.",
		.words = backend_words },
	{ "zero_copy", SETTING_WORD, IN_SERVER, "splice",
		"How the io_uring backend sends a file to a socket.  splice: by splice requests "
		"on the ring, or, while half of the pipes are in use, as auto.  sendfile: the "
		"event loop calls sendfile(2).  auto: sendfile(2) "
		"for data in the page cache, splice for data on disk.  Change it only after "
		"measuring.",
		.words = zero_copy_words },
	{ "keep_alive", SETTING_YES_NO, IN_SERVER, "yes",
		"Allows more than one request per connection.  no: every response closes its "
		"connection.  Turn it off only to debug clients." },
	{ "server", SETTING_YES_NO, IN_SERVER, "yes",
		"Adds the field Server: Ringlet to responses.  Turn it off to hide which server "
		"runs." },
	{ "trusted_proxies", SETTING_STRINGS, IN_SERVER, "{}",
		"Proxies whose X-Forwarded-For is trusted.  The client address (for the access "
		"log, allow and deny) is the rightmost one in it that is not in this list; an "
		"entry there that is no address makes the client unknown.  From any other peer "
		"the field is ignored.  Set it when a proxy stands in front.",
		.check = proxies_check,
		.expected = "networks as in {\"127.0.0.1\", \"10.0.0.0/8\"} or \"unix:\"" },
	{ "user", SETTING_STRING, IN_SERVER, "\"\"",
		"The user that workers run as when the server is started as root.  \"\": they "
		"stay root, with a warning.  Set it whenever the server starts as root." },
	{ "pid_file", SETTING_FILE, IN_SERVER, "off",
		"The file that holds the process id of the supervisor while it runs.  It is "
		"written by rename(2), so its directory must be writable.  off: no file.  Set it "
		"for scripts that send signals.",
		.words = pid_file_words },
	{ "error_log", SETTING_FILE, IN_SERVER, "\"stderr\"",
		"Where messages go: \"stderr\" (standard error), a file, or off (discarded).  A "
		"log may be a symbolic link only if the link and its directory belong to root or "
		"to the user who starts the server, and only its owner may write in the "
		"directory.  Name a file when the server runs as a daemon.",
		.words = error_log_words },
	{ "log_level", SETTING_WORD, IN_SERVER, "info",
		"The least severe messages that are logged.  Set it to debug to see each "
		"decision of a worker.",
		.words = log_level_words },
	{ "access_log", SETTING_FILE, IN_SERVER, "\"-\"",
		"Where one line per request goes: \"-\" (standard output), a file, or off (no "
		"access log).  Name a file when the server runs as a daemon.",
		.words = access_log_words },
	{ "access_log_format", SETTING_WORD, IN_SERVER, "combined",
		"The format of a line in the access log.  combined: the format that Apache and "
		"nginx call so.  json: one JSON object per line, for programs.",
		.words = access_log_format_words },
	{ "limits", SETTING_SECTION, IN_SERVER, NULL,
		"Bounds on memory and work.  A request beyond one of them gets an error "
		"response, or waits.",
		.opens = IN_LIMITS },
	{ "header_bytes", SETTING_SIZE, IN_LIMITS, "16K",
		"The maximum length of a request head in bytes.  A longer head gets 431, or 414 "
		"if the target alone is too long.  Raise it for clients with large cookies.",
		.minimum = 1 << 10, .maximum = 1 << 20 },
	{ "body_bytes", SETTING_SIZE, IN_LIMITS, "1M",
		"The maximum length of a request body in bytes.  A longer body gets 413." },
	{ "gathered_bytes", SETTING_SIZE, IN_LIMITS, "64M",
		"The maximum memory per worker, in bytes, for request bodies that an endpoint "
		"needs as a whole.  Beyond it requests with a body get 503.",
		.minimum = 64 << 10 },
	{ "compressions", SETTING_NUMBER, IN_LIMITS, "128",
		"The maximum number of responses that one worker compresses at the same time.  "
		"Each takes about 300K of memory; further responses are sent uncompressed.",
		.minimum = 1, .maximum = 100000 },
	{ "connections", SETTING_NUMBER, IN_LIMITS, "10000",
		"The maximum number of open connections per worker.  Further connections wait in "
		"the kernel's queue.  Raise it together with the limit of open files (ulimit "
		"-Hn).",
		.minimum = 1, .maximum = 10000000 },
	{ "keep_alive_requests", SETTING_NUMBER, IN_LIMITS, "10000",
		"The maximum number of requests per connection; then the connection is closed.",
		.minimum = 1 },
	{ "cache", SETTING_SECTION, IN_SERVER, NULL,
		"The cache of files that each worker keeps.  A change of a file is noticed by "
		"inotify, or within one second where inotify cannot see it.",
		.opens = IN_CACHE },
	{ "entries", SETTING_NUMBER, IN_CACHE, "4096",
		"The maximum number of paths that one worker caches.  The least recently used "
		"one is evicted first; paths that do not exist take at most a quarter.  0: no "
		"cache.  Raise it when a site has more files than that in use.",
		.maximum = 1000000 },
	{ "bytes", SETTING_SIZE, IN_CACHE, "64M",
		"The maximum memory per worker, in bytes, for contents of files." },
	{ "max_file", SETTING_SIZE, IN_CACHE, "64K",
		"The maximum length, in bytes, of a file whose content is cached in memory.  For "
		"a longer file only the open descriptor is cached.",
		.maximum = 64 << 20 },
	{ "timeouts", SETTING_SECTION, IN_SERVER, NULL,
		"How long the server waits for a client, and for its own workers.",
		.opens = IN_TIMEOUTS },
	{ "header", SETTING_DURATION, IN_TIMEOUTS, "10s",
		"The maximum time from the first byte of a request head to its last; then the "
		"client gets 408.  A new connection is closed if its first byte does not arrive "
		"within this time.",
		.minimum = MILLISECOND, .maximum = DAY },
	{ "body", SETTING_DURATION, IN_TIMEOUTS, "30s",
		"The maximum time between two bytes of a request body; then the client gets 408.",
		.minimum = MILLISECOND, .maximum = DAY },
	{ "idle", SETTING_DURATION, IN_TIMEOUTS, "75s",
		"The maximum time between two requests on a connection; then the connection is "
		"closed.",
		.minimum = MILLISECOND, .maximum = DAY },
	{ "send", SETTING_DURATION, IN_TIMEOUTS, "60s",
		"The maximum time without progress while a response is sent; then the connection "
		"is closed.",
		.minimum = MILLISECOND, .maximum = DAY },
	{ "drain", SETTING_DURATION, IN_TIMEOUTS, "5s",
		"The maximum time that a worker which was told to end waits for its requests to "
		"finish.",
		.maximum = DAY },
	{ "stuck", SETTING_DURATION, IN_TIMEOUTS, "30s",
		"The maximum time that a worker may not react to the supervisor, because a "
		"system call or a debugger holds it; then it is logged, ended and replaced.  0: "
		"no maximum.",
		.maximum = DAY },
	{ "site", SETTING_SECTION, IN_SERVER, NULL,
		"Serves the hosts in the titles, which are names without port.  \"*.example.com\" "
		"matches all names that end so, \"*\" any host.  An exact name wins, then the "
		"longest wildcard, then \"*\"; a request for any other host goes to the first "
		"site.  At least one site is required.",
		.opens = IN_SITE, .titles = UINT_MAX },
	{ "canonical", SETTING_YES_NO, IN_SITE, "no",
		"Redirects requests for the other names of the site to the first name, with 308, "
		"which keeps the method.  Path, query and port stay, and so does the client's "
		"scheme.  Set it so that a site has one address only." },
	{ "certificate", SETTING_STRINGS, IN_SITE, "{}",
		"PEM files for TLS, each as \"CHAIN KEY\": the certificate of the site followed by "
		"the intermediate ones, and its key.  One file may hold both.  An ECDSA and an RSA "
		"certificate may stand side by side.  The supervisor reads the files before "
		"workers "
		"give up their privileges, so keys may belong to root alone." },
	{ "location", SETTING_SECTION, IN_SITE, NULL,
		"Lets an endpoint answer the paths that begin with the title.  The longest "
		"matching location wins; only whole path segments match.  In a site with a root, "
		"all other paths are files that static serves.  The endpoint's own settings may "
		"also stand here.",
		.opens = IN_LOCATION, .titles = 1 },
	{ "endpoint", SETTING_STRING, IN_LOCATION, "static",
		"The endpoint that answers: one of those below." },
	{ "methods", SETTING_STRINGS, IN_LOCATION, "{}",
		"The methods that are allowed here, of those that the endpoint supports.  Others "
		"get 405.  GET includes HEAD, and OPTIONS is always answered.  {}: all that the "
		"endpoint supports.",
		.words = method_words },
	{ "allow", SETTING_STRINGS, IN_LOCATION, "{}",
		"The clients that may send requests: networks, \"unix:\" (clients on a Unix "
		"socket) or \"all\".  Others get 403.  The client address is that of the peer, "
		"or the one that a proxy in trusted_proxies reports; where allow or deny is set, "
		"a client without a known address gets 403, but for allow = {\"all\"} alone.  "
		"{}: everybody; for stats and metrics only clients of this machine that come "
		"without a proxy (no "
		"Forwarded, X-Forwarded-For or Via).",
		.check = network_check, .expected = NETWORKS_EXPECTED },
	{ "deny", SETTING_STRINGS, IN_LOCATION, "{}",
		"The clients that get 403, even if allow names them.", .check = network_check,
		.expected = NETWORKS_EXPECTED },
	{ "compress", SETTING_YES_NO, IN_SITE | IN_LOCATION, "no",
		"Compresses responses with gzip for clients that accept it.  static and store "
		"send files uncompressed; use precompressed with static.  Do not turn it on "
		"where a response contains both a secret and text that an attacker may choose "
		"(BREACH)." },
	{ "compress_types", SETTING_STRINGS, IN_SITE | IN_LOCATION,
		"{\"text/*\", \"application/json\", \"application/jsonl\", "
		"\"application/manifest+json\", \"application/xml\", \"application/xhtml+xml\", "
		"\"application/atom+xml\", \"application/rss+xml\", \"application/wasm\", "
		"\"image/svg+xml\"}",
		"The media types that are compressed; \"text/*\" is all text types.",
		.check = compression_check_types, .expected = TYPES_EXPECTED },
	{ "compress_min_bytes", SETTING_SIZE, IN_SITE | IN_LOCATION, "1K",
		"The minimum length, in bytes, of a body that is compressed.  A body of unknown "
		"length is always compressed.",
		.minimum = 1, .maximum = 1 << 30 },
	{ "compress_level", SETTING_NUMBER, IN_SITE | IN_LOCATION, "5",
		"The effort of compression: 1 is fastest, 9 gives the smallest output.",
		.minimum = 1, .maximum = 9 },
	{ "add_header", SETTING_STRINGS, IN_SITE | IN_LOCATION, NULL,
		"Fields that are added to every response, errors included, except that errors "
		"never get Cache-Control and Expires.  A field that the response already has is "
		"not added, unless remove_header names it; Link, Set-Cookie and Vary are added "
		"in any case.  The list of a location replaces that of its site.",
		.check = location_fields_check_added,
		.expected = "fields as in {\"X-Content-Type-Options: nosniff\"}, not those of "
			    "framing, without control bytes" },
	{ "remove_header", SETTING_STRINGS, IN_SITE | IN_LOCATION, NULL,
		"Fields that are removed from every response, before add_header adds its own.",
		.check = location_fields_check_removed,
		.expected = "names of fields as in {\"Server\"}, not those of framing" },
	{ "expires", SETTING_DURATION, IN_SITE | IN_LOCATION, NULL,
		"How long caches may keep responses other than errors: sets Cache-Control: "
		"max-age and Expires, unless the endpoint sets them.  Without it neither field "
		"is sent.",
		.maximum = 3650 * DAY },
	{ 0 },
};
