/* The certificates of a configuration: PEM files, read while the process may still read keys, and
 * made into contexts for handshakes by each worker. */
#ifndef RINGLET_SERVER_CERTIFICATES_H
#define RINGLET_SERVER_CERTIFICATES_H

#include "base/settings.h"
#include "net/tls_contexts.h"

struct site_certificates {
	const struct section *site;
	struct tls_pair pairs[TLS_SITE_CERTIFICATES_MAX]; /* on the heap */
	unsigned pair_count;
};

/* Of every site that has a certificate. */
struct certificates {
	struct site_certificates *sites;
	size_t site_count; /* 0: no listener speaks TLS */
};

/* Reads every file that the configuration names and checks that certificates and keys are in order;
 * nothing is read unless a listener speaks TLS.  0, or a negative errno after saying what is wrong.
 * What is only suspicious (expired, another name, a key that others may read) is a warning. */
int certificates_read(struct certificates *certificates, const struct section *configuration);

/* The contexts of a worker.  `tickets` may be NULL.  0, or a negative errno after saying why. */
int certificates_make_contexts(struct tls_contexts **contexts,
	const struct certificates *certificates, const struct section *configuration,
	struct tls_tickets *tickets);

/* Wipes the keys. */
void certificates_free(struct certificates *certificates);

#endif
