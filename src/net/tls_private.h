/* What the files of TLS know of one another, and nobody else does. */
#ifndef RINGLET_NET_TLS_PRIVATE_H
#define RINGLET_NET_TLS_PRIVATE_H

#include <openssl/ssl.h>

#include "net/tls.h"

/* One site's context; the SSL_CTX holds its certificates. */
struct tls_site_context {
	SSL_CTX *context;
	unsigned number;
	enum tls_client_certificates client_certificates;
	bool has_slow_key; /* RSA, or an elliptic curve larger than P-256 */
	bool has_fast_key; /* ECDSA with P-256 */
};

/* A TLS connection is its SSL's application data, so that the callbacks find it. */
struct tls {
	struct tls_service *service;
	struct tls_contexts *contexts; /* held */
	const struct tls_site_context *site;
	SSL *ssl;
	const char *failure;
	struct text input; /* not used up yet */
	char *kept;        /* where tls_keep_input() copied it; NULL: it is the caller's */
	char *output;      /* a block of the service; NULL: nothing is to be sent */
	size_t output_length;
	size_t own_length; /* of what the protocol added since the output was last empty */
	bool ready;        /* the handshake is over */
	bool may_work;     /* tls_work() was called: slow keys are welcome */
	bool failed;
	bool ended;    /* the peer's close_notify was read */
	bool said_end; /* ours was written */
	char server_name[256];
	uint8_t server_name_length;
};

/* A connection's SSL, before the site is known; NULL: out of memory. */
SSL *tls_contexts_connect(struct tls_contexts *contexts, struct tls *tls);

/* The newest error of this thread's queue, which is emptied; a literal. */
const char *tls_reason(void);

#endif
