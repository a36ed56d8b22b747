/* Settings: the words of the configuration, described once as rows of tables, and their values.
 *
 * The reader, the checks, the error messages, -T, --help-config, docs/configuration.md and the
 * manual page are all made from these rows.  Endpoints bring tables of their own (struct endpoint).
 */
#ifndef RINGLET_BASE_SETTINGS_H
#define RINGLET_BASE_SETTINGS_H

#include <stdio.h>

#include "base/list.h"
#include "base/text.h"

enum setting_type {
	SETTING_YES_NO,    /* yes, no, on, off */
	SETTING_NUMBER,    /* a whole number, decimal */
	SETTING_SIZE,      /* bytes; K, M, G (or k, m, g) as powers of 1024: 16K */
	SETTING_DURATION,  /* ms, s, m, h, d, w, y: 10s; kept in ns */
	SETTING_WORD,      /* one of `words` */
	SETTING_STRING,    /* any text */
	SETTING_STRINGS,   /* {"a", "b"} */
	SETTING_DIRECTORY, /* relative to its file; the value is absolute, the directory exists */
	SETTING_FILE,      /* relative to its file, need not exist; `words` are no paths */
	SETTING_SECTION,   /* name { … } or name "title" { … } */
	SETTING_INCLUDE,   /* include "pattern": not a value */
};

/* The kinds of sections, as bits.  A setting that may stand in several is inherited: the value of
 * the innermost section that has one holds.  The order is outer before inner. */
enum section_kind {
	IN_SERVER = 1,
	IN_LISTEN = 2,
	IN_LIMITS = 4,
	IN_CACHE = 8,
	IN_TIMEOUTS = 16,
	IN_TLS = 32,
	IN_SITE = 64,
	IN_LOCATION = 128,
	IN_ANY = 255,
};

struct setting {
	const char *name;
	enum setting_type type;
	unsigned where;       /* section_kind bits; 0: in every section that has the table */
	const char *fallback; /* the default, as it would be written; NULL: none */
	const char *help;     /* what it does, and when one changes it */

	const char *const *words;  /* WORD, STRINGS, FILE: NULL-terminated */
	uint64_t minimum, maximum; /* numbers, sizes, durations (ns); maximum 0: no bound */
	unsigned opens;            /* SECTION: the kind of the section */
	unsigned titles;           /* SECTION: how many titles it may have; 0: untitled, once */
	bool bodiless;             /* SECTION: the braces may be left out */
	bool required;             /* must have a value in the innermost section of `where` */
	bool made; /* DIRECTORY: its user makes it if only its last part is missing */

	/* STRING, STRINGS: what is wrong with string number *wrong; NULL: nothing.  `expected`
	 * then says what is right. */
	const char *(*check)(const char *const *strings, size_t count, size_t *wrong);
	const char *expected;
};

struct source; /* the text of a file: server/configuration_load.h */

struct setting_place {
	const struct source *source;
	unsigned line, column; /* from 1; line 0: not written, a default */
};

/* The value of one setting in one section. */
struct setting_value {
	struct list_node node; /* in its section's values, in the order of the file */
	const struct setting *setting;
	struct setting_place place;   /* of its name */
	uint64_t number;              /* yes/no, number, size, duration in ns, the index of a word,
					 whether a file is one of the words */
	char **strings;               /* decoded; NULL-terminated */
	struct setting_place *places; /* of each string */
	size_t count;                 /* 1 but for SETTING_STRINGS */
	bool broken;                  /* the reader has complained already */
};

enum { SECTION_TABLE_COUNT = 3 };

/* A section of the file.  It owns its children, values and titles; the tables are static. */
struct section {
	struct list_node node; /* in its parent's children, in the order of the file */
	struct section *parent;
	const struct setting *setting; /* NULL for the root */
	unsigned kind;                 /* which rows of the tables may stand in it */
	const struct setting *tables[SECTION_TABLE_COUNT]; /* own, and the endpoints'; or NULL */
	struct setting_value *titles;                      /* NULL if untitled */
	const char *title;                                 /* the first one, or NULL */
	struct setting_place place;
	struct list children;
	struct list values;
};

/* The value of a setting: from this section, else (if inherited) from the nearest one around it,
 * else its default.  The name must stand in the section's tables and have that type.  NULL is
 * returned only for a setting without default that was not written. */
bool section_yes(const struct section *section, const char *name);
uint64_t section_number(const struct section *section, const char *name); /* also size, duration */
const char *section_string(const struct section *section, const char *name); /* all but STRINGS */

/* SETTING_STRINGS: the strings and their count. */
const char *const *section_strings(const struct section *section, const char *name, size_t *count);

/* Index of a SETTING_WORD's value in its `words`. */
unsigned section_word(const struct section *section, const char *name);

/* For the checks of SETTING_STRINGS: does the string at `index` also stand before it? */
bool setting_repeats(const char *const *strings, size_t index);

/* The n-th child section of that name, or NULL.  After section_complete() an untitled section
 * always has its one child. */
const struct section *section_child(const struct section *section, const char *name, size_t index);

/* --- building a tree: for the reader of configurations and for tests ----------------------- */

/* NULL: out of memory.  A section with a parent takes its kind from `setting` and the first table
 * from its parent; one without has `table`, of which every row may stand in it. */
struct section *section_new(struct section *parent, const struct setting *setting,
	const struct setting *table, const char *title);

/* With its children and values; it leaves its parent.  NULL is allowed. */
void section_free(struct section *section);

/* Another title, copied: 0 or -ENOMEM. */
int section_add_title(struct section *section, struct text title);

/* Steps through the rows that may stand in the section; NULL at the end. */
struct setting_cursor {
	size_t table, row;
};
const struct setting *section_next_setting(
	const struct section *section, struct setting_cursor *cursor);

/* The row of that name, or NULL. */
const struct setting *section_find_setting(const struct section *section, const char *name);

/* The value in this very section, or NULL. */
struct setting_value *section_find_value(const struct section *section, const char *name);

/* A value without strings yet; NULL: out of memory. */
struct setting_value *section_add_value(
	struct section *section, const struct setting *setting, unsigned line);

/* Adds the default of every setting that was not written (of an inherited one in the outermost
 * section that may have it), and every untitled section, all the way down.  0 or -ENOMEM. */
int section_complete(struct section *section);

/* The first required setting without a value, or NULL. */
const struct setting *section_find_missing(const struct section *section);

/* --- one value: base/setting_value.c ------------------------------------------------------- */

/* Appends a copy to the value's strings: 0 or -ENOMEM. */
int setting_value_add_string(struct setting_value *value, struct text string);
void setting_value_free(struct setting_value *value);

/* From the strings to the number: NULL, or what is wrong with string number *wrong. */
const char *setting_value_parse(struct setting_value *value, size_t *wrong);

/* The value as a configuration file would have it: 16K, "a b", {"x", "y"}. */
void setting_value_print(const struct setting_value *value, FILE *file);
void setting_print_quoted(struct text string, FILE *file);

/* What may be written for a setting: "yes or no", "a time with ms, s … as in 10s, from 1s to 1d".
 */
void setting_print_expected(const struct setting *setting, FILE *file);

/* The word that is most like `word`, if a slip of the keyboard may have made the one from the
 * other; NULL otherwise.  `words` is NULL-terminated. */
const char *setting_nearest(const char *const *words, const char *word);

/* The length of the invisible character that the text begins with (a control byte, a byte order
 * mark, a space of no width, a mark of writing direction …), with its code point; 0: none. */
size_t setting_invisible(struct text text, unsigned *code_point);

#endif
