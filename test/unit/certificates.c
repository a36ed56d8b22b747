/* Makes keys and self-signed certificates with OpenSSL, as PEM texts. */
#include "certificates.h"

#include <assert.h>
#include <openssl/ec.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>

static EVP_PKEY *make_key(enum test_key kind)
{
	switch (kind) {
	case TEST_KEY_P256:
		return EVP_EC_gen("P-256");
	case TEST_KEY_P384:
		return EVP_EC_gen("P-384");
	case TEST_KEY_RSA:
		break;
	}
	return EVP_RSA_gen(2048);
}

static void add_names(X509 *certificate, const char *names)
{
	char list[512] = "";
	const char *rest = names;
	X509_EXTENSION *extension;

	while (*rest) {
		size_t length = strcspn(rest, ",");

		snprintf(list + strlen(list), sizeof(list) - strlen(list), "%sDNS:%.*s",
			*list ? "," : "", (int)length, rest);
		rest += length + (rest[length] == ',');
	}
	extension = X509V3_EXT_conf_nid(NULL, NULL, NID_subject_alt_name, list);
	assert(extension);
	X509_add_ext(certificate, extension, -1);
	X509_EXTENSION_free(extension);
}

static struct text take_text(BIO *bio)
{
	char *bytes;
	long length = BIO_get_mem_data(bio, &bytes);
	struct text text = { strndup(bytes, (size_t)length), (size_t)length };

	BIO_free(bio);
	return text;
}

struct tls_pair make_certificate(enum test_key kind, const char *names)
{
	EVP_PKEY *key = make_key(kind);
	X509 *certificate = X509_new();
	BIO *chain_bio = BIO_new(BIO_s_mem()), *key_bio = BIO_new(BIO_s_mem());

	assert(key && certificate && chain_bio && key_bio);
	X509_set_version(certificate, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(certificate), 1);
	X509_gmtime_adj(X509_getm_notBefore(certificate), -3600);
	X509_gmtime_adj(X509_getm_notAfter(certificate), 86400);
	X509_set_pubkey(certificate, key);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "O", MBSTRING_ASC,
		(const unsigned char *)"Ringlet test", -1, -1, 0);
	X509_set_issuer_name(certificate, X509_get_subject_name(certificate));
	add_names(certificate, names);
	X509_sign(certificate, key, EVP_sha256());
	PEM_write_bio_X509(chain_bio, certificate);
	PEM_write_bio_PrivateKey(key_bio, key, NULL, NULL, 0, NULL, NULL);
	X509_free(certificate);
	EVP_PKEY_free(key);
	return (struct tls_pair){ take_text(chain_bio), take_text(key_bio) };
}

void free_certificate(struct tls_pair *pair)
{
	free((void *)(uintptr_t)pair->chain.bytes);
	free((void *)(uintptr_t)pair->key.bytes);
}
