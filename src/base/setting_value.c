/* One value of a setting: from its words in a file to a number, and back to words.
 *
 * Numbers are decimal only: other programs read 010 as eight, so a leading zero is an error.  A
 * duration needs its unit, so that nobody has to know what a bare 10 means; 0 needs none. */
#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/settings.h"

struct unit {
	const char *name;
	uint64_t factor;
};

#define MILLISECOND UINT64_C(1000000)
#define SECOND      (1000 * MILLISECOND)
#define DAY         (86400 * SECOND)

/* Ascending: a value is printed with the largest unit that divides it. */
static const struct unit SIZE_UNITS[] = { { "", 1 }, { "K", UINT64_C(1) << 10 },
	{ "M", UINT64_C(1) << 20 }, { "G", UINT64_C(1) << 30 }, { 0 } };

static const struct unit DURATION_UNITS[] = { { "ms", MILLISECOND }, { "s", SECOND },
	{ "m", 60 * SECOND }, { "h", 3600 * SECOND }, { "d", DAY }, { "w", 7 * DAY },
	{ "y", 365 * DAY }, { 0 } };

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
	struct setting_place *places;

	if (!strings)
		return -ENOMEM;
	value->strings = strings;
	places = reallocarray(value->places, value->count + 1, sizeof(*places));
	if (!places)
		return -ENOMEM;
	value->places = places;
	places[value->count] = value->place;
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
	free(value->places);
	list_remove(&value->node);
	free(value);
}

/* --- parsing ------------------------------------------------------------------------------- */

static size_t count_digits(struct text text)
{
	size_t count = 0;

	while (count < text.length && text.bytes[count] >= '0' && text.bytes[count] <= '9')
		count++;
	return count;
}

static const struct unit *find_unit(const struct setting *setting, struct text name)
{
	bool any_case = setting->type == SETTING_SIZE;

	for (const struct unit *unit = units_of(setting); unit->name; unit++) {
		if (any_case ? text_equal_ignoring_case(name, text_of(unit->name))
			     : text_equal(name, text_of(unit->name)))
			return unit;
	}
	return NULL;
}

static const char *parse_number(uint64_t *number, struct text text, const struct setting *setting)
{
	struct text digits = text_first(text, count_digits(text));
	struct text name = text_from(text, digits.length);
	const struct unit *unit = find_unit(setting, name);

	if (digits.length == 0)
		return "not a number";
	if (digits.length > 1 && digits.bytes[0] == '0')
		return "leading zeros are not allowed";
	if (name.length > 0 && (name.bytes[0] == '.' || (digits.bytes[0] == '0' && !unit)))
		return "not a decimal number";
	if (!unit && name.length == 0 && digits.bytes[0] == '0')
		unit = units_of(setting);
	if (!unit)
		return name.length == 0 ? "no unit" : "unknown unit";
	if (text_to_number(number, digits) < 0 ||
		__builtin_mul_overflow(*number, unit->factor, number) ||
		(setting->maximum > 0 && *number > setting->maximum))
		return "too large";
	return *number < setting->minimum ? "too small" : NULL;
}

static bool find_word(uint64_t *index, const char *const *words, const char *word)
{
	for (*index = 0; words && words[*index]; ++*index) {
		if (strcmp(words[*index], word) == 0)
			return true;
	}
	return false;
}

/* `off` is another word for the empty path, where a file may be left out. */
static const char *parse_file(struct setting_value *value)
{
	uint64_t index;

	if (strcmp(value->strings[0], "off") == 0 && find_word(&index, value->setting->words, ""))
		value->strings[0][0] = '\0';
	value->number = find_word(&index, value->setting->words, value->strings[0]);
	return value->number == 0 && value->strings[0][0] == '\0' ? "empty" : NULL;
}

static const char *parse_string(struct setting_value *value)
{
	static const char *const yes_no[] = { "no", "yes", "off", "on", NULL };
	const char *string = value->strings[0];
	bool is_known;

	switch (value->setting->type) {
	case SETTING_YES_NO:
		is_known = find_word(&value->number, yes_no, string);
		value->number &= 1;
		return is_known ? NULL : "unknown word";
	case SETTING_WORD:
		is_known = find_word(&value->number, value->setting->words, string);
		return is_known ? NULL : "unknown word";
	case SETTING_NUMBER:
	case SETTING_SIZE:
	case SETTING_DURATION:
		return parse_number(&value->number, text_of(string), value->setting);
	case SETTING_FILE:
		return parse_file(value);
	case SETTING_DIRECTORY:
		return string[0] == '\0' ? "empty" : NULL;
	case SETTING_STRING:
	case SETTING_STRINGS:
	case SETTING_SECTION:
	case SETTING_INCLUDE:
		break;
	}
	return NULL;
}

/* Every string of a list with words is one of them. */
static const char *check_words(size_t *wrong, const struct setting_value *value)
{
	uint64_t index;

	for (*wrong = 0; value->setting->words && *wrong < value->count; ++*wrong) {
		if (!find_word(&index, value->setting->words, value->strings[*wrong]))
			return "unknown word";
	}
	return NULL;
}

const char *setting_value_parse(struct setting_value *value, size_t *wrong)
{
	const struct setting *setting = value->setting;
	const char *what;

	*wrong = 0;
	if (setting->type != SETTING_STRINGS && value->count != 1)
		return "not one value";
	what = setting->type == SETTING_STRINGS ? check_words(wrong, value) : parse_string(value);
	if (!what && setting->check) {
		*wrong = 0;
		what = setting->check((const char *const *)value->strings, value->count, wrong);
	}
	return what;
}

/* --- printing ------------------------------------------------------------------------------ */

size_t setting_invisible(struct text text, unsigned *code_point)
{
	static const unsigned ranges[][2] = { { 0x00, 0x1f }, { 0x7f, 0xa0 }, { 0xad, 0xad },
		{ 0x200b, 0x200f }, { 0x2028, 0x202f }, { 0x2060, 0x206f }, { 0xfeff, 0xfeff } };
	const unsigned char *bytes = (const unsigned char *)text.bytes;
	size_t length = 1;

	if (text.length == 0)
		return 0;
	*code_point = bytes[0];
	if ((bytes[0] & 0xe0) == 0xc0 && text.length >= 2) {
		length = 2;
		*code_point = (bytes[0] & 0x1fu) << 6 | (bytes[1] & 0x3fu);
	} else if ((bytes[0] & 0xf0) == 0xe0 && text.length >= 3) {
		length = 3;
		*code_point =
			(bytes[0] & 0x0fu) << 12 | (bytes[1] & 0x3fu) << 6 | (bytes[2] & 0x3fu);
	} else if (bytes[0] >= 0x80) {
		return 0;
	}
	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		if (*code_point >= ranges[i][0] && *code_point <= ranges[i][1])
			return length;
	}
	return 0;
}

void setting_print_quoted(struct text string, FILE *file)
{
	unsigned code_point;

	fputc('"', file);
	while (string.length > 0) {
		size_t length = setting_invisible(string, &code_point);

		for (size_t i = 0; i < length; i++)
			fprintf(file, "\\x%02X", (unsigned char)string.bytes[i]);
		if (length == 0) {
			length = 1;
			if (strchr("\"\\$", string.bytes[0]))
				fputc('\\', file);
			fputc(string.bytes[0], file);
		}
		string = text_from(string, length);
	}
	fputc('"', file);
}

static void print_with_unit(const struct setting *setting, uint64_t number, FILE *file)
{
	const struct unit *best = units_of(setting);

	for (const struct unit *unit = best; number > 0 && unit->name; unit++) {
		if (number % unit->factor == 0)
			best = unit;
	}
	fprintf(file, "%llu%s", (unsigned long long)(number / best->factor),
		number > 0 ? best->name : "");
}

static void print_list(const struct setting_value *value, FILE *file)
{
	fputc('{', file);
	for (size_t i = 0; i < value->count; i++) {
		fputs(i > 0 ? ", " : "", file);
		setting_print_quoted(text_of(value->strings[i]), file);
	}
	fputc('}', file);
}

void setting_value_print(const struct setting_value *value, FILE *file)
{
	switch (value->setting->type) {
	case SETTING_YES_NO:
		fputs(value->number ? "yes" : "no", file);
		break;
	case SETTING_WORD:
		fputs(value->strings[0], file);
		break;
	case SETTING_NUMBER:
	case SETTING_SIZE:
	case SETTING_DURATION:
		print_with_unit(value->setting, value->number, file);
		break;
	case SETTING_FILE:
		if (value->strings[0][0] == '\0')
			fputs("off", file);
		else
			setting_print_quoted(text_of(value->strings[0]), file);
		break;
	case SETTING_STRING:
	case SETTING_DIRECTORY:
		setting_print_quoted(text_of(value->strings[0]), file);
		break;
	case SETTING_STRINGS:
		print_list(value, file);
		break;
	case SETTING_SECTION:
	case SETTING_INCLUDE:
		break;
	}
}

/* --- expectations -------------------------------------------------------------------------- */

static void print_words(const char *const *words, FILE *file)
{
	for (size_t i = 0; words[i]; i++)
		fprintf(file, "%s%s", i == 0 ? "" : words[i + 1] ? ", " : " or ", words[i]);
}

static void print_range(const struct setting *setting, FILE *file)
{
	if (setting->maximum == 0 && setting->minimum == 0)
		return;
	fputs(setting->maximum > 0 ? ", from " : ", at least ", file);
	print_with_unit(setting, setting->minimum, file);
	if (setting->maximum > 0) {
		fputs(" to ", file);
		print_with_unit(setting, setting->maximum, file);
	}
}

void setting_print_expected(const struct setting *setting, FILE *file)
{
	static const char *const texts[] = {
		[SETTING_YES_NO] = "yes or no",
		[SETTING_NUMBER] = "a whole decimal number",
		[SETTING_SIZE] = "a size in bytes, or with K, M or G as in 16K",
		[SETTING_DURATION] = "a time with its unit ms, s, m, h, d, w or y as in 10s",
		[SETTING_STRING] = "a string",
		[SETTING_STRINGS] = "strings as in {\"a\", \"b\"}",
		[SETTING_DIRECTORY] = "an existing directory",
		[SETTING_FILE] = "the path of a file",
		[SETTING_SECTION] = "a section",
		[SETTING_INCLUDE] = "the path of a file, or a pattern as in \"sites/*.conf\"",
	};

	if (setting->expected) {
		fputs(setting->expected, file);
		return;
	}
	if (setting->type == SETTING_STRINGS && setting->words)
		fputs("a list in braces of ", file);
	else if (setting->type != SETTING_WORD)
		fputs(texts[setting->type], file);
	if (setting->type == SETTING_FILE) {
		for (size_t i = 0; setting->words && setting->words[i]; i++)
			fprintf(file, " or %s", setting->words[i][0] ? setting->words[i] : "off");
	} else if (setting->words) {
		print_words(setting->words, file);
	}
	print_range(setting, file);
}

/* --- the nearest word ---------------------------------------------------------------------- */

enum { NEAREST_LENGTH_MAX = 32 };

/* How many letters must be inserted, removed or replaced to make one of the other (the distance of
 * Levenshtein), by one row of the usual table. */
static size_t distance(const char *a, const char *b)
{
	size_t row[NEAREST_LENGTH_MAX + 1];
	size_t a_length = strlen(a), b_length = strlen(b);

	if (a_length > NEAREST_LENGTH_MAX || b_length > NEAREST_LENGTH_MAX)
		return SIZE_MAX;
	for (size_t j = 0; j <= b_length; j++)
		row[j] = j;
	for (size_t i = 0; i < a_length; i++) {
		size_t diagonal = row[0];

		row[0] = i + 1;
		for (size_t j = 0; j < b_length; j++) {
			size_t replaced = diagonal + ((a[i] | 0x20) != (b[j] | 0x20));

			diagonal = row[j + 1];
			row[j + 1] = smaller(replaced, smaller(row[j], row[j + 1]) + 1);
		}
	}
	return row[b_length];
}

const char *setting_nearest(const char *const *words, const char *word)
{
	size_t best = smaller(strlen(word) / 2 + 1, 3);
	const char *nearest = NULL;

	/* Another number is no slip. */
	for (; words && *words && count_digits(text_of(word)) == 0; words++) {
		size_t steps = distance(word, *words);

		if (steps < best) {
			best = steps;
			nearest = *words;
		}
	}
	return nearest;
}
