/* Directives: a scanner that may stop after any byte, then a parser over the whole directive.
 *
 * Text is searched for the mark's rarest byte as memory is searched, so that a page without
 * directives costs little more than its bytes; only a mark that a piece's end cuts is matched byte
 * by byte.  No mark begins
 * inside another, and what was withheld of one that was none is always its own first bytes, a
 * constant.
 *
 * The scanner knows of a directive only where it ends, which "-->" inside a quoted value does not:
 * that is why it follows quotes and backslashes.  A quote counts where a value may begin, behind
 * "=", as in nginx. */
#include "filters/ssi_syntax.h"

#include <assert.h>
#include <string.h>

static const struct text MARK = TEXT("<!--#");

/* --- scanning ----------------------------------------------------------------------------- */

void ssi_scanner_init(struct ssi_scanner *scanner, char *memory)
{
	*scanner = (struct ssi_scanner){ .reading = SSI_READING_TEXT, .line = 1 };
	buffer_init(&scanner->directive, memory, SSI_DIRECTIVE_LENGTH_MAX);
}

/* In strides of a constant length, which the compiler does at once. */
static void count_lines(struct ssi_scanner *scanner, struct text text)
{
	enum { STRIDE = 64 };

	for (; text.length >= STRIDE; text = text_from(text, STRIDE)) {
		uint8_t count = 0;

		for (size_t i = 0; i < STRIDE; i++)
			count = (uint8_t)(count + (text.bytes[i] == '\n'));
		scanner->line += count;
	}
	for (size_t i = 0; i < text.length; i++)
		scanner->line += text.bytes[i] == '\n';
}

static void begin_directive(struct ssi_scanner *scanner)
{
	scanner->reading = SSI_READING_DIRECTIVE;
	scanner->mark_length = 0;
	scanner->dash_count = 0;
	scanner->quote = 0;
	scanner->escaped = scanner->value_may_begin = false;
	scanner->directive_line = scanner->line;
	scanner->directive.length = 0;
	scanner->directive.truncated = false;
}

/* How many bytes at the end of the text may be the beginning of a mark. */
static unsigned mark_at_end(struct text text)
{
	size_t length = text.length < MARK.length - 1 ? text.length : MARK.length - 1;

	while (length > 0 && memcmp(text.bytes + text.length - length, MARK.bytes, length) != 0)
		length--;
	return (unsigned)length;
}

/* Where the first mark begins; text.length: nowhere. */
static size_t find_mark(struct text text)
{
	const size_t before = MARK.length - 1;
	size_t at = text_find(text, '#');

	while (at < text.length) {
		if (at >= before && memcmp(text.bytes + at - before, MARK.bytes, before) == 0)
			return at - before;
		at += 1 + text_find(text_from(text, at + 1), '#');
	}
	return text.length;
}

/* Text up to the next mark, which is taken, too, or to what may be the beginning of one. */
static struct text take_text(struct ssi_scanner *scanner, struct text *rest)
{
	struct text text = text_first(*rest, find_mark(*rest));
	bool is_marked = text.length < rest->length;

	*rest = text_from(*rest, is_marked ? text.length + MARK.length : rest->length);
	if (!is_marked)
		scanner->mark_length = mark_at_end(text);
	text.length -= scanner->mark_length;
	count_lines(scanner, text);
	if (is_marked)
		begin_directive(scanner);
	return text;
}

/* The mark that the last piece may have ended in. */
static enum ssi_found scan_mark(struct ssi_scanner *scanner, struct text *rest, struct text *found)
{
	while (rest->length > 0 && scanner->mark_length < MARK.length &&
		rest->bytes[0] == MARK.bytes[scanner->mark_length]) {
		scanner->mark_length++;
		*rest = text_from(*rest, 1);
	}
	if (scanner->mark_length == MARK.length) {
		begin_directive(scanner);
		return SSI_NOTHING;
	}
	if (rest->length == 0)
		return SSI_NOTHING;
	*found = text_first(MARK, scanner->mark_length);
	scanner->mark_length = 0;
	return SSI_TEXT;
}

static enum ssi_found scan_text(struct ssi_scanner *scanner, struct text *rest, struct text *found)
{
	if (scanner->mark_length > 0)
		return scan_mark(scanner, rest, found);
	*found = take_text(scanner, rest);
	return found->length > 0 ? SSI_TEXT : SSI_NOTHING;
}

static bool is_space(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

/* Inside a value. */
static void follow_value(struct ssi_scanner *scanner, char byte)
{
	if (scanner->escaped)
		scanner->escaped = false;
	else if (byte == '\\')
		scanner->escaped = true;
	else if (byte == scanner->quote)
		scanner->quote = 0;
}

/* Outside of values: is this the end? */
static bool follow_directive(struct ssi_scanner *scanner, char byte)
{
	bool is_end = byte == '>' && scanner->dash_count >= 2;

	scanner->dash_count = byte == '-' ? scanner->dash_count + 1 : 0;
	if (scanner->value_may_begin && (byte == '"' || byte == '\''))
		scanner->quote = byte;
	scanner->value_may_begin = byte == '=' || (scanner->value_may_begin && is_space(byte));
	return is_end;
}

static char take_byte(struct ssi_scanner *scanner, struct text *rest)
{
	char byte = rest->bytes[0];

	*rest = text_from(*rest, 1);
	scanner->line += byte == '\n';
	return byte;
}

static enum ssi_found scan_directive(
	struct ssi_scanner *scanner, struct text *rest, struct text *found)
{
	while (rest->length > 0) {
		char byte = take_byte(scanner, rest);

		if (scanner->quote) {
			follow_value(scanner, byte);
		} else if (follow_directive(scanner, byte)) {
			scanner->reading = SSI_READING_TEXT;
			scanner->directive.length -= strlen("--");
			*found = buffer_text(&scanner->directive);
			return SSI_DIRECTIVE;
		}
		buffer_append_byte(&scanner->directive, byte);
		if (scanner->directive.truncated) {
			scanner->reading = SSI_SKIPPING;
			return SSI_TOO_LONG;
		}
	}
	return SSI_NOTHING;
}

static enum ssi_found skip_directive(struct ssi_scanner *scanner, struct text *rest)
{
	while (rest->length > 0 && scanner->reading == SSI_SKIPPING) {
		char byte = take_byte(scanner, rest);

		if (byte == '>' && scanner->dash_count >= 2)
			scanner->reading = SSI_READING_TEXT;
		scanner->dash_count = byte == '-' ? scanner->dash_count + 1 : 0;
	}
	return SSI_NOTHING;
}

static enum ssi_found scan_on(struct ssi_scanner *scanner, struct text *rest, struct text *found)
{
	switch (scanner->reading) {
	case SSI_READING_TEXT:
		return scan_text(scanner, rest, found);
	case SSI_READING_DIRECTIVE:
		return scan_directive(scanner, rest, found);
	case SSI_SKIPPING:
		break;
	}
	return skip_directive(scanner, rest);
}

enum ssi_found ssi_scan(struct ssi_scanner *scanner, struct text *rest, struct text *found)
{
	enum ssi_found outcome = SSI_NOTHING;

	while (outcome == SSI_NOTHING && rest->length > 0)
		outcome = scan_on(scanner, rest, found);
	return outcome;
}

enum ssi_found ssi_scan_end(struct ssi_scanner *scanner, struct text *found)
{
	bool is_unended = scanner->reading == SSI_READING_DIRECTIVE;

	scanner->reading = SSI_READING_TEXT;
	*found = text_first(MARK, scanner->mark_length);
	scanner->mark_length = 0;
	if (found->length > 0)
		return SSI_TEXT;
	return is_unended ? SSI_UNENDED : SSI_NOTHING;
}

/* --- parsing: each function takes what it is named after from the front of `rest` ---------- */

static void take_spaces(struct text *rest)
{
	while (rest->length > 0 && is_space(rest->bytes[0]))
		*rest = text_from(*rest, 1);
}

static bool is_name_byte(char byte)
{
	return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || byte == '_';
}

static struct text take_name(struct text *rest)
{
	struct text name = { rest->bytes, 0 };

	while (name.length < rest->length && is_name_byte(rest->bytes[name.length]))
		name.length++;
	*rest = text_from(*rest, name.length);
	return name;
}

/* The value's bytes move together where a backslash goes; `bytes` is the memory of the text. */
static const char *take_value(struct text *value, struct text *rest, char *bytes)
{
	char quote = rest->length > 0 ? rest->bytes[0] : 0;
	size_t length = 0, at = 1;

	if (quote != '"' && quote != '\'')
		return "a value without quotes";
	for (; at < rest->length && rest->bytes[at] != quote; at++) {
		bool is_escape = rest->bytes[at] == '\\' && at + 1 < rest->length;

		if (is_escape && memchr("\\'\"$", rest->bytes[at + 1], 4) == NULL)
			bytes[length++] = '\\';
		at += is_escape;
		bytes[length++] = rest->bytes[at];
	}
	if (at == rest->length)
		return "a value that does not end";
	*value = (struct text){ bytes, length };
	*rest = text_from(*rest, at + 1);
	if (rest->length > 0 && !is_space(rest->bytes[0]))
		return "no space behind a value";
	return NULL;
}

static const char *take_parameter(
	struct ssi_directive *directive, struct text *rest, struct buffer *memory)
{
	struct ssi_parameter *parameter = &directive->parameters[directive->count];

	if (directive->count == SSI_PARAMETERS_MAX)
		return "too many parameters";
	parameter->name = take_name(rest);
	if (parameter->name.length == 0)
		return "a parameter without a name";
	if (ssi_parameter(directive, parameter->name))
		return "a parameter that comes twice";
	take_spaces(rest);
	if (rest->length == 0 || rest->bytes[0] != '=')
		return "a parameter without a value";
	*rest = text_from(*rest, 1);
	take_spaces(rest);
	directive->count++;
	return take_value(&parameter->value, rest, memory->bytes + (rest->bytes - memory->bytes));
}

const char *ssi_parse(struct ssi_directive *directive, struct buffer *bytes)
{
	struct text rest = buffer_text(bytes);
	const char *wrong = NULL;

	directive->count = 0;
	take_spaces(&rest);
	directive->command = take_name(&rest);
	if (directive->command.length == 0)
		return "no command";
	if (rest.length > 0 && !is_space(rest.bytes[0]))
		return "no space behind the command";
	take_spaces(&rest);
	while (rest.length > 0 && !wrong) {
		wrong = take_parameter(directive, &rest, bytes);
		take_spaces(&rest);
	}
	return wrong;
}

const struct text *ssi_parameter(const struct ssi_directive *directive, struct text name)
{
	for (unsigned i = 0; i < directive->count; i++) {
		if (text_equal(directive->parameters[i].name, name))
			return &directive->parameters[i].value;
	}
	return NULL;
}
