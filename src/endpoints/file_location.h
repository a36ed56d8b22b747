/* What the static and the dynamic endpoint share: all but the way the bytes of a file are sent.
 *
 * A file_location is the state of a location whose paths are files beneath a root.  It looks the
 * path up and answers with the file (file_answer.h), with a redirect to a directory's path with a
 * slash, or with an error. */
#ifndef RINGLET_ENDPOINTS_FILE_LOCATION_H
#define RINGLET_ENDPOINTS_FILE_LOCATION_H

#include "endpoints/file_answer.h"
#include "http/endpoint.h"

/* The settings of static and dynamic locations: the shared ones, and those of one of them.  Each
 * table ends with a NULL name. */
extern const struct setting file_location_settings[];
extern const struct setting file_location_static_settings[];
extern const struct setting file_location_dynamic_settings[];

/* For the members open, close, handle, refuse and cancelled of a struct endpoint. */
int file_location_open(void **state, const struct section *location, struct proactor *proactor,
	const struct file_delivery *delivery);
void file_location_close(void *state);
void file_location_handle(void *state, struct exchange *exchange);
bool file_location_refuse(void *state, struct exchange *exchange, unsigned status);
void file_location_cancelled(void *state, struct exchange *exchange);

#endif
