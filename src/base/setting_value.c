/* One value of a setting: from its words in a file to a number, and back to words.
 *
 * Numbers are decimal only.  The parser library would read 010 as eight; here it is an error, since
 * whoever wrote it meant something else.  A duration needs its unit for the same reason: nobody
 * should have to know what a bare 10 means.  Messages say what is wrong and what is expected, and
 * are appended to the caller's buffer, who knows file and line. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/settings.h"

struct unit {
	const char *name;
	uint64_t factor;
};

/* Ascending, so that the largest that divides is the last. */
static const struct unit SIZE_UNITS[] = {
	{ "", 1 },
	{ "K", UINT64_C(1) << 10 },
	{ "M", UINT64_C(1) << 20 },
	{ "G", UINT64_C(1) << 30 },
	{ 0 },
};

static const struct unit DURATION_UNITS[] = {
	{ "ms", UINT64_C(1000000) },
	{ "s", UINT64_C(1000000000) },
	{ "m", 60 * UINT64_C(1000000000) },
	{ "h", 3600 * UINT64_C(1000000000) },
	{ "d", 86400 * UINT64_C(1000000000) },
	{ 0 },
};

static const struct unit NO_UNITS[] = { { "", 1 }, { 0 } };

static const struct unit *units_of(const struct setting *setting)
{
	if (setting->type == SETTING_SIZE)
		return SIZE_UNITS;
	return setting->type == SETTING_DURATION ? DURATION_UNITS : NO_UNITS;
}

int setting_value_add_string(struct setting_value *value, struct text string)
{
	char **strings = reallocarray(value->strings, value->count + 2, sizeof(*strings));

	if (!strings)
		return -ENOMEM;
	value->strings = strings;
	strings[value->count] = strndup(string.length > 0 ? string.bytes : "", string.length);
	if (!strings[value->count])
		return -ENOMEM;
	strings[++value->count] = NULL;
	return 0;
}

void setting_value_free(struct setting_value *value)
{
	for (size_t i = 0; i < value->count; i++)
		free(value->strings[i]);
	free(value->strings);
	list_remove(&value->node);
	free(value);
}

/* --- expectations ------------------------------------------------------------------------- */

static void append_with_unit(struct buffer *buffer, const struct unit *units, uint64_t number)
{
	const struct unit *best = units;

	for (const struct unit *unit = units; number > 0 && unit->name; unit++) {
		if (number % unit->factor == 0)
			best = unit;
	}
	buffer_append_number(buffer, number / best->factor);
	buffer_append_string(buffer, best->name);
}

static void append_words(struct buffer *buffer, const char *const *words)
{
	for (size_t i = 0; words[i]; i++) {
		if (i > 0)
			buffer_append_string(buffer, words[i + 1] ? ", " : " or ");
		buffer_append_string(buffer, words[i]);
	}
}

static void append_range(struct buffer *buffer, const struct setting *setting)
{
	const struct unit *units = units_of(setting);

	if (setting->maximum > 0) {
		buffer_append_string(buffer, ", from ");
		append_with_unit(buffer, units, setting->minimum);
		buffer_append_string(buffer, " to ");
		append_with_unit(buffer, units, setting->maximum);
	} else if (setting->minimum > 0) {
		buffer_append_string(buffer, ", at least ");
		append_with_unit(buffer, units, setting->minimum);
	}
}

void setting_append_expected(const struct setting *setting, struct buffer *buffer)
{
	if (setting->expected) {
		buffer_append_string(buffer, setting->expected);
		return;
	}
	switch (setting->type) {
	case SETTING_YES_NO:
		buffer_append_string(buffer, "yes or no");
		break;
	case SETTING_NUMBER:
		buffer_append_string(buffer, "a whole decimal number");
		append_range(buffer, setting);
		break;
	case SETTING_SIZE:
		buffer_append_string(buffer, "a size in bytes, or with K, M or G as in 16K");
		append_range(buffer, setting);
		break;
	case SETTING_DURATION:
		buffer_append_string(buffer, "a time with its unit ms, s, m, h or d as in 10s");
		append_range(buffer, setting);
		break;
	case SETTING_WORD:
		append_words(buffer, setting->words);
		break;
	case SETTING_STRING:
		buffer_append_string(buffer, "a string");
		break;
	case SETTING_STRINGS:
		if (setting->words) {
			buffer_append_string(buffer, "a list in braces of ");
			append_words(buffer, setting->words);
		} else {
			buffer_append_string(buffer, "strings as in {\"a\", \"b\"}");
		}
		break;
	case SETTING_DIRECTORY:
		buffer_append_string(buffer,
			setting->made ? "a directory in an existing one" : "an existing directory");
		break;
	case SETTING_FILE:
		buffer_append_string(buffer, "the path of a file");
		break;
	case SETTING_SECTION:
		buffer_append_string(buffer, "a section in braces");
		break;
	}
}

/* --- parsing ------------------------------------------------------------------------------ */

/* Of a longer value, the beginning is enough to recognise it. */
enum { SHOWN_LENGTH_MAX = 100 };

/* As a person would have written it. */
static void append_as_written(struct buffer *buffer, const char *string)
{
	struct text shown = text_first(text_of(string), SHOWN_LENGTH_MAX);
	bool plain = string[0] != '\0';

	for (size_t i = 0; i < shown.length; i++)
		plain = plain && (unsigned char)shown.bytes[i] > ' ' &&
			!strchr("\"\\\x7f", shown.bytes[i]);
	if (plain)
		buffer_append(buffer, shown);
	else
		setting_append_quoted(buffer, shown);
	if (string[shown.length] != '\0')
		buffer_append_string(buffer, "...");
}

static int reject(
	const struct setting_value *value, size_t index, struct buffer *wrong, const char *what)
{
	buffer_append_string(wrong, value->setting->name);
	buffer_append_string(wrong, " = ");
	append_as_written(wrong, index < value->count ? value->strings[index] : "{}");
	buffer_append_string(wrong, ": ");
	buffer_append_string(wrong, what);
	buffer_append_string(wrong, ", expected ");
	setting_append_expected(value->setting, wrong);
	return -EINVAL;
}

static size_t count_digits(struct text text)
{
	size_t count = 0;

	while (count < text.length && text.bytes[count] >= '0' && text.bytes[count] <= '9')
		count++;
	return count;
}

static const struct unit *find_unit(const struct unit *units, struct text name)
{
	for (; units->name; units++) {
		if (text_equal(name, text_of(units->name)))
			return units;
	}
	return NULL;
}

static const char *parse_number(
	uint64_t *number, struct text text, const struct unit *units, const struct setting *setting)
{
	struct text digits = text_first(text, count_digits(text));
	struct text name = text_from(text, digits.length);
	const struct unit *unit = find_unit(units, name);

	if (digits.length == 0)
		return "not a number";
	if (digits.length > 1 && digits.bytes[0] == '0')
		return "octal numbers are not understood, no leading zero";
	if (name.length > 0 && (name.bytes[0] == '.' || (digits.bytes[0] == '0' && !unit)))
		return "not a decimal number";
	if (!unit && name.length == 0 && digits.bytes[0] == '0')
		unit = units; /* nothing is nothing in any unit */
	if (!unit)
		return name.length == 0 ? "no unit" : "unknown unit";
	if (text_to_number(number, digits) < 0 ||
		__builtin_mul_overflow(*number, unit->factor, number) ||
		(setting->maximum > 0 && *number > setting->maximum))
		return "too large";
	return *number < setting->minimum ? "too small" : NULL;
}

static int find_word(uint64_t *index, const char *const *words, const char *word)
{
	for (size_t i = 0; words && words[i]; i++) {
		if (strcmp(words[i], word) == 0) {
			*index = i;
			return 0;
		}
	}
	return -ENOENT;
}

static const char *parse_string(struct setting_value *value)
{
	static const char *const yes_no[] = { "no", "yes", NULL };
	const char *string = value->strings[0];
	uint64_t index;

	switch (value->setting->type) {
	case SETTING_YES_NO:
		return find_word(&value->number, yes_no, string) < 0 ? "unknown word" : NULL;
	case SETTING_WORD:
		return find_word(&value->number, value->setting->words, string) < 0 ? "unknown word"
										    : NULL;
	case SETTING_NUMBER:
	case SETTING_SIZE:
	case SETTING_DURATION:
		return parse_number(
			&value->number, text_of(string), units_of(value->setting), value->setting);
	case SETTING_FILE:
		value->number = find_word(&index, value->setting->words, string) == 0;
		return value->number == 0 && string[0] == '\0' ? "empty" : NULL;
	case SETTING_DIRECTORY:
		return string[0] == '\0' ? "empty" : NULL;
	case SETTING_STRING:
	case SETTING_STRINGS:
	case SETTING_SECTION:
		break;
	}
	return NULL;
}

/* Every string of a list with words is one of them. */
static const char *check_words(size_t *wrong, const struct setting_value *value)
{
	uint64_t index;

	for (size_t i = 0; value->setting->words && i < value->count; i++) {
		*wrong = i;
		if (find_word(&index, value->setting->words, value->strings[i]) < 0)
			return "unknown word";
	}
	return NULL;
}

int setting_value_parse(struct setting_value *value, struct buffer *wrong)
{
	const struct setting *setting = value->setting;
	const char *what;
	size_t index = 0;

	assert(setting->type != SETTING_SECTION);
	if (setting->type != SETTING_STRINGS && value->count != 1)
		return reject(value, 0, wrong, "not one value");
	what = setting->type == SETTING_STRINGS ? check_words(&index, value) : parse_string(value);
	if (!what && setting->check)
		what = setting->check((const char *const *)value->strings, value->count, &index);
	return what ? reject(value, index, wrong, what) : 0;
}

/* --- printing ----------------------------------------------------------------------------- */

void setting_append_quoted(struct buffer *buffer, struct text string)
{
	buffer_append_byte(buffer, '"');
	for (size_t i = 0; i < string.length; i++) {
		unsigned char byte = (unsigned char)string.bytes[i];

		if (byte < 0x20 || byte == 0x7f) {
			buffer_append_format(buffer, "\\x%02X", byte);
			continue;
		}
		if (byte == '"' || byte == '\\' || byte == '$')
			buffer_append_byte(buffer, '\\');
		buffer_append_byte(buffer, (char)byte);
	}
	buffer_append_byte(buffer, '"');
}

static void append_strings(const struct setting_value *value, struct buffer *buffer)
{
	buffer_append_byte(buffer, '{');
	for (size_t i = 0; i < value->count; i++) {
		if (i > 0)
			buffer_append_string(buffer, ", ");
		setting_append_quoted(buffer, text_of(value->strings[i]));
	}
	buffer_append_byte(buffer, '}');
}

void setting_value_append(const struct setting_value *value, struct buffer *buffer)
{
	switch (value->setting->type) {
	case SETTING_YES_NO:
	case SETTING_WORD:
		buffer_append_string(buffer, value->strings[0]);
		break;
	case SETTING_NUMBER:
	case SETTING_SIZE:
	case SETTING_DURATION:
		append_with_unit(buffer, units_of(value->setting), value->number);
		break;
	case SETTING_STRING:
	case SETTING_DIRECTORY:
	case SETTING_FILE:
		setting_append_quoted(buffer, text_of(value->strings[0]));
		break;
	case SETTING_STRINGS:
		append_strings(value, buffer);
		break;
	case SETTING_SECTION:
		break;
	}
}
