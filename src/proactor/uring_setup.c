/* Setting up the ring: what is asked of the kernel, what it may refuse, and what to tell a person.
 *
 * The flags step down on EINVAL (an older kernel), the entries on ENOMEM (a low RLIMIT_MEMLOCK on
 * old kernels, or a tight memory group).  Any other refusal is final; the server then takes the
 * epoll backend, or ends, with the reason made here.
 *
 * Multishot receive cannot be asked for; SEND_ZC came with it (kernel 6.0) and can. */
#include "proactor/uring.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum {
	ENTRIES = 1024,
	ENTRIES_MIN = 8,
	COMPLETIONS_PER_ENTRY = 4,
	BUFFER_COUNT = 256,
	BUFFER_LENGTH = 4096,
	BUFFER_GROUP = 0,
	WORKERS_MAX = 16,
};

struct rung {
	unsigned flags;
	const char *features;
};

static const struct rung LADDER[] = {
	{ IORING_SETUP_SUBMIT_ALL | IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN,
		"submit_all single_issuer defer_taskrun " },
	{ IORING_SETUP_COOP_TASKRUN | IORING_SETUP_SINGLE_ISSUER, "single_issuer coop_taskrun " },
	{ 0, "" },
};

static int init_with(struct io_uring *ring, unsigned entries, unsigned flags, ring_init_fn *init)
{
	int r;

	do {
		struct io_uring_params params = {
			.flags = flags | IORING_SETUP_CQSIZE,
			.cq_entries = entries * COMPLETIONS_PER_ENTRY,
		};

		r = init(entries, ring, &params);
		entries /= 2;
	} while (r == -ENOMEM && entries >= ENTRIES_MIN);
	return r;
}

int ring_init(struct io_uring *ring, unsigned entries, const char **features, ring_init_fn *init)
{
	int r = -EINVAL;

	for (size_t i = 0; r == -EINVAL && i < sizeof(LADDER) / sizeof(LADDER[0]); i++) {
		r = init_with(ring, entries, LADDER[i].flags, init);
		*features = LADDER[i].features;
	}
	return r;
}

/* --- what the backend needs --------------------------------------------------------------- */

struct need {
	int opcode;
	const char *name;
};

static const struct need NEEDS[] = {
	{ IORING_OP_ACCEPT, "IORING_OP_ACCEPT" },
	{ IORING_OP_RECV, "IORING_OP_RECV" },
	{ IORING_OP_SEND, "IORING_OP_SEND" },
	{ IORING_OP_SENDMSG, "IORING_OP_SENDMSG" },
	{ IORING_OP_SPLICE, "IORING_OP_SPLICE" },
	{ IORING_OP_OPENAT2, "IORING_OP_OPENAT2" },
	{ IORING_OP_READ, "IORING_OP_READ" },
	{ IORING_OP_WRITE, "IORING_OP_WRITE" },
	{ IORING_OP_FSYNC, "IORING_OP_FSYNC" },
	{ IORING_OP_RENAMEAT, "IORING_OP_RENAMEAT" },
	{ IORING_OP_UNLINKAT, "IORING_OP_UNLINKAT" },
	{ IORING_OP_CLOSE, "IORING_OP_CLOSE" },
	{ IORING_OP_POLL_ADD, "IORING_OP_POLL_ADD" },
	{ IORING_OP_ASYNC_CANCEL, "IORING_OP_ASYNC_CANCEL" },
	{ IORING_OP_SEND_ZC, "multishot receive" },
};

static int check_needs(struct io_uring *ring, struct refusal *refusal)
{
	struct io_uring_probe *probe = io_uring_get_probe_ring(ring);

	refusal->call = "IORING_REGISTER_PROBE";
	if (!probe)
		return -EINVAL;
	for (size_t i = 0; i < sizeof(NEEDS) / sizeof(NEEDS[0]) && !refusal->missing; i++)
		if (!io_uring_opcode_supported(probe, NEEDS[i].opcode))
			refusal->missing = NEEDS[i].name;
	io_uring_free_probe(probe);
	return refusal->missing ? -ENOSYS : 0;
}

/* Present from the start: the kernel takes the buffers in turn, so that all of them are soon in
 * use anyway, and a worker's memory does not seem to grow. */
static void *map_pages(size_t length)
{
	void *pages = mmap(NULL, length, PROT_READ | PROT_WRITE,
		MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	return pages == MAP_FAILED ? NULL : pages;
}

static size_t ring_size(const struct receive_buffers *buffers)
{
	return buffers->count * sizeof(struct io_uring_buf);
}

static size_t bytes_size(const struct receive_buffers *buffers)
{
	return (size_t)buffers->count * buffers->length;
}

static void unmap_buffers(struct receive_buffers *buffers)
{
	if (buffers->ring)
		munmap(buffers->ring, ring_size(buffers));
	if (buffers->bytes)
		munmap(buffers->bytes, bytes_size(buffers));
	buffers->ring = NULL;
	buffers->bytes = NULL;
}

static void fill_buffer_ring(struct receive_buffers *buffers)
{
	int mask = io_uring_buf_ring_mask(buffers->count);

	io_uring_buf_ring_init(buffers->ring);
	for (unsigned id = 0; id < buffers->count; id++)
		io_uring_buf_ring_add(buffers->ring, buffers->bytes + (size_t)id * buffers->length,
			buffers->length, (unsigned short)id, mask, (int)id);
	io_uring_buf_ring_advance(buffers->ring, (int)buffers->count);
}

static int open_buffers(struct uring *uring, const struct proactor_options *options)
{
	struct receive_buffers *buffers = &uring->buffers;
	struct io_uring_buf_reg registration = { .bgid = BUFFER_GROUP };
	int r;

	buffers->count =
		options->receive_buffer_count ? options->receive_buffer_count : BUFFER_COUNT;
	buffers->length =
		options->receive_buffer_length ? options->receive_buffer_length : BUFFER_LENGTH;
	if (buffers->length > PROACTOR_LOAN_LENGTH_MAX)
		buffers->length = PROACTOR_LOAN_LENGTH_MAX;
	buffers->ring = map_pages(ring_size(buffers));
	buffers->bytes = map_pages(bytes_size(buffers));
	if (!buffers->ring || !buffers->bytes) {
		unmap_buffers(buffers);
		return -ENOMEM;
	}
	registration.ring_addr = (uint64_t)(uintptr_t)buffers->ring;
	registration.ring_entries = buffers->count;
	r = io_uring_register_buf_ring(&uring->ring, &registration, 0);
	if (r < 0)
		unmap_buffers(buffers);
	else
		fill_buffer_ring(buffers);
	return r;
}

/* Both only improve things: splices otherwise start as many kernel workers as the user may have
 * processes, and each enter looks the ring up by its descriptor. */
static void bound_workers(struct uring *uring, const struct proactor_options *options)
{
	unsigned count_max = options->iowq_workers_max ? options->iowq_workers_max : WORKERS_MAX;
	unsigned bounded_and_unbounded[2] = { count_max, count_max };

	io_uring_register_iowq_max_workers(&uring->ring, bounded_and_unbounded);
	io_uring_register_ring_fd(&uring->ring);
}

static void describe_features(struct uring *uring, const char *granted)
{
	snprintf(uring->features, sizeof(uring->features),
		"%smultishot_accept multishot_receive buffer_ring splice%s%s", granted,
		uring->ring.enter_ring_fd != uring->ring.ring_fd ? " registered_ring" : "",
		uring->ring.features & IORING_FEAT_NODROP ? " nodrop" : "");
}

int ring_open(struct uring *uring, const struct proactor_options *options, struct refusal *refusal)
{
	unsigned entries = options->entries ? options->entries : ENTRIES;
	int r;

	*refusal = (struct refusal){ .call = "io_uring_setup" };
	r = ring_init(&uring->ring, entries, &refusal->features, io_uring_queue_init_params);
	if (r < 0)
		return r;
	r = check_needs(&uring->ring, refusal);
	if (r == 0) {
		refusal->call = "IORING_REGISTER_PBUF_RING";
		r = open_buffers(uring, options);
	}
	if (r < 0) {
		io_uring_queue_exit(&uring->ring);
		return r;
	}
	bound_workers(uring, options);
	describe_features(uring, refusal->features);
	return 0;
}

void ring_close(struct uring *uring)
{
	io_uring_queue_exit(&uring->ring);
	unmap_buffers(&uring->buffers);
}

/* --- reasons ------------------------------------------------------------------------------ */

struct advice {
	int error;
	const char *text; /* "cause); to allow it: remedy" without the first parenthesis */
};

static const struct advice ADVICE[] = {
	{ EPERM, "a container's seccomp profile or a security module); to allow it: a profile with "
		 "the io_uring calls, for example --security-opt seccomp=unconfined" },
	{ EACCES, "a security module); to allow it: let the module's policy permit io_uring" },
	{ ENOSYS, "an old kernel, one built without io_uring, or a container's seccomp profile); "
		  "to allow it: kernel 6.1 or later, a profile with the io_uring calls" },
	{ EINVAL, "an old kernel); to allow it: kernel 6.1 or later" },
	{ ENOMEM, "out of memory, or RLIMIT_MEMLOCK is too low); to allow it: ulimit -l unlimited, "
		  "in a unit LimitMEMLOCK=infinity" },
	{ EMFILE, "RLIMIT_NOFILE is reached); to allow it: ulimit -n 65536, in a unit "
		  "LimitNOFILE=65536" },
	{ ENFILE, "the system's descriptors are used up); to allow it: sysctl fs.file-max" },
};

static const char *advice_for(int error)
{
	for (size_t i = 0; i < sizeof(ADVICE) / sizeof(ADVICE[0]); i++)
		if (ADVICE[i].error == -error)
			return ADVICE[i].text;
	return "no known cause); to allow it: see io_uring_setup(2)";
}

static const char *error_name(int error)
{
	const char *name = strerrorname_np(-error);

	return name ? name : "an unknown error";
}

void refusal_explain(
	char *text, size_t size, const struct refusal *refusal, int error, int disabled)
{
	if (refusal->missing)
		snprintf(text, size,
			"io_uring lacks %s (an old kernel); to allow it: kernel 6.1 or later",
			refusal->missing);
	else if (error == -EPERM && disabled > 0)
		snprintf(text, size,
			"%s says EPERM (kernel.io_uring_disabled=%d); to allow it: sysctl "
			"kernel.io_uring_disabled=0",
			refusal->call, disabled);
	else
		snprintf(text, size, "%s says %s (%s", refusal->call, error_name(error),
			advice_for(error));
}

static int read_disabled(void)
{
	FILE *file = fopen("/proc/sys/kernel/io_uring_disabled", "re");
	int disabled = -1;

	if (!file)
		return -1;
	if (fscanf(file, "%d", &disabled) != 1)
		disabled = -1;
	fclose(file);
	return disabled;
}

/* --- the probe ---------------------------------------------------------------------------- */

void proactor_probe_uring(struct uring_probe *probe)
{
	struct proactor_options defaults = { 0 };
	struct uring uring = { 0 };
	struct refusal refusal;

	*probe = (struct uring_probe){ .library = LIBURING_VERSION };
	probe->error = ring_open(&uring, &defaults, &refusal);
	if (probe->error < 0) {
		refusal_explain(probe->reason, sizeof(probe->reason), &refusal, probe->error,
			read_disabled());
		return;
	}
	snprintf(probe->features, sizeof(probe->features), "%s", uring.features);
	ring_close(&uring);
}
