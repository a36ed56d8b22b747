/* Settings: the words of the configuration, described once in tables, and their parsed values.
 *
 * From the tables come the parser's options, the error messages, --help-config and
 * docs/configuration.md.  Endpoints bring tables of their own (struct endpoint, settings). */
#ifndef RINGLET_BASE_SETTINGS_H
#define RINGLET_BASE_SETTINGS_H

#include "base/list.h"
#include "base/text.h"

enum setting_type {
	SETTING_YES_NO,   /* yes, no */
	SETTING_NUMBER,   /* a whole number, decimal */
	SETTING_SIZE,     /* bytes; K, M, G as powers of 1024: 16K */
	SETTING_DURATION, /* ms, s, m, h, d: 10s; kept in ns */
	SETTING_WORD,     /* one of `words` */
	SETTING_STRING,
	SETTING_STRINGS, /* {"a", "b"} */
	SETTING_SECTION, /* name { … } or, titled, name "title" { … } */
};

struct setting {
	const char *name;
	enum setting_type type;
	const char
		*fallback; /* as it would be written; NULL: required, or inherited if `inherited` */
	const char *help;  /* one or two sentences */
	const char *const *words;       /* SETTING_WORD: NULL-terminated */
	uint64_t minimum, maximum;      /* numbers, sizes, durations (ns); maximum 0: no bound */
	const struct setting *children; /* SETTING_SECTION: ends with a NULL name */
	bool titled;                    /* SETTING_SECTION: has a title and may be repeated */
	bool inherited; /* may also stand in an enclosing section, whose value then holds */
};

/* A parsed section: the root of a file, or one `site "…" { }`. */
struct section {
	struct list_node node; /* in its parent's children, in the order of the file */
	struct section *parent;
	const struct setting *setting; /* of kind SETTING_SECTION; NULL for the root */
	const char *title;             /* NULL if untitled */
	const char *file;
	unsigned line;
	struct list children;
	struct list values;
};

/* The value of a setting: from the section, else (if inherited) from the nearest enclosing one,
 * else its fallback.  The name must stand in the section's table and have that type. */
bool section_yes(const struct section *section, const char *name);
uint64_t section_number(const struct section *section, const char *name); /* also size, duration */
const char *section_string(const struct section *section, const char *name); /* also word */

/* SETTING_STRINGS: the strings and their count. */
const char *const *section_strings(const struct section *section, const char *name, size_t *count);

/* Index of a SETTING_WORD's value in its `words`. */
unsigned section_word(const struct section *section, const char *name);

/* The n-th child section of that name, or NULL when there are no more.  An untitled section always
 * has its one child, with every value at its fallback if it was not written. */
const struct section *section_child(const struct section *section, const char *name, size_t index);

/* Where a value was written: for messages that come after parsing.  *file and *line are the
 * section's own when the value is a fallback. */
void section_where(
	const struct section *section, const char *name, const char **file, unsigned *line);

#endif
