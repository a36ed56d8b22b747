/* The scanner: the lexical rules of libconfuse, made strict.
 *
 * Whatever it lets through means the same to libconfuse; what libconfuse would skip or guess at is
 * refused with its line: semicolons, stray bytes, strings over the end of a line, escapes other
 * than the few documented ones, variables that are not set.  Comments are overwritten with spaces
 * while they are passed, because libconfuse counts lines wrongly after block comments. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "server/configuration_load.h"

static bool is_at(const struct scanner *scanner, const char *string)
{
	size_t length = strlen(string);

	return scanner->length - scanner->position >= length &&
	       memcmp(scanner->bytes + scanner->position, string, length) == 0;
}

static bool is_at_end(const struct scanner *scanner)
{
	return scanner->position == scanner->length;
}

static char current_byte(const struct scanner *scanner)
{
	return scanner->bytes[scanner->position];
}

#define complain(scanner, ...) configuration_complain((scanner)->file, (scanner)->line, __VA_ARGS__)

/* --- blanks and comments ------------------------------------------------------------------- */

static void blank_byte(struct scanner *scanner)
{
	if (current_byte(scanner) == '\n')
		scanner->line++;
	else
		scanner->bytes[scanner->position] = ' ';
	scanner->position++;
}

static void skip_line_comment(struct scanner *scanner)
{
	while (!is_at_end(scanner) && current_byte(scanner) != '\n')
		blank_byte(scanner);
}

static int skip_block_comment(struct scanner *scanner)
{
	unsigned line = scanner->line;

	blank_byte(scanner);
	blank_byte(scanner);
	while (!is_at_end(scanner) && !is_at(scanner, "*/"))
		blank_byte(scanner);
	if (is_at_end(scanner))
		return configuration_complain(
			scanner->file, line, "the comment does not end, expected */");
	blank_byte(scanner);
	blank_byte(scanner);
	return 0;
}

static bool is_blank(char byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

static int skip_blanks(struct scanner *scanner)
{
	while (!is_at_end(scanner)) {
		if (is_blank(current_byte(scanner))) {
			blank_byte(scanner);
		} else if (is_at(scanner, "#") || is_at(scanner, "//")) {
			skip_line_comment(scanner);
		} else if (is_at(scanner, "/*")) {
			int r = skip_block_comment(scanner);

			if (r < 0)
				return r;
		} else {
			break;
		}
	}
	return 0;
}

/* --- variables ----------------------------------------------------------------------------- */

static bool is_variable_byte(char byte)
{
	return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
	       (byte >= '0' && byte <= '9') || byte == '_';
}

enum { VARIABLE_NAME_LENGTH_MAX = 127 };

struct variable {
	struct text name;
	bool has_default;
	size_t length; /* of all of it, the braces included */
};

/* "${NAME}" or "${NAME:-default}", at the start of the text.  A default with a quote, a brace or
 * the end of a line in it is a variable whose own brace was forgotten. */
static bool find_variable(struct variable *variable, struct text text)
{
	struct text inside = text_from(text_first(text, text_find(text, '}')), 2);
	size_t length = 0;

	while (length < inside.length && is_variable_byte(inside.bytes[length]))
		length++;
	variable->name = text_first(inside, length);
	variable->length = inside.length + 3;
	inside = text_from(inside, length);
	variable->has_default = text_starts_with(inside, text_literal(":-"));
	for (size_t i = 0; i < inside.length; i++) {
		if (strchr("\n\"'{", inside.bytes[i])) /* or a NUL */
			return false;
	}
	return variable->length <= text.length && length > 0 &&
	       length <= VARIABLE_NAME_LENGTH_MAX && (variable->has_default || inside.length == 0);
}

static bool is_set(const struct variable *variable)
{
	char name[VARIABLE_NAME_LENGTH_MAX + 1];

	memcpy(name, variable->name.bytes, variable->name.length);
	name[variable->name.length] = '\0';
	return getenv(name) != NULL;
}

static int scan_variable(struct scanner *scanner)
{
	struct text rest = { scanner->bytes + scanner->position,
		scanner->length - scanner->position };
	struct variable variable;

	if (!find_variable(&variable, rest))
		return complain(scanner, "broken variable, expected ${NAME} or ${NAME:-default}");
	if (!variable.has_default && !is_set(&variable))
		return complain(scanner,
			"the variable %.*s is not set, expected it in the environment or a default "
			"as in ${%.*s:-default}",
			TEXT_ARGUMENTS(variable.name), TEXT_ARGUMENTS(variable.name));
	scanner->position += variable.length;
	return 0;
}

/* --- strings ------------------------------------------------------------------------------- */

static bool is_hexadecimal(char byte)
{
	return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'f') ||
	       (byte >= 'A' && byte <= 'F');
}

static int scan_escape(struct scanner *scanner)
{
	const char *bytes = scanner->bytes + scanner->position;
	size_t length = scanner->length - scanner->position;

	if (length >= 4 && bytes[1] == 'x' && is_hexadecimal(bytes[2]) &&
		is_hexadecimal(bytes[3]) && !(bytes[2] == '0' && bytes[3] == '0')) {
		scanner->position += 4;
		return 0;
	}
	if (length >= 2 && bytes[1] != '\0' && strchr("\\\"'$nrt", bytes[1])) {
		scanner->position += 2;
		return 0;
	}
	return complain(scanner, "unknown escape in a string, expected \\\\, \\\", \\', \\$, \\n, "
				 "\\r, \\t or \\xHH");
}

static int scan_double_quoted(struct scanner *scanner)
{
	int r = 0;

	if (current_byte(scanner) == '\\')
		r = scan_escape(scanner);
	else if (is_at(scanner, "${"))
		r = scan_variable(scanner);
	else
		scanner->position++;
	return r;
}

/* Between single quotes only \\ and \' are escapes, and nothing is replaced. */
static int scan_single_quoted(struct scanner *scanner)
{
	scanner->position += is_at(scanner, "\\\\") || is_at(scanner, "\\'") ? 2 : 1;
	return 0;
}

static int scan_string(struct scanner *scanner)
{
	char quote = current_byte(scanner);

	scanner->position++;
	while (!is_at_end(scanner) && current_byte(scanner) != quote) {
		char byte = current_byte(scanner);
		int r;

		if (byte == '\n')
			break;
		if (byte == '\0')
			return complain(scanner, "a NUL byte in a string, expected text");
		r = quote == '"' ? scan_double_quoted(scanner) : scan_single_quoted(scanner);
		if (r < 0)
			return r;
	}
	if (is_at_end(scanner) || current_byte(scanner) != quote)
		return complain(
			scanner, "the string does not end, expected %c on the same line", quote);
	scanner->position++;
	return 0;
}

/* --- words --------------------------------------------------------------------------------- */

static bool is_word_byte(char byte)
{
	unsigned char code = (unsigned char)byte;

	return code > ' ' && code != 0x7f && !strchr("#\"'={}()+,;*$", byte);
}

static int scan_word(struct scanner *scanner)
{
	while (!is_at_end(scanner) && is_word_byte(current_byte(scanner)))
		scanner->position++;
	if (is_at_end(scanner) || current_byte(scanner) == '\0' ||
		!strchr("*$+(", current_byte(scanner)))
		return 0;
	return complain(scanner, "unexpected %c in a word, expected quotes around it",
		current_byte(scanner));
}

static int refuse_byte(const struct scanner *scanner)
{
	unsigned char byte = (unsigned char)current_byte(scanner);

	if (byte == ';')
		return complain(scanner, "no semicolons here, expected the next setting");
	if (is_at(scanner, "+="))
		return complain(scanner, "+= is not known here, expected =");
	if (byte <= ' ' || byte == 0x7f)
		return complain(scanner, "unexpected byte 0x%02X, expected text", byte);
	return complain(scanner, "unexpected %c, expected quotes around it", byte);
}

static int scan_token(struct scanner *scanner, struct token *token)
{
	static const char punctuation[] = "{}=,";
	static const enum token_kind kinds[] = { TOKEN_OPEN, TOKEN_CLOSE, TOKEN_EQUALS,
		TOKEN_COMMA };
	char byte = current_byte(scanner);
	const char *found = byte != '\0' ? strchr(punctuation, byte) : NULL;

	if (found) {
		token->kind = kinds[found - punctuation];
		scanner->position++;
		return 0;
	}
	if (byte == '"' || byte == '\'') {
		token->kind = TOKEN_STRING;
		return scan_string(scanner);
	}
	if (is_at(scanner, "${")) {
		token->kind = TOKEN_VARIABLE;
		return scan_variable(scanner);
	}
	if (!is_word_byte(byte))
		return refuse_byte(scanner);
	token->kind = TOKEN_WORD;
	return scan_word(scanner);
}

int scanner_next(struct scanner *scanner, struct token *token)
{
	size_t start;
	int r = skip_blanks(scanner);

	if (r < 0)
		return r;
	start = scanner->position;
	token->line = scanner->line;
	token->kind = TOKEN_END;
	if (!is_at_end(scanner))
		r = scan_token(scanner, token);
	else if (start > 0 && scanner->bytes[start - 1] == '\n')
		token->line--; /* the end is where the last line ends */
	if (r < 0)
		return r;
	token->text = (struct text){ scanner->bytes + start, scanner->position - start };
	return 0;
}
