/* The supervisor: a loop over signals and a channel to each worker; no threads, no proactor, and
 * the only process that forks workers.
 *
 * STARTING: until every worker has reported that it accepts.  A death in this state ends the start,
 * since the next attempt would fail, too.  SERVING: a dead worker is replaced; its successor
 * inherits the listening sockets of the slot with their queues.  DRAINING, STOPPING: no worker is
 * replaced, and workers that do not end in time are killed.
 *
 * A worker that gets a signal to end is replaced without a gap: it serves until its successor
 * accepts, then gets ORDER_RETIRE.  A slot holds two processes meanwhile, each with a page of
 * metrics; a further signal waits until the first has ended.
 *
 * A worker that does not answer for timeouts.stuck is killed and replaced at once, even if a system
 * call keeps it from dying.  The supervisor counts unanswered questions, not time, since a whole
 * server may be suspended.
 *
 * The supervisor keeps its privileges (a new worker needs them to drop them again) and touches
 * nothing that comes from clients. */
#include "server/supervisor.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/log.h"
#include "base/owned.h"
#include "base/smaller.h"
#include "server/activity.h"
#include "server/announcement.h"
#include "server/channel.h"
#include "server/daemon.h"
#include "server/restart.h"
#include "server/worker.h"

#define SECOND_NS UINT64_C(1000000000)

/* Added to timeouts.drain before a worker that does not end is killed; and without draining. */
#define DRAIN_PATIENCE_NS (5 * SECOND_NS)
#define STOP_PATIENCE_NS  (3 * SECOND_NS)
#define FORK_RETRY_NS     (1 * SECOND_NS)

/* A stuck worker gets SIGABRT first, so that a core dump shows where it is. */
#define ABORT_PATIENCE_NS (1 * SECOND_NS)

enum { QUESTIONS_MAX = 4 }; /* without an answer, sent within timeouts.stuck */

/* Descriptors of a worker that are always there: standard streams, logs, signals, channel, the
 * backend's own, and some to spare for what libraries open. */
enum { FIXED_DESCRIPTOR_COUNT = 23 };

enum supervisor_state { STARTING, SERVING, DRAINING, STOPPING };

struct child {
	pid_t pid;     /* 0: none */
	int channel;   /* our end */
	unsigned page; /* of metrics */
	bool ready;
	unsigned questions; /* sent since the last answer */
};

/* One of the workers that the configuration asks for. */
struct slot {
	struct child serving;
	struct child retiring; /* its predecessor, as long as that has requests to finish */
	bool retire_asked;     /* `serving` retires once there is room in `retiring` */
	struct restart restart;
	uint64_t due_ns;      /* when to start the next worker; UINT64_MAX: never */
	uint64_t kill_due_ns; /* when `retiring` is killed; UINT64_MAX: never */
};

struct supervisor {
	struct server server;
	enum supervisor_state state;
	struct slot *slots;
	int signals;
	int worker_channel;       /* in a worker: its end of the channel */
	int report;               /* to the foreground process of a daemon, or -1 */
	uint64_t question_due_ns; /* when to ask the workers for an answer; UINT64_MAX: never */
	uint64_t kill_due_ns;     /* when all workers are killed; UINT64_MAX: never */
	int exit_code;
};

static uint64_t monotonic_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * SECOND_NS + (uint64_t)now.tv_nsec;
}

/* --- before the first worker --------------------------------------------------------------- */

static unsigned count_workers(const struct section *settings, bool single_process)
{
	uint64_t wanted = section_number(settings, "workers");
	cpu_set_t cpus;

	if (single_process)
		return 1;
	if (wanted > 0)
		return (unsigned)wanted;
	if (sched_getaffinity(0, sizeof(cpus), &cpus) < 0)
		return 1;
	return (unsigned)CPU_COUNT(&cpus);
}

static enum backend_choice wanted_backend(const struct section *settings, const char *option)
{
	const char *word = option ? option : section_string(settings, "backend");

	if (strcmp(word, "epoll") == 0)
		return BACKEND_EPOLL;
	return strcmp(word, "io_uring") == 0 ? BACKEND_IO_URING : BACKEND_AUTO;
}

static void share_out_descriptors(struct server *server, const struct section *settings)
{
	uint64_t wanted = section_number(section_child(settings, "limits", 0), "connections");
	uint64_t cached = section_number(section_child(settings, "cache", 0), "entries");
	uint64_t fixed = FIXED_DESCRIPTOR_COUNT, limit = descriptors_raise_limit();
	struct address addresses[ADDRESSES_MAX];
	const struct section *listen;

	for (size_t i = 0; (listen = section_child(settings, "listen", i)); i++)
		fixed += configuration_addresses(addresses, listen);
	for (size_t i = 0; section_child(settings, "site", i); i++)
		fixed++;
	server->descriptors = descriptors_share_out(limit, fixed, wanted, cached);
	if (server->descriptors.connection_count_max < wanted)
		log_warning("%llu descriptors allow %llu connections per worker, not %llu "
			    "(limits.connections); raise the hard limit: ulimit -Hn",
			(unsigned long long)limit,
			(unsigned long long)server->descriptors.connection_count_max,
			(unsigned long long)wanted);
}

static size_t pages_size(const struct server *server)
{
	return server->worker_count * METRICS_PAGES_PER_WORKER * sizeof(struct metrics);
}

static int map_pages(struct server *server)
{
	size_t size = pages_size(server);
	void *pages = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	if (pages == MAP_FAILED)
		return fail(-errno, "cannot map the pages of metrics");
	server->pages = pages;
	return 0;
}

static void warn_of_root(const struct server *server)
{
	if (geteuid() == 0 && (!server->user.wanted || server->user.uid == 0))
		log_warning("workers run as root; name another user: user = \"www-data\"");
}

/* Every worker derives its ticket keys from this secret, so that each resumes the others' sessions.
 */
static int open_tls(struct server *server, const struct section *settings)
{
	int r = certificates_read(&server->certificates, settings);

	if (r == 0 && getrandom(server->ticket_secret, sizeof(server->ticket_secret), 0) < 0)
		r = fail(-errno, "cannot make a secret for session tickets");
	server->ticket_secret_s = time(NULL);
	return r;
}

static int server_open(struct server *server, const struct configuration *configuration,
	const struct supervisor_options *options)
{
	const struct section *settings = configuration->root;
	int r;

	*server = (struct server){
		.configuration = configuration,
		.worker_count = count_workers(settings, options->single_process),
		.single_process = options->single_process,
		.daemon = options->daemon,
		.logs = { .error_fd = -1, .access_fd = -1 },
	};
	r = user_find(&server->user, section_string(settings, "user"));
	if (r == 0)
		r = announce_backend(server, wanted_backend(settings, options->backend));
	if (r < 0)
		return r;
	warn_of_root(server);
	share_out_descriptors(server, settings);
	r = logs_open(&server->logs, settings, options->quiet, options->daemon);
	if (r == 0)
		r = open_tls(server, settings);
	if (r == 0)
		r = map_pages(server);
	if (r == 0)
		r = listening_open(&server->listening, settings, server->worker_count);
	if (r == 0)
		r = pid_file_write(section_string(settings, "pid_file"));
	if (r == 0)
		announce_roots(server);
	return r;
}

static void server_close(struct server *server)
{
	if (server->listening.count > 0)
		pid_file_remove(section_string(server->configuration->root, "pid_file"));
	listening_free(&server->listening);
	if (server->pages)
		munmap(server->pages, pages_size(server));
	logs_close(&server->logs);
	certificates_free(&server->certificates);
	explicit_bzero(server->ticket_secret, sizeof(server->ticket_secret));
}

/* Blocks the signals that the supervisor and its workers read from a signalfd; workers inherit the
 * mask. SIGPIPE and SIGXFSZ (ulimit -f) are ignored: the send or write reports the error. */
static void block_signals(sigset_t *signals)
{
	static const int HANDLED[] = { SIGTERM, SIGQUIT, SIGINT, SIGHUP, SIGUSR1, SIGUSR2,
		SIGCHLD };

	sigemptyset(signals);
	for (size_t i = 0; i < sizeof(HANDLED) / sizeof(HANDLED[0]); i++)
		sigaddset(signals, HANDLED[i]);
	sigprocmask(SIG_BLOCK, signals, NULL);
	signal(SIGPIPE, SIG_IGN);
	signal(SIGXFSZ, SIG_IGN);
}

/* --- ending ------------------------------------------------------------------------------- */

static unsigned count_children(const struct supervisor *supervisor)
{
	unsigned count = 0;

	for (unsigned i = 0; i < supervisor->server.worker_count; i++) {
		count += supervisor->slots[i].serving.pid > 0;
		count += supervisor->slots[i].retiring.pid > 0;
	}
	return count;
}

static void send_order(const struct child *child, enum message order)
{
	if (child->pid > 0)
		channel_send(child->channel, order);
}

static void order_all(const struct supervisor *supervisor, enum message order)
{
	for (unsigned i = 0; i < supervisor->server.worker_count; i++) {
		send_order(&supervisor->slots[i].serving, order);
		send_order(&supervisor->slots[i].retiring, order);
	}
}

static void kill_child(const struct child *child)
{
	if (child->pid > 0)
		kill(child->pid, SIGKILL);
}

static uint64_t drain_due_ns(const struct supervisor *supervisor)
{
	const struct section *settings = supervisor->server.configuration->root;
	uint64_t drain_ns = section_number(section_child(settings, "timeouts", 0), "drain");

	return monotonic_ns() + drain_ns + DRAIN_PATIENCE_NS;
}

/* The supervisor closes its sockets first: the kernel queues nothing on a socket that no worker
 * accepts from any more. */
static void drain(struct supervisor *supervisor)
{
	supervisor->state = DRAINING;
	supervisor->kill_due_ns = drain_due_ns(supervisor);
	listening_close(&supervisor->server.listening);
	order_all(supervisor, ORDER_END);
}

static void stop(struct supervisor *supervisor)
{
	supervisor->state = STOPPING;
	supervisor->kill_due_ns = monotonic_ns() + STOP_PATIENCE_NS;
	listening_close(&supervisor->server.listening);
	order_all(supervisor, ORDER_STOP);
}

static void fail_start(struct supervisor *supervisor)
{
	supervisor->exit_code = EXIT_FAILURE;
	stop(supervisor);
}

static bool is_ending(const struct supervisor *supervisor)
{
	return supervisor->state == DRAINING || supervisor->state == STOPPING;
}

static void kill_overdue_slot(struct slot *slot, uint64_t now_ns)
{
	if (now_ns < slot->kill_due_ns)
		return;
	log_warning("worker (pid %d) did not end in time; killed", (int)slot->retiring.pid);
	slot->kill_due_ns = UINT64_MAX;
	kill_child(&slot->retiring);
}

static void kill_overdue(struct supervisor *supervisor, uint64_t now_ns)
{
	bool all = now_ns >= supervisor->kill_due_ns;

	if (all) {
		log_warning("%u workers did not end in time; killed", count_children(supervisor));
		supervisor->kill_due_ns = UINT64_MAX;
	}
	for (unsigned i = 0; i < supervisor->server.worker_count; i++) {
		kill_overdue_slot(&supervisor->slots[i], now_ns);
		if (all) {
			kill_child(&supervisor->slots[i].serving);
			kill_child(&supervisor->slots[i].retiring);
		}
	}
}

/* --- workers ------------------------------------------------------------------------------ */

static void tell_ready(void *context)
{
	const struct supervisor *supervisor = context;

	if (supervisor->server.daemon)
		detach_from_terminal();
	channel_send(supervisor->worker_channel, REPORT_READY);
}

static int become_worker(const struct server *server, pid_t parent)
{
	int r = user_become(&server->user);

	if (r == 0)
		r = die_with_parent(parent);
	if (r == 0)
		r = forbid_new_privileges();
	return r;
}

static void forget_child(struct child *child)
{
	if (child->pid > 0)
		close(child->channel);
	*child = (struct child){ .pid = 0 };
}

/* Does not return. */
static void run_child(struct supervisor *supervisor, unsigned number, unsigned page, pid_t parent)
{
	struct worker_options options = {
		.slot = number,
		.page = page,
		.channel = supervisor->worker_channel,
		.ready = tell_ready,
		.context = supervisor,
	};
	int exit_code = EXIT_FAILURE;

	close(supervisor->signals);
	for (unsigned i = 0; i < supervisor->server.worker_count; i++) {
		forget_child(&supervisor->slots[i].serving);
		forget_child(&supervisor->slots[i].retiring);
	}
	if (supervisor->report >= 0)
		close(supervisor->report);
	listening_keep_slot(&supervisor->server.listening, number);
	if (become_worker(&supervisor->server, parent) == 0)
		exit_code = worker_run(&supervisor->server, &options);
	exit(exit_code);
}

/* The child's process id, or a negative errno. */
static int fork_child(struct supervisor *supervisor, unsigned number, unsigned page, int *channel)
{
	pid_t parent = getpid(), pid;
	int ends[2], r = channel_open(ends);

	if (r < 0)
		return r;
	pid = fork();
	if (pid == 0) {
		close(ends[0]);
		supervisor->worker_channel = ends[1];
		run_child(supervisor, number, page, parent);
	}
	r = pid < 0 ? -errno : pid;
	close(ends[1]);
	if (r < 0)
		close(ends[0]);
	*channel = ends[0];
	return r;
}

static void spawn(struct supervisor *supervisor, unsigned number)
{
	struct slot *slot = &supervisor->slots[number];
	unsigned page = number * METRICS_PAGES_PER_WORKER;
	uint64_t now_ns = monotonic_ns();
	int channel, r;

	if (slot->retiring.pid > 0 && slot->retiring.page == page)
		page++;
	slot->due_ns = UINT64_MAX;
	r = fork_child(supervisor, number, page, &channel);
	if (r < 0) {
		log_error("cannot fork worker %u: %s", number + 1, strerror(-r));
		slot->due_ns = now_ns + FORK_RETRY_NS;
		if (supervisor->state == STARTING)
			fail_start(supervisor);
		return;
	}
	slot->serving = (struct child){ .pid = r, .channel = channel, .page = page };
	restart_started(&slot->restart, now_ns);
}

/* --- deaths and restarts ------------------------------------------------------------------ */

static void describe_end(struct buffer *text, int status)
{
	if (WIFSIGNALED(status))
		buffer_append_format(text, "was killed by signal %d (%s)", WTERMSIG(status),
			strsignal(WTERMSIG(status)));
	else
		buffer_append_format(text, "exited with %d", WEXITSTATUS(status));
}

static void log_death(unsigned number, pid_t pid, int status, const char *consequence)
{
	char memory[128];
	struct buffer end;

	buffer_init(&end, memory, sizeof(memory));
	describe_end(&end, status);
	log_error("worker %u (pid %d) %.*s%s", number + 1, (int)pid,
		TEXT_ARGUMENTS(buffer_text(&end)), consequence);
}

/* Removes the connections of the dead worker from its page: they are closed. */
static void correct_page(struct metrics *page)
{
	for (size_t i = METRICS_COUNTER_COUNT; i < METRICS_COUNT; i++)
		page->values[i] = 0;
	page->values[METRIC_CONNECTIONS_CLOSED] = page->values[METRIC_CONNECTIONS_ACCEPTED];
	page->pid = 0;
	page->started_ns = 0;
}

static void plan_restart(
	struct supervisor *supervisor, unsigned number, const struct child *dead, int status)
{
	struct slot *slot = &supervisor->slots[number];
	uint64_t now_ns = monotonic_ns();
	uint64_t delay_ns = restart_delay_ns(&slot->restart, now_ns);
	char consequence[64] = "; restarting";

	if (delay_ns > 0)
		snprintf(consequence, sizeof(consequence), "; restarting in %u s",
			(unsigned)(delay_ns / SECOND_NS));
	log_death(number, dead->pid, status, consequence);
	supervisor->server.pages[dead->page].restarts++;
	slot->due_ns = now_ns + delay_ns;
	slot->retire_asked = false;
}

static void handle_death(
	struct supervisor *supervisor, unsigned number, const struct child *dead, int status)
{
	switch (supervisor->state) {
	case STARTING:
		log_death(number, dead->pid, status, " before it served");
		fail_start(supervisor);
		return;
	case SERVING:
		plan_restart(supervisor, number, dead, status);
		return;
	case DRAINING:
	case STOPPING:
		if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
			log_death(number, dead->pid, status, " while ending");
		return;
	}
}

/* The successor starts at once; the order to retire follows when it accepts. */
static void replace(struct supervisor *supervisor, unsigned number)
{
	struct slot *slot = &supervisor->slots[number];

	slot->retire_asked = false;
	slot->retiring = slot->serving;
	slot->serving = (struct child){ .pid = 0 };
	spawn(supervisor, number);
}

static void replace_asked(struct supervisor *supervisor, unsigned number)
{
	struct slot *slot = &supervisor->slots[number];

	if (slot->retire_asked && slot->retiring.pid == 0 && !is_ending(supervisor))
		replace(supervisor, number);
}

/* --- stuck workers ------------------------------------------------------------------------ */

static uint64_t stuck_ns(const struct supervisor *supervisor)
{
	const struct section *settings = supervisor->server.configuration->root;

	return section_number(section_child(settings, "timeouts", 0), "stuck");
}

static void replace_stuck(struct supervisor *supervisor, unsigned number)
{
	struct slot *slot = &supervisor->slots[number];
	char memory[256];
	struct buffer activity;

	buffer_init(&activity, memory, sizeof(memory));
	activity_append(&activity, slot->serving.pid);
	log_error(
		"worker %u (pid %d) has not reacted for timeouts.stuck (state %.*s); replacing it",
		number + 1, (int)slot->serving.pid, TEXT_ARGUMENTS(buffer_text(&activity)));
	supervisor->server.pages[slot->serving.page].restarts++;
	kill(slot->serving.pid, SIGABRT);
	replace(supervisor, number);
	slot->kill_due_ns = monotonic_ns() + ABORT_PATIENCE_NS;
}

static void question(struct supervisor *supervisor, unsigned number)
{
	struct slot *slot = &supervisor->slots[number];

	if (slot->serving.questions < QUESTIONS_MAX) {
		slot->serving.questions++;
		channel_send(slot->serving.channel, ORDER_ANSWER);
	} else if (slot->retiring.pid == 0) {
		replace_stuck(supervisor, number);
	}
}

static void question_due(struct supervisor *supervisor, uint64_t now_ns)
{
	if (supervisor->state != SERVING || now_ns < supervisor->question_due_ns)
		return;
	supervisor->question_due_ns = now_ns + stuck_ns(supervisor) / QUESTIONS_MAX;
	for (unsigned i = 0; i < supervisor->server.worker_count; i++) {
		if (supervisor->slots[i].serving.ready)
			question(supervisor, i);
	}
}

/* --- deaths ------------------------------------------------------------------------------- */

static void handle_retirement(
	struct supervisor *supervisor, unsigned number, const struct child *dead, int status)
{
	supervisor->slots[number].kill_due_ns = UINT64_MAX;
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		log_death(number, dead->pid, status, " while retiring");
	else
		log_info("worker %u (pid %d) retired", number + 1, (int)dead->pid);
	replace_asked(supervisor, number);
}

static void reap_in_slot(struct supervisor *supervisor, unsigned number, pid_t pid, int status)
{
	struct slot *slot = &supervisor->slots[number];
	bool retired = slot->retiring.pid == pid;
	struct child dead = retired ? slot->retiring : slot->serving;

	if (dead.pid != pid)
		return;
	forget_child(retired ? &slot->retiring : &slot->serving);
	correct_page(&supervisor->server.pages[dead.page]);
	if (retired)
		handle_retirement(supervisor, number, &dead, status);
	else
		handle_death(supervisor, number, &dead, status);
}

static void reap(struct supervisor *supervisor)
{
	int status;
	pid_t pid;

	while ((pid = waitpid(-1, &status, WNOHANG)) > 0) {
		for (unsigned i = 0; i < supervisor->server.worker_count; i++)
			reap_in_slot(supervisor, i, pid, status);
	}
}

static void restart_due(struct supervisor *supervisor, uint64_t now_ns)
{
	if (is_ending(supervisor))
		return;
	for (unsigned i = 0; i < supervisor->server.worker_count; i++) {
		if (now_ns >= supervisor->slots[i].due_ns)
			spawn(supervisor, i);
	}
}

/* --- the loop ----------------------------------------------------------------------------- */

static void handle_signal(struct supervisor *supervisor, int number)
{
	switch (number) {
	case SIGTERM:
	case SIGQUIT:
		if (is_ending(supervisor))
			stop(supervisor);
		else
			drain(supervisor);
		return;
	case SIGINT:
		stop(supervisor);
		return;
	case SIGCHLD:
		return; /* reap() runs after every wait, since signals may merge */
	default:
		log_warning("ignored signal %d (%s); restart the server to apply a changed "
			    "configuration",
			number, strsignal(number));
	}
}

/* Signals are read before children are reaped and reports are read, so that deaths and requests
 * which came with an order to end are not taken for crashes and retirements. */
static void handle_signals(struct supervisor *supervisor)
{
	struct signalfd_siginfo information;

	while (read(supervisor->signals, &information, sizeof(information)) == sizeof(information))
		handle_signal(supervisor, (int)information.ssi_signo);
}

/* Every worker serves: from now on messages go to the error log. */
static void begin_serving(struct supervisor *supervisor)
{
	supervisor->state = SERVING;
	announce_ready(&supervisor->server);
	daemon_report(&supervisor->report);
	if (supervisor->server.daemon)
		detach_from_terminal();
	logs_use_error_log(&supervisor->server.logs);
	log_set_speaker("supervisor");
}

static bool all_are_ready(const struct supervisor *supervisor)
{
	for (unsigned i = 0; i < supervisor->server.worker_count; i++) {
		if (!supervisor->slots[i].serving.ready)
			return false;
	}
	return true;
}

static void handle_ready(struct supervisor *supervisor, struct slot *slot)
{
	slot->serving.ready = true;
	if (supervisor->state == STARTING && all_are_ready(supervisor))
		begin_serving(supervisor);
	if (slot->retiring.pid > 0 && slot->kill_due_ns == UINT64_MAX && !is_ending(supervisor)) {
		send_order(&slot->retiring, ORDER_RETIRE);
		slot->kill_due_ns = drain_due_ns(supervisor);
	}
}

static void handle_reports(struct supervisor *supervisor, unsigned number)
{
	struct slot *slot = &supervisor->slots[number];
	pid_t pid = slot->serving.pid;
	enum message report;

	while (pid > 0 && pid == slot->serving.pid &&
		channel_receive(&report, slot->serving.channel)) {
		if (report == REPORT_READY)
			handle_ready(supervisor, slot);
		if (report == REPORT_ALIVE)
			slot->serving.questions = 0;
		if (report == REPORT_SIGNALED) {
			slot->retire_asked = true;
			replace_asked(supervisor, number);
		}
	}
}

static uint64_t next_due_ns(const struct supervisor *supervisor)
{
	uint64_t due_ns = supervisor->kill_due_ns;

	if (supervisor->state == SERVING)
		due_ns = smaller(due_ns, supervisor->question_due_ns);
	for (unsigned i = 0; i < supervisor->server.worker_count; i++) {
		const struct slot *slot = &supervisor->slots[i];

		if (!is_ending(supervisor))
			due_ns = smaller(due_ns, slot->due_ns);
		due_ns = smaller(due_ns, slot->kill_due_ns);
	}
	return due_ns;
}

static int wait_ms(const struct supervisor *supervisor)
{
	uint64_t due_ns = next_due_ns(supervisor), now_ns = monotonic_ns();

	if (due_ns == UINT64_MAX)
		return -1;
	return due_ns > now_ns ? (int)((due_ns - now_ns) / 1000000 + 1) : 0;
}

/* A retiring worker has nothing to report. */
static void await_events(const struct supervisor *supervisor, struct pollfd *events)
{
	unsigned count = supervisor->server.worker_count;

	events[count] = (struct pollfd){ .fd = supervisor->signals, .events = POLLIN };
	for (unsigned i = 0; i < count; i++) {
		const struct child *child = &supervisor->slots[i].serving;

		events[i] = (struct pollfd){ .fd = child->pid > 0 ? child->channel : -1,
			.events = POLLIN };
	}
	if (poll(events, count + 1, wait_ms(supervisor)) < 0 && errno != EINTR)
		log_error("cannot wait for events: %s", strerror(errno));
}

static void supervise(struct supervisor *supervisor, struct pollfd *events)
{
	while (!is_ending(supervisor) || count_children(supervisor) > 0) {
		uint64_t now_ns;

		await_events(supervisor, events);
		handle_signals(supervisor);
		for (unsigned i = 0; i < supervisor->server.worker_count; i++)
			handle_reports(supervisor, i);
		reap(supervisor);
		now_ns = monotonic_ns();
		kill_overdue(supervisor, now_ns);
		restart_due(supervisor, now_ns);
		question_due(supervisor, now_ns);
	}
}

static int run_workers(struct supervisor *supervisor, const sigset_t *signals)
{
	unsigned worker_count = supervisor->server.worker_count;
	auto_free struct slot *slots = calloc(worker_count, sizeof(struct slot));
	auto_free struct pollfd *events = calloc(worker_count + 1, sizeof(struct pollfd));

	if (!slots || !events)
		return EXIT_FAILURE;
	supervisor->signals = signalfd(-1, signals, SFD_NONBLOCK | SFD_CLOEXEC);
	if (supervisor->signals < 0) {
		fail(-errno, "cannot open a signal descriptor");
		return EXIT_FAILURE;
	}
	supervisor->slots = slots;
	supervisor->question_due_ns = stuck_ns(supervisor) > 0 ? monotonic_ns() : UINT64_MAX;
	for (unsigned i = 0; i < worker_count; i++)
		slots[i].kill_due_ns = UINT64_MAX;
	for (unsigned i = 0; i < worker_count && !is_ending(supervisor); i++)
		spawn(supervisor, i);
	supervise(supervisor, events);
	close(supervisor->signals);
	return supervisor->exit_code;
}

/* --- one process -------------------------------------------------------------------------- */

static void say_ready(void *context)
{
	struct supervisor *supervisor = context;

	announce_ready(&supervisor->server);
	daemon_report(&supervisor->report);
	if (supervisor->server.daemon)
		detach_from_terminal();
}

static int run_single(struct supervisor *supervisor)
{
	struct worker_options options = {
		.channel = -1,
		.ready = say_ready,
		.context = supervisor,
	};

	if (user_become(&supervisor->server.user) < 0 || forbid_new_privileges() < 0)
		return EXIT_FAILURE;
	return worker_run(&supervisor->server, &options);
}

int supervisor_run(
	const struct configuration *configuration, const struct supervisor_options *options)
{
	struct supervisor supervisor = { .report = -1, .kill_due_ns = UINT64_MAX };
	int exit_code = EXIT_FAILURE;
	sigset_t signals;

	log_set_level(section_word(configuration->root, "log_level"));
	if (options->daemon) {
		int r = daemon_begin(&supervisor.report, &exit_code);

		if (r != 0)
			return exit_code;
	}
	block_signals(&signals);
	if (server_open(&supervisor.server, configuration, options) == 0)
		exit_code = options->single_process ? run_single(&supervisor)
						    : run_workers(&supervisor, &signals);
	server_close(&supervisor.server);
	return exit_code;
}
