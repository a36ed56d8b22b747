/* Finding directives in a document and taking them apart: bytes in, texts out, nothing else.
 *
 *	<!--# command name="value" name='value' -->
 *
 * as in nginx, whose white space before the command may be missing, as in Apache. */
#ifndef RINGLET_FILTERS_SSI_SYNTAX_H
#define RINGLET_FILTERS_SSI_SYNTAX_H

#include "base/buffer.h"

enum {
	SSI_DIRECTIVE_LENGTH_MAX = 2048, /* between "<!--#" and "-->" */
	SSI_PARAMETERS_MAX = 8,
};

enum ssi_found {
	SSI_NOTHING,   /* all is read, more is needed */
	SSI_TEXT,      /* to be passed on as it is */
	SSI_DIRECTIVE, /* what stands between the marks */
	SSI_TOO_LONG,  /* a directive beyond the bound; it is skipped up to the next "-->" */
	SSI_UNENDED,   /* a directive that the document ends in */
};

enum ssi_reading { SSI_READING_TEXT, SSI_READING_DIRECTIVE, SSI_SKIPPING };

/* Where the reading of a document stands.  The next document may be read with the same memory for
 * directives in between two calls that found text or a directive. */
struct ssi_scanner {
	enum ssi_reading reading;
	unsigned mark_length;    /* of "<!--#", what came already */
	unsigned dash_count;     /* the "-" just read */
	char quote;              /* the value being read began with it; 0: none is */
	bool escaped;            /* the next byte of the value stands for itself */
	bool value_may_begin;    /* "=" came, and nothing but white space since */
	unsigned line;           /* being read, counted from 1 */
	unsigned directive_line; /* where the last directive began */
	struct buffer directive;
};

/* `memory` has SSI_DIRECTIVE_LENGTH_MAX bytes. */
void ssi_scanner_init(struct ssi_scanner *scanner, char *memory);

/* Takes what it finds from the front of *rest.  *found of SSI_TEXT lies in what *rest was, or is
 * constant; that of SSI_DIRECTIVE lies in the scanner's memory until the next call. */
enum ssi_found ssi_scan(struct ssi_scanner *scanner, struct text *rest, struct text *found);

/* What is left when the document has ended: SSI_TEXT (once), SSI_UNENDED (once) or SSI_NOTHING. */
enum ssi_found ssi_scan_end(struct ssi_scanner *scanner, struct text *found);

struct ssi_parameter {
	struct text name, value;
};

struct ssi_directive {
	struct text command;
	unsigned count;
	struct ssi_parameter parameters[SSI_PARAMETERS_MAX];
};

/* Takes a directive apart, in its memory, in which backslashes before \ ' " $ go.  NULL, or what
 * is wrong. */
const char *ssi_parse(struct ssi_directive *directive, struct buffer *bytes);

/* The value of the parameter, or NULL: it is not there. */
const struct text *ssi_parameter(const struct ssi_directive *directive, struct text name);

#endif
