/* What the static and the dynamic endpoint share: everything but how the file's bytes travel.
 *
 * A file_site is the state of a location whose paths are files beneath a root.  It turns a request
 * into an open file and answers: with the file (file_answer.h), with a redirect to a directory's
 * own address, or with the reason why not. */
#ifndef RINGLET_ENDPOINTS_FILE_SITE_H
#define RINGLET_ENDPOINTS_FILE_SITE_H

#include "endpoints/file_answer.h"
#include "http/endpoint.h"

/* The settings of such a location: the shared ones, and those of either endpoint. */
extern const struct setting file_site_settings[];
extern const struct setting file_site_static_settings[];
extern const struct setting file_site_dynamic_settings[];

/* For the members open, close, handle, refuse and cancelled of a struct endpoint. */
int file_site_open(void **state, const struct section *location, struct proactor *proactor,
	const struct file_delivery *delivery);
void file_site_close(void *state);
void file_site_handle(void *state, struct exchange *exchange);
bool file_site_refuse(void *state, struct exchange *exchange, unsigned status);
void file_site_cancelled(void *state, struct exchange *exchange);

#endif
