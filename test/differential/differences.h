/* Where Ringlet's parser and libhttp-parser differ, and why that is intended. */
#ifndef RINGLET_TEST_DIFFERENCES_H
#define RINGLET_TEST_DIFFERENCES_H

#include "reading.h"

enum difference_kind {
	WE_REFUSE, /* what the library accepts, or would wait for */
	THEY_REFUSE,
	THEY_REFUSE_EARLIER, /* than a head is whole */
	WE_WAIT,             /* for the end of what the library takes for complete */
	THEY_WAIT,
	OTHER_METHOD,
	OTHER_TARGET,
	OTHER_AUTHORITY,
	OTHER_QUERY,
	OTHER_VERSION,
	OTHER_FIELDS,
	OTHER_FRAMING,
	OTHER_BODY,
	OTHER_LENGTH, /* the next request begins elsewhere */
	OTHER_PERSISTENCE,
};

/* A difference in one message, and both sides of it. */
struct difference {
	enum difference_kind kind;
	struct text bytes; /* of the stream, from where the message begins */
	const struct reading_message *ours, *theirs;
	const char *why; /* it was refused, by either side */
	size_t at; /* in the bytes: of a body that Ringlet refuses, the byte that it refuses */
};

struct excuse {
	const char *name;
	enum difference_kind kind;
	const char *why; /* as in struct difference; NULL: any */
	bool (*applies)(const struct difference *difference);
	const char *section, *reason; /* why it is intended; both are in docs/http-differences.md */
	bool lenient; /* strict mode would refuse it too: only a lenient build differs */
};

extern const struct excuse EXCUSES[];
extern const unsigned EXCUSE_COUNT;

/* Calls `visit` for each difference up to the first after which the two read different bytes. */
void compare_readings(const struct reading *ours, const struct reading *theirs, struct text stream,
	void (*visit)(void *context, const struct difference *difference), void *context);

const char *difference_kind_name(enum difference_kind kind);

#endif
