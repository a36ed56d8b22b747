/* The directives: what each command may be given, and what it does.
 *
 * What it may be given is checked in one place, before any command runs: an unknown parameter is
 * an error, never ignored, so that a page that relies on what is not there says so. */
#include "filters/ssi_private.h"

#include <assert.h>

#include "http/path.h"
#include "proactor/proactor.h"

typedef void command_fn(struct ssi *ssi, const struct ssi_directive *directive);

enum { COMMAND_PARAMETERS_MAX = 3 };

struct command {
	struct text name;
	struct text parameters[COMMAND_PARAMETERS_MAX];
	bool names_file; /* by exactly one of the first two parameters */
	command_fn *run;
};

static void write_value(struct ssi *ssi, struct text value, enum ssi_encoding encoding)
{
	ssi->value = value;
	ssi->encoding = encoding;
}

/* --- config ------------------------------------------------------------------------------- */

static bool set_words(struct ssi *ssi, char words[SSI_WORDS_SIZE], const struct text *value)
{
	if (value->length >= SSI_WORDS_SIZE) {
		ssi_fail(ssi, "config: more than %d bytes", SSI_WORDS_SIZE - 1);
		return false;
	}
	memcpy(words, value->bytes, value->length);
	words[value->length] = '\0';
	return true;
}

static void set_size_format(struct ssi *ssi, struct text value)
{
	bool is_abbreviated = text_equal(value, text_literal("abbrev"));

	if (is_abbreviated || text_equal(value, text_literal("bytes")))
		ssi->document->sizes_are_abbreviated = is_abbreviated;
	else
		ssi_fail(ssi, "config: sizefmt is neither \"bytes\" nor \"abbrev\"");
}

static void run_config(struct ssi *ssi, const struct ssi_directive *directive)
{
	struct document *document = ssi->document;
	const struct text *error = ssi_parameter(directive, text_literal("errmsg"));
	const struct text *time = ssi_parameter(directive, text_literal("timefmt"));
	const struct text *size = ssi_parameter(directive, text_literal("sizefmt"));

	if (error && set_words(ssi, document->error_message, error))
		document->error_length = error->length;
	if (time)
		set_words(ssi, document->time_format, time);
	if (size)
		set_size_format(ssi, *size);
}

/* --- echo --------------------------------------------------------------------------------- */

static void write_time(struct ssi *ssi, time_t time, bool is_local, enum ssi_encoding encoding)
{
	struct buffer words;

	buffer_init(&words, ssi->words, sizeof(ssi->words));
	if (ssi_append_time(&words, ssi->document->time_format, time, is_local) < 0)
		ssi_fail(ssi, "timefmt makes nothing, or more than %d bytes", SSI_WORDS_SIZE - 1);
	else
		write_value(ssi, buffer_text(&words), encoding);
}

static time_t now(const struct ssi *ssi)
{
	return (time_t)(proactor_wall_ns(ssi->proactor) / 1000000000);
}

static void write_variable(
	struct ssi *ssi, struct text name, const struct text *otherwise, enum ssi_encoding encoding)
{
	struct text value = otherwise ? *otherwise : text_literal("(none)");
	bool is_local = text_equal_ignoring_case(name, text_literal("DATE_LOCAL"));

	if (is_local || text_equal_ignoring_case(name, text_literal("DATE_GMT"))) {
		write_time(ssi, now(ssi), is_local, encoding);
		return;
	}
	if (ssi->document->query.bytes &&
		text_equal_ignoring_case(name, text_literal("QUERY_STRING")))
		value = ssi->document->query;
	else
		(void)ssi_request_find(ssi->request, name, &value);
	write_value(ssi, value, encoding);
}

static void run_echo(struct ssi *ssi, const struct ssi_directive *directive)
{
	const struct text *name = ssi_parameter(directive, text_literal("var"));
	const struct text *encoding_name = ssi_parameter(directive, text_literal("encoding"));
	enum ssi_encoding encoding = SSI_ENCODING_ENTITY;

	if (!name)
		ssi_fail(ssi, "echo: no var");
	else if (encoding_name && ssi_encoding_of(&encoding, *encoding_name) < 0)
		ssi_fail(ssi, "echo: unknown encoding \"%.*s\"", TEXT_ARGUMENTS(*encoding_name));
	else
		write_variable(
			ssi, *name, ssi_parameter(directive, text_literal("default")), encoding);
}

/* --- commands that name a file ------------------------------------------------------------ */

/* The directory of the document, ending in a slash. */
static void append_directory(struct buffer *path, const struct document *document)
{
	size_t length = document->path_length;

	while (length > 0 && document->path[length - 1] != '/')
		length--;
	buffer_append_byte(path, '/');
	buffer_append(path, (struct text){ document->path, length });
}

static const char *resolve_virtual(
	struct buffer *path, const struct document *document, struct text value)
{
	bool is_absolute = value.length > 0 && value.bytes[0] == '/';

	if (is_absolute)
		buffer_append_byte(path, '/');
	else
		append_directory(path, document);
	return path_resolve(path, text_from(value, is_absolute)) < 0 ? "not a path" : NULL;
}

/* "/a?b" is the file "/a", in which QUERY_STRING is "b". */
static struct text take_query(struct ssi *ssi, struct text value)
{
	size_t mark = text_find(value, '?');

	if (mark < value.length)
		ssi->query = text_from(value, mark + 1);
	return text_first(value, mark);
}

/* A name as the file system has it: escapes stay what they are. */
static const char *resolve_file(
	struct buffer *path, const struct document *document, struct text value)
{
	char memory[3 * SSI_DIRECTIVE_LENGTH_MAX];
	struct buffer encoded;

	if (value.length > 0 && value.bytes[0] == '/')
		return "an absolute path; \"virtual\" has those";
	buffer_init(&encoded, memory, sizeof(memory));
	path_append_encoded(&encoded, value);
	append_directory(path, document);
	return path_resolve(path, buffer_text(&encoded)) < 0 ? "not a path" : NULL;
}

static void look_up_named(
	struct ssi *ssi, const struct ssi_directive *directive, void (*found)(struct ssi *ssi))
{
	const struct text *address = ssi_parameter(directive, text_literal("virtual"));
	const struct text *file = ssi_parameter(directive, text_literal("file"));
	char memory[PATH_MAX];
	struct buffer path;
	const char *wrong;

	buffer_init(&path, memory, sizeof(memory));
	ssi->query = (struct text){ NULL, 0 };
	wrong = address ? resolve_virtual(&path, ssi->document, take_query(ssi, *address))
			: resolve_file(&path, ssi->document, *file);
	if (!wrong && path.truncated)
		wrong = "too long a path";
	if (wrong)
		ssi_fail(ssi, "%.*s: %s", TEXT_ARGUMENTS(address ? *address : *file), wrong);
	else
		ssi_look_up(ssi, buffer_text(&path), found);
}

/* Includes are always waited for, in their order. */
static void run_include(struct ssi *ssi, const struct ssi_directive *directive)
{
	const struct text *wait = ssi_parameter(directive, text_literal("wait"));

	if (wait && !text_equal(*wait, text_literal("yes")) &&
		!text_equal(*wait, text_literal("no")))
		ssi_fail(ssi, "include: wait is neither \"yes\" nor \"no\"");
	else if (ssi->depth == SSI_DEPTH_MAX)
		ssi_fail(ssi, "include: more than %d files inside one another", SSI_DEPTH_MAX);
	else if (ssi->include_count == SSI_INCLUDES_MAX)
		ssi_fail(ssi, "include: more than %d in one answer", SSI_INCLUDES_MAX);
	else
		look_up_named(ssi, directive, ssi_include);
	ssi->include_count += ssi->is_looking;
}

static void write_modified(struct ssi *ssi)
{
	write_time(ssi, ssi->lookup.stat.st_mtim.tv_sec, true, SSI_ENCODING_ENTITY);
	ssi_close_found(ssi);
}

static void run_flastmod(struct ssi *ssi, const struct ssi_directive *directive)
{
	look_up_named(ssi, directive, write_modified);
}

static void write_size(struct ssi *ssi)
{
	uint64_t size = (uint64_t)ssi->lookup.stat.st_size;
	struct buffer words;

	buffer_init(&words, ssi->words, sizeof(ssi->words));
	if (ssi->document->sizes_are_abbreviated)
		ssi_append_size(&words, size);
	else
		buffer_append_number(&words, size);
	write_value(ssi, buffer_text(&words), SSI_ENCODING_NONE);
	ssi_close_found(ssi);
}

static void run_fsize(struct ssi *ssi, const struct ssi_directive *directive)
{
	look_up_named(ssi, directive, write_size);
}

/* --- all of them -------------------------------------------------------------------------- */

static const struct command commands[] = {
	{ TEXT("config"), { TEXT("errmsg"), TEXT("timefmt"), TEXT("sizefmt") }, false, run_config },
	{ TEXT("echo"), { TEXT("var"), TEXT("default"), TEXT("encoding") }, false, run_echo },
	{ TEXT("include"), { TEXT("virtual"), TEXT("file"), TEXT("wait") }, true, run_include },
	{ TEXT("flastmod"), { TEXT("virtual"), TEXT("file") }, true, run_flastmod },
	{ TEXT("fsize"), { TEXT("virtual"), TEXT("file") }, true, run_fsize },
};

static const struct command *command_named(struct text name)
{
	for (size_t i = 0; i < sizeof(commands) / sizeof(commands[0]); i++) {
		if (text_equal(commands[i].name, name))
			return &commands[i];
	}
	return NULL;
}

static bool is_known(const struct command *command, struct text parameter)
{
	for (unsigned i = 0; i < COMMAND_PARAMETERS_MAX; i++) {
		if (text_equal(command->parameters[i], parameter))
			return true;
	}
	return false;
}

/* Logs what is wrong with the parameters, if anything. */
static bool check_parameters(
	struct ssi *ssi, const struct command *command, const struct ssi_directive *directive)
{
	bool by_address, by_name;

	for (unsigned i = 0; i < directive->count; i++) {
		if (!is_known(command, directive->parameters[i].name)) {
			ssi_fail(ssi, "%.*s: unknown parameter \"%.*s\"",
				TEXT_ARGUMENTS(command->name),
				TEXT_ARGUMENTS(directive->parameters[i].name));
			return false;
		}
	}
	if (directive->count == 0) {
		ssi_fail(ssi, "%.*s: no parameter", TEXT_ARGUMENTS(command->name));
		return false;
	}
	by_address = ssi_parameter(directive, command->parameters[0]) != NULL;
	by_name = ssi_parameter(directive, command->parameters[1]) != NULL;
	if (command->names_file && by_address == by_name) {
		ssi_fail(ssi, "%.*s: %s", TEXT_ARGUMENTS(command->name),
			by_name ? "more than one file" : "no file");
		return false;
	}
	return true;
}

/* --- what is left out ---------------------------------------------------------------------- */

/* Which branch of an `if` is right is not known here, and a `block` is for elsewhere: both are one
 * error, and nothing up to their end is shown or carried out. */
static bool begins_skip(struct text command)
{
	return text_equal(command, text_literal("if")) ||
	       text_equal(command, text_literal("block"));
}

static bool ends_skip(struct text command)
{
	return text_equal(command, text_literal("endif")) ||
	       text_equal(command, text_literal("endblock"));
}

static void skip(struct document *document, struct text command)
{
	document->skip_depth += begins_skip(command);
	document->skip_depth -= ends_skip(command);
}

void ssi_carry_out(struct ssi *ssi, struct buffer *bytes)
{
	struct ssi_directive directive;
	const struct command *command;
	const char *wrong = ssi_parse(&directive, bytes);

	if (ssi->document->skip_depth > 0) {
		skip(ssi->document, directive.command);
		return;
	}
	if (begins_skip(directive.command)) {
		ssi->document->skip_depth = 1;
		ssi_fail(ssi, "no support for \"%.*s\": left out up to its end",
			TEXT_ARGUMENTS(directive.command));
		return;
	}
	if (wrong) {
		ssi_fail(ssi, "%s", wrong);
		return;
	}
	command = command_named(directive.command);
	if (!command)
		ssi_fail(ssi, "unknown command \"%.*s\"", TEXT_ARGUMENTS(directive.command));
	else if (check_parameters(ssi, command, &directive))
		command->run(ssi, &directive);
}
