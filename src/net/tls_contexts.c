/* One SSL_CTX per site, and the callback that finds the site before the handshake goes on.
 *
 * The context that every SSL begins with is the first site's: OpenSSL opens tickets with the
 * callback of that one.  The ClientHello callback then switches to the site that the client names,
 * and with it to the site's session id context, before a ticket is looked at; so a session of one
 * site never opens another (CVE-2025-23419).
 *
 * The defaults are Mozilla's intermediate profile: ECDHE with AEAD ciphers only. */
#include "net/tls_contexts.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <time.h>

#include "base/owned.h"
#include "net/tls_private.h"

#define CIPHERS                                                                                    \
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"                               \
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"                               \
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305"
#define CIPHERSUITES "TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256"

/* The first list has a group that OpenSSL knows from 3.5 on. */
#define GROUPS_NEW "X25519MLKEM768:X25519:P-256:P-384"
#define GROUPS     "X25519:P-256:P-384"

/* Groups as they are numbered on the wire (IANA, TLS Supported Groups). */
enum { GROUP_P256 = 23, GROUP_P384 = 24, GROUP_X25519 = 29, GROUP_X25519_MLKEM768 = 4588 };

/* ecdsa_secp256r1_sha256 (RFC 8446 §4.2.3); in 1.2: any curve with SHA-256. */
enum { SCHEME_ECDSA_P256 = 0x0403 };

struct name {
	struct text text; /* without the "*" of a wildcard, with its dot */
	unsigned site;
};

struct tls_contexts {
	unsigned holder_count;
	struct tls_options options;
	struct tls_site_context **sites;
	unsigned site_count;
	struct name *names; /* sorted by text once all are there */
	size_t name_count;
	bool is_sorted;
};

const char *tls_reason(void)
{
	unsigned long error = ERR_peek_last_error();
	const char *reason = ERR_reason_error_string(error);

	if (ERR_SYSTEM_ERROR(error) || !reason)
		reason = "unknown error";
	ERR_clear_error();
	return reason;
}

static int refuse(struct buffer *problem, int error, const char *what)
{
	buffer_append_format(problem, "%s (OpenSSL: %s)", what, tls_reason());
	return error;
}

/* --- the ClientHello ---------------------------------------------------------------------- */

static int compare_names(const void *a, const void *b)
{
	const struct text *left = &((const struct name *)a)->text;
	const struct text *right = &((const struct name *)b)->text;
	int order = memcmp(left->bytes, right->bytes, smaller(left->length, right->length));

	if (order != 0)
		return order;
	return left->length < right->length ? -1 : left->length > right->length;
}

/* Exactly, then by the wildcard that covers its first label; -1: no site has this name. */
static int find_site(struct tls_contexts *contexts, struct text name)
{
	struct name wanted = { name, 0 };
	const struct name *found;

	if (!contexts->is_sorted)
		qsort(contexts->names, contexts->name_count, sizeof(struct name), compare_names);
	contexts->is_sorted = true;
	found = bsearch(
		&wanted, contexts->names, contexts->name_count, sizeof(struct name), compare_names);
	if (!found) {
		wanted.text = text_from(name, text_find(name, '.'));
		found = bsearch(&wanted, contexts->names, contexts->name_count, sizeof(struct name),
			compare_names);
	}
	return found ? (int)found->site : -1;
}

static unsigned two_bytes(const unsigned char *bytes)
{
	return (unsigned)bytes[0] << 8 | bytes[1];
}

/* The host_name of the extension server_name (RFC 6066 §3), in lower case.  OpenSSL has parsed
 * nothing of it yet. */
static void take_server_name(struct tls *tls, SSL *ssl)
{
	const unsigned char *bytes;
	size_t length, name_length;

	tls->server_name_length = 0;
	if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &bytes, &length) ||
		length < 5 || two_bytes(bytes) != length - 2 ||
		bytes[2] != TLSEXT_NAMETYPE_host_name)
		return;
	name_length = two_bytes(bytes + 3);
	if (name_length > length - 5 || name_length >= sizeof(tls->server_name))
		return;
	for (size_t i = 0; i < name_length; i++) {
		char byte = (char)bytes[5 + i];

		tls->server_name[i] = byte >= 'A' && byte <= 'Z' ? (char)(byte | 0x20) : byte;
	}
	tls->server_name_length = (uint8_t)name_length;
}

/* Does a list of numbers of two bytes, itself after its length, hold this one? */
static bool extension_lists(SSL *ssl, unsigned type, unsigned wanted)
{
	const unsigned char *bytes;
	size_t length;

	if (!SSL_client_hello_get0_ext(ssl, type, &bytes, &length))
		return false;
	for (size_t i = 2; i + 1 < length; i += 2) {
		if (two_bytes(bytes + i) == wanted)
			return true;
	}
	return false;
}

/* OpenSSL takes the first of the client's key shares that it knows. */
static bool offers_share_of_p384(SSL *ssl)
{
	const unsigned char *bytes;
	size_t length;

	if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_key_share, &bytes, &length))
		return false;
	for (size_t i = 2; i + 3 < length; i += 4 + two_bytes(bytes + i + 2)) {
		if (two_bytes(bytes + i) == GROUP_P384)
			return true;
	}
	return false;
}

static bool needs_slow_group(SSL *ssl)
{
	const unsigned char *bytes;
	size_t length;

	if (!SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_supported_groups, &bytes, &length))
		return false; /* then P-256 is meant */
	if (offers_share_of_p384(ssl))
		return true;
	return !extension_lists(ssl, TLSEXT_TYPE_supported_groups, GROUP_X25519) &&
	       !extension_lists(ssl, TLSEXT_TYPE_supported_groups, GROUP_P256) &&
	       !extension_lists(ssl, TLSEXT_TYPE_supported_groups, GROUP_X25519_MLKEM768);
}

/* Whether to sign will take long: that a ticket may spare it is not relied upon. */
static bool needs_slow_key(SSL *ssl, const struct tls_site_context *site)
{
	if (!site->has_slow_key)
		return false;
	return !site->has_fast_key ||
	       !extension_lists(ssl, TLSEXT_TYPE_signature_algorithms, SCHEME_ECDSA_P256);
}

static int verify_modes(enum tls_client_certificates wanted)
{
	switch (wanted) {
	case TLS_CLIENT_CERTIFICATES_OFF:
		break;
	case TLS_CLIENT_CERTIFICATES_OPTIONAL:
		return SSL_VERIFY_PEER;
	case TLS_CLIENT_CERTIFICATES_REQUIRED:
		return SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT;
	}
	return SSL_VERIFY_NONE;
}

/* What SSL_set_SSL_CTX() does not take over is set beside it. */
static void choose_site(struct tls *tls, SSL *ssl, const struct tls_site_context *site)
{
	tls->site = site;
	SSL_set_SSL_CTX(ssl, site->context);
	SSL_set_verify(ssl, verify_modes(site->client_certificates), NULL);
}

static int on_client_hello(SSL *ssl, int *alert, void *context)
{
	struct tls *tls = SSL_get_app_data(ssl);
	struct tls_contexts *contexts = context;
	int found;

	if (tls->may_work)
		return SSL_CLIENT_HELLO_SUCCESS; /* the second time: the site is chosen */
	take_server_name(tls, ssl);
	found = find_site(contexts, tls_server_name(tls));
	if (found < 0 && contexts->options.reject_unknown_names) {
		tls->failure = "unknown server name";
		*alert = SSL_AD_UNRECOGNIZED_NAME;
		return SSL_CLIENT_HELLO_ERROR;
	}
	choose_site(tls, ssl, contexts->sites[found < 0 ? 0 : found]);
	if (needs_slow_key(ssl, tls->site) || needs_slow_group(ssl))
		return SSL_CLIENT_HELLO_RETRY;
	return SSL_CLIENT_HELLO_SUCCESS;
}

/* --- tickets ------------------------------------------------------------------------------ */

static int prepare_ticket(const struct tls_ticket_key *key, unsigned char *iv,
	EVP_CIPHER_CTX *cipher, EVP_MAC_CTX *mac, int is_sealing)
{
	OSSL_PARAM parameters[] = {
		OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, (char *)"SHA256", 0),
		OSSL_PARAM_construct_end(),
	};

	return EVP_CipherInit_ex(cipher, EVP_aes_256_cbc(), NULL, key->cipher, iv, is_sealing) >
		       0 &&
	       EVP_MAC_init(mac, key->mac, sizeof(key->mac), parameters) > 0;
}

/* SSL_CTX_set_tlsext_ticket_key_evp_cb(3): 0 no such key, 1 done, 2 done and worth a new ticket. */
static int on_ticket(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
	EVP_MAC_CTX *mac, int is_sealing)
{
	const struct tls *tls = SSL_get_app_data(ssl);
	struct tls_ticket_key key;
	bool is_newest;
	int r = 0;

	if (tls_tickets_find(
		    tls->contexts->options.tickets, is_sealing ? NULL : name, &key, &is_newest)) {
		r = is_newest ? 1 : 2;
		if (is_sealing) {
			memcpy(name, key.name, sizeof(key.name));
			if (RAND_bytes(iv, EVP_CIPHER_get_iv_length(EVP_aes_256_cbc())) <= 0)
				r = -1;
		}
		if (r > 0 && !prepare_ticket(&key, iv, cipher, mac, is_sealing))
			r = -1;
	}
	OPENSSL_cleanse(&key, sizeof(key));
	return r;
}

/* --- contexts ----------------------------------------------------------------------------- */

static int set_protocols(SSL_CTX *context, const struct tls_options *options)
{
	int first = options->protocol_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION;
	int last = options->protocol_1_3 ? TLS1_3_VERSION : TLS1_2_VERSION;

	return SSL_CTX_set_min_proto_version(context, first) > 0 &&
	       SSL_CTX_set_max_proto_version(context, last) > 0;
}

static int set_groups(SSL_CTX *context, const char *groups)
{
	if (groups)
		return SSL_CTX_set1_groups_list(context, groups) > 0;
	if (SSL_CTX_set1_groups_list(context, GROUPS_NEW) > 0)
		return true;
	ERR_clear_error();
	return SSL_CTX_set1_groups_list(context, GROUPS) > 0;
}

/* Settings that every context shares. */
static int set_up(SSL_CTX *context, struct tls_contexts *contexts, struct buffer *problem)
{
	const struct tls_options *options = &contexts->options;

	SSL_CTX_set_options(context,
		SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION | SSL_OP_CIPHER_SERVER_PREFERENCE |
			SSL_OP_PRIORITIZE_CHACHA | SSL_OP_IGNORE_UNEXPECTED_EOF);
	SSL_CTX_set_mode(context, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
					  SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_OFF);
	SSL_CTX_set_client_hello_cb(context, on_client_hello, contexts);
	if (options->tickets) {
		SSL_CTX_set_num_tickets(context, 1);
		SSL_CTX_set_tlsext_ticket_key_evp_cb(context, on_ticket);
	} else {
		SSL_CTX_set_num_tickets(context, 0);
		SSL_CTX_set_options(context, SSL_OP_NO_TICKET);
	}
	if (!set_protocols(context, options))
		return refuse(problem, -EINVAL, "these protocols cannot be had");
	if (!SSL_CTX_set_ciphersuites(context, CIPHERSUITES) ||
		!SSL_CTX_set_cipher_list(context, options->ciphers ? options->ciphers : CIPHERS))
		return refuse(problem, -EINVAL, "these ciphers cannot be had");
	if (!set_groups(context, options->groups))
		return refuse(problem, -EINVAL, "these groups cannot be had");
	return 0;
}

int tls_contexts_new(struct tls_contexts **contexts, const struct tls_options *options)
{
	struct tls_contexts *made = calloc(1, sizeof(*made));

	assert(options->protocol_1_2 || options->protocol_1_3);
	if (!made)
		return -ENOMEM;
	made->holder_count = 1;
	made->options = *options;
	*contexts = made;
	return 0;
}

struct tls_contexts *tls_contexts_hold(struct tls_contexts *contexts)
{
	contexts->holder_count++;
	return contexts;
}

void tls_contexts_release(struct tls_contexts *contexts)
{
	assert(contexts->holder_count > 0);
	if (--contexts->holder_count > 0)
		return;
	for (unsigned i = 0; i < contexts->site_count; i++) {
		SSL_CTX_free(contexts->sites[i]->context);
		free(contexts->sites[i]);
	}
	for (size_t i = 0; i < contexts->name_count; i++)
		free((void *)(uintptr_t)contexts->names[i].text.bytes);
	free(contexts->names);
	free(contexts->sites);
	free(contexts);
}

/* --- certificates ------------------------------------------------------------------------- */

static BIO *open_text(struct text text)
{
	return BIO_new_mem_buf(text.bytes, (int)text.length);
}

/* The leaf, then the rest of the chain, until the text ends. */
static int use_chain(SSL_CTX *context, struct text pem, struct buffer *problem)
{
	BIO *bio = open_text(pem);
	X509 *leaf = bio ? PEM_read_bio_X509_AUX(bio, NULL, NULL, NULL) : NULL;
	int r = 0;

	if (!leaf)
		r = refuse(problem, -EINVAL, "no certificate in PEM form can be read");
	else if (SSL_CTX_use_certificate(context, leaf) <= 0)
		r = refuse(problem, -EINVAL, "the certificate cannot be used");
	if (r == 0)
		SSL_CTX_clear_chain_certs(context);
	while (r == 0) {
		X509 *next = PEM_read_bio_X509(bio, NULL, NULL, NULL);

		if (!next && ERR_GET_REASON(ERR_peek_last_error()) == PEM_R_NO_START_LINE)
			break;
		if (!next || SSL_CTX_add0_chain_cert(context, next) <= 0) {
			X509_free(next);
			r = refuse(problem, -EINVAL, "the chain of the certificate is damaged");
		}
	}
	ERR_clear_error();
	X509_free(leaf);
	BIO_free(bio);
	return r;
}

/* No terminal is asked for a passphrase: this is a daemon. */
static int no_passphrase(char *memory, int size, int is_writing, void *context)
{
	(void)memory;
	(void)size;
	(void)is_writing;
	(void)context;
	return -1;
}

static bool is_fast(const EVP_PKEY *key)
{
	return EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 ||
	       (EVP_PKEY_get_base_id(key) == EVP_PKEY_EC && EVP_PKEY_get_bits(key) <= 256);
}

static int use_key(struct tls_site_context *site, struct text pem, struct buffer *problem)
{
	BIO *bio = open_text(pem);
	EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;
	int r = 0;

	if (!key)
		r = refuse(problem, -EINVAL, "no key in PEM form, without passphrase, can be read");
	else if (SSL_CTX_use_PrivateKey(site->context, key) <= 0)
		r = refuse(problem, -EINVAL, "the key does not fit the certificate");
	else if (is_fast(key))
		site->has_fast_key = true;
	else
		site->has_slow_key = true;
	EVP_PKEY_free(key);
	BIO_free(bio);
	return r;
}

static int use_authority(SSL_CTX *context, struct text pem, struct buffer *problem)
{
	BIO *bio = open_text(pem);
	X509_STORE *store = SSL_CTX_get_cert_store(context);
	unsigned count = 0;
	X509 *authority;
	int r = 0;

	while (bio && r == 0 && (authority = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
		if (X509_STORE_add_cert(store, authority) <= 0 ||
			SSL_CTX_add_client_CA(context, authority) <= 0)
			r = refuse(problem, -EINVAL, "a certificate of client_ca cannot be used");
		X509_free(authority);
		count++;
	}
	if (r == 0 && count == 0)
		r = refuse(problem, -EINVAL, "no certificate in PEM form can be read in client_ca");
	ERR_clear_error();
	BIO_free(bio);
	return r;
}

/* A session opens only the site, and only under the authority, that it was made with. */
static int name_sessions(SSL_CTX *context, const struct tls_site *site)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned length = 0;
	EVP_MD_CTX *hash = EVP_MD_CTX_new();
	bool done = hash && EVP_DigestInit_ex(hash, EVP_sha256(), NULL) > 0 &&
		    EVP_DigestUpdate(hash, &site->client_certificates,
			    sizeof(site->client_certificates)) > 0 &&
		    EVP_DigestUpdate(hash, site->client_ca.bytes, site->client_ca.length) > 0;

	for (unsigned i = 0; done && i < site->name_count; i++)
		done = EVP_DigestUpdate(hash, site->names[i].bytes, site->names[i].length) > 0 &&
		       EVP_DigestUpdate(hash, "", 1) > 0;
	done = done && EVP_DigestFinal_ex(hash, digest, &length) > 0 &&
	       SSL_CTX_set_session_id_context(context, digest, length) > 0;
	EVP_MD_CTX_free(hash);
	return done ? 0 : -EIO;
}

static int fill(struct tls_site_context *made, struct tls_contexts *contexts,
	const struct tls_site *site, struct buffer *problem)
{
	int r = set_up(made->context, contexts, problem);

	for (unsigned i = 0; r == 0 && i < site->pair_count; i++) {
		r = use_chain(made->context, site->pairs[i].chain, problem);
		if (r == 0)
			r = use_key(made, site->pairs[i].key, problem);
	}
	if (r == 0 && site->client_certificates != TLS_CLIENT_CERTIFICATES_OFF)
		r = use_authority(made->context, site->client_ca, problem);
	if (r == 0 && name_sessions(made->context, site) < 0)
		r = refuse(problem, -EIO, "the site's sessions cannot be named");
	return r;
}

/* --- sites -------------------------------------------------------------------------------- */

static int add_name(struct tls_contexts *contexts, struct text name, unsigned site)
{
	size_t cut = name.length > 1 && name.bytes[0] == '*' ? 1 : 0;
	struct name *grown =
		reallocarray(contexts->names, contexts->name_count + 1, sizeof(struct name));
	char *copy;

	if (!grown)
		return -ENOMEM;
	contexts->names = grown;
	copy = strndup(name.bytes + cut, name.length - cut);
	if (!copy)
		return -ENOMEM;
	grown[contexts->name_count++] = (struct name){ { copy, name.length - cut }, site };
	contexts->is_sorted = false;
	return 0;
}

static int keep_site(
	struct tls_contexts *contexts, struct tls_site_context *made, const struct tls_site *site)
{
	struct tls_site_context **grown =
		reallocarray(contexts->sites, contexts->site_count + 1, sizeof(*contexts->sites));
	int r = 0;

	if (!grown)
		return -ENOMEM;
	contexts->sites = grown;
	for (unsigned i = 0; r == 0 && i < site->name_count; i++)
		r = add_name(contexts, site->names[i], contexts->site_count);
	if (r == 0)
		grown[contexts->site_count++] = made;
	return r;
}

int tls_contexts_add(
	struct tls_contexts *contexts, const struct tls_site *site, struct buffer *problem)
{
	struct tls_site_context *made = calloc(1, sizeof(*made));
	int r;

	assert(site->pair_count > 0);
	if (!made)
		return -ENOMEM;
	*made = (struct tls_site_context){
		.context = SSL_CTX_new(TLS_server_method()),
		.number = contexts->site_count,
		.client_certificates = site->client_certificates,
	};
	r = made->context ? fill(made, contexts, site, problem) : -ENOMEM;
	if (r == 0)
		r = keep_site(contexts, made, site);
	if (r < 0) {
		SSL_CTX_free(made->context);
		free(made);
	}
	return r;
}

/* Calls visit(certificate) for each of the site's certificates until one says true. */
typedef bool certificate_fn(X509 *certificate, void *context);

static bool visit_certificates(
	const struct tls_contexts *contexts, unsigned site, certificate_fn *visit, void *context)
{
	SSL_CTX *of_site = contexts->sites[site]->context;

	for (long op = SSL_CERT_SET_FIRST; SSL_CTX_set_current_cert(of_site, op) > 0;
		op = SSL_CERT_SET_NEXT) {
		if (visit(SSL_CTX_get0_certificate(of_site), context))
			return true;
	}
	return false;
}

static bool note_expiry(X509 *certificate, void *context)
{
	int64_t *earliest = context;
	struct tm broken_down;
	int64_t expiry;

	if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &broken_down) <= 0)
		return false;
	expiry = timegm(&broken_down);
	if (expiry < *earliest)
		*earliest = expiry;
	return false;
}

int64_t tls_contexts_expiry(const struct tls_contexts *contexts, unsigned site)
{
	int64_t earliest = INT64_MAX;

	visit_certificates(contexts, site, note_expiry, &earliest);
	return earliest;
}

/* A wildcard site is covered by a certificate of the same wildcard: any label may stand for it. */
static bool covers(X509 *certificate, void *context)
{
	const struct text *name = context;
	char label[256];
	int length = snprintf(label, sizeof(label), "%s%.*s", name->bytes[0] == '*' ? "x" : "",
		(int)name->length - (name->bytes[0] == '*'), name->bytes + (name->bytes[0] == '*'));

	return length > 0 && length < (int)sizeof(label) &&
	       (X509_check_host(certificate, label, (size_t)length, 0, NULL) > 0 ||
		       X509_check_ip_asc(certificate, label, 0) > 0);
}

bool tls_contexts_covers(const struct tls_contexts *contexts, unsigned site, struct text name)
{
	return name.length > 0 && visit_certificates(contexts, site, covers, &name);
}

SSL *tls_contexts_connect(struct tls_contexts *contexts, struct tls *tls)
{
	SSL *ssl = SSL_new(contexts->sites[0]->context);

	if (!ssl)
		return NULL;
	SSL_set_app_data(ssl, tls);
	SSL_set_accept_state(ssl);
	tls->site = contexts->sites[0];
	return ssl;
}
