/* The configuration: from a file, or from the quick start's arguments, to sections and values. */
#ifndef RINGLET_SERVER_CONFIGURATION_H
#define RINGLET_SERVER_CONFIGURATION_H

#include <stdio.h>

#include "base/settings.h"
#include "http/endpoint.h"

struct configuration {
	const char *path;           /* of the file; "" for a quick start */
	const struct section *root; /* the settings of settings_table */
};

/* Every setting of the server itself; endpoints bring their own. */
extern const struct setting settings_table[];

/* Reads and checks the file.  Whatever is wrong is printed to stderr as
 * `FILE:LINE: what is wrong, what is expected`; 0 or -EINVAL (or the errno of reading). */
int configuration_load(struct configuration **configuration, const char *path);

/* As `ringlet [DIR] [-p PORT] [-l ADDR]`: directory, port and address may be NULL. */
int configuration_quick_start(struct configuration **configuration, const char *directory,
	const char *port, const char *address);

/* A setting of the top level, as if the file had said so: for the command line's options.  The
 * string must be a valid value.  0 or -ENOMEM. */
int configuration_override(
	struct configuration *configuration, const char *name, const char *string);

void configuration_free(struct configuration *configuration);

/* The effective configuration, as a file that configuration_load() accepts and prints alike. */
void configuration_print(const struct configuration *configuration, FILE *file);

/* --help-config: every setting with type, default and help, and (docs/configuration.md) the same in
 * Markdown. */
void configuration_print_help(FILE *file);
void configuration_print_markdown(FILE *file);

/* The endpoint that a `location` section names; checked when loading, never NULL. */
const struct endpoint *configuration_endpoint(const struct section *location);

/* The METHOD_BIT()s that a `location` allows: its endpoint's, narrowed by its `methods`. */
unsigned configuration_methods(const struct section *location);

#endif
