/* Compares two readings of one stream, message by message. */
#include "differences.h"

/* One stream that is compared. */
struct comparison {
	struct difference difference;
	void (*visit)(void *context, const struct difference *difference);
	void *context;
	bool out_of_step;
};

static void report(struct comparison *comparison, enum difference_kind kind, const char *why)
{
	comparison->difference.kind = kind;
	comparison->difference.why = why;
	comparison->visit(comparison->context, &comparison->difference);
}

static bool fields_equal(const struct reading_message *a, const struct reading_message *b)
{
	if (a->field_count != b->field_count)
		return false;
	for (unsigned i = 0; i < a->field_count && i < REQUEST_FIELDS_MAX; i++) {
		if (!text_equal(a->fields[i].name, b->fields[i].name) ||
			!text_equal(a->fields[i].value, b->fields[i].value))
			return false;
	}
	return true;
}

static void compare_heads(struct comparison *comparison)
{
	const struct reading_message *ours = comparison->difference.ours;
	const struct reading_message *theirs = comparison->difference.theirs;

	if (!text_equal(ours->method, theirs->method))
		report(comparison, OTHER_METHOD, NULL);
	if (!text_equal(ours->target, theirs->target))
		report(comparison, OTHER_TARGET, NULL);
	if (!text_equal(ours->authority, theirs->authority))
		report(comparison, OTHER_AUTHORITY, NULL);
	if (!text_equal(ours->query, theirs->query))
		report(comparison, OTHER_QUERY, NULL);
	if (ours->major != theirs->major || ours->minor != theirs->minor)
		report(comparison, OTHER_VERSION, NULL);
	if (!fields_equal(ours, theirs))
		report(comparison, OTHER_FIELDS, NULL);
	if (ours->keep_alive != theirs->keep_alive)
		report(comparison, OTHER_PERSISTENCE, NULL);
	if (ours->content_length != theirs->content_length) {
		report(comparison, OTHER_FRAMING, NULL);
		comparison->out_of_step = true;
	}
}

static void compare_whole(struct comparison *comparison)
{
	const struct reading_message *ours = comparison->difference.ours;
	const struct reading_message *theirs = comparison->difference.theirs;

	if (!text_equal(ours->body, theirs->body))
		report(comparison, OTHER_BODY, NULL);
	if (ours->length != theirs->length)
		report(comparison, OTHER_LENGTH, NULL);
	comparison->out_of_step =
		ours->length != theirs->length || !ours->keep_alive || !theirs->keep_alive;
}

/* `we` and `they`: why the message was refused, or NULL if it was accepted. */
static void compare_ends(struct comparison *comparison, const char *we, const char *they)
{
	bool ours_whole = comparison->difference.ours->whole;
	bool theirs_whole = comparison->difference.theirs->whole;

	if (ours_whole && theirs_whole) {
		compare_whole(comparison);
		return;
	}
	comparison->out_of_step = true;
	if (we && !they)
		report(comparison, WE_REFUSE, we);
	else if (they && !we)
		report(comparison,
			comparison->difference.ours->head_read ? THEY_REFUSE : THEY_REFUSE_EARLIER,
			they);
	else if (!we && ours_whole != theirs_whole)
		report(comparison, theirs_whole ? WE_WAIT : THEY_WAIT, NULL);
}

static const char *why_refused(const struct reading *reading, unsigned number)
{
	bool last = number + 1 == reading->message_count;

	return last && reading->refused ? reading->why : NULL;
}

void compare_readings(const struct reading *ours, const struct reading *theirs, struct text stream,
	void (*visit)(void *context, const struct difference *difference), void *context)
{
	struct comparison comparison = { .visit = visit, .context = context };

	for (unsigned i = 0; !comparison.out_of_step; i++) {
		if (i >= ours->message_count || i >= theirs->message_count)
			return;
		comparison.difference.ours = &ours->messages[i];
		comparison.difference.theirs = &theirs->messages[i];
		comparison.difference.bytes = text_from(stream, ours->messages[i].start);
		comparison.difference.at = ours->refused_at - ours->messages[i].start;
		if (ours->messages[i].head_read && theirs->messages[i].head_read)
			compare_heads(&comparison);
		if (!comparison.out_of_step)
			compare_ends(&comparison, why_refused(ours, i), why_refused(theirs, i));
	}
}

const char *difference_kind_name(enum difference_kind kind)
{
	static const char *const NAMES[] = {
		[WE_REFUSE] = "Ringlet refuses",
		[THEY_REFUSE] = "the library refuses",
		[THEY_REFUSE_EARLIER] = "the library refuses earlier",
		[WE_WAIT] = "Ringlet waits for more",
		[THEY_WAIT] = "the library waits for more",
		[OTHER_METHOD] = "another method",
		[OTHER_TARGET] = "another target",
		[OTHER_AUTHORITY] = "another authority",
		[OTHER_QUERY] = "another query",
		[OTHER_VERSION] = "another version",
		[OTHER_FIELDS] = "other fields",
		[OTHER_FRAMING] = "another framing",
		[OTHER_BODY] = "another body",
		[OTHER_LENGTH] = "another end",
		[OTHER_PERSISTENCE] = "another persistence",
	};

	return NAMES[kind];
}
