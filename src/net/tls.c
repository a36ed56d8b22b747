/* A connection's SSL between two views of memory: a BIO of our own reads from what was received and
 * appends to the block that is to be sent.
 *
 * Several records leave in one send, which is where the price of TLS goes down to that of the
 * cipher.  The block is taken when something is to be said and returned when all of it has left, so
 * that an idle connection holds none. */
#include "net/tls.h"

#include <assert.h>
#include <errno.h>
#include <openssl/err.h>
#include <stdlib.h>

#include "net/tls_private.h"

enum { OUTPUTS_KEPT = 64 };

/* --- the BIO ------------------------------------------------------------------------------ */

static int bio_read(BIO *bio, char *bytes, int length)
{
	struct tls *tls = BIO_get_data(bio);
	size_t taken = smaller(tls->input.length, (size_t)length);

	BIO_clear_retry_flags(bio);
	if (taken == 0) {
		BIO_set_retry_read(bio);
		return -1;
	}
	memcpy(bytes, tls->input.bytes, taken);
	tls->input = text_from(tls->input, taken);
	return (int)taken;
}

static bool has_block(struct tls *tls)
{
	if (!tls->output)
		tls->output = block_pool_take(&tls->service->outputs);
	return tls->output != NULL;
}

/* OpenSSL writes whole records, in one call or in several, and goes on where it could not. */
static int bio_write(BIO *bio, const char *bytes, int length)
{
	struct tls *tls = BIO_get_data(bio);
	size_t taken = (size_t)length;

	BIO_clear_retry_flags(bio);
	if (!has_block(tls))
		return -1;
	taken = smaller(taken, TLS_OUTPUT_SIZE - tls->output_length);
	if (taken == 0) {
		BIO_set_retry_write(bio);
		return -1;
	}
	memcpy(tls->output + tls->output_length, bytes, taken);
	tls->output_length += taken;
	return (int)taken;
}

static long bio_control(BIO *bio, int command, long number, void *pointer)
{
	(void)bio;
	(void)number;
	(void)pointer;
	return command == BIO_CTRL_FLUSH;
}

/* One for the process, made before the first connection and never changed. */
static BIO_METHOD *bio_method(void)
{
	static BIO_METHOD *method;

	if (method)
		return method;
	method = BIO_meth_new(BIO_get_new_index() | BIO_TYPE_SOURCE_SINK, "ringlet");
	if (!method)
		return NULL;
	BIO_meth_set_read(method, bio_read);
	BIO_meth_set_write(method, bio_write);
	BIO_meth_set_ctrl(method, bio_control);
	return method;
}

/* --- beginning and end -------------------------------------------------------------------- */

void tls_service_open(struct tls_service *service, struct tls_contexts *contexts)
{
	*service = (struct tls_service){
		.contexts = tls_contexts_hold(contexts),
		.outputs = BLOCK_POOL(TLS_OUTPUT_SIZE, OUTPUTS_KEPT),
	};
}

void tls_service_switch(struct tls_service *service, struct tls_contexts *contexts)
{
	tls_contexts_hold(contexts);
	tls_contexts_release(service->contexts);
	service->contexts = contexts;
}

void tls_service_close(struct tls_service *service)
{
	tls_contexts_release(service->contexts);
	block_pool_trim(&service->outputs);
}

struct tls *tls_new(struct tls_service *service)
{
	struct tls *tls = calloc(1, sizeof(*tls));
	BIO_METHOD *method = bio_method();
	BIO *bio = method ? BIO_new(method) : NULL;

	if (!tls || !bio)
		goto out_of_memory;
	tls->service = service;
	tls->contexts = service->contexts;
	tls->ssl = tls_contexts_connect(service->contexts, tls);
	if (!tls->ssl)
		goto out_of_memory;
	tls_contexts_hold(tls->contexts);
	BIO_set_data(bio, tls);
	BIO_set_init(bio, 1);
	SSL_set_bio(tls->ssl, bio, bio);
	return tls;

out_of_memory:
	ERR_clear_error();
	BIO_free(bio);
	free(tls);
	return NULL;
}

static void forget_kept(struct tls *tls)
{
	free(tls->kept);
	tls->kept = NULL;
}

/* Without the two marks OpenSSL would take a session that ended without close_notify, as most
 * clients end theirs, for one that must not be resumed. */
void tls_free(struct tls *tls)
{
	if (tls->ready)
		SSL_set_shutdown(tls->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(tls->ssl);
	tls_contexts_release(tls->contexts);
	if (tls->output)
		block_pool_return(&tls->service->outputs, tls->output);
	forget_kept(tls);
	free(tls);
}

/* --- in ----------------------------------------------------------------------------------- */

void tls_give(struct tls *tls, struct text ciphertext)
{
	assert(tls->input.length == 0);
	tls->input = ciphertext;
}

int tls_keep_input(struct tls *tls)
{
	char *copy;

	if (tls->input.length == 0 || tls->kept)
		return 0;
	copy = malloc(tls->input.length);
	if (!copy)
		return -ENOMEM;
	memcpy(copy, tls->input.bytes, tls->input.length);
	tls->kept = copy;
	tls->input.bytes = copy;
	return 0;
}

bool tls_has_input(const struct tls *tls)
{
	return tls->input.length > 0;
}

/* What OpenSSL says when there was no plaintext. */
static enum tls_result take_apart(struct tls *tls, int result)
{
	switch (SSL_get_error(tls->ssl, result)) {
	case SSL_ERROR_WANT_READ:
		assert(tls->input.length == 0);
		forget_kept(tls);
		return TLS_WANTS_INPUT;
	case SSL_ERROR_WANT_WRITE:
		return TLS_WANTS_OUTPUT;
	case SSL_ERROR_WANT_CLIENT_HELLO_CB:
		return TLS_WANTS_WORK;
	case SSL_ERROR_ZERO_RETURN:
		tls->ended = true;
		return TLS_ENDED;
	default:
		break;
	}
	tls->failed = true;
	if (!tls->failure)
		tls->failure = tls_reason();
	return TLS_FAILED;
}

/* A peer that makes us talk and does not listen is not read either. */
static bool talks_too_much(const struct tls *tls)
{
	return tls->own_length > TLS_UNSENT_LENGTH_MAX;
}

static enum tls_result shake_hands(struct tls *tls)
{
	int result = SSL_do_handshake(tls->ssl);

	if (result <= 0)
		return take_apart(tls, result);
	tls->ready = true;
	return TLS_RECEIVED;
}

static enum tls_result read_plaintext(struct tls *tls, struct text *plaintext)
{
	size_t length = 0;
	int result = SSL_read_ex(tls->ssl, tls->service->plaintext, TLS_RECORD_LENGTH_MAX, &length);

	if (result <= 0)
		return take_apart(tls, result);
	*plaintext = (struct text){ tls->service->plaintext, length };
	return TLS_RECEIVED;
}

enum tls_result tls_read(struct tls *tls, struct text *plaintext)
{
	size_t before = tls->output_length;
	enum tls_result result = TLS_RECEIVED;

	if (tls->failed || tls->ended)
		return tls->failed ? TLS_FAILED : TLS_ENDED;
	if (talks_too_much(tls))
		return TLS_WANTS_OUTPUT;
	ERR_clear_error();
	if (!tls->ready)
		result = shake_hands(tls);
	if (result == TLS_RECEIVED)
		result = read_plaintext(tls, plaintext);
	tls->own_length += tls->output_length - before;
	if (result == TLS_WANTS_WORK && (tls_keep_input(tls) < 0 || !has_block(tls))) {
		tls->failed = true;
		tls->failure = "out of memory";
		result = TLS_FAILED;
	}
	return result;
}

/* The errors of a handshake stay in the queue of its thread, so they are told here. */
void tls_work(struct tls *tls)
{
	int result;

	ERR_clear_error();
	tls->may_work = true;
	result = SSL_do_handshake(tls->ssl);
	if (result <= 0 && SSL_get_error(tls->ssl, result) == SSL_ERROR_SSL) {
		tls->failed = true;
		tls->failure = tls_reason();
	}
}

/* --- out ---------------------------------------------------------------------------------- */

/* The next record's plaintext: a part of the vector as it is, or several short ones joined.  The
 * vector is advanced. */
static struct text next_slice(struct tls *tls, struct iovec **vector, unsigned *count)
{
	struct buffer joined;

	while (*count > 0 && (*vector)->iov_len == 0) {
		(*vector)++;
		(*count)--;
	}
	buffer_init(&joined, tls->service->joined, sizeof(tls->service->joined));
	while (*count > 0 && buffer_room(&joined) > 0) {
		struct text part = { (*vector)->iov_base, (*vector)->iov_len };
		bool is_alone = joined.length == 0 && (*count == 1 || part.length >= joined.size);

		part = text_first(part, buffer_room(&joined));
		(*vector)->iov_base = (char *)(*vector)->iov_base + part.length;
		(*vector)->iov_len -= part.length;
		if (is_alone)
			return part;
		buffer_append(&joined, part);
		if ((*vector)->iov_len == 0) {
			(*vector)++;
			(*count)--;
		}
	}
	return buffer_text(&joined);
}

static bool has_room(const struct tls *tls)
{
	return tls->output_length + TLS_RECORD_LENGTH_MAX + TLS_RECORD_OVERHEAD_MAX <=
	       TLS_OUTPUT_SIZE - TLS_OUTPUT_RESERVE;
}

int64_t tls_write(struct tls *tls, struct iovec *vector, unsigned vector_count)
{
	int64_t sum = 0;

	if (!tls->ready || tls->failed || tls->said_end)
		return -EPIPE;
	while (has_room(tls)) {
		struct text slice = next_slice(tls, &vector, &vector_count);
		size_t written;

		if (slice.length == 0)
			break;
		ERR_clear_error();
		if (SSL_write_ex(tls->ssl, slice.bytes, slice.length, &written) <= 0 ||
			written != slice.length) {
			tls->failed = true;
			tls->failure = tls_reason();
			return -EPIPE;
		}
		sum += (int64_t)written;
	}
	return sum;
}

void tls_end(struct tls *tls)
{
	if (tls->said_end || !tls->ready || tls->failed)
		return;
	tls->said_end = true;
	ERR_clear_error();
	SSL_shutdown(tls->ssl);
	ERR_clear_error();
}

struct text tls_output(const struct tls *tls)
{
	return (struct text){ tls->output, tls->output_length };
}

void tls_sent(struct tls *tls, size_t length)
{
	assert(length <= tls->output_length);
	tls->output_length -= length;
	if (tls->output_length > 0) {
		memmove(tls->output, tls->output + length, tls->output_length);
		return;
	}
	tls->own_length = 0;
	if (tls->output)
		block_pool_return(&tls->service->outputs, tls->output);
	tls->output = NULL;
}

/* --- what there is to say of it ----------------------------------------------------------- */

bool tls_is_ready(const struct tls *tls)
{
	return tls->ready;
}

const char *tls_failure(const struct tls *tls)
{
	return tls->failure ? tls->failure : "";
}

const char *tls_version(const struct tls *tls)
{
	return tls->ready ? SSL_get_version(tls->ssl) : "";
}

const char *tls_cipher(const struct tls *tls)
{
	return tls->ready ? SSL_CIPHER_get_name(SSL_get_current_cipher(tls->ssl)) : "";
}

struct text tls_server_name(const struct tls *tls)
{
	return (struct text){ tls->server_name, tls->server_name_length };
}

bool tls_is_resumed(const struct tls *tls)
{
	return SSL_session_reused(tls->ssl);
}

unsigned tls_site(const struct tls *tls)
{
	return tls->site->number;
}

bool tls_client_is_verified(const struct tls *tls)
{
	X509 *certificate = SSL_get0_peer_certificate(tls->ssl);

	return certificate && SSL_get_verify_result(tls->ssl) == X509_V_OK;
}
