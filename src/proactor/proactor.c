/* What every backend shares: the life of an op, the loop, timeouts, waking from other threads.
 *
 * Ops that a backend completes wait in `completed` until the loop calls their done(): whatever
 * done() does, no submit call ever runs another callback. */
#include "proactor/proactor.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/sockios.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <time.h>

#include "base/metrics.h"
#include "base/smaller.h"
#include "proactor/backend.h"
#include "proactor/deadline.h"

/* The time of day, which may be set, is read every 100 ms and follows the other clock meanwhile. */
enum { WALL_AGE_NS_MAX = 100 * 1000 * 1000 };

enum { THREAD_COUNT = 8 };

static void read_clocks(struct proactor *proactor)
{
	uint64_t now_ns = proactor->backend->monotonic_ns(proactor);

	proactor->wall_ns += (int64_t)(now_ns - proactor->now_ns);
	proactor->now_ns = now_ns;
	if (now_ns >= proactor->wall_due_ns) {
		proactor->wall_ns = proactor->backend->wall_ns(proactor);
		proactor->wall_due_ns = now_ns + WALL_AGE_NS_MAX;
	}
}

int proactor_init(struct proactor *proactor, const struct backend *backend, unsigned thread_count)
{
	*proactor = (struct proactor){ .backend = backend };
	list_init(&proactor->completed);
	list_init(&proactor->timeouts);
	list_init(&proactor->deadline_queues);
	proactor->none_due_before_ns = UINT64_MAX;
	list_init(&proactor->wakes);
	read_clocks(proactor);
	return pool_open(&proactor->pool, thread_count > 0 ? thread_count : THREAD_COUNT);
}

void proactor_reset(struct proactor *proactor)
{
	pool_free(proactor->pool);
	proactor->pool = NULL;
	descriptor_set_free(&proactor->late);
}

int proactor_open(struct proactor **proactor, enum backend_choice choice,
	const struct proactor_options *options)
{
	assert(choice != BACKEND_AUTO);
	if (choice == BACKEND_EPOLL)
		return epoll_open(proactor, options);
	return uring_open(proactor, options);
}

void proactor_free(struct proactor *proactor)
{
	assert(proactor->active_count == 0);
	proactor->backend->free(proactor);
}

const char *proactor_backend_name(const struct proactor *proactor)
{
	return proactor->backend->name;
}

const char *proactor_features(const struct proactor *proactor)
{
	return proactor->features ? proactor->features : "";
}

uint64_t proactor_now_ns(const struct proactor *proactor)
{
	return proactor->now_ns;
}

int64_t proactor_wall_ns(const struct proactor *proactor)
{
	return proactor->wall_ns;
}

size_t proactor_active_count(const struct proactor *proactor)
{
	return proactor->active_count;
}

int proactor_shutdown(struct proactor *proactor, int fd, int how)
{
	return proactor->backend->shutdown(proactor, fd, how);
}

static void set_tcp_option(struct proactor *proactor, int fd, int option, int value)
{
	if (proactor->backend->set_tcp_option)
		proactor->backend->set_tcp_option(proactor, fd, option, value);
}

void proactor_cork(struct proactor *proactor, int fd, bool corked)
{
	set_tcp_option(proactor, fd, TCP_CORK, corked);
}

void proactor_bound_unsent(struct proactor *proactor, int fd, int length_max)
{
	set_tcp_option(proactor, fd, TCP_NOTSENT_LOWAT, length_max);
}

int proactor_unacknowledged_length(struct proactor *proactor, int fd)
{
	return proactor->backend->unacknowledged_length(proactor, fd);
}

void proactor_reset_at_close(struct proactor *proactor, int fd)
{
	proactor->backend->reset_at_close(proactor, fd);
}

bool proactor_is_in_memory(struct proactor *proactor, int file, uint64_t offset, uint64_t length)
{
	return proactor->backend->is_in_memory(proactor, file, offset, length);
}

int proactor_peer_address(struct proactor *proactor, int fd, struct sockaddr_storage *address)
{
	return proactor->backend->peer_address(proactor, fd, address);
}

/* --- the life of an op -------------------------------------------------------------------- */

static void op_begin(struct proactor *proactor, struct op *op, enum op_kind kind, int fd)
{
	assert(op->state == OP_IDLE);
	assert(op->done);
	op->kind = (uint8_t)kind;
	op->state = OP_SUBMITTED;
	op->fd = fd;
	op->result = 0;
	op->moved = 0;
	op->cancelled = false;
	op->is_late = false;
	op->step = 0;
	proactor->active_count++;
	metrics_add(METRIC_OPS_SUBMITTED, 1);
}

/* `file` is what the op works on: a file, or the directory in which a path begins. */
static void op_begin_on_file(
	struct proactor *proactor, struct op *op, enum op_kind kind, int fd, int file)
{
	op_begin(proactor, op, kind, fd);
	op->is_late = descriptor_set_has(&proactor->late, file);
}

static void count_success(const struct op *op)
{
	uint64_t amount = (uint64_t)op->result;

	switch ((enum op_kind)op->kind) {
	case OP_ACCEPT:
		metrics_add(METRIC_ACCEPTS, amount);
		break;
	case OP_RECEIVE:
		metrics_add(METRIC_RECEIVES, amount > 0);
		break;
	case OP_SEND:
		metrics_add(METRIC_SENDS, 1);
		break;
	case OP_SENDFILE:
		metrics_add(METRIC_SENDFILES, 1);
		break;
	case OP_OPEN:
		metrics_add(METRIC_OPENS, 1);
		break;
	case OP_STAT:
		metrics_add(METRIC_STATS, 1);
		break;
	case OP_READ:
		metrics_add(METRIC_READS, 1);
		metrics_add(METRIC_READ_BYTES, amount);
		break;
	case OP_WRITE:
		metrics_add(METRIC_WRITES, 1);
		break;
	case OP_FSYNC:
	case OP_RENAME:
	case OP_UNLINK:
	case OP_CLOSE:
	case OP_POLL:
	case OP_TIMEOUT:
	case OP_WAKE:
	case OP_WORK:
		break;
	}
}

/* What has become known of a descriptor.  An O_PATH descriptor is opened without asking the file
 * system, so nothing is known of that. */
static void note_lateness(struct proactor *proactor, const struct op *op)
{
	bool is_late = op->is_late;
	int fd = op->fd;

	if (op->kind == OP_OPEN) {
		fd = (int)op->result;
		is_late = is_late || op->open.how.flags & O_PATH;
	} else {
		is_late = is_late && !op->stat.is_local;
	}
	if (is_late != descriptor_set_has(&proactor->late, fd))
		descriptor_set_put(&proactor->late, fd, is_late);
}

bool proactor_may_be_late(const struct proactor *proactor, int fd)
{
	return descriptor_set_has(&proactor->late, fd);
}

void proactor_compare_mounts(struct proactor *proactor, int fd, int known)
{
	if (proactor_may_be_late(proactor, fd) && !proactor_may_be_late(proactor, known) &&
		file_system_is_same_mount(fd, known))
		descriptor_set_put(&proactor->late, fd, false);
}

void op_complete(struct proactor *proactor, struct op *op, int64_t result)
{
	assert(op->state == OP_SUBMITTED);
	op->state = OP_COMPLETED;
	op->result = result;
	if (result >= 0)
		count_success(op);
	if (result >= 0 && (op->kind == OP_OPEN || (op->kind == OP_STAT && op->is_late)))
		note_lateness(proactor, op);
	list_remove(&op->node);
	if (op->kind == OP_POLL)
		list_prepend(&proactor->completed, &op->node);
	else
		list_append(&proactor->completed, &op->node);
}

bool op_take_memory(struct proactor *proactor, struct op *op)
{
	if (!op->read.bytes)
		op->read.bytes = op->read.memory(op);
	if (!op->read.bytes)
		op_complete(proactor, op, -ENOMEM);
	return op->read.bytes;
}

/* What the op lends its owner until done() returns, or NULL. */
static const void *op_loan(const struct op *op)
{
	if (op->result <= 0)
		return NULL;
	if (op->kind == OP_RECEIVE)
		return op->receive.loan.bytes;
	if (op->kind == OP_ACCEPT)
		return op->accept.fds;
	return NULL;
}

static void op_finish(struct proactor *proactor, struct op *op)
{
	const void *loan = op_loan(op);
	enum op_kind kind = op->kind;

	assert(op->state == OP_COMPLETED);
	list_remove(&op->node);
	op->state = OP_IDLE;
	proactor->active_count--;
	metrics_add(METRIC_OPS_COMPLETED, 1);
	op->done(proactor, op);
	if (loan && proactor->backend->loan_ended)
		proactor->backend->loan_ended(proactor, kind, loan);
}

void proactor_accept(struct proactor *proactor, struct op *op, int fd)
{
	op_begin(proactor, op, OP_ACCEPT, fd);
	op->accept.fds = NULL;
	proactor->backend->submit(proactor, op);
}

void proactor_receive(struct proactor *proactor, struct op *op, int fd)
{
	op_begin(proactor, op, OP_RECEIVE, fd);
	op->receive.loan = (struct text){ NULL, 0 };
	proactor->backend->submit(proactor, op);
}

static void send_vector(struct proactor *proactor, struct op *op, int fd, struct iovec *vector,
	unsigned vector_count, bool more, bool last)
{
	assert(vector_count > 0);
	op_begin(proactor, op, OP_SEND, fd);
	op->send.vector = vector;
	op->send.vector_count = vector_count;
	op->send.more = more;
	op->send.last = last;
	op->send.closed = false;
	op->send.message = NULL;
	proactor->backend->submit(proactor, op);
}

void proactor_send(struct proactor *proactor, struct op *op, int fd, struct iovec *vector,
	unsigned vector_count, bool more)
{
	send_vector(proactor, op, fd, vector, vector_count, more, false);
}

void proactor_send_last(struct proactor *proactor, struct op *op, int fd, struct iovec *vector,
	unsigned vector_count)
{
	send_vector(proactor, op, fd, vector, vector_count, true, true);
}

void proactor_sendfile(struct proactor *proactor, struct op *op, int fd, int file, uint64_t offset,
	uint64_t length, bool more)
{
	assert(length > 0);
	op_begin_on_file(proactor, op, OP_SENDFILE, fd, file);
	op->sendfile.file = file;
	op->sendfile.more = more;
	op->sendfile.halvings = 0;
	op->sendfile.offset = offset;
	op->sendfile.length = length;
	op->sendfile.in_memory_end = 0;
	op->sendfile.pipe = NULL;
	proactor->backend->submit(proactor, op);
}

void proactor_open_file(struct proactor *proactor, struct op *op, int directory, const char *path,
	const struct open_how *how)
{
	op_begin_on_file(proactor, op, OP_OPEN, directory, directory);
	op->open.path = path;
	op->open.how = *how;
	proactor->backend->submit(proactor, op);
}

void proactor_stat(struct proactor *proactor, struct op *op, int fd, struct stat *stat)
{
	op_begin_on_file(proactor, op, OP_STAT, fd, fd);
	op->stat.stat = stat;
	op->stat.is_local = false;
	proactor->backend->submit(proactor, op);
}

static void read_into(struct proactor *proactor, struct op *op, int fd, void *bytes,
	op_memory_fn *memory, size_t length, uint64_t offset)
{
	op_begin_on_file(proactor, op, OP_READ, fd, fd);
	op->read.bytes = bytes;
	op->read.memory = memory;
	op->read.length = length;
	op->read.offset = offset;
	proactor->backend->submit(proactor, op);
}

void proactor_read(struct proactor *proactor, struct op *op, int fd, void *bytes, size_t length,
	uint64_t offset)
{
	assert(bytes);
	read_into(proactor, op, fd, bytes, NULL, length, offset);
}

void proactor_read_into(struct proactor *proactor, struct op *op, int fd, op_memory_fn *memory,
	size_t length, uint64_t offset)
{
	read_into(proactor, op, fd, NULL, memory, length, offset);
}

void proactor_write(struct proactor *proactor, struct op *op, int fd, const void *bytes,
	size_t length, uint64_t offset)
{
	op_begin_on_file(proactor, op, OP_WRITE, fd, fd);
	op->write.bytes = bytes;
	op->write.length = length;
	op->write.offset = offset;
	proactor->backend->submit(proactor, op);
}

void proactor_fsync(struct proactor *proactor, struct op *op, int fd)
{
	op_begin_on_file(proactor, op, OP_FSYNC, fd, fd);
	proactor->backend->submit(proactor, op);
}

void proactor_rename(struct proactor *proactor, struct op *op, int directory, const char *from,
	const char *to, unsigned flags)
{
	op_begin_on_file(proactor, op, OP_RENAME, directory, directory);
	op->rename.from = from;
	op->rename.to = to;
	op->rename.flags = flags;
	proactor->backend->submit(proactor, op);
}

void proactor_unlink(
	struct proactor *proactor, struct op *op, int directory, const char *path, int flags)
{
	op_begin_on_file(proactor, op, OP_UNLINK, directory, directory);
	op->unlink.path = path;
	op->unlink.flags = flags;
	proactor->backend->submit(proactor, op);
}

void proactor_close(struct proactor *proactor, struct op *op, int fd)
{
	op_begin_on_file(proactor, op, OP_CLOSE, fd, fd);
	if (fd < 0) {
		op_complete(proactor, op, 0);
		return;
	}
	if (op->is_late)
		descriptor_set_put(&proactor->late, fd, false);
	proactor->backend->submit(proactor, op);
}

void proactor_poll(struct proactor *proactor, struct op *op, int fd, short events)
{
	op_begin(proactor, op, OP_POLL, fd);
	op->poll.events = events;
	proactor->backend->submit(proactor, op);
}

void proactor_work(struct proactor *proactor, struct op *op, op_work_fn *run, void *context)
{
	op_begin(proactor, op, OP_WORK, -1);
	op->work.run = run;
	op->work.context = context;
	proactor->backend->work(proactor, op);
}

void proactor_cancel(struct proactor *proactor, struct op *op)
{
	if (op->state != OP_SUBMITTED || op->cancelled || op->kind == OP_CLOSE)
		return;
	op->cancelled = true;
	metrics_add(METRIC_OPS_CANCELLED, 1);
	switch ((enum op_kind)op->kind) {
	case OP_TIMEOUT:
	case OP_WAKE:
		op_complete(proactor, op, -ECANCELED);
		return;
	case OP_WORK:
		if (pool_withdraw(proactor->pool, op))
			op_complete(proactor, op, -ECANCELED);
		return;
	case OP_ACCEPT:
	case OP_RECEIVE:
	case OP_SEND:
	case OP_SENDFILE:
	case OP_OPEN:
	case OP_STAT:
	case OP_READ:
	case OP_WRITE:
	case OP_FSYNC:
	case OP_RENAME:
	case OP_UNLINK:
	case OP_CLOSE:
	case OP_POLL:
		proactor->backend->cancel(proactor, op);
		return;
	}
}

/* --- timeouts ----------------------------------------------------------------------------- */

static struct op *op_of(struct list_node *node)
{
	return container_of(node, struct op, node);
}

/* Few are ever active at once (connections use deadlines): a sorted list serves. */
void proactor_timeout(struct proactor *proactor, struct op *op, uint64_t delay_ns)
{
	struct list_node *later = proactor->timeouts.head.next;

	op_begin(proactor, op, OP_TIMEOUT, -1);
	op->timeout.due_ns = proactor->now_ns + delay_ns;
	while (later != &proactor->timeouts.head &&
		op_of(later)->timeout.due_ns <= op->timeout.due_ns)
		later = later->next;
	op->node.previous = later->previous;
	op->node.next = later;
	later->previous->next = &op->node;
	later->previous = &op->node;
}

static void expire_timeouts(struct proactor *proactor)
{
	struct list_node *node = list_first(&proactor->timeouts);

	while (node && op_of(node)->timeout.due_ns <= proactor->now_ns) {
		op_complete(proactor, op_of(node), -ETIME);
		node = list_first(&proactor->timeouts);
	}
}

/* --- waking from other threads ------------------------------------------------------------ */

void proactor_await_wake(struct proactor *proactor, struct op *op)
{
	bool woken = __atomic_exchange_n(&op->wake.woken, false, __ATOMIC_ACQUIRE);

	op_begin(proactor, op, OP_WAKE, -1);
	if (woken)
		op_complete(proactor, op, 0);
	else
		list_append(&proactor->wakes, &op->node);
}

void proactor_wake(struct proactor *proactor, struct op *op)
{
	__atomic_store_n(&op->wake.woken, true, __ATOMIC_RELEASE);
	pool_signal(proactor->pool);
}

static void complete_woken(struct proactor *proactor)
{
	list_for_each_safe (node, &proactor->wakes) {
		struct op *op = op_of(node);

		if (__atomic_exchange_n(&op->wake.woken, false, __ATOMIC_ACQUIRE))
			op_complete(proactor, op, 0);
	}
}

/* --- the loop ----------------------------------------------------------------------------- */

/* From the beginning of this turn, which is over soon: what is due may be late by its length. */
static uint64_t wait_ns(struct proactor *proactor, uint64_t wait_ns_max)
{
	struct list_node *timeout = list_first(&proactor->timeouts);
	uint64_t due_ns = proactor->none_due_before_ns;
	uint64_t remaining_ns;

	if (!list_is_empty(&proactor->completed))
		return 0;
	if (timeout && op_of(timeout)->timeout.due_ns < due_ns)
		due_ns = op_of(timeout)->timeout.due_ns;
	if (due_ns == UINT64_MAX)
		return wait_ns_max;
	remaining_ns = due_ns > proactor->now_ns ? due_ns - proactor->now_ns : 0;
	return smaller(remaining_ns, wait_ns_max);
}

/* Only what was completed before: a done() that completes another op does not starve the rest. */
static void finish_completed(struct proactor *proactor)
{
	struct list due;
	struct list_node *node;

	list_move_all(&due, &proactor->completed);
	while ((node = list_take_first(&due)))
		op_finish(proactor, op_of(node));
}

int proactor_turn(struct proactor *proactor, uint64_t wait_ns_max)
{
	int r = proactor->backend->wait(proactor, wait_ns(proactor, wait_ns_max));

	if (r < 0)
		return r;
	metrics_add(METRIC_TURNS, 1);
	read_clocks(proactor);
	complete_woken(proactor);
	expire_timeouts(proactor);
	finish_completed(proactor);
	deadlines_expire(proactor);
	return 0;
}

int proactor_await(struct proactor *proactor, const struct op *op)
{
	int r = 0;

	while (r >= 0 && op_is_active(op))
		r = proactor_turn(proactor, PROACTOR_WAIT_FOREVER);
	return r;
}

int proactor_run(struct proactor *proactor)
{
	proactor->stopping = false;
	while (!proactor->stopping) {
		int r = proactor_turn(proactor, PROACTOR_WAIT_FOREVER);

		if (r < 0)
			return r;
	}
	return 0;
}

void proactor_stop(struct proactor *proactor)
{
	proactor->stopping = true;
}

/* --- shared by the real backends ---------------------------------------------------------- */

static int64_t clock_ns(clockid_t clock)
{
	struct timespec now;

	clock_gettime(clock, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

uint64_t real_monotonic_ns(struct proactor *proactor)
{
	(void)proactor;
	return (uint64_t)clock_ns(CLOCK_MONOTONIC);
}

int64_t real_wall_ns(struct proactor *proactor)
{
	(void)proactor;
	return clock_ns(CLOCK_REALTIME);
}

int real_shutdown(struct proactor *proactor, int fd, int how)
{
	(void)proactor;
	return shutdown(fd, how) < 0 ? -errno : 0;
}

/* Of a socket that is not TCP's it fails, and nothing is to be set there. */
void real_set_tcp_option(struct proactor *proactor, int fd, int option, int value)
{
	(void)proactor;
	(void)setsockopt(fd, IPPROTO_TCP, option, &value, sizeof(value));
}

int real_unacknowledged_length(struct proactor *proactor, int fd)
{
	int length = 0;

	(void)proactor;
	return ioctl(fd, SIOCOUTQ, &length) < 0 ? 0 : length;
}

void real_reset_at_close(struct proactor *proactor, int fd)
{
	const struct linger linger = { .l_onoff = 1 };

	(void)proactor;
	(void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger));
}

int real_peer_address(struct proactor *proactor, int fd, struct sockaddr_storage *address)
{
	socklen_t size = sizeof(*address);

	(void)proactor;
	*address = (struct sockaddr_storage){ .ss_family = AF_UNSPEC };
	return getpeername(fd, (struct sockaddr *)address, &size) < 0 ? -errno : 0;
}

static int64_t run_work(struct op *op)
{
	return op->work.run(op->work.context);
}

void real_work(struct proactor *proactor, struct op *op)
{
	int r = pool_submit(proactor->pool, op, run_work);

	if (r < 0)
		op_complete(proactor, op, r);
}

static int64_t run_stat(struct op *op)
{
	if (fstat(op->fd, op->stat.stat) < 0)
		return -errno;
	op->stat.is_local = file_system_is_local(op->fd);
	return 0;
}

void real_stat(struct proactor *proactor, struct op *op)
{
	int r = 0;

	if (op->is_late)
		r = pool_submit(proactor->pool, op, run_stat);
	else
		op_complete(proactor, op, fstat(op->fd, op->stat.stat) < 0 ? -errno : 0);
	if (r < 0)
		op_complete(proactor, op, r);
}

bool op_meets_mount(const struct op *op)
{
	return op->kind == OP_OPEN && !op->is_late && op->result == -EXDEV;
}

void real_collect(struct proactor *proactor, struct list *unfinished)
{
	struct list finished;
	struct list_node *node;

	list_init(&finished);
	pool_collect(proactor->pool, &finished);
	while ((node = list_take_first(&finished))) {
		struct op *op = op_of(node);

		if (op->kind == OP_WORK)
			metrics_add(METRIC_POOL_WORKS, 1);
		if (op->kind == OP_SENDFILE || op_meets_mount(op))
			list_append(unfinished, node);
		else
			op_complete(proactor, op, op->result);
	}
}
