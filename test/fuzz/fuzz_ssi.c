/* Directives: text and directives are the same however a document is cut, they are parsed within
 * their memory, and values contain no markup. */
#include "fuzz.h"

#include "filters/ssi_syntax.h"
#include "filters/ssi_value.h"

/* The document's bytes without the marks, including the directives. */
struct read {
	struct ssi_scanner scanner;
	struct buffer found;
	unsigned count, error_count;
	char memory[SSI_DIRECTIVE_LENGTH_MAX];
};

static void note(struct read *read, enum ssi_found found, struct text bytes)
{
	if (found == SSI_TEXT || found == SSI_DIRECTIVE)
		buffer_append(&read->found, bytes);
	read->count += found == SSI_DIRECTIVE;
	read->error_count += found == SSI_TOO_LONG || found == SSI_UNENDED;
	assert(found != SSI_TEXT || bytes.length > 0);
}

static void read_in_parts(struct read *read, struct text input, size_t part_length)
{
	struct text bytes;
	enum ssi_found found;

	*read = (struct read){ 0 };
	ssi_scanner_init(&read->scanner, read->memory);
	buffer_init(&read->found, malloc(input.length + 1), input.length + 1);
	assert(read->found.bytes);
	while (input.length > 0) {
		struct text rest = text_first(input, part_length);

		input = text_from(input, rest.length);
		while (rest.length > 0)
			note(read, ssi_scan(&read->scanner, &rest, &bytes), bytes);
	}
	do {
		found = ssi_scan_end(&read->scanner, &bytes);
		note(read, found, bytes);
	} while (found != SSI_NOTHING);
	assert(!read->found.truncated);
}

static void check_cuts(struct text input)
{
	static const size_t PART_LENGTHS[] = { 1, 2, 5 };
	static struct read whole, parts;

	read_in_parts(&whole, input, SIZE_MAX);
	for (size_t i = 0; i < sizeof(PART_LENGTHS) / sizeof(PART_LENGTHS[0]); i++) {
		read_in_parts(&parts, input, PART_LENGTHS[i]);
		assert(text_equal(buffer_text(&parts.found), buffer_text(&whole.found)));
		assert(parts.count == whole.count && parts.error_count == whole.error_count);
		assert(parts.scanner.line == whole.scanner.line);
		free(parts.found.bytes);
	}
	free(whole.found.bytes);
}

static void check_encoded(struct text value)
{
	char memory[6];

	while (value.length > 0) {
		struct buffer buffer;

		buffer_init(&buffer, memory, sizeof(memory));
		ssi_append_encoded(&buffer, &value, SSI_ENCODING_ENTITY);
		assert(buffer.length > 0 && !buffer.truncated);
		assert(!memchr(memory, '<', buffer.length) && !memchr(memory, '"', buffer.length));
	}
}

/* The input, used as the text between the marks. */
static void check_directive(struct text input)
{
	char *memory = malloc(input.length + 1);
	struct ssi_directive directive;
	struct buffer bytes;

	assert(memory);
	buffer_init(&bytes, memory + 1, input.length); /* ends where the memory ends */
	buffer_append(&bytes, input);
	if (!ssi_parse(&directive, &bytes)) {
		assert(fuzz_lies_within(directive.command, buffer_text(&bytes)));
		assert(directive.count <= SSI_PARAMETERS_MAX);
		for (unsigned i = 0; i < directive.count; i++) {
			const struct ssi_parameter *parameter = &directive.parameters[i];

			assert(parameter->name.length > 0);
			assert(fuzz_lies_within(parameter->name, buffer_text(&bytes)));
			assert(fuzz_lies_within(parameter->value, buffer_text(&bytes)));
			assert(ssi_parameter(&directive, parameter->name) == &parameter->value);
			check_encoded(parameter->value);
		}
	}
	free(memory);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t length)
{
	struct text input = { (const char *)bytes, length };

	check_cuts(input);
	check_directive(input);
	return 0;
}
