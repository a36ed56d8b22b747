/* What the sources of the SSI filter share: ssi.c, which makes a body of documents inside one
 * another, and ssi_commands.c, which carries out their directives. */
#ifndef RINGLET_FILTERS_SSI_PRIVATE_H
#define RINGLET_FILTERS_SSI_PRIVATE_H

#include "files/lookup.h"
#include "filters/ssi_syntax.h"
#include "filters/ssi_value.h"
#include "http/router.h"

enum {
	SSI_DEPTH_MAX = 8,        /* documents inside one another, the outermost one of them */
	SSI_INCLUDES_MAX = 1000,  /* in one answer, at any depth */
	SSI_OUTPUT_LENGTH = 8192, /* gathered before it is sent */
	SSI_COPIED_MAX = 2048,    /* text that is gathered; longer text is sent in its place */
	SSI_WORDS_SIZE = 256,     /* of errmsg, timefmt and a time, a zero at the end included */
};

/* A file whose directives are being carried out. */
struct document {
	struct document *includer; /* NULL: the outermost */
	struct body_source *body;
	struct text rest;   /* of the body's piece, not read yet */
	bool body_is_ended; /* that piece was the last */
	bool is_ended;      /* there is nothing more to come of it at all */
	struct ssi_scanner scanner;
	dev_t device;
	ino_t inode;

	/* What config says, for this document alone. */
	size_t error_length;
	char error_message[SSI_WORDS_SIZE];
	char time_format[SSI_WORDS_SIZE];
	bool sizes_are_abbreviated;

	/* An if or block is left out up to its end: how many are open inside one another. */
	unsigned skip_depth;

	struct text query; /* that it was included with; NULL bytes: the request's */
	size_t path_length;
	char path[PATH_MAX]; /* beneath the root, without a leading slash; then the query */
};

struct ssi {
	struct body_source source;
	struct proactor *proactor;
	struct root *root;
	const struct location *location; /* that was asked; NULL: none */
	struct access_client client;
	struct ssi_request *request;
	struct document *document; /* the innermost */
	unsigned depth, include_count;

	/* Still to be sent, in this order: the output, text in its place, then what ended it. */
	struct text output, text;
	int error;

	/* What a directive has to say, as far as it was not written yet. */
	struct text value;
	enum ssi_encoding encoding;

	/* The file that a directive names. */
	void (*found)(struct ssi *ssi); /* what to do with it: the lookup's outcome is 200 */
	struct text query;              /* that it is named with; NULL bytes: none */
	struct lookup lookup;
	struct op close;
	bool is_looking; /* up, or closing what was found */

	bool is_awaiting; /* the end of that, or more of a document */
	bool is_awaited;  /* BODY_LATER was said, ready() is owed */
	bool is_released;
	char words[SSI_WORDS_SIZE];     /* a value that was made here */
	char memory[SSI_OUTPUT_LENGTH]; /* of the output */
	char directive[SSI_DIRECTIVE_LENGTH_MAX];
};

/* Carries a directive out: sets ssi->value, or begins a lookup, or neither. */
void ssi_carry_out(struct ssi *ssi, struct buffer *bytes);

/* Logs what is wrong, where in the document, and shows the document's message for errors. */
void ssi_fail(struct ssi *ssi, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* Looks the file up, beneath the root; `found` then runs, from the loop, if there is one. */
void ssi_look_up(struct ssi *ssi, struct text path, void (*found)(struct ssi *ssi));

/* The file that was found is read, in the place of the directive. */
void ssi_include(struct ssi *ssi);

/* The file that was found is nobody's: it is closed before anything else happens. */
void ssi_close_found(struct ssi *ssi);

#endif
