/* Accepting from a listening socket, one op at a time.
 *
 * The accept op is submitted again after each batch, unless the listener is paused.  When
 * descriptors run out, a timeout is submitted instead: at most one of the two ops is active.
 *
 * Stopping sweeps the backlog with accepts that are cancelled at once: each takes what is in the
 * backlog and does not wait for more.  Otherwise closing the socket would reset those connections.
 */
#include "net/listener.h"

#include <errno.h>
#include <string.h>

#include "base/log.h"
#include "base/metrics.h"

#define RETRY_NS 100000000u

/* Bounds the sweeps, since clients may go on connecting: the length of the backlog, as one accept
 * may bring a single connection. */
enum { SWEEPS_MAX = 4096 };

static void arm(struct listener *listener)
{
	proactor_accept(listener->proactor, &listener->accept, listener->fd);
}

static void sweep(struct listener *listener)
{
	listener->sweeps--;
	arm(listener);
	proactor_cancel(listener->proactor, &listener->accept);
}

static void hand_over(struct listener *listener, size_t count)
{
	listener->starved = false;
	for (size_t i = 0; i < count; i++)
		listener->accepted(listener, listener->accept.accept.fds[i]);
}

/* The backend skips errors of one connection.  After any other, accepting at once would fail again.
 */
static void recover(struct listener *listener, int error)
{
	metrics_add(METRIC_ACCEPT_PAUSES, 1);
	if (!listener->starved)
		log_warning("accepting paused until descriptors are free: %s", strerror(-error));
	listener->starved = true;
	proactor_timeout(listener->proactor, &listener->retry, RETRY_NS);
}

/* A cancelled accept may leave connections in the backlog that arrived meanwhile. */
static void sweep_or_end(struct listener *listener, int64_t result)
{
	bool first = result == -ECANCELED && listener->sweeps == SWEEPS_MAX;

	if ((first || result > 0) && listener->sweeps > 0 && !listener->paused)
		sweep(listener);
	else
		listener->stopped(listener);
}

static void on_accept_done(struct proactor *proactor, struct op *op)
{
	struct listener *listener = container_of(op, struct listener, accept);

	(void)proactor;
	if (op->result > 0)
		hand_over(listener, (size_t)op->result);
	if (op_is_active(&listener->retry))
		return; /* accepted() stopped the listener, which ends with the timeout */
	if (listener->stopping) {
		sweep_or_end(listener, op->result);
		return;
	}
	if (listener->paused)
		return;
	if (op->result > 0 || op->result == -ECANCELED)
		arm(listener);
	else
		recover(listener, (int)op->result);
}

static void on_retry_done(struct proactor *proactor, struct op *op)
{
	struct listener *listener = container_of(op, struct listener, retry);

	(void)proactor;
	if (listener->stopping)
		listener->stopped(listener);
	else if (!listener->paused)
		arm(listener);
}

void listener_start(struct listener *listener, struct proactor *proactor, int fd,
	listener_accepted_fn *accepted, listener_stopped_fn *stopped)
{
	*listener = (struct listener){
		.proactor = proactor,
		.accepted = accepted,
		.stopped = stopped,
		.fd = fd,
	};
	op_init(&listener->accept, on_accept_done);
	op_init(&listener->retry, on_retry_done);
	arm(listener);
}

void listener_pause(struct listener *listener)
{
	listener->paused = true;
	proactor_cancel(listener->proactor, &listener->accept);
}

void listener_resume(struct listener *listener)
{
	listener->paused = false;
	if (!listener->stopping && !op_is_active(&listener->accept) &&
		!op_is_active(&listener->retry))
		arm(listener);
}

/* stopped() is called from the end of an op, never from here. */
void listener_stop(struct listener *listener)
{
	listener->stopping = true;
	listener->sweeps = SWEEPS_MAX;
	if (op_is_active(&listener->accept))
		proactor_cancel(listener->proactor, &listener->accept);
	else if (op_is_active(&listener->retry))
		proactor_cancel(listener->proactor, &listener->retry);
	else
		proactor_timeout(listener->proactor, &listener->retry, 0);
}

/* While paused, the backend may hold connections that arrived before its accept was cancelled: one
 * more accept hands them over, otherwise they would be reset. */
void listener_leave(struct listener *listener)
{
	listener->stopping = true;
	if (op_is_active(&listener->retry)) {
		proactor_cancel(listener->proactor, &listener->retry);
		return;
	}
	if (!op_is_active(&listener->accept))
		arm(listener);
	proactor_cancel(listener->proactor, &listener->accept);
}
