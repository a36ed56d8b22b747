/* Ticket keys follow the clock: every worker derives the same key at the same time, from the secret
 * that the supervisor made before it forked (net/tls_tickets.h). */
#include "server/https.h"

#include <errno.h>

#include "base/log.h"
#include "server/server.h"

#define SECOND_NS INT64_C(1000000000)

static void on_epoch(struct proactor *proactor, struct op *op)
{
	struct https *https = container_of(op, struct https, epoch);
	int64_t now_s = proactor_wall_ns(proactor) / SECOND_NS;
	int64_t next_s = (now_s / TLS_TICKET_EPOCH_S + 1) * TLS_TICKET_EPOCH_S;

	if (op->result == -ECANCELED)
		return;
	if (tls_tickets_step(&https->tickets, now_s) < 0)
		log_warning("TLS: cannot make the next key of session tickets");
	proactor_timeout(proactor, op, (uint64_t)(next_s - now_s) * SECOND_NS);
}

void https_init(struct https *https)
{
	op_init(&https->epoch, on_epoch);
}

int https_open(struct https *https, struct stream_service *streams, const struct server *server)
{
	struct proactor *proactor = streams->proactor;
	struct tls_contexts *contexts;
	int r;

	if (server->certificates.site_count == 0)
		return 0;
	r = tls_tickets_open(&https->tickets, server->ticket_secret, server->ticket_secret_s,
		proactor_wall_ns(proactor) / SECOND_NS);
	if (r < 0)
		return fail(r, "cannot make the keys of session tickets");
	r = certificates_make_contexts(
		&contexts, &server->certificates, server->configuration->root, &https->tickets);
	if (r < 0)
		return r;
	tls_service_open(&https->service, contexts);
	tls_contexts_release(contexts);
	streams->tls = &https->service;
	https->is_open = true;
	proactor_timeout(proactor, &https->epoch, 0);
	return 0;
}

void https_close(struct https *https)
{
	if (!https->is_open)
		return;
	tls_service_close(&https->service);
	tls_tickets_close(&https->tickets);
}
