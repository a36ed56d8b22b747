/* The steps of loading a configuration, private to src/server.
 *
 *	text → scanner → reader → check
 *
 * The scanner makes tokens and decodes strings.  The reader walks over the rows of the tables and
 * builds the tree of sections with the place of everything in it.  The check turns strings into
 * values, makes paths absolute and adds the defaults.  Each step goes on after a mistake, so that
 * all mistakes of a file are listed; no file with a mistake is loaded. */
#ifndef RINGLET_SERVER_CONFIGURATION_LOAD_H
#define RINGLET_SERVER_CONFIGURATION_LOAD_H

#include <sys/types.h>

#include "server/configuration.h"

/* One loading: how many mistakes were found in all its files. */
struct loading {
	unsigned mistake_count;
	struct source *sources;
};

/* The text of one file; it lives as long as the configuration, for messages. */
struct source {
	struct source *next;
	struct loading *loading;
	const struct source *includer;
	char *name;      /* as messages show it */
	char *directory; /* absolute: what relative paths are relative to */
	char *bytes;
	size_t length;
	dev_t device; /* with the inode: which file it is */
	ino_t inode;
};

/* Prints the complaint with its place to stderr and counts it; returns -EINVAL. */
int configuration_complain(struct setting_place place, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* The same for what is suspicious only; not counted. */
void configuration_warn(struct setting_place place, const char *format, ...)
	__attribute__((format(printf, 2, 3)));

/* What may be written for a setting, to be freed; NULL: out of memory. */
char *configuration_expected(const struct setting *setting);

/* --- scanner: configuration_scan.c --------------------------------------------------------- */

enum token_kind {
	TOKEN_END,
	TOKEN_WORD,
	TOKEN_STRING, /* also a ${VARIABLE} without quotes */
	TOKEN_OPEN,
	TOKEN_CLOSE,
	TOKEN_EQUALS,
	TOKEN_COMMA,
	TOKEN_BROKEN, /* the scanner has complained */
};

struct token {
	enum token_kind kind;
	struct text text;   /* as it stands in the file */
	struct text string; /* WORD, STRING: decoded, valid until the next token */
	struct setting_place place;
};

struct scanner {
	const struct source *source;
	struct text rest;
	unsigned line;
	const char *line_start;
	char *string; /* of the token at hand; free() it at the end */
	size_t string_length, string_size;
	bool is_broken;
};

void scanner_start(struct scanner *scanner, const struct source *source);
void scanner_next(struct scanner *scanner, struct token *token);

/* --- the steps ----------------------------------------------------------------------------- */

/* Builds the tree below `root`. */
void configuration_read(struct section *root, const struct source *source);

/* Turns strings into values and completes the tree.  0, -EINVAL if there was a mistake, or -ENOMEM.
 */
int configuration_check(struct section *root, const struct loading *loading);

/* --- what they share ----------------------------------------------------------------------- */

/* With copies of all.  NULL: out of memory. */
struct source *source_new(struct loading *loading, const char *name, const char *directory,
	const char *bytes, size_t length);

/* Reads a file that `includer` (NULL: the command line) names: 0 or a negative errno. */
int source_read(struct source **source, struct loading *loading, const struct source *includer,
	const char *path);

/* path, or directory/path with leading "./" and "../" taken off as far as that is right. */
int configuration_make_absolute(char **absolute, const char *directory, const char *path);

/* The settings that several endpoints share, and that may stand in a site; or NULL. */
const struct setting *configuration_shared_settings(void);

/* A setting of any endpoint, and the first endpoint that has it; or NULL. */
const struct setting *configuration_find_endpoint_setting(
	const char *name, const struct endpoint **owner);

/* All steps; the bytes are copied.  "" for the path of a quick start. */
int configuration_load_text(struct configuration **configuration, const char *path,
	const char *directory, const char *bytes, size_t length);

#endif
