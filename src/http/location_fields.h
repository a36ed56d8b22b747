/* What the configuration does to the fields of a location's answers: add_header, remove_header,
 * expires.  Made once per location (and once per site, for answers that no location gives), then
 * only read.
 *
 * First what is named by remove_header goes; then a field is added if the answer has none of its
 * name, or if it is one of those that add up (Vary, Link, Set-Cookie).  So nothing is doubled, and
 * what an endpoint says stays unless it is removed explicitly.  Cache-Control and Expires keep away
 * from errors, which would outlive their reason in a cache; all else stands in errors too. */
#ifndef RINGLET_HTTP_LOCATION_FIELDS_H
#define RINGLET_HTTP_LOCATION_FIELDS_H

#include "base/settings.h"
#include "http/exchange.h"

struct location_fields;

/* From the settings add_header, remove_header and expires of a section, a location or a site.
 * *fields is NULL when they are not set.  0 or -ENOMEM. */
int location_fields_new(struct location_fields **fields, const struct section *section);
void location_fields_free(struct location_fields *fields);

/* The response has its status and its own fields. */
void location_fields_apply(const struct location_fields *fields, struct response *response);

/* For the settings' tables: what is wrong with a list of "Name: value", or of names. */
const char *location_fields_check_added(const char *const *strings, size_t count, size_t *wrong);
const char *location_fields_check_removed(const char *const *strings, size_t count, size_t *wrong);

#endif
