/* The states of a worker: SERVING → DRAINING → STOPPING; DRAINING and STOPPING may be skipped.
 *
 * Draining depends on the order.  After ORDER_RETIRE a successor accepts from the same sockets, so
 * the worker leaves the queue alone.  After ORDER_END no process accepts any more: the kernel
 * refuses new clients, and the worker serves the queue.
 *
 * When the loop has ended, the worker closes what it opened, in reverse order.  An op that does not
 * end in time (a read from a dead network disk) still uses its memory: then the process exits
 * without freeing. */
#include "server/worker.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/poll.h>
#include <sys/signalfd.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "endpoints/registry.h"
#include "files/cache.h"
#include "filters/gzip.h"
#include "http/gather.h"
#include "net/listener.h"
#include "server/channel.h"
#include "server/https.h"
#include "server/log_writer.h"
#include "server/wires.h"

#define MILLISECOND_NS UINT64_C(1000000)
#define SECOND_NS      (1000 * MILLISECOND_NS)

/* How long a stopping worker waits for its last ops. */
#define STOP_NS (1 * SECOND_NS)

/* How long a draining worker accepts clients whose handshake had begun: a round trip. */
#define REFUSAL_NS (200 * MILLISECOND_NS)

enum worker_state { WORKER_SERVING, WORKER_DRAINING, WORKER_STOPPING };

struct worker_listener {
	struct worker *worker;
	bool tls;
	struct listener listener;
	struct op close;
};

struct worker {
	struct server *server;
	const struct section *settings; /* the root of the configuration */
	enum worker_state state;
	struct proactor *proactor;
	struct router router;
	struct wires wires;
	struct wire *wire; /* one of them, to which new connections belong; NULL: not yet open */
	struct https https;
	bool accepting_is_paused;
	struct worker_listener *listeners;
	size_t listener_count;  /* started */
	size_t listening_count; /* and not yet closed */
	struct log_writer error_log, access_log;
	int signals;
	int channel; /* to the supervisor; -1: none */
	struct op signalled, ordered;
	struct op refused; /* REFUSAL_NS passed */
	struct op drained; /* timeouts.drain passed */
	struct op stopped; /* STOP_NS passed */
};

static size_t connection_count(const struct worker *worker)
{
	return worker->wire ? worker->wire->connection_count : 0;
}

/* --- ending ------------------------------------------------------------------------------- */

static void end_if_done(struct worker *worker)
{
	if (worker->state != WORKER_SERVING && worker->listening_count == 0 &&
		connection_count(worker) == 0)
		proactor_stop(worker->proactor);
}

static void stop_listening(struct worker *worker)
{
	for (size_t i = 0; i < worker->listener_count; i++) {
		struct listener *listener = &worker->listeners[i].listener;

		if (!listener->stopping)
			listener_stop(listener);
	}
}

static void on_refused(struct proactor *proactor, struct op *op)
{
	(void)proactor;
	stop_listening(container_of(op, struct worker, refused));
}

static void drain(struct worker *worker)
{
	const struct section *timeouts = section_child(worker->settings, "timeouts", 0);

	log_info("draining: %zu connections are open", connection_count(worker));
	worker->state = WORKER_DRAINING;
	worker->wire->kind->drain(worker->wire);
	proactor_timeout(worker->proactor, &worker->drained, section_number(timeouts, "drain"));
}

static void retire(struct worker *worker)
{
	if (worker->state != WORKER_SERVING)
		return;
	drain(worker);
	for (size_t i = 0; i < worker->listener_count; i++)
		listener_leave(&worker->listeners[i].listener);
}

static void end(struct worker *worker)
{
	if (worker->state != WORKER_SERVING)
		return;
	drain(worker);
	for (size_t i = 0; i < worker->listener_count; i++)
		listener_refuse(worker->listeners[i].listener.fd);
	proactor_timeout(worker->proactor, &worker->refused, REFUSAL_NS);
}

static void stop(struct worker *worker)
{
	if (worker->state == WORKER_STOPPING)
		return;
	worker->state = WORKER_STOPPING;
	stop_listening(worker);
	worker->wire->kind->stop(worker->wire);
	proactor_timeout(worker->proactor, &worker->stopped, STOP_NS);
	end_if_done(worker);
}

static void on_drained(struct proactor *proactor, struct op *op)
{
	struct worker *worker = container_of(op, struct worker, drained);

	(void)proactor;
	if (op->result == -ECANCELED || worker->state == WORKER_STOPPING)
		return;
	if (connection_count(worker) > 0)
		log_warning(
			"timeouts.drain passed: closing %zu connections", connection_count(worker));
	stop(worker);
}

static void on_stopped(struct proactor *proactor, struct op *op)
{
	struct worker *worker = container_of(op, struct worker, stopped);

	if (op->result == -ECANCELED)
		return;
	log_warning("%zu connections did not close in time; exiting", connection_count(worker));
	proactor_stop(proactor);
}

/* --- orders and signals -------------------------------------------------------------------- */

static void obey(struct worker *worker, enum message order)
{
	switch (order) {
	case ORDER_RETIRE:
		retire(worker);
		return;
	case ORDER_END:
		end(worker);
		return;
	case ORDER_STOP:
		stop(worker);
		return;
	case ORDER_ANSWER:
		channel_send(worker->channel, REPORT_ALIVE);
		return;
	case REPORT_READY:
	case REPORT_ALIVE:
	case REPORT_SIGNALED:
		return; /* only go up */
	}
}

static void on_ordered(struct proactor *proactor, struct op *op)
{
	struct worker *worker = container_of(op, struct worker, ordered);
	enum message order;

	if (op->result < 0)
		return;
	while (channel_receive(&order, worker->channel))
		obey(worker, order);
	proactor_poll(proactor, op, worker->channel, POLLIN);
}

/* A service manager or a terminal signals every process of the group.  Only the supervisor can tell
 * whether the server ends or one worker. */
static void handle_signal(struct worker *worker, int number)
{
	switch (number) {
	case SIGTERM:
	case SIGQUIT:
	case SIGINT:
		if (worker->channel >= 0)
			channel_send(worker->channel, REPORT_SIGNALED);
		else if (number == SIGINT || worker->state != WORKER_SERVING)
			stop(worker);
		else
			end(worker);
		return;
	default:
		if (worker->channel < 0)
			log_warning("ignored signal %d (%s)", number, strsignal(number));
	}
}

static void on_signalled(struct proactor *proactor, struct op *op)
{
	struct worker *worker = container_of(op, struct worker, signalled);
	struct signalfd_siginfo information;

	if (op->result < 0)
		return;
	while (read(worker->signals, &information, sizeof(information)) == sizeof(information))
		handle_signal(worker, (int)information.ssi_signo);
	proactor_poll(proactor, op, worker->signals, POLLIN);
}

static int open_signals(struct worker *worker)
{
	sigset_t blocked;

	sigprocmask(SIG_BLOCK, NULL, &blocked);
	sigdelset(&blocked, SIGCHLD);
	worker->signals = signalfd(-1, &blocked, SFD_NONBLOCK | SFD_CLOEXEC);
	if (worker->signals < 0)
		return fail(-errno, "cannot open a signal descriptor");
	return 0;
}

/* --- connections -------------------------------------------------------------------------- */

static void pause_accepting(struct worker *worker)
{
	worker->accepting_is_paused = true;
	metrics_add(METRIC_ACCEPT_PAUSES, 1);
	for (size_t i = 0; i < worker->listener_count; i++)
		listener_pause(&worker->listeners[i].listener);
}

static void resume_accepting(struct worker *worker)
{
	worker->accepting_is_paused = false;
	for (size_t i = 0; i < worker->listener_count; i++)
		listener_resume(&worker->listeners[i].listener);
}

static void on_accepted(struct listener *listener, int fd)
{
	const struct worker_listener *own =
		container_of(listener, struct worker_listener, listener);
	struct worker *worker = own->worker;

	worker->wire->kind->accept(worker->wire, fd, own->tls);
	if (!worker->accepting_is_paused &&
		connection_count(worker) >= worker->server->descriptors.connection_count_max)
		pause_accepting(worker);
}

static void on_connection_closed(void *owner)
{
	struct worker *worker = owner;

	if (worker->accepting_is_paused &&
		connection_count(worker) < worker->server->descriptors.connection_count_max)
		resume_accepting(worker);
	end_if_done(worker);
}

static void on_finished(void *owner, const struct finished_exchange *finished)
{
	struct worker *worker = owner;
	char memory[ACCESS_LINE_LENGTH_MAX];
	struct buffer line;

	buffer_init(&line, memory, sizeof(memory));
	access_log_append(&line, worker->server->logs.access_format, finished, worker->proactor);
	log_writer_append(&worker->access_log, buffer_text(&line));
}

static void on_listener_closed(struct proactor *proactor, struct op *op)
{
	struct worker_listener *closed = container_of(op, struct worker_listener, close);

	(void)proactor;
	closed->worker->listening_count--;
	end_if_done(closed->worker);
}

static void on_listener_stopped(struct listener *listener)
{
	struct worker_listener *stopped = container_of(listener, struct worker_listener, listener);

	proactor_close(stopped->worker->proactor, &stopped->close, listener->fd);
}

/* --- opening ------------------------------------------------------------------------------ */

static int open_proactor(struct worker *worker)
{
	const struct server *server = worker->server;
	struct proactor_options options = {
		.zero_copy = section_word(worker->settings, "zero_copy"),
		.pipe_count_max = server->descriptors.pipe_count_max,
		.accept_singly = server->descriptors.scarce,
	};
	int r = proactor_open(&worker->proactor, server->backend, &options);

	if (r < 0)
		return fail(r, "cannot open the %s backend",
			server->backend == BACKEND_EPOLL ? "epoll" : "io_uring");
	return 0;
}

static void attach_metrics(struct worker *worker, unsigned page)
{
	metrics_attach(worker->server->pages,
		worker->server->worker_count * METRICS_PAGES_PER_WORKER, page);
	metrics->pid = (uint64_t)getpid();
	metrics->started_ns = (uint64_t)proactor_wall_ns(worker->proactor);
	snprintf(metrics->backend, sizeof(metrics->backend), "%s",
		proactor_backend_name(worker->proactor));
}

static int set_fields(struct location_fields **fields, const struct section *section)
{
	int r = location_fields_new(fields, section);

	return r < 0 ? fail(r, "cannot set the fields of \"%s\"", section->title) : 0;
}

static int add_location(struct worker *worker, struct site *site, const struct section *section)
{
	const struct endpoint *endpoint = configuration_endpoint(section);
	struct location *location;
	void *state = NULL;
	int r = endpoint->open ? endpoint->open(&state, section, worker->proactor) : 0;

	if (r < 0)
		return r;
	location = router_add_location(site, text_of(section->title), endpoint, state);
	if (!location) {
		if (endpoint->close)
			endpoint->close(state);
		return fail(-ENOMEM, "cannot add location \"%s\"", section->title);
	}
	location->methods = configuration_methods(section);
	location->endpoint_number = endpoint_number(endpoint);
	r = access_new(&location->access, section, endpoint->local);
	if (r < 0)
		return fail(r, "cannot set allow and deny of location \"%s\"", section->title);
	if (section_yes(section, "compress"))
		r = compression_new(&location->compression, section, &gzip_coder);
	if (r < 0)
		return fail(r, "cannot compress location \"%s\"", section->title);
	return set_fields(&location->fields, section);
}

static int add_site(struct worker *worker, const struct section *section)
{
	struct site *site = router_add_site(&worker->router, text_of(section->title));
	const struct section *location;
	int r = 0;

	if (!site)
		return fail(-ENOMEM, "cannot add site \"%s\"", section->title);
	for (size_t i = 1; r == 0 && i < section->titles->count; i++)
		r = router_add_alias(site, text_of(section->titles->strings[i]));
	if (r < 0)
		return fail(r, "cannot add site \"%s\"", section->title);
	site->canonical = section_yes(section, "canonical");
	r = set_fields(&site->fields, section);
	for (size_t i = 0; r == 0 && (location = section_child(section, "location", i)); i++)
		r = add_location(worker, site, location);
	return r;
}

static void limit_cache(const struct worker *worker)
{
	const struct section *settings = section_child(worker->settings, "cache", 0);
	const struct cache_limits limits = {
		.entry_count_max = section_number(settings, "entries"),
		.descriptor_count_max = worker->server->descriptors.cached_count_max,
		.byte_count_max = section_number(settings, "bytes"),
		.file_length_max = section_number(settings, "max_file"),
		.directory_count_max = section_number(settings, "entries"),
	};

	cache_limit(&limits);
}

static int open_router(struct worker *worker)
{
	const struct section *site;
	int r = proxies_new(&worker->router.proxies, worker->settings);

	if (r < 0)
		return fail(r, "cannot set trusted_proxies");
	for (size_t i = 0; r == 0 && (site = section_child(worker->settings, "site", i)); i++)
		r = add_site(worker, site);
	return r;
}

static void write_error_line(void *context, struct text line)
{
	log_writer_append(context, line);
}

static int open_logs(struct worker *worker)
{
	const struct logs *logs = &worker->server->logs;
	int r = log_writer_open(
		&worker->error_log, worker->proactor, logs->error_fd, "error_log", LOG_WRITER_SIZE);

	if (r == 0 && logs->access_fd >= 0)
		r = log_writer_open(&worker->access_log, worker->proactor, logs->access_fd,
			"access_log", LOG_WRITER_SIZE);
	return r < 0 ? fail(r, "cannot open the logs") : 0;
}

/* By default the kernel reclaims socket memory by force once TCP holds a sixteenth of the memory;
 * an eighth of that is for bodies that clients are slow to read. */
static uint64_t unsent_length_max(const struct worker *worker)
{
	uint64_t memory = (uint64_t)sysconf(_SC_PHYS_PAGES) * (uint64_t)sysconf(_SC_PAGESIZE);

	return memory / 128 / worker->server->worker_count;
}

static void open_wires(struct worker *worker)
{
	const struct section *limits = section_child(worker->settings, "limits", 0);

	gather_limit(section_number(limits, "gathered_bytes"));
	gzip_limit(section_number(limits, "compressions"));
	worker->wire = wires_open(&worker->wires, worker->proactor, unsent_length_max(worker),
		&worker->router, worker->settings);
	worker->wire->owner = worker;
	worker->wire->closed = on_connection_closed;
	if (worker->server->logs.access_fd >= 0)
		worker->wire->finished = on_finished;
}

static int start_listeners(struct worker *worker, unsigned slot)
{
	struct listening *listening = &worker->server->listening;

	worker->listeners = calloc(listening->count, sizeof(struct worker_listener));
	if (!worker->listeners)
		return fail(-ENOMEM, "cannot listen");
	for (size_t i = 0; i < listening->count; i++) {
		struct worker_listener *own = &worker->listeners[i];

		own->worker = worker;
		own->tls = listening->sockets[i].tls;
		op_init(&own->close, on_listener_closed);
		listener_start(&own->listener, worker->proactor,
			listening_take_fd(&listening->sockets[i], slot), on_accepted,
			on_listener_stopped);
	}
	worker->listener_count = worker->listening_count = listening->count;
	return 0;
}

static int worker_open(struct worker *worker, const struct worker_options *options)
{
	int r = open_signals(worker);

	if (r == 0)
		r = open_proactor(worker);
	if (r < 0)
		return r;
	attach_metrics(worker, options->page);
	limit_cache(worker);
	r = open_router(worker);
	if (r == 0)
		r = open_logs(worker);
	if (r < 0)
		return r;
	open_wires(worker);
	r = https_open(&worker->https, &worker->wires.streams, worker->server);
	return r < 0 ? r : start_listeners(worker, options->slot);
}

/* --- closing ------------------------------------------------------------------------------ */

/* Runs the loop until no op is active, or for `patience_ns`. */
static void settle(struct worker *worker, uint64_t patience_ns)
{
	uint64_t end_ns = proactor_now_ns(worker->proactor) + patience_ns;

	while (proactor_active_count(worker->proactor) > 0 &&
		proactor_now_ns(worker->proactor) < end_ns) {
		if (proactor_turn(worker->proactor, 10 * MILLISECOND_NS) < 0)
			return;
	}
}

static void close_logs(struct worker *worker)
{
	if (worker->access_log.proactor)
		log_writer_flush(&worker->access_log);
	settle(worker, STOP_NS / 10); /* the flush may have reported drops to the error log */
	log_set_sink(NULL, NULL);
	if (worker->error_log.proactor)
		log_writer_flush(&worker->error_log);
}

static void free_all(struct worker *worker)
{
	if (worker->wire)
		worker->wire->kind->close(worker->wire);
	if (worker->access_log.proactor)
		log_writer_close(&worker->access_log);
	if (worker->error_log.proactor)
		log_writer_close(&worker->error_log);
	https_close(&worker->https);
	free(worker->listeners);
	gzip_trim();
	proactor_free(worker->proactor);
	close(worker->signals);
}

static void worker_close(struct worker *worker, int exit_code)
{
	if (!worker->proactor)
		return;
	proactor_cancel(worker->proactor, &worker->signalled);
	proactor_cancel(worker->proactor, &worker->ordered);
	proactor_cancel(worker->proactor, &worker->refused);
	proactor_cancel(worker->proactor, &worker->drained);
	proactor_cancel(worker->proactor, &worker->stopped);
	proactor_cancel(worker->proactor, &worker->https.epoch);
	if (connection_count(worker) == 0)
		router_reset(&worker->router);
	settle(worker, STOP_NS);
	proactor_cancel(worker->proactor, &worker->access_log.write);
	proactor_cancel(worker->proactor, &worker->error_log.write);
	settle(worker, STOP_NS / 10);
	close_logs(worker);
	if (proactor_active_count(worker->proactor) > 0 || connection_count(worker) > 0)
		_exit(exit_code);
	free_all(worker);
}

/* --- running ------------------------------------------------------------------------------ */

static void worker_init(
	struct worker *worker, struct server *server, const struct worker_options *options)
{
	char speaker[32];

	*worker = (struct worker){
		.server = server,
		.settings = server->configuration->root,
		.signals = -1,
		.channel = options->channel,
	};
	router_init(&worker->router);
	op_init(&worker->signalled, on_signalled);
	op_init(&worker->ordered, on_ordered);
	op_init(&worker->refused, on_refused);
	op_init(&worker->drained, on_drained);
	op_init(&worker->stopped, on_stopped);
	https_init(&worker->https);
	snprintf(speaker, sizeof(speaker), "worker=%u", options->slot + 1);
	log_set_speaker(options->channel < 0 ? NULL : speaker);
}

/* The worker is ready once the first turn has submitted the accept ops.  Until then, messages go
 * where those of the supervisor go. */
static int serve(struct worker *worker, const struct worker_options *options)
{
	int r;

	proactor_poll(worker->proactor, &worker->signalled, worker->signals, POLLIN);
	if (worker->channel >= 0)
		proactor_poll(worker->proactor, &worker->ordered, worker->channel, POLLIN);
	r = proactor_turn(worker->proactor, 0);
	if (r == 0) {
		options->ready(options->context);
		log_set_sink(write_error_line, &worker->error_log);
		r = proactor_run(worker->proactor);
	}
	return r < 0 ? fail(r, "event loop failed") : 0;
}

int worker_run(struct server *server, const struct worker_options *options)
{
	struct worker worker;
	int r;

	worker_init(&worker, server, options);
	r = worker_open(&worker, options);
	if (r == 0)
		r = serve(&worker, options);
	worker_close(&worker, r < 0 ? EXIT_FAILURE : EXIT_SUCCESS);
	return r < 0 ? EXIT_FAILURE : EXIT_SUCCESS;
}
