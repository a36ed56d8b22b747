/* Stands in for TLS in a build without OpenSSL: no set of contexts can be made, so that nothing
 * else is ever called. */
#include <assert.h>
#include <errno.h>

#include "net/stream_private.h"
#include "net/tls.h"

const struct stream_kind tls_stream_kind;

int tls_contexts_new(struct tls_contexts **contexts, const struct tls_options *options)
{
	(void)contexts;
	(void)options;
	return -ENOTSUP;
}

int tls_contexts_add(
	struct tls_contexts *contexts, const struct tls_site *site, struct buffer *problem)
{
	(void)contexts;
	(void)site;
	(void)problem;
	return -ENOTSUP;
}

void tls_contexts_release(struct tls_contexts *contexts)
{
	assert(!contexts);
}

int64_t tls_contexts_expiry(const struct tls_contexts *contexts, unsigned site)
{
	(void)contexts;
	(void)site;
	return 0;
}

bool tls_contexts_covers(const struct tls_contexts *contexts, unsigned site, struct text name)
{
	(void)contexts;
	(void)site;
	(void)name;
	return false;
}

int tls_tickets_open(struct tls_tickets *tickets,
	const unsigned char secret[TLS_TICKET_SECRET_SIZE], int64_t made_s, int64_t now_s)
{
	(void)tickets;
	(void)secret;
	(void)made_s;
	(void)now_s;
	return 0;
}

int tls_tickets_step(struct tls_tickets *tickets, int64_t now_s)
{
	(void)tickets;
	(void)now_s;
	return -ENOTSUP;
}

void tls_tickets_close(struct tls_tickets *tickets)
{
	(void)tickets;
}

void tls_service_open(struct tls_service *service, struct tls_contexts *contexts)
{
	(void)service;
	(void)contexts;
}

void tls_service_close(struct tls_service *service)
{
	(void)service;
}
