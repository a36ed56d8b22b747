/* The configuration: from a file, or from the quick start's arguments, to sections and values. */
#ifndef RINGLET_SERVER_CONFIGURATION_H
#define RINGLET_SERVER_CONFIGURATION_H

#include <stdio.h>

#include "base/settings.h"
#include "http/endpoint.h"
#include "net/address.h"

struct configuration {
	const char *path;        /* of the file; "" for a quick start */
	struct section *root;    /* the settings of settings_table */
	struct loading *loading; /* the text of the file and of those it includes */
};

/* Every setting of the server itself; endpoints bring their own. */
extern const struct setting settings_table[];

/* Reads and checks the file.  Each mistake (at most 20) is printed to stderr as
 * `FILE:LINE:COLUMN: what is wrong, expected …`, with the line and a caret below it.  0 or -EINVAL
 * (or the errno of reading). */
int configuration_load(struct configuration **configuration, const char *path);

/* As `ringlet [DIR] [-p PORT] [-l ADDR]`: directory, port and address may be NULL. */
int configuration_quick_start(struct configuration **configuration, const char *directory,
	const char *port, const char *address);

/* What `-t` checks besides: that this machine has the user, that logs, pid file, sockets and stores
 * can be made where they are, and that the workers' user can enter the roots.  Leaves nothing
 * behind.  0, or -EINVAL after printing each mistake. */
int configuration_rehearse(const struct configuration *configuration);

/* A setting of the top level, as if the file had said so: for the command line's options.  The
 * string must be a valid value.  0 or -ENOMEM. */
int configuration_override(
	struct configuration *configuration, const char *name, const char *string);

void configuration_free(struct configuration *configuration);

/* The effective configuration, as a file that configuration_load() accepts and prints alike. */
void configuration_print(const struct configuration *configuration, FILE *file);

/* --help-config: every setting with its default and help.  The format is NULL (in the shape of a
 * configuration), "markdown" (docs/configuration.md) or "man" (docs/ringlet.conf.5.scd). */
void configuration_print_help(const char *format, FILE *file);

/* The addresses (at most ADDRESSES_MAX) that a `listen` section names, and how many. */
size_t configuration_addresses(struct address *addresses, const struct section *listen);

/* The endpoint that a `location` section names; checked when loading, never NULL. */
const struct endpoint *configuration_endpoint(const struct section *location);

/* The METHOD_BIT()s that a `location` allows: its endpoint's, narrowed by its `methods`. */
unsigned configuration_methods(const struct section *location);

#endif
