/* TLS 1.2 and 1.3 for one connection, as a machine over memory: ciphertext in, plaintext out, and
 * the other way round.  It knows no socket and no proactor; the stream (net/stream.h) moves the
 * bytes.
 *
 * In: tls_give() names received bytes, tls_read() takes plaintext until it says TLS_WANTS_INPUT.
 * Out: tls_write() encrypts into one pooled block, whose bytes tls_output() names; everything the
 * protocol itself has to say (handshake, tickets, alerts, answers to KeyUpdate) goes into the same
 * block, so that records leave in the order in which they were numbered.
 *
 * A handshake that needs a slow key or group ends a tls_read() with TLS_WANTS_WORK: tls_work() may
 * then run on another thread, and nothing else may touch the connection until it has returned.
 *
 * The files net/tls*.c are the only ones that include OpenSSL. */
#ifndef RINGLET_NET_TLS_H
#define RINGLET_NET_TLS_H

#include <sys/uio.h>

#include "base/block_pool.h"
#include "net/tls_contexts.h"

enum {
	TLS_RECORD_LENGTH_MAX = 16384, /* plaintext of one record (RFC 8446 §5.1) */
	TLS_OUTPUT_SIZE = 136 * 1024,  /* 8 records, and what the protocol has to say */
	TLS_OUTPUT_RESERVE = 6 * 1024, /* of it, for the protocol: no data is written there */
	TLS_RECORD_OVERHEAD_MAX = 64,  /* header, nonce, type and tag: 29 with the ciphers we use */
	TLS_UNSENT_LENGTH_MAX = 16384, /* of the protocol's own, before reading stops */
};

/* What the TLS connections of one worker share.  Zeroed, then tls_service_open(). */
struct tls_service {
	struct tls_contexts *contexts;         /* for new connections; counted */
	struct block_pool outputs;             /* of TLS_OUTPUT_SIZE */
	char plaintext[TLS_RECORD_LENGTH_MAX]; /* what tls_read() lends */
	char joined[TLS_RECORD_LENGTH_MAX];    /* short parts on their way into one record */
};

void tls_service_open(struct tls_service *service, struct tls_contexts *contexts);

/* New connections use these contexts from now on. */
void tls_service_switch(struct tls_service *service, struct tls_contexts *contexts);

/* No connection may be left. */
void tls_service_close(struct tls_service *service);

enum tls_result {
	TLS_RECEIVED,     /* *plaintext was set */
	TLS_WANTS_INPUT,  /* all that was given is used up */
	TLS_WANTS_OUTPUT, /* the block is full of the protocol's own bytes: read again after some
			     left */
	TLS_WANTS_WORK,   /* during the handshake: call tls_work(), then read again */
	TLS_ENDED,        /* the peer's close_notify: nothing follows */
	TLS_FAILED,       /* an alert may be in the output; see tls_failure() */
};

struct tls;

/* A server's side of a connection that has received nothing yet; NULL: out of memory. */
struct tls *tls_new(struct tls_service *service);
void tls_free(struct tls *tls);

/* Ciphertext for the next reads.  It must stay valid until they say TLS_WANTS_INPUT, or until
 * tls_keep_input() has copied the rest. */
void tls_give(struct tls *tls, struct text ciphertext);

/* Copies what is not used up, at most PROACTOR_LOAN_LENGTH_MAX bytes, so that the bytes given may
 * go.  0 or -ENOMEM. */
int tls_keep_input(struct tls *tls);

/* Is there ciphertext that was not used up? */
bool tls_has_input(const struct tls *tls);

/* The plaintext is valid until the next call for any connection of the service. */
enum tls_result tls_read(struct tls *tls, struct text *plaintext);

/* Goes on with the handshake; on any thread. */
void tls_work(struct tls *tls);

/* Is the handshake over? */
bool tls_is_ready(const struct tls *tls);

/* Encrypts from the vector (whose entries change) as much as the block takes.  The count of
 * plaintext bytes, or a negative errno: -EPIPE after an error or tls_end(). */
int64_t tls_write(struct tls *tls, struct iovec *vector, unsigned vector_count);

/* Adds close_notify to the output, once. */
void tls_end(struct tls *tls);

/* The bytes to be sent next; empty: none.  They stay where they are until tls_sent(). */
struct text tls_output(const struct tls *tls);

/* `length` bytes of tls_output() have left; what was added meanwhile stays. */
void tls_sent(struct tls *tls, size_t length);

/* Why the connection failed, in words for a log: "no shared cipher"; a literal. */
const char *tls_failure(const struct tls *tls);

/* For logs and counters; "" before the handshake is over. */
const char *tls_version(const struct tls *tls);     /* "TLSv1.3" */
const char *tls_cipher(const struct tls *tls);      /* "TLS_AES_128_GCM_SHA256" */
struct text tls_server_name(const struct tls *tls); /* by SNI, in lower case; may be empty */
bool tls_is_resumed(const struct tls *tls);

/* The site whose certificate was shown: the number tls_contexts_add() gave it. */
unsigned tls_site(const struct tls *tls);

/* Did the client send a certificate that the site's authority signed? */
bool tls_client_is_verified(const struct tls *tls);

#endif
