/* The machine of TLS, against an OpenSSL client in memory.
 *
 * A `peer` is that client; exchange_all() carries ciphertext between the two, so many bytes at a
 * time, until neither has anything to say. */
#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "certificates.h"
#include "net/tls.h"

#define SECRET "0123456789abcdef0123456789abcdef"

static const struct tls_options BOTH = { .protocol_1_2 = true, .protocol_1_3 = true };

static struct tls_service service;
static struct tls_tickets tickets;

struct peer {
	SSL_CTX *context;
	SSL *ssl;
	BIO *in, *out;
	SSL_SESSION *session; /* the newest ticket */
	struct tls *server;
	size_t cut; /* bytes the server is given at once */
	enum tls_result result;
	char received[1 << 12]; /* plaintext that the server got */
	size_t received_length;
	unsigned work_count;
};

static int on_session(SSL *ssl, SSL_SESSION *session)
{
	struct peer *peer = SSL_get_app_data(ssl);

	SSL_SESSION_free(peer->session);
	peer->session = session;
	return 1;
}

static void *run_work(void *tls)
{
	tls_work(tls);
	return NULL;
}

static void work(struct peer *peer)
{
	pthread_t thread;

	peer->work_count++;
	assert_int_equal(pthread_create(&thread, NULL, run_work, peer->server), 0);
	pthread_join(thread, NULL);
}

/* Reads until the server wants something that is not there. */
static void read_all(struct peer *peer)
{
	struct text plaintext;

	for (;;) {
		peer->result = tls_read(peer->server, &plaintext);
		if (peer->result == TLS_WANTS_WORK) {
			work(peer);
			continue;
		}
		if (peer->result == TLS_WANTS_OUTPUT)
			assert_int_equal(tls_keep_input(peer->server), 0);
		if (peer->result != TLS_RECEIVED)
			return;
		assert_true(peer->received_length + plaintext.length <= sizeof(peer->received));
		memcpy(peer->received + peer->received_length, plaintext.bytes, plaintext.length);
		peer->received_length += plaintext.length;
	}
}

static bool carry_to_server(struct peer *peer)
{
	char bytes[16384];
	int length = BIO_read(peer->out, bytes, (int)peer->cut);

	if (length <= 0)
		return false;
	tls_give(peer->server, (struct text){ bytes, (size_t)length });
	read_all(peer);
	return peer->result == TLS_WANTS_INPUT;
}

static bool carry_to_peer(struct peer *peer)
{
	struct text output = tls_output(peer->server);

	if (output.length == 0)
		return false;
	BIO_write(peer->in, output.bytes, (int)output.length);
	tls_sent(peer->server, output.length);
	return true;
}

static void exchange_all(struct peer *peer)
{
	bool moved = true;

	while (moved) {
		char nothing;

		SSL_peek(peer->ssl, &nothing, 1);
		ERR_clear_error();
		moved = carry_to_server(peer);
		moved |= carry_to_peer(peer);
	}
	SSL_peek(peer->ssl, &(char){ 0 }, 1);
	ERR_clear_error();
}

static void peer_open(struct peer *peer, const char *name, int version)
{
	*peer = (struct peer){ .cut = 16384, .context = SSL_CTX_new(TLS_client_method()) };
	SSL_CTX_set_session_cache_mode(
		peer->context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(peer->context, on_session);
	if (version)
		SSL_CTX_set_max_proto_version(peer->context, version);
	peer->ssl = SSL_new(peer->context);
	SSL_set_app_data(peer->ssl, peer);
	peer->in = BIO_new(BIO_s_mem());
	peer->out = BIO_new(BIO_s_mem());
	SSL_set_bio(peer->ssl, peer->in, peer->out);
	SSL_set_connect_state(peer->ssl);
	if (name)
		SSL_set_tlsext_host_name(peer->ssl, name);
	peer->server = tls_new(&service);
	assert_non_null(peer->server);
}

static void peer_close(struct peer *peer)
{
	tls_free(peer->server);
	SSL_set_shutdown(peer->ssl, SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	SSL_free(peer->ssl); /* without the marks its session could not be resumed */
	SSL_CTX_free(peer->context);
	SSL_SESSION_free(peer->session);
}

static struct tls_contexts *contexts_with(const struct tls_options *options)
{
	struct tls_contexts *contexts;

	assert_int_equal(tls_contexts_new(&contexts, options), 0);
	return contexts;
}

static void add_site(struct tls_contexts *contexts, const char *name, enum test_key kind)
{
	char memory[256];
	struct buffer problem;
	const struct text names[] = { text_of(name) };
	struct tls_site site = { .names = names, .name_count = 1, .pair_count = 1 };
	int r;

	buffer_init(&problem, memory, sizeof(memory));
	site.pairs[0] = make_certificate(kind, name);
	r = tls_contexts_add(contexts, &site, &problem);
	if (r != 0)
		fail_msg("%.*s", (int)problem.length, problem.bytes);
	free_certificate(&site.pairs[0]);
}

static void serve(struct tls_contexts *contexts)
{
	tls_service_open(&service, contexts);
	tls_contexts_release(contexts);
}

static void serve_one(const struct tls_options *options, enum test_key kind)
{
	struct tls_contexts *contexts = contexts_with(options);

	add_site(contexts, "example.com", kind);
	serve(contexts);
}

/* The name that the shown certificate was made for. */
static bool is_shown(struct peer *peer, const char *name)
{
	X509 *shown = SSL_get0_peer_certificate(peer->ssl);

	return shown && X509_check_host(shown, name, 0, 0, NULL) == 1;
}

/* --- the cases ---------------------------------------------------------------------------- */

static void test_bytes_cross_however_they_are_cut(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	static const size_t cuts[] = { 1, 2, 7, 500, 16384 };

	(void)state;
	serve_one(&BOTH, TEST_KEY_P256);
	for (size_t i = 0; i < 2 * 5; i++) {
		struct iovec answer[] = { { (char *)"head ", 5 }, { NULL, 0 },
			{ (char *)"body", 4 } };
		char bytes[16];
		struct peer peer;

		peer_open(&peer, "example.com", versions[i % 2]);
		peer.cut = cuts[i / 2];
		exchange_all(&peer);
		assert_true(tls_is_ready(peer.server));
		assert_int_equal(SSL_write(peer.ssl, "request", 7), 7);
		exchange_all(&peer);
		assert_int_equal(peer.received_length, 7);
		assert_memory_equal(peer.received, "request", 7);
		assert_int_equal(tls_write(peer.server, answer, 3), 9);
		carry_to_peer(&peer);
		assert_int_equal(SSL_read(peer.ssl, bytes, sizeof(bytes)), 9);
		assert_memory_equal(bytes, "head body", 9);
		assert_string_equal(tls_version(peer.server), i % 2 ? "TLSv1.3" : "TLSv1.2");
		peer_close(&peer);
	}
	tls_service_close(&service);
}

static void test_long_bodies_leave_block_by_block(void **state)
{
	enum { LENGTH = 1000000 };
	char *body = malloc(LENGTH), *copy = malloc(LENGTH);
	struct iovec vector[] = { { body, 3 }, { body + 3, LENGTH - 3 } };
	size_t sent = 0, got = 0;
	struct peer peer;

	(void)state;
	for (size_t i = 0; i < LENGTH; i++)
		body[i] = (char)(i * 7 + i / 251);
	serve_one(&BOTH, TEST_KEY_P256);
	peer_open(&peer, "example.com", 0);
	exchange_all(&peer);
	while (sent < LENGTH) {
		int64_t taken = tls_write(peer.server, vector, 2);
		int length;

		assert_true(taken > 0 && taken <= 8 * TLS_RECORD_LENGTH_MAX);
		sent += (size_t)taken;
		assert_true(sent == LENGTH || taken == 8 * TLS_RECORD_LENGTH_MAX);
		carry_to_peer(&peer);
		while ((length = SSL_read(peer.ssl, copy + got, (int)(LENGTH - got))) > 0)
			got += (size_t)length;
	}
	assert_int_equal(got, LENGTH);
	assert_memory_equal(copy, body, LENGTH);
	assert_int_equal(service.outputs.taken_count, 0);
	peer_close(&peer);
	tls_service_close(&service);
	free(body);
	free(copy);
}

static void test_certificate_is_that_of_the_name(void **state)
{
	static const struct {
		const char *asked, *shown;
	} rows[] = {
		{ "example.com", "example.com" },
		{ "EXAMPLE.com", "example.com" },
		{ "example.org", "example.org" },
		{ "www.example.net", "www.example.net" },
		{ "a.b.example.net", "example.com" }, /* a wildcard is one label */
		{ "nowhere.test", "example.com" },
		{ NULL, "example.com" },
	};
	struct tls_contexts *contexts = contexts_with(&BOTH);

	(void)state;
	add_site(contexts, "example.com", TEST_KEY_P256);
	add_site(contexts, "example.org", TEST_KEY_P256);
	add_site(contexts, "*.example.net", TEST_KEY_P256);
	serve(contexts);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct peer peer;

		peer_open(&peer, rows[i].asked, 0);
		exchange_all(&peer);
		assert_true(is_shown(&peer, rows[i].shown));
		peer_close(&peer);
	}
	tls_service_close(&service);
}

static void test_unknown_names_may_be_refused(void **state)
{
	struct tls_options options = BOTH;
	struct peer peer;

	(void)state;
	options.reject_unknown_names = true;
	serve_one(&options, TEST_KEY_P256);
	peer_open(&peer, "nowhere.test", 0);
	exchange_all(&peer);
	assert_int_equal(peer.result, TLS_FAILED);
	assert_string_equal(tls_failure(peer.server), "unknown server name");
	assert_false(tls_is_ready(peer.server));
	peer_close(&peer);
	tls_service_close(&service);
}

static void test_slow_keys_and_groups_are_work_for_another_thread(void **state)
{
	static const struct {
		enum test_key key;
		const char *groups;
		unsigned work_counts[2]; /* in 1.2 and 1.3 */
	} rows[] = {
		{ TEST_KEY_P256, "X25519:P-256", { 0, 0 } },
		{ TEST_KEY_P256, "P-256", { 0, 0 } },
		{ TEST_KEY_P256, "P-384:P-256", { 0, 1 } }, /* 1.3 takes the share that is there */
		{ TEST_KEY_P384, "X25519:P-384", { 1, 1 } },
		{ TEST_KEY_RSA, "X25519", { 1, 1 } },
		{ TEST_KEY_RSA, "P-384", { 1, 1 } },
	};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(rows) / sizeof(rows[0]); i++) {
		struct peer peer;

		serve_one(&BOTH, rows[i / 2].key);
		peer_open(&peer, "example.com", i % 2 ? TLS1_3_VERSION : TLS1_2_VERSION);
		SSL_set1_groups_list(peer.ssl, rows[i / 2].groups);
		exchange_all(&peer);
		assert_true(tls_is_ready(peer.server));
		assert_int_equal(peer.work_count, rows[i / 2].work_counts[i % 2]);
		peer_close(&peer);
		tls_service_close(&service);
	}
}

/* With a copy of the session: the library gives one up for which it got a newer ticket. */
static void resume(struct peer *peer, SSL_SESSION *session, const char *name)
{
	SSL_SESSION *copy = SSL_SESSION_dup(session);

	peer_open(peer, name, (int)SSL_SESSION_get_protocol_version(session));
	SSL_set_session(peer->ssl, copy);
	SSL_SESSION_free(copy);
	exchange_all(peer);
	assert_true(tls_is_ready(peer->server));
}

static void test_sessions_are_resumed_for_three_epochs_by_any_worker(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct tls_options options = BOTH;

	(void)state;
	options.tickets = &tickets;
	for (size_t v = 0; v < 2; v++) {
		struct peer first;

		tls_tickets_open(&tickets, (const unsigned char *)SECRET, 0, 100);
		serve_one(&options, TEST_KEY_P256);
		peer_open(&first, "example.com", versions[v]);
		exchange_all(&first);
		assert_false(tls_is_resumed(first.server));
		assert_non_null(first.session);
		for (int64_t epoch = 0; epoch < 4; epoch++) {
			struct peer again;

			/* Another process that began with the same secret. */
			tls_tickets_close(&tickets);
			tls_tickets_open(&tickets, (const unsigned char *)SECRET, 0,
				epoch * TLS_TICKET_EPOCH_S);
			resume(&again, first.session, "example.com");
			assert_int_equal(tls_is_resumed(again.server), epoch < 3);
			peer_close(&again);
		}
		peer_close(&first);
		tls_service_close(&service);
		tls_tickets_close(&tickets);
	}
}

static void test_session_of_one_site_does_not_open_another(void **state)
{
	static const int versions[] = { TLS1_2_VERSION, TLS1_3_VERSION };
	struct tls_options options = BOTH;

	(void)state;
	options.tickets = &tickets;
	tls_tickets_open(&tickets, (const unsigned char *)SECRET, 0, 0);
	for (size_t v = 0; v < 2; v++) {
		struct tls_contexts *contexts = contexts_with(&options);
		struct peer first, second;

		add_site(contexts, "example.com", TEST_KEY_P256);
		add_site(contexts, "example.org", TEST_KEY_P256);
		serve(contexts);
		peer_open(&first, "example.com", versions[v]);
		exchange_all(&first);
		assert_non_null(first.session);
		peer_open(&second, "example.org", versions[v]);
		SSL_set_session(second.ssl, first.session);
		exchange_all(&second);
		assert_false(tls_is_ready(second.server) && tls_is_resumed(second.server));
		peer_close(&second);
		peer_close(&first);
		tls_service_close(&service);
	}
	tls_tickets_close(&tickets);
}

static void test_close_notify_ends_both_directions(void **state)
{
	struct peer peer;

	(void)state;
	serve_one(&BOTH, TEST_KEY_P256);
	peer_open(&peer, "example.com", 0);
	exchange_all(&peer);
	SSL_shutdown(peer.ssl);
	exchange_all(&peer);
	assert_int_equal(peer.result, TLS_ENDED);
	tls_end(peer.server);
	tls_end(peer.server);
	carry_to_peer(&peer);
	assert_int_equal(SSL_shutdown(peer.ssl), 1);
	assert_int_equal(tls_write(peer.server, &(struct iovec){ (char *)"x", 1 }, 1), -EPIPE);
	peer_close(&peer);
	tls_service_close(&service);
}

/* Each KeyUpdate asks for one of ours; a client that never reads them is not read for ever. */
static void test_key_update_flood_stops_reading(void **state)
{
	struct peer peer;
	unsigned count = 0;

	(void)state;
	serve_one(&BOTH, TEST_KEY_P256);
	peer_open(&peer, "example.com", TLS1_3_VERSION);
	exchange_all(&peer);
	do {
		char bytes[16384];
		int length;

		SSL_key_update(peer.ssl, SSL_KEY_UPDATE_REQUESTED);
		SSL_do_handshake(peer.ssl);
		length = BIO_read(peer.out, bytes, sizeof(bytes));
		assert_true(length > 0);
		tls_give(peer.server, (struct text){ bytes, (size_t)length });
		read_all(&peer);
	} while (peer.result == TLS_WANTS_INPUT && ++count < 10000);
	assert_int_equal(peer.result, TLS_WANTS_OUTPUT);
	assert_true(tls_output(peer.server).length < 2 * TLS_UNSENT_LENGTH_MAX);
	carry_to_peer(&peer);
	read_all(&peer);
	assert_int_equal(peer.result, TLS_WANTS_INPUT);
	peer_close(&peer);
	tls_service_close(&service);
}

static void test_plain_request_is_told_from_tls(void **state)
{
	static const char request[] = "GET / HTTP/1.1\r\nHost: a\r\n\r\n";
	struct text plaintext;
	struct tls *tls;

	(void)state;
	serve_one(&BOTH, TEST_KEY_P256);
	tls = tls_new(&service);
	tls_give(tls, text_of(request));
	assert_int_equal(tls_read(tls, &plaintext), TLS_FAILED);
	assert_string_equal(tls_failure(tls), "http request");
	tls_free(tls);
	tls_service_close(&service);
}

static void test_wrong_certificates_are_refused_in_words(void **state)
{
	struct tls_pair good = make_certificate(TEST_KEY_P256, "a.test");
	struct tls_pair other = make_certificate(TEST_KEY_P256, "a.test");
	const struct text nonsense = TEXT("nonsense"), names[] = { TEXT("a.test") };
	const struct {
		struct tls_pair pair;
		const char *problem;
	} rows[] = {
		{ { good.chain, other.key }, "the key does not fit the certificate" },
		{ { nonsense, good.key }, "no certificate in PEM form can be read" },
		{ { good.chain, nonsense }, "no key in PEM form, without passphrase, can be read" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tls_contexts *contexts = contexts_with(&BOTH);
		struct tls_site site = { .names = names, .name_count = 1, .pair_count = 1 };
		char memory[256];
		struct buffer problem;

		buffer_init(&problem, memory, sizeof(memory));
		site.pairs[0] = rows[i].pair;
		assert_int_equal(tls_contexts_add(contexts, &site, &problem), -EINVAL);
		assert_memory_equal(memory, rows[i].problem, strlen(rows[i].problem));
		tls_contexts_release(contexts);
	}
	free_certificate(&good);
	free_certificate(&other);
}

static void test_certificate_covers_its_names(void **state)
{
	static const struct {
		const char *name;
		bool covered;
	} rows[] = {
		{ "www.example.com", true },
		{ "*.example.com", true },
		{ "example.com", false },
		{ "a.b.example.com", false },
	};
	struct tls_contexts *contexts = contexts_with(&BOTH);

	(void)state;
	add_site(contexts, "*.example.com", TEST_KEY_P256);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(
			tls_contexts_covers(contexts, 0, text_of(rows[i].name)), rows[i].covered);
	assert_true(tls_contexts_expiry(contexts, 0) > time(NULL));
	assert_true(tls_contexts_expiry(contexts, 0) <= time(NULL) + 86400);
	tls_contexts_release(contexts);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes_cross_however_they_are_cut),
		cmocka_unit_test(test_long_bodies_leave_block_by_block),
		cmocka_unit_test(test_certificate_is_that_of_the_name),
		cmocka_unit_test(test_unknown_names_may_be_refused),
		cmocka_unit_test(test_slow_keys_and_groups_are_work_for_another_thread),
		cmocka_unit_test(test_sessions_are_resumed_for_three_epochs_by_any_worker),
		cmocka_unit_test(test_session_of_one_site_does_not_open_another),
		cmocka_unit_test(test_close_notify_ends_both_directions),
		cmocka_unit_test(test_key_update_flood_stops_reading),
		cmocka_unit_test(test_plain_request_is_told_from_tls),
		cmocka_unit_test(test_wrong_certificates_are_refused_in_words),
		cmocka_unit_test(test_certificate_covers_its_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
