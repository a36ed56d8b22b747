/* Names of hosts: what a request says (RFC 9110 §7.2) held against what a site is called.  A port
 * is no part of the name, nor is its case, nor the dot of the root at its end. */
#ifndef RINGLET_HTTP_HOST_H
#define RINGLET_HTTP_HOST_H

#include "base/text.h"

/* "example.com" of "example.com.:8080", "[::1]" of "[::1]:8080". */
struct text host_name(struct text host);

/* How well a site's name fits the name of a host: 0 not at all, 1 for "*", more for "*.example.com"
 * and names below it, the more the longer; SIZE_MAX for the name itself. */
size_t host_fit(struct text site, struct text name);

/* What is wrong with the name of a site; NULL: nothing. */
const char *host_check_site(struct text site);

#endif
