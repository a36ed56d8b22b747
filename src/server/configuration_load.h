/* The steps of loading a configuration, private to src/server.
 *
 *	text → outline → values → check
 *
 * libconfuse parses the values, but forgives too much: an unclosed section, a setting given twice,
 * an unset variable, a semicolon or a stray byte pass in silence, and its line numbers drift after
 * a block comment.  So an outline is read first: a scanner by its lexical rules, made strict, and a
 * walk over the tables that builds the tree of sections with the line of everything in it.  What
 * passes is then read by libconfuse, its strings are put into that tree, and the check turns them
 * into values.  The first mistake ends the loading. */
#ifndef RINGLET_SERVER_CONFIGURATION_LOAD_H
#define RINGLET_SERVER_CONFIGURATION_LOAD_H

#include "server/configuration.h"

/* Prints `FILE:LINE: text` to stderr and returns -EINVAL. */
int configuration_complain(const char *file, unsigned line, const char *format, ...)
	__attribute__((format(printf, 3, 4)));

/* --- scanner: configuration_scan.c --------------------------------------------------------- */

enum token_kind {
	TOKEN_END,
	TOKEN_WORD,     /* without quotes */
	TOKEN_STRING,   /* "…" or '…'; its text includes the quotes */
	TOKEN_VARIABLE, /* ${NAME} or ${NAME:-default} */
	TOKEN_OPEN,
	TOKEN_CLOSE,
	TOKEN_EQUALS,
	TOKEN_COMMA,
};

struct token {
	enum token_kind kind;
	struct text text;
	unsigned line;
};

struct scanner {
	const char *file;
	char *bytes; /* comments are overwritten with spaces as they are passed */
	size_t length;
	size_t position;
	unsigned line;
};

/* The next token: 0, or -EINVAL after complaining. */
int scanner_next(struct scanner *scanner, struct token *token);

/* --- the steps ----------------------------------------------------------------------------- */

/* Builds the tree below `root`, with lines and without values; blanks the comments in `bytes`. */
int configuration_outline(struct section *root, char *bytes, size_t length);

/* Puts the strings and titles, as libconfuse parses them, into the outline. */
int configuration_read_values(struct section *root, const char *bytes, size_t length);

/* Turns strings into values and completes the tree; relative paths are relative to `directory`,
 * which is absolute. */
int configuration_check(struct section *root, const char *directory);

/* --- what they share ----------------------------------------------------------------------- */

/* Is this the section whose table an endpoint extends? */
bool configuration_is_location(const struct section *section);

/* A setting of any endpoint, or NULL.  *owner (may be NULL): whose. */
const struct setting *configuration_find_endpoint_setting(
	const char *name, const struct endpoint **owner);

/* All of them: the file's text, or that of the quick start.  `file` names it in messages. */
int configuration_load_text(struct configuration **configuration, const char *path,
	const char *file, const char *directory, char *bytes, size_t length);

#endif
