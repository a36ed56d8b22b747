/* The certificates of a configuration and the rules of their sites, ready for handshakes.
 *
 * A set is built once, from PEM texts in memory (workers may not read key files), and never changed
 * afterwards; renewal builds a new one.  Connections hold the set they began with, so that a switch
 * interrupts nobody.  One set belongs to one thread's loop, but for the handshakes that work ops
 * carry on. */
#ifndef RINGLET_NET_TLS_CONTEXTS_H
#define RINGLET_NET_TLS_CONTEXTS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "net/tls_tickets.h"

enum { TLS_SITE_CERTIFICATES_MAX = 4 };

/* A chain, the site's own certificate first, and its key: PEM texts. */
struct tls_pair {
	struct text chain, key;
};

enum tls_client_certificates {
	TLS_CLIENT_CERTIFICATES_OFF,
	TLS_CLIENT_CERTIFICATES_OPTIONAL,
	TLS_CLIENT_CERTIFICATES_REQUIRED,
};

/* What all sites have in common. */
struct tls_options {
	bool protocol_1_2, protocol_1_3; /* at least one */
	bool reject_unknown_names;       /* instead of showing the first site's certificate */
	const char *ciphers;             /* of 1.2, as in ciphers(1); NULL: the defaults */
	const char *groups;              /* as in SSL_CTX_set1_groups_list(3); NULL: the defaults */
	struct tls_tickets *tickets;     /* the worker's; NULL: no session is resumed */
};

struct tls_site {
	const struct text *names; /* lower case; "*.example.com" covers one label */
	unsigned name_count;
	struct tls_pair pairs[TLS_SITE_CERTIFICATES_MAX];
	unsigned pair_count; /* at least one */
	enum tls_client_certificates client_certificates;
	struct text client_ca; /* PEM; with client certificates */
};

struct tls_contexts;

/* An empty set, held once.  0 or -ENOMEM. */
int tls_contexts_new(struct tls_contexts **contexts, const struct tls_options *options);

/* The first site added is the default one.  Sites are numbered from 0.  0, or a negative errno with
 * *problem set: "the key does not fit the certificate". */
int tls_contexts_add(
	struct tls_contexts *contexts, const struct tls_site *site, struct buffer *problem);

struct tls_contexts *tls_contexts_hold(struct tls_contexts *contexts);
void tls_contexts_release(struct tls_contexts *contexts);

/* When the first of a site's certificates expires (seconds since 1970). */
int64_t tls_contexts_expiry(const struct tls_contexts *contexts, unsigned site);

/* Does one of the site's certificates cover the host name (RFC 6125)? */
bool tls_contexts_covers(const struct tls_contexts *contexts, unsigned site, struct text name);

#endif
