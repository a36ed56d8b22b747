/* Keys of session tickets (RFC 5077, RFC 8446 §4.6.1): a hash ratchet, stepped by the clock.
 *
 * The supervisor makes the first secret before it forks, so that every worker, and every later one,
 * derives the same key for the same eight hours and resumes the others' sessions without being told
 * anything.  A step replaces the secret by its hash: who takes a process's memory cannot open what
 * was recorded more than three epochs ago. */
#ifndef RINGLET_NET_TLS_TICKETS_H
#define RINGLET_NET_TLS_TICKETS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>

#define TLS_TICKET_EPOCH_S INT64_C(28800)

enum {
	TLS_TICKET_SECRET_SIZE = 32,
	TLS_TICKET_KEYS_MAX = 3, /* the one that seals, and two older ones that open */
};

struct tls_ticket_key {
	unsigned char name[16], cipher[32], mac[32];
};

struct tls_tickets {
	pthread_mutex_t lock; /* handshakes on other threads ask for keys meanwhile */
	unsigned char secret[TLS_TICKET_SECRET_SIZE]; /* of the epoch after the newest key's */
	int64_t epoch;                                /* of keys[0], counted from 1970 */
	unsigned key_count;
	struct tls_ticket_key keys[TLS_TICKET_KEYS_MAX]; /* the newest first */
};

/* `secret` is the one of the epoch that `made_s` (seconds since 1970) lies in; the keys of the time
 * `now_s` are derived.  0 or -EIO. */
int tls_tickets_open(struct tls_tickets *tickets,
	const unsigned char secret[TLS_TICKET_SECRET_SIZE], int64_t made_s, int64_t now_s);

/* To be called before use: steps on when a new epoch has begun.  A clock set back changes nothing.
 */
int tls_tickets_step(struct tls_tickets *tickets, int64_t now_s);

/* The key that seals, or the one of that name; *is_newest says whether it is the one that seals.
 * False: there is none (any more).  On any thread. */
bool tls_tickets_find(struct tls_tickets *tickets, const unsigned char name[16],
	struct tls_ticket_key *key, bool *is_newest);

/* Wipes the secrets. */
void tls_tickets_close(struct tls_tickets *tickets);

#endif
