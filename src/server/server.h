/* The state that all processes of one server share: the supervisor sets it up before its first
 * fork, and each worker inherits it. */
#ifndef RINGLET_SERVER_SERVER_H
#define RINGLET_SERVER_SERVER_H

#include "base/metrics.h"
#include "proactor/proactor.h"
#include "server/access_log.h"
#include "server/certificates.h"
#include "server/configuration.h"
#include "server/descriptors.h"
#include "server/listening.h"
#include "server/logs.h"
#include "server/privileges.h"

struct server {
	const struct configuration *configuration;
	enum backend_choice backend; /* never BACKEND_AUTO */
	unsigned worker_count;
	bool single_process;
	bool daemon;
	struct user user;
	struct listening listening;
	struct descriptor_budget descriptors;
	struct logs logs;
	struct certificates certificates;
	unsigned char ticket_secret[TLS_TICKET_SECRET_SIZE]; /* of the time `ticket_secret_s` */
	int64_t ticket_secret_s;
	struct metrics *pages; /* one per worker, in shared memory */
};

#endif
