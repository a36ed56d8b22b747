/* The epoll backend: completions made out of readiness.  Try, park, retry.
 *
 * An op on a socket is tried when it is submitted, a send with the others of its turn, after all
 * that made them; mostly that is the end of it, without epoll having been asked.  If the socket is
 * exhausted the op is parked at its descriptor's record, and tried again when the edge comes.  A
 * descriptor is registered once, edge-triggered, for both directions, by the first wait that finds
 * an op of it parked: no further epoll_ctl(2) until it is closed, and none at all for a connection
 * that is over by then.
 *
 * Edges are never lost: an op is parked only after the kernel itself said EAGAIN (or, for a
 * receive, has said so in effect since the last edge), registering reports what is ready already,
 * and an edge that finds nobody waiting is remembered in the record.
 *
 * A turn takes its events, then tries each op they made ready, once; done()s run only afterwards,
 * and only a done() can close a descriptor: no event of a turn can refer to a descriptor closed, or
 * a number given anew, in the same turn.  Closing removes the registration first, since another
 * process may hold the same open file and would keep it alive.
 *
 * Ops on files run on the pool (epoll_file.c), attempts stand in epoll_socket.c. */
#include "proactor/epoll.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "base/metrics.h"

enum { EVENTS_PER_WAIT = 256, SKIPPED_TURNS_MAX = 8 };

/* --- try, park, retry --------------------------------------------------------------------- */

static void park(struct epoll_proactor *epoll, struct epoll_descriptor *descriptor, struct op *op)
{
	list_append(&descriptor->parked, &op->node);
	if (descriptor->registered || list_is_linked(&descriptor->node))
		return;
	descriptor->fd = op->fd;
	list_append(&epoll->unregistered, &descriptor->node);
}

static void refuse_parked(
	struct epoll_proactor *epoll, struct epoll_descriptor *descriptor, int error)
{
	struct list_node *node;

	while ((node = list_take_first(&descriptor->parked)))
		op_complete(&epoll->proactor, container_of(node, struct op, node), error);
}

/* Before a wait; many a connection was answered and closed by then. */
static void register_descriptors(struct epoll_proactor *epoll)
{
	struct list_node *node;

	while ((node = list_take_first(&epoll->unregistered))) {
		struct epoll_descriptor *descriptor =
			container_of(node, struct epoll_descriptor, node);
		struct epoll_event event = {
			.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
			.data.fd = descriptor->fd,
		};

		if (list_is_empty(&descriptor->parked))
			continue; /* cancelled meanwhile */
		if (epoll_ctl(epoll->epoll_fd, EPOLL_CTL_ADD, descriptor->fd, &event) < 0)
			refuse_parked(epoll, descriptor, -errno);
		else
			descriptor->registered = true;
	}
}

static void keep(struct epoll_proactor *epoll, struct epoll_descriptor *descriptor, struct op *op,
	enum outcome outcome)
{
	switch (outcome) {
	case OUTCOME_ENDED:
		break;
	case OUTCOME_BLOCKED:
		park(epoll, descriptor, op);
		break;
	case OUTCOME_UNFINISHED:
		list_append(&epoll->ready, &op->node);
		break;
	}
}

static void try_or_keep(
	struct epoll_proactor *epoll, struct epoll_descriptor *descriptor, struct op *op)
{
	keep(epoll, descriptor, op, epoll_try(epoll, descriptor, op));
}

static void submit_to_socket(struct epoll_proactor *epoll, struct op *op)
{
	struct epoll_descriptor *descriptor;

	if (op->fd < 0) {
		op_complete(&epoll->proactor, op, -EBADF);
		return;
	}
	descriptor = epoll_descriptor_of(&epoll->descriptors, op->fd);
	if (!descriptor)
		op_complete(&epoll->proactor, op, -ENOMEM);
	else if (op->kind == OP_SEND)
		list_append(&epoll->ready, &op->node);
	else
		try_or_keep(epoll, descriptor, op);
}

/* The edges after which trying again makes sense. */
static uint32_t edges_for(const struct op *op)
{
	if (op->kind == OP_ACCEPT || op->kind == OP_RECEIVE)
		return EPOLLIN | EPOLLRDHUP | EPOLLHUP | EPOLLERR;
	if (op->kind == OP_SEND || op->kind == OP_SENDFILE)
		return EPOLLOUT | EPOLLHUP | EPOLLERR;
	return UINT32_MAX;
}

/* Remembers the edge, and has those tried again that waited for it. */
static void handle_edge(struct epoll_proactor *epoll, int fd, uint32_t events)
{
	struct epoll_descriptor *descriptor = epoll_descriptor_find(&epoll->descriptors, fd);

	if (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR))
		descriptor->hung_up = true;
	if (descriptor->hung_up || events & EPOLLIN)
		descriptor->readable = true;
	list_for_each_safe (node, &descriptor->parked) {
		if (events & edges_for(container_of(node, struct op, node))) {
			list_remove(node);
			list_append(&epoll->ready, node);
		}
	}
}

/* Each once: what could go on after its attempt is ready anew, for the next turn. */
static void try_ready(struct epoll_proactor *epoll)
{
	struct list ready;
	struct list_node *node;

	list_move_all(&ready, &epoll->ready);
	while ((node = list_take_first(&ready))) {
		struct op *op = container_of(node, struct op, node);

		try_or_keep(epoll, epoll_descriptor_find(&epoll->descriptors, op->fd), op);
	}
}

/* --- the calls of the vtable -------------------------------------------------------------- */

static void close_now(struct epoll_proactor *epoll, struct op *op)
{
	struct epoll_descriptor *descriptor = epoll_descriptor_find(&epoll->descriptors, op->fd);

	if (descriptor && descriptor->registered)
		epoll_ctl(epoll->epoll_fd, EPOLL_CTL_DEL, op->fd, NULL);
	if (descriptor)
		epoll_descriptor_reset(descriptor);
	/* close(2) gives the number back even when it is interrupted. */
	if (close(op->fd) < 0 && errno != EINTR)
		op_complete(&epoll->proactor, op, -errno);
	else
		op_complete(&epoll->proactor, op, 0);
}

static void backend_submit(struct proactor *proactor, struct op *op)
{
	switch ((enum op_kind)op->kind) {
	case OP_ACCEPT:
	case OP_RECEIVE:
	case OP_SEND:
	case OP_SENDFILE:
	case OP_POLL:
		submit_to_socket(epoll_proactor_of(proactor), op);
		return;
	case OP_OPEN:
	case OP_STAT:
	case OP_READ:
	case OP_WRITE:
	case OP_FSYNC:
	case OP_RENAME:
	case OP_UNLINK:
		epoll_submit_file(proactor, op);
		return;
	case OP_CLOSE:
		if (op->is_late)
			epoll_submit_file(proactor, op);
		else
			close_now(epoll_proactor_of(proactor), op);
		return;
	case OP_TIMEOUT:
	case OP_WAKE:
	case OP_WORK:
		break;
	}
	assert(!"served by proactor.c");
}

/* An op that is still submitted has moved all it could: nothing is in flight that would have to be
 * waited for, but for a file operation that a thread has begun.  Who stops accepting leaves
 * connections behind unseen; the next accept is to ask for them. */
static void backend_cancel(struct proactor *proactor, struct op *op)
{
	struct epoll_proactor *epoll = epoll_proactor_of(proactor);
	bool is_on_socket = op->kind == OP_ACCEPT || op->kind == OP_RECEIVE ||
			    op->kind == OP_SEND || op->kind == OP_POLL ||
			    (op->kind == OP_SENDFILE && op->step != STEP_ON_THREAD);

	if (op->kind == OP_ACCEPT)
		epoll_descriptor_find(&epoll->descriptors, op->fd)->readable = true;
	if (is_on_socket || epoll_waits_for_turn(op) || pool_withdraw(proactor->pool, op))
		op_complete(proactor, op, -ECANCELED);
}

/* Rounded up: a deadline must have passed when the wait ends. */
static int milliseconds_of(uint64_t wait_ns)
{
	uint64_t milliseconds = wait_ns / 1000000 + (wait_ns % 1000000 > 0);

	if (wait_ns == PROACTOR_WAIT_FOREVER)
		return -1;
	return milliseconds < INT_MAX ? (int)milliseconds : INT_MAX;
}

static int wait_precisely(int epoll_fd, struct epoll_event *events, uint64_t wait_ns)
{
	struct timespec timeout = {
		.tv_sec = (time_t)(wait_ns / 1000000000),
		.tv_nsec = (long)(wait_ns % 1000000000),
	};

	return epoll_pwait2(epoll_fd, events, EVENTS_PER_WAIT,
		wait_ns == PROACTOR_WAIT_FOREVER ? NULL : &timeout, NULL);
}

/* The count of events, or a negative errno.  A container's seccomp filter may forbid what it does
 * not know. */
static int wait_for_events(
	struct epoll_proactor *epoll, struct epoll_event *events, uint64_t wait_ns)
{
	int count = -1;

	metrics_add(METRIC_ENTERS, 1);
	if (!epoll->whole_milliseconds) {
		count = wait_precisely(epoll->epoll_fd, events, wait_ns);
		epoll->whole_milliseconds = count < 0 && (errno == ENOSYS || errno == EPERM);
	}
	if (epoll->whole_milliseconds)
		count = epoll_wait(
			epoll->epoll_fd, events, EVENTS_PER_WAIT, milliseconds_of(wait_ns));
	if (count < 0)
		return errno == EINTR ? 0 : -errno;
	metrics_add(METRIC_COMPLETIONS, (uint64_t)count);
	return count;
}

/* While done()s are due, the kernel is asked now and then only: a request whose every step is done
 * at once, from the accept or the receive to the close, costs one wait, not one per step. */
static bool may_skip_wait(struct epoll_proactor *epoll)
{
	bool may = epoll->skipped_count < SKIPPED_TURNS_MAX &&
		   !list_is_empty(&epoll->proactor.completed);

	epoll->skipped_count = may ? epoll->skipped_count + 1 : 0;
	return may;
}

static void collect(struct epoll_proactor *epoll)
{
	struct list unfinished;
	struct list_node *node;

	list_init(&unfinished);
	real_collect(&epoll->proactor, &unfinished);
	while ((node = list_take_first(&unfinished))) {
		struct op *op = container_of(node, struct op, node);

		if (op->kind == OP_OPEN) {
			op->is_late = true;
			epoll_hand_over(&epoll->proactor, op);
			continue;
		}
		keep(epoll, epoll_descriptor_find(&epoll->descriptors, op->fd), op,
			epoll_sendfile_returned(epoll, op));
	}
}

/* 0 or a negative errno. */
static int handle_events(struct epoll_proactor *epoll, uint64_t wait_ns)
{
	struct epoll_event events[EVENTS_PER_WAIT];
	int count = wait_for_events(epoll, events, wait_ns);

	for (int i = 0; i < count; i++) {
		if (events[i].data.fd == pool_event_fd(epoll->proactor.pool))
			collect(epoll);
		else
			handle_edge(epoll, events[i].data.fd, events[i].events);
	}
	return count < 0 ? count : 0;
}

static int backend_wait(struct proactor *proactor, uint64_t wait_ns_max)
{
	struct epoll_proactor *epoll = epoll_proactor_of(proactor);
	int r = 0;

	if (!may_skip_wait(epoll)) {
		register_descriptors(epoll);
		if (!list_is_empty(&epoll->ready) || !list_is_empty(&epoll->reads) ||
			!list_is_empty(&proactor->completed))
			wait_ns_max = 0;
		r = handle_events(epoll, wait_ns_max);
	}
	try_ready(epoll);
	epoll_share_turn(epoll);
	return r;
}

/* --- life --------------------------------------------------------------------------------- */

static void backend_free(struct proactor *proactor)
{
	struct epoll_proactor *epoll = epoll_proactor_of(proactor);

	proactor_reset(proactor);
	close(epoll->epoll_fd);
	epoll_loans_reset(epoll);
	epoll_descriptor_table_free(&epoll->descriptors);
	free(epoll);
}

static const struct backend epoll_backend = {
	.name = "epoll",
	.free = backend_free,
	.submit = backend_submit,
	.cancel = backend_cancel,
	.wait = backend_wait,
	.loan_ended = epoll_loan_ended,
	.monotonic_ns = real_monotonic_ns,
	.wall_ns = real_wall_ns,
	.shutdown = real_shutdown,
	.peer_address = real_peer_address,
	.set_tcp_option = real_set_tcp_option,
	.unacknowledged_length = real_unacknowledged_length,
	.reset_at_close = real_reset_at_close,
	.is_in_memory = epoll_is_in_memory,
	.work = real_work,
};

/* sendfile(2) has no MSG_NOSIGNAL.  A handler that somebody else has set stays. */
static void ignore_broken_pipes(void)
{
	struct sigaction action;

	sigaction(SIGPIPE, NULL, &action);
	if (action.sa_handler == SIG_DFL)
		signal(SIGPIPE, SIG_IGN);
}

/* Level-triggered: readable until it is collected from.  0 or a negative errno. */
static int watch_pool(struct epoll_proactor *epoll)
{
	int fd = pool_event_fd(epoll->proactor.pool);
	struct epoll_event event = { .events = EPOLLIN, .data.fd = fd };

	return epoll_ctl(epoll->epoll_fd, EPOLL_CTL_ADD, fd, &event) < 0 ? -errno : 0;
}

int epoll_open(struct proactor **proactor, const struct proactor_options *options)
{
	struct epoll_proactor *epoll = calloc(1, sizeof(*epoll));
	int r;

	if (!epoll)
		return -ENOMEM;
	r = proactor_init(&epoll->proactor, &epoll_backend, options->thread_count);
	if (r < 0) {
		free(epoll);
		return r;
	}
	list_init(&epoll->unregistered);
	list_init(&epoll->ready);
	list_init(&epoll->reads);
	epoll_loans_init(epoll, options);
	epoll->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	r = epoll->epoll_fd < 0 ? -errno : watch_pool(epoll);
	if (r < 0) {
		backend_free(&epoll->proactor);
		return r;
	}
	ignore_broken_pipes();
	*proactor = &epoll->proactor;
	return 0;
}
