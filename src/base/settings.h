/* Settings: the words of the configuration, described once in tables, and their parsed values.
 *
 * From the tables come the parser's options, the error messages, --help-config and
 * docs/configuration.md.  Endpoints bring tables of their own (struct endpoint, settings). */
#ifndef RINGLET_BASE_SETTINGS_H
#define RINGLET_BASE_SETTINGS_H

#include "base/buffer.h"
#include "base/list.h"

enum setting_type {
	SETTING_YES_NO,   /* yes, no */
	SETTING_NUMBER,   /* a whole number, decimal */
	SETTING_SIZE,     /* bytes; K, M, G as powers of 1024: 16K */
	SETTING_DURATION, /* ms, s, m, h, d: 10s; kept in ns */
	SETTING_WORD,     /* one of `words` */
	SETTING_STRING,
	SETTING_STRINGS,   /* {"a", "b"} */
	SETTING_DIRECTORY, /* relative to the configuration file; its value is absolute and exists
			    */
	SETTING_FILE,      /* likewise, need not exist; one of `words` is no path ("-", "") */
	SETTING_SECTION,   /* name { … } or, titled, name "title" { … } */
};

struct setting {
	const char *name;
	enum setting_type type;
	const char
		*fallback; /* as it would be written; NULL: required, or inherited if `inherited` */
	const char *help;  /* one or two sentences */
	const char *const *words; /* SETTING_WORD, SETTING_STRINGS, SETTING_FILE: NULL-terminated */
	uint64_t minimum, maximum;      /* numbers, sizes, durations (ns); maximum 0: no bound */
	const struct setting *children; /* SETTING_SECTION: ends with a NULL name */
	bool titled;                    /* SETTING_SECTION: has a title and may be repeated */
	bool made;      /* SETTING_DIRECTORY: its user makes it if only its last part is missing */
	bool inherited; /* may also stand in an enclosing section, whose value then holds */

	/* SETTING_STRING, SETTING_STRINGS: what is wrong, and *wrong the string that is; NULL:
	 * nothing.  `expected` then says what is right. */
	const char *(*check)(const char *const *strings, size_t count, size_t *wrong);
	const char *expected;
};

/* A parsed section: the root of a file, or one `site "…" { }`.  It owns its children, its values
 * and its title; tables and the file's name are somebody else's. */
struct section {
	struct list_node node; /* in its parent's children, in the order of the file */
	struct section *parent;
	const struct setting *setting; /* of kind SETTING_SECTION; NULL for the root */
	const struct setting *table;   /* what may stand in it */
	const struct setting
		*extension; /* a second table, an endpoint's in its location; or NULL */
	const char *title;  /* NULL if untitled */
	const char *file;
	unsigned line; /* 0: not written */
	struct list children;
	struct list values;
};

/* The value of one setting in one section. */
struct setting_value {
	struct list_node node; /* in its section's values, in the order of the file */
	const struct setting *setting;
	unsigned line;   /* 0: not written, the fallback */
	uint64_t number; /* yes/no, number, size, duration in ns, the index of a word,
			    whether a file is one of the words */
	char **strings;  /* as written, without quotes */
	size_t count;    /* 1 but for SETTING_STRINGS */
};

/* The value of a setting: from the section, else (if inherited) from the nearest enclosing one,
 * else its fallback.  The name must stand in the section's tables and have that type.  NULL is
 * returned only in a section that hands an inherited setting down, when nobody wrote it. */
bool section_yes(const struct section *section, const char *name);
uint64_t section_number(const struct section *section, const char *name); /* also size, duration */
const char *section_string(const struct section *section, const char *name); /* all but STRINGS */

/* SETTING_STRINGS: the strings and their count. */
const char *const *section_strings(const struct section *section, const char *name, size_t *count);

/* Index of a SETTING_WORD's value in its `words`. */
unsigned section_word(const struct section *section, const char *name);

/* For the checks of SETTING_STRINGS: does the string at `index` stand before it, too? */
bool setting_repeats(const char *const *strings, size_t index);

/* The n-th child section of that name, or NULL when there are no more.  An untitled section always
 * has its one child, with every value at its fallback if it was not written. */
const struct section *section_child(const struct section *section, const char *name, size_t index);

/* Where a value was written: for messages that come after parsing.  *file and *line are the
 * section's own when the value is a fallback. */
void section_where(
	const struct section *section, const char *name, const char **file, unsigned *line);

/* --- building a tree: for the loader of configurations and for tests ----------------------- */

/* NULL: out of memory.  The title is copied; `parent` may be NULL. */
struct section *section_new(struct section *parent, const struct setting *setting,
	const struct setting *table, const char *title);

/* With its children and values; it leaves its parent.  NULL is allowed. */
void section_free(struct section *section);

/* What the section's tables say about a name, or NULL. */
const struct setting *section_find_setting(const struct section *section, const char *name);

/* What was written in this very section, or its fallback; NULL when there is neither. */
struct setting_value *section_find_value(const struct section *section, const char *name);

/* A value without strings yet; NULL: out of memory. */
struct setting_value *section_add_value(
	struct section *section, const struct setting *setting, unsigned line);

/* Gives every setting of the tables that was not written its fallback, and every untitled section
 * its child, all the way down.  0 or -ENOMEM.  Lookups need a completed tree. */
int section_complete(struct section *section);

/* The first setting that has no value and needs one, or NULL. */
const struct setting *section_find_missing(const struct section *section);

/* --- one value: base/setting_value.c ------------------------------------------------------- */

/* Appends a copy to the value's strings: 0 or -ENOMEM. */
int setting_value_add_string(struct setting_value *value, struct text string);
void setting_value_free(struct setting_value *value);

/* From the strings to the number: 0, or -EINVAL with "what is wrong, what is expected" appended to
 * `wrong`. */
int setting_value_parse(struct setting_value *value, struct buffer *wrong);

/* The value as a configuration file would have it: 16K, "a b", {"x", "y"}. */
void setting_value_append(const struct setting_value *value, struct buffer *buffer);
void setting_append_quoted(struct buffer *buffer, struct text string);

/* What may be written for a setting: "yes or no", "a time with ms, s, m, h or d, 1s to 1d". */
void setting_append_expected(const struct setting *setting, struct buffer *buffer);

#endif
