/* The ratchet is HKDF-Expand (RFC 5869) with one label for the key of an epoch and another for the
 * secret of the next. */
#include "net/tls_tickets.h"

#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <string.h>

static int expand(void *output, size_t length, const unsigned char *secret, const char *label)
{
	int mode = EVP_KDF_HKDF_MODE_EXPAND_ONLY;
	OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_int(OSSL_KDF_PARAM_MODE, &mode),
		OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, (char *)"SHA256", 0),
		OSSL_PARAM_construct_octet_string(
			OSSL_KDF_PARAM_KEY, (void *)(uintptr_t)secret, TLS_TICKET_SECRET_SIZE),
		OSSL_PARAM_construct_octet_string(
			OSSL_KDF_PARAM_INFO, (void *)(uintptr_t)label, strlen(label)),
		OSSL_PARAM_construct_end(),
	};
	EVP_KDF *kdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *context = kdf ? EVP_KDF_CTX_new(kdf) : NULL;
	int done = context ? EVP_KDF_derive(context, output, length, parameters) : 0;

	EVP_KDF_CTX_free(context);
	EVP_KDF_free(kdf);
	return done > 0 ? 0 : -EIO;
}

/* The key of the secret's epoch becomes the newest, the secret that of the next epoch. */
static int step_once(struct tls_tickets *tickets)
{
	struct tls_ticket_key key;
	unsigned char next[TLS_TICKET_SECRET_SIZE];
	int r = expand(&key, sizeof(key), tickets->secret, "ringlet ticket key");

	if (r == 0)
		r = expand(next, sizeof(next), tickets->secret, "ringlet ticket secret");
	if (r == 0) {
		memmove(tickets->keys + 1, tickets->keys,
			sizeof(tickets->keys) - sizeof(tickets->keys[0]));
		tickets->keys[0] = key;
		memcpy(tickets->secret, next, sizeof(next));
		tickets->epoch++;
		if (tickets->key_count < TLS_TICKET_KEYS_MAX)
			tickets->key_count++;
	}
	OPENSSL_cleanse(&key, sizeof(key));
	OPENSSL_cleanse(next, sizeof(next));
	return r;
}

int tls_tickets_step(struct tls_tickets *tickets, int64_t now_s)
{
	int r = 0;

	pthread_mutex_lock(&tickets->lock);
	while (r == 0 && tickets->epoch < now_s / TLS_TICKET_EPOCH_S)
		r = step_once(tickets);
	pthread_mutex_unlock(&tickets->lock);
	return r;
}

bool tls_tickets_find(struct tls_tickets *tickets, const unsigned char name[16],
	struct tls_ticket_key *key, bool *is_newest)
{
	bool found = false;

	pthread_mutex_lock(&tickets->lock);
	for (unsigned i = 0; i < tickets->key_count && !found; i++) {
		found = !name || memcmp(name, tickets->keys[i].name, sizeof(key->name)) == 0;
		if (found) {
			*key = tickets->keys[i];
			*is_newest = i == 0;
		}
	}
	pthread_mutex_unlock(&tickets->lock);
	return found;
}

int tls_tickets_open(struct tls_tickets *tickets,
	const unsigned char secret[TLS_TICKET_SECRET_SIZE], int64_t made_s, int64_t now_s)
{
	int r;

	*tickets = (struct tls_tickets){ .epoch = made_s / TLS_TICKET_EPOCH_S - 1 };
	pthread_mutex_init(&tickets->lock, NULL);
	memcpy(tickets->secret, secret, sizeof(tickets->secret));
	r = step_once(tickets);
	return r == 0 ? tls_tickets_step(tickets, now_s) : r;
}

void tls_tickets_close(struct tls_tickets *tickets)
{
	pthread_mutex_destroy(&tickets->lock);
	OPENSSL_cleanse(tickets, sizeof(*tickets));
}
