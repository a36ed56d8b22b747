/* Certificates for the tests of TLS, made on the spot: nothing expires in the repository. */
#ifndef RINGLET_TEST_CERTIFICATES_H
#define RINGLET_TEST_CERTIFICATES_H

#include "net/tls_contexts.h"

enum test_key { TEST_KEY_P256, TEST_KEY_P384, TEST_KEY_RSA };

/* Signs itself; names are divided by commas.  The texts are on the heap. */
struct tls_pair make_certificate(enum test_key kind, const char *names);
void free_certificate(struct tls_pair *pair);

#endif
