/* The scanner: from bytes to tokens, with strings decoded.
 *
 * Semicolons, stray bytes, invisible characters, strings over the end of a line, unknown escapes
 * and variables that are not set are mistakes.  The scanner complains with the place, returns a
 * TOKEN_BROKEN for the bytes, and goes on behind them. */
#include <stdlib.h>
#include <string.h>

#include "server/configuration_load.h"

static bool is_at(const struct scanner *scanner, const char *string)
{
	return text_starts_with(scanner->rest, text_of(string));
}

static bool is_at_end(const struct scanner *scanner)
{
	return scanner->rest.length == 0;
}

static char current_byte(const struct scanner *scanner)
{
	return scanner->rest.bytes[0];
}

/* Columns count characters, not bytes. */
static struct setting_place place_of(const struct scanner *scanner)
{
	struct setting_place place = { scanner->source, scanner->line, 1 };

	for (const char *byte = scanner->line_start; byte < scanner->rest.bytes; byte++)
		place.column += ((unsigned char)*byte & 0xc0) != 0x80;
	return place;
}

#define complain(scanner, ...)                                                                     \
	((scanner)->is_broken = true, (void)configuration_complain(place_of(scanner), __VA_ARGS__))

static void skip(struct scanner *scanner, size_t length)
{
	while (length-- > 0 && scanner->rest.length > 0) {
		bool is_line = current_byte(scanner) == '\n';

		scanner->rest = text_from(scanner->rest, 1);
		if (is_line) {
			scanner->line++;
			scanner->line_start = scanner->rest.bytes;
		}
	}
}

/* --- blanks and comments ------------------------------------------------------------------- */

static void skip_block_comment(struct scanner *scanner)
{
	struct scanner start = *scanner;

	skip(scanner, 2);
	while (!is_at_end(scanner) && !is_at(scanner, "*/"))
		skip(scanner, 1);
	if (is_at_end(scanner))
		complain(&start, "the comment does not end, expected */");
	skip(scanner, 2);
}

static void skip_blanks(struct scanner *scanner)
{
	while (!is_at_end(scanner)) {
		if (is_at(scanner, "/*"))
			skip_block_comment(scanner);
		else if (is_at(scanner, "#") || is_at(scanner, "//"))
			skip(scanner, text_find(scanner->rest, '\n'));
		else if (current_byte(scanner) != '\0' && strchr(" \t\r\n", current_byte(scanner)))
			skip(scanner, 1);
		else
			break;
	}
}

/* --- strings ------------------------------------------------------------------------------- */

static void append(struct scanner *scanner, struct text text)
{
	size_t wanted = scanner->string_length + text.length;

	if (wanted > scanner->string_size) {
		char *larger = realloc(scanner->string, 2 * wanted);

		if (!larger) {
			complain(scanner, "out of memory, expected a shorter string");
			return;
		}
		scanner->string = larger;
		scanner->string_size = 2 * wanted;
	}
	memcpy(scanner->string + scanner->string_length, text.bytes, text.length);
	scanner->string_length = wanted;
}

/* Appends what stands at hand as it is. */
static void take(struct scanner *scanner, size_t length)
{
	append(scanner, text_first(scanner->rest, length));
	skip(scanner, length);
}

static bool is_variable_byte(char byte)
{
	return (byte >= 'A' && byte <= 'Z') || (byte >= 'a' && byte <= 'z') ||
	       (byte >= '0' && byte <= '9') || byte == '_';
}

enum { VARIABLE_NAME_LENGTH_MAX = 127 };

/* "${NAME}" or "${NAME:-default}".  If the default contains a quote, a brace or the end of a line,
 * the closing brace of the variable was forgotten. */
static void scan_variable(struct scanner *scanner)
{
	struct text inside = text_from(text_first(scanner->rest, text_find(scanner->rest, '}')), 2);
	char name[VARIABLE_NAME_LENGTH_MAX + 1] = "";
	size_t length = 0;
	struct text rest;
	const char *value;

	while (length < inside.length && is_variable_byte(inside.bytes[length]))
		length++;
	rest = text_from(inside, length);
	for (size_t i = 0; i < rest.length; i++) {
		if (strchr("\n\"'{", rest.bytes[i])) /* or a NUL */
			length = 0;
	}
	if (length == 0 || length > VARIABLE_NAME_LENGTH_MAX ||
		inside.length + 2 >= scanner->rest.length ||
		(rest.length > 0 && !text_starts_with(rest, text_literal(":-")))) {
		complain(scanner, "broken variable, expected ${NAME} or ${NAME:-default}");
		skip(scanner, 2);
		return;
	}
	memcpy(name, inside.bytes, length);
	value = getenv(name);
	if (!value && rest.length == 0)
		complain(scanner,
			"the variable %s is not set, expected it in the environment or a default "
			"as in ${%s:-default}",
			name, name);
	append(scanner, value ? text_of(value) : text_from(rest, 2));
	skip(scanner, inside.length + 3);
}

static int hexadecimal(char byte)
{
	static const char digits[] = "0123456789abcdef";
	const char *digit = byte != '\0' ? strchr(digits, byte | 0x20) : NULL;

	return byte >= '0' && digit ? (int)(digit - digits) : -1;
}

static void scan_escape(struct scanner *scanner)
{
	static const char letters[] = "\\\"'$nrt", meanings[] = "\\\"'$\n\r\t";
	const char *bytes = scanner->rest.bytes;
	const char *letter =
		scanner->rest.length >= 2 && bytes[1] ? strchr(letters, bytes[1]) : NULL;
	bool is_code = scanner->rest.length >= 4 && bytes[1] == 'x' && hexadecimal(bytes[2]) >= 0 &&
		       hexadecimal(bytes[3]) >= 0;
	char code = '\0';

	if (is_code)
		code = (char)(hexadecimal(bytes[2]) << 4 | hexadecimal(bytes[3]));
	if (letter)
		append(scanner, (struct text){ &meanings[letter - letters], 1 });
	else if (code != '\0')
		append(scanner, (struct text){ &code, 1 });
	else
		complain(scanner, "unknown escape in a string, expected \\\\, \\\", \\', \\$, \\n, "
				  "\\r, \\t or \\xHH");
	skip(scanner, code != '\0' ? 4 : 2);
}

/* The length of an invisible character at hand, after complaining; 0: none. */
static size_t refuse_invisible(struct scanner *scanner)
{
	unsigned code_point;
	size_t length = setting_invisible(scanner->rest, &code_point);

	if (length == 0 || code_point == '\t')
		return 0;
	if (code_point <= 0x7f)
		complain(scanner, "unexpected byte 0x%02X%s, expected text", code_point,
			code_point == 0 ? ", a NUL" : "");
	else
		complain(scanner,
			"invisible character U+%04X%s, expected none (in a string its bytes may be "
			"written as \\xHH)",
			code_point, code_point == 0xfeff ? ", a byte order mark" : "");
	return length;
}

static void scan_string(struct scanner *scanner)
{
	char quote = current_byte(scanner);
	struct scanner start = *scanner;
	size_t length;

	skip(scanner, 1);
	while (!is_at_end(scanner) && current_byte(scanner) != quote &&
		current_byte(scanner) != '\n') {
		if (quote == '"' && current_byte(scanner) == '\\') {
			scan_escape(scanner);
		} else if (quote == '"' && is_at(scanner, "${")) {
			scan_variable(scanner);
		} else if (is_at(scanner, "\\\\") || is_at(scanner, "\\'")) {
			skip(scanner, 1);
			take(scanner, 1);
		} else if ((length = refuse_invisible(scanner)) > 0) {
			skip(scanner, length);
		} else {
			take(scanner, 1);
		}
	}
	if (is_at_end(scanner) || current_byte(scanner) != quote) {
		scanner->is_broken = true;
		(void)configuration_complain(place_of(&start),
			"the string does not end, expected %c on the same line", quote);
		return;
	}
	skip(scanner, 1);
}

/* --- words --------------------------------------------------------------------------------- */

static bool is_word_byte(char byte)
{
	unsigned char code = (unsigned char)byte;

	return code > ' ' && code != 0x7f && !strchr("#\"'={}()+,;*$", byte);
}

static void scan_word(struct scanner *scanner)
{
	unsigned code_point;

	while (!is_at_end(scanner) && is_word_byte(current_byte(scanner)) &&
		setting_invisible(scanner->rest, &code_point) == 0)
		take(scanner, 1);
	if (is_at_end(scanner) || current_byte(scanner) == '\0' ||
		!strchr("*$+(", current_byte(scanner)))
		return;
	complain(scanner, "unexpected %c in a word, expected quotes around it",
		current_byte(scanner));
	while (!is_at_end(scanner) && current_byte(scanner) > ' ')
		skip(scanner, 1);
}

static void refuse_byte(struct scanner *scanner)
{
	size_t length = refuse_invisible(scanner);

	if (length == 0) {
		length = 1;
		if (current_byte(scanner) == ';')
			complain(
				scanner, "semicolons are not used here, expected the next setting");
		else if (is_at(scanner, "+="))
			complain(scanner, "unknown operator +=, expected =");
		else
			complain(scanner, "unexpected %c, expected quotes around it",
				current_byte(scanner));
	}
	skip(scanner, length);
}

static enum token_kind scan_token(struct scanner *scanner)
{
	static const char punctuation[] = "{}=,";
	static const enum token_kind kinds[] = { TOKEN_OPEN, TOKEN_CLOSE, TOKEN_EQUALS,
		TOKEN_COMMA };
	char byte = current_byte(scanner);
	const char *found = byte != '\0' ? strchr(punctuation, byte) : NULL;
	unsigned code_point;

	if (found) {
		skip(scanner, 1);
		return kinds[found - punctuation];
	}
	if (byte == '"' || byte == '\'') {
		scan_string(scanner);
		return TOKEN_STRING;
	}
	if (is_at(scanner, "${")) {
		scan_variable(scanner);
		return TOKEN_STRING;
	}
	if (!is_word_byte(byte) || setting_invisible(scanner->rest, &code_point) > 0) {
		refuse_byte(scanner);
		return TOKEN_BROKEN;
	}
	scan_word(scanner);
	return TOKEN_WORD;
}

void scanner_next(struct scanner *scanner, struct token *token)
{
	const char *start;

	skip_blanks(scanner);
	scanner->string_length = 0;
	scanner->is_broken = false;
	token->place = place_of(scanner);
	start = scanner->rest.bytes;
	token->kind = is_at_end(scanner) ? TOKEN_END : scan_token(scanner);
	token->text = (struct text){ start, (size_t)(scanner->rest.bytes - start) };
	token->string = (struct text){ scanner->string, scanner->string_length };
	if (scanner->is_broken)
		token->kind = TOKEN_BROKEN;
	/* The end is where the last line ends, not on a line that is not there. */
	if (token->kind == TOKEN_END && token->place.column == 1 && token->place.line > 1)
		token->place.line--;
}

void scanner_start(struct scanner *scanner, const struct source *source)
{
	*scanner = (struct scanner){
		.source = source,
		.rest = { source->bytes, source->length },
		.line = 1,
		.line_start = source->bytes,
	};
}
