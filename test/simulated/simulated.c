/* The simulated backend: the dice, the clock, and the rounds in which ops take their steps.
 *
 * Submitting an op only lists it.  wait() plays rounds: bytes travel, then every op listed takes a
 * step, in an order the dice give; an op may be held back for some rounds first, so that ops which
 * do not depend on each other end in any order.  wait() ends after the first round that completed
 * something.  When a round changes nothing, nothing will happen by itself any more: then the clock
 * jumps by what the loop was ready to wait.
 *
 * Memory that done() may look at (loans, descriptors accepted) is overwritten and freed in the
 * next wait(), so that whoever keeps a pointer to it is found out. */
#include "simulated/simulated.h"

#include <assert.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "simulated/private.h"

#define CLOCK_START_NS 1000000000ULL
#define WALL_START_NS  1767225600000000000LL /* 2026-01-01T00:00:00Z */

struct failure {
	struct list_node node;
	enum op_kind kind;
	int error;
};

struct loan {
	struct list_node node;
	size_t size;
	char bytes[];
};

void *allocate(size_t size)
{
	void *memory = calloc(1, size);

	if (!memory)
		abort();
	return memory;
}

/* --- the dice ----------------------------------------------------------------------------- */

/* splitmix64: small, and good enough from any seed. */
static uint64_t roll(struct simulated *simulated)
{
	uint64_t z = simulated->dice += 0x9e3779b97f4a7c15;

	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
	z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
	return z ^ (z >> 31);
}

uint64_t simulated_draw(struct simulated *simulated, uint64_t bound)
{
	return simulated->seed == 0 ? 0 : roll(simulated) % bound;
}

bool simulated_chance(struct simulated *simulated, unsigned one_in)
{
	return simulated->seed != 0 && roll(simulated) % one_in == 0;
}

/* Often everything, sometimes one byte: the interesting cuts. */
size_t simulated_piece(struct simulated *simulated, size_t length)
{
	if (simulated->seed == 0)
		return length;
	switch (simulated_draw(simulated, 8)) {
	case 0:
		return 1;
	case 1:
	case 2:
	case 3:
		return length;
	default:
		return 1 + simulated_draw(simulated, length);
	}
}

/* --- loans -------------------------------------------------------------------------------- */

void *simulated_lend(struct simulated *simulated, size_t size)
{
	struct loan *loan = allocate(sizeof(*loan) + size);

	loan->size = size;
	list_append(&simulated->loans, &loan->node);
	return loan->bytes;
}

static void end_loans(struct simulated *simulated)
{
	struct list_node *node;

	while ((node = list_take_first(&simulated->loans))) {
		struct loan *loan = container_of(node, struct loan, node);

		memset(loan->bytes, 0xdd, loan->size);
		free(loan);
	}
}

/* --- descriptors -------------------------------------------------------------------------- */

static void add_descriptors(struct simulated *simulated)
{
	unsigned count = simulated->descriptor_count ? simulated->descriptor_count * 2 : 64;
	size_t size = count * sizeof(struct descriptor);
	struct descriptor *descriptors = allocate(size);

	if (simulated->descriptors)
		memcpy(descriptors, simulated->descriptors,
			simulated->descriptor_count * sizeof(struct descriptor));
	free(simulated->descriptors);
	simulated->descriptors = descriptors;
	simulated->descriptor_count = count;
}

int descriptor_open(struct simulated *simulated, enum descriptor_kind kind)
{
	unsigned index = 0;

	if (simulated->open_count >= simulated->descriptor_count_max)
		return -EMFILE;
	while (index < simulated->descriptor_count &&
		simulated->descriptors[index].kind != DESCRIPTOR_FREE)
		index++;
	if (index == simulated->descriptor_count)
		add_descriptors(simulated);
	simulated->descriptors[index] = (struct descriptor){ .kind = kind };
	simulated->open_count++;
	return SIMULATED_FD_FIRST + (int)index;
}

struct descriptor *descriptor_find(const struct simulated *simulated, int fd)
{
	unsigned index = (unsigned)(fd - SIMULATED_FD_FIRST);

	if (fd < SIMULATED_FD_FIRST || index >= simulated->descriptor_count ||
		simulated->descriptors[index].kind == DESCRIPTOR_FREE)
		return NULL;
	return &simulated->descriptors[index];
}

struct descriptor *descriptor_find_kind(
	const struct simulated *simulated, int fd, enum descriptor_kind kind)
{
	struct descriptor *descriptor = descriptor_find(simulated, fd);

	return descriptor && descriptor->kind == kind ? descriptor : NULL;
}

void descriptor_close(struct simulated *simulated, int fd)
{
	struct descriptor *descriptor = descriptor_find(simulated, fd);

	switch (descriptor->kind) {
	case DESCRIPTOR_LISTENER:
	case DESCRIPTOR_SOCKET:
		socket_close(simulated, descriptor);
		break;
	case DESCRIPTOR_FILE:
		file_close(simulated, descriptor);
		break;
	case DESCRIPTOR_EVENT:
	case DESCRIPTOR_FREE:
		break;
	}
	descriptor->kind = DESCRIPTOR_FREE;
	simulated->open_count--;
}

size_t simulated_open_count(const struct proactor *proactor)
{
	return simulated_of(proactor)->open_count;
}

void simulated_print_open(const struct proactor *proactor, FILE *file)
{
	static const char *const names[] = { "free", "listener", "socket", "file", "event" };
	const struct simulated *simulated = simulated_of(proactor);

	for (unsigned i = 0; i < simulated->descriptor_count; i++) {
		enum descriptor_kind kind = simulated->descriptors[i].kind;

		if (kind != DESCRIPTOR_FREE)
			fprintf(file, "descriptor %u: %s\n", SIMULATED_FD_FIRST + i, names[kind]);
	}
}

void simulated_limit_descriptors(struct proactor *proactor, unsigned count_max)
{
	simulated_of(proactor)->descriptor_count_max = count_max;
}

/* --- steps of the kinds that are neither sockets nor files --------------------------------- */

bool simulated_end(struct simulated *simulated, struct op *op, int64_t result)
{
	op_complete(&simulated->proactor, op, result);
	return true;
}

static bool step_close(struct simulated *simulated, struct op *op)
{
	if (!descriptor_find(simulated, op->fd))
		return simulated_end(simulated, op, -EBADF);
	descriptor_close(simulated, op->fd);
	return simulated_end(simulated, op, 0);
}

static short events_of(const struct descriptor *descriptor)
{
	switch (descriptor->kind) {
	case DESCRIPTOR_LISTENER:
	case DESCRIPTOR_SOCKET:
		return socket_events(descriptor);
	case DESCRIPTOR_EVENT:
		return (short)(POLLOUT | (descriptor->signalled ? POLLIN : 0));
	case DESCRIPTOR_FILE:
	case DESCRIPTOR_FREE:
		break;
	}
	return POLLIN | POLLOUT;
}

static bool step_poll(struct simulated *simulated, struct op *op)
{
	struct descriptor *descriptor = descriptor_find(simulated, op->fd);
	short events;

	if (!descriptor)
		return simulated_end(simulated, op, -EBADF);
	events = (short)(events_of(descriptor) & (op->poll.events | POLLHUP | POLLERR));
	return events ? simulated_end(simulated, op, events) : false;
}

static bool step_work(struct simulated *simulated, struct op *op)
{
	return simulated_end(simulated, op, op->work.run(op->work.context));
}

int simulated_open_event(struct proactor *proactor)
{
	return descriptor_open(simulated_of(proactor), DESCRIPTOR_EVENT);
}

void simulated_event_signal(struct proactor *proactor, int fd)
{
	descriptor_find_kind(simulated_of(proactor), fd, DESCRIPTOR_EVENT)->signalled = true;
}

void simulated_event_clear(struct proactor *proactor, int fd)
{
	descriptor_find_kind(simulated_of(proactor), fd, DESCRIPTOR_EVENT)->signalled = false;
}

/* --- errors on demand --------------------------------------------------------------------- */

void simulated_fail_next(struct proactor *proactor, enum op_kind kind, int error)
{
	struct failure *failure = allocate(sizeof(*failure));

	assert(error < 0);
	assert(kind != OP_CLOSE && kind != OP_TIMEOUT && kind != OP_WAKE);
	failure->kind = kind;
	failure->error = error;
	list_append(&simulated_of(proactor)->failures, &failure->node);
}

/* The error asked for this kind, or 0. */
static int take_failure(struct simulated *simulated, enum op_kind kind)
{
	list_for_each (node, &simulated->failures) {
		struct failure *failure = container_of(node, struct failure, node);
		int error = failure->error;

		if (failure->kind != kind)
			continue;
		list_remove(node);
		free(failure);
		return error;
	}
	return 0;
}

/* --- submitting and cancelling ------------------------------------------------------------ */

/* Which parts of a descriptor an op of this kind has for itself. */
static unsigned claim_of(enum op_kind kind)
{
	switch (kind) {
	case OP_ACCEPT:
		return 1;
	case OP_RECEIVE:
		return 2;
	case OP_SEND:
	case OP_SENDFILE:
		return 4;
	case OP_CLOSE:
		return ~0U;
	case OP_OPEN:
	case OP_STAT:
	case OP_READ:
	case OP_WRITE:
	case OP_FSYNC:
	case OP_RENAME:
	case OP_UNLINK:
	case OP_POLL:
		return 8; /* any number of them at once, but none beside a close */
	case OP_TIMEOUT:
	case OP_WAKE:
	case OP_WORK:
		break;
	}
	return 0;
}

static bool collides(const struct op *a, const struct op *b)
{
	unsigned shared = claim_of(a->kind) & claim_of(b->kind);

	if (a->kind == OP_CLOSE && b->kind == OP_SENDFILE && b->sendfile.file == a->fd)
		return true;
	return a->fd == b->fd && shared != 0 && shared != 8;
}

static void simulated_submit(struct proactor *proactor, struct op *op)
{
	struct simulated *simulated = simulated_of(proactor);

	list_for_each (node, &simulated->active)
		assert(!collides(op, container_of(node, struct op, node)));
	op->step = (uint8_t)(simulated_chance(simulated, 2) ? simulated_draw(simulated, 4) : 0);
	list_append(&simulated->active, &op->node);
}

static void simulated_cancel(struct proactor *proactor, struct op *op)
{
	struct simulated *simulated = simulated_of(proactor);

	if (simulated_chance(simulated, 2))
		op->step = (uint8_t)simulated_draw(simulated, 4);
	else
		op_complete(proactor, op, -ECANCELED);
}

/* --- rounds ------------------------------------------------------------------------------- */

static bool step_by_kind(struct simulated *simulated, struct op *op)
{
	static bool (*const steps[])(struct simulated *, struct op *) = {
		[OP_ACCEPT] = step_accept,
		[OP_RECEIVE] = step_receive,
		[OP_SEND] = step_send,
		[OP_SENDFILE] = step_sendfile,
		[OP_OPEN] = step_open,
		[OP_STAT] = step_stat,
		[OP_READ] = step_read,
		[OP_WRITE] = step_write,
		[OP_FSYNC] = step_fsync,
		[OP_RENAME] = step_rename,
		[OP_UNLINK] = step_unlink,
		[OP_CLOSE] = step_close,
		[OP_POLL] = step_poll,
		[OP_WORK] = step_work,
	};

	return steps[op->kind](simulated, op);
}

/* A cancel that came late races with the op's own end; what is parked it always ends. */
static bool step_op(struct simulated *simulated, struct op *op)
{
	int error;

	if (op->step > 0) {
		op->step--;
		return true;
	}
	if (op->cancelled && !simulated_chance(simulated, 2))
		return simulated_end(simulated, op, -ECANCELED);
	error = take_failure(simulated, op->kind);
	if (error)
		return simulated_end(simulated, op, error);
	if (step_by_kind(simulated, op))
		return true;
	return op->cancelled ? simulated_end(simulated, op, -ECANCELED) : false;
}

static size_t list_order(struct simulated *simulated)
{
	size_t count = 0;

	list_for_each (node, &simulated->active) {
		if (count == simulated->order_size) {
			simulated->order_size = simulated->order_size * 2 + 64;
			simulated->order = reallocarray(
				simulated->order, simulated->order_size, sizeof(*simulated->order));
			if (!simulated->order)
				abort();
		}
		simulated->order[count++] = container_of(node, struct op, node);
	}
	return count;
}

static void shuffle(struct simulated *simulated, size_t count)
{
	if (simulated->seed == 0)
		return;
	for (size_t i = count; i > 1; i--) {
		size_t other = simulated_draw(simulated, i);
		struct op *op = simulated->order[i - 1];

		simulated->order[i - 1] = simulated->order[other];
		simulated->order[other] = op;
	}
}

/* Whether anything changed: then more may happen. */
static bool play_round(struct simulated *simulated)
{
	bool changed = sockets_deliver(simulated);
	size_t count = list_order(simulated);

	shuffle(simulated, count);
	for (size_t i = 0; i < count; i++) {
		if (step_op(simulated, simulated->order[i]))
			changed = true;
	}
	return changed;
}

static bool is_woken(const struct simulated *simulated)
{
	list_for_each (node, &simulated->proactor.wakes) {
		if (__atomic_load_n(
			    &container_of(node, struct op, node)->wake.woken, __ATOMIC_ACQUIRE))
			return true;
	}
	return false;
}

static int simulated_wait(struct proactor *proactor, uint64_t wait_ns_max)
{
	struct simulated *simulated = simulated_of(proactor);
	bool changed;

	end_loans(simulated);
	do {
		changed = play_round(simulated);
		if (!list_is_empty(&proactor->completed) || is_woken(simulated))
			return 0;
	} while (changed && wait_ns_max > 0);
	if (wait_ns_max != PROACTOR_WAIT_FOREVER)
		simulated->clock_ns += wait_ns_max;
	return 0;
}

/* --- the clock ---------------------------------------------------------------------------- */

static uint64_t simulated_monotonic_ns(struct proactor *proactor)
{
	return simulated_of(proactor)->clock_ns;
}

static int64_t simulated_wall_ns(struct proactor *proactor)
{
	return WALL_START_NS + (int64_t)simulated_of(proactor)->clock_ns;
}

void simulated_advance(struct proactor *proactor, uint64_t duration_ns)
{
	simulated_of(proactor)->clock_ns += duration_ns;
}

/* --- the whole ---------------------------------------------------------------------------- */

static void free_failures(struct simulated *simulated)
{
	struct list_node *node;

	while ((node = list_take_first(&simulated->failures)))
		free(container_of(node, struct failure, node));
}

static void simulated_free(struct proactor *proactor)
{
	struct simulated *simulated = simulated_of(proactor);

	assert(list_is_empty(&simulated->active));
	for (unsigned i = 0; i < simulated->descriptor_count; i++) {
		if (simulated->descriptors[i].kind != DESCRIPTOR_FREE)
			descriptor_close(simulated, SIMULATED_FD_FIRST + (int)i);
	}
	end_loans(simulated);
	free_failures(simulated);
	sockets_free(simulated);
	files_free(simulated);
	proactor_reset(proactor);
	free(simulated->descriptors);
	free(simulated->order);
	free(simulated);
}

static bool simulated_is_in_memory(
	struct proactor *proactor, int file, uint64_t offset, uint64_t length)
{
	(void)file;
	(void)offset;
	(void)length;
	return simulated_chance(simulated_of(proactor), 2);
}

static const struct backend simulated_backend = {
	.name = "simulated",
	.free = simulated_free,
	.submit = simulated_submit,
	.cancel = simulated_cancel,
	.wait = simulated_wait,
	.monotonic_ns = simulated_monotonic_ns,
	.wall_ns = simulated_wall_ns,
	.shutdown = socket_shutdown,
	.is_in_memory = simulated_is_in_memory,
	.peer_address = socket_peer_address,
	.unacknowledged_length = socket_unacknowledged_length,
	.reset_at_close = socket_reset_at_close,
	.work = simulated_submit,
};

int simulated_open(struct proactor **proactor, const struct simulated_options *options)
{
	struct simulated *simulated = allocate(sizeof(*simulated));
	int r;

	simulated->clock_ns = CLOCK_START_NS;
	r = proactor_init(&simulated->proactor, &simulated_backend, 1);
	if (r < 0) {
		free(simulated);
		return r;
	}
	simulated->seed = simulated->dice = options->seed;
	simulated->receive_length_max =
		options->receive_buffer_length ? options->receive_buffer_length : 4096;
	simulated->descriptor_count_max =
		options->descriptor_count_max ? options->descriptor_count_max : 1024;
	list_init(&simulated->active);
	list_init(&simulated->failures);
	list_init(&simulated->loans);
	list_init(&simulated->clients);
	files_init(simulated);
	*proactor = &simulated->proactor;
	return 0;
}
