/* A request to an endpoint and its answer, without a wire: what a client would see. */
#ifndef RINGLET_TEST_VISIT_H
#define RINGLET_TEST_VISIT_H

#include "http/endpoint.h"
#include "place.h"

struct visit {
	struct exchange exchange;
	struct place *place;
	unsigned answer_count;
	struct text body; /* of the request */
	int body_error;   /* how the body ends: 0 or a negative errno */
	bool body_wanted;
	bool sends_no_files; /* a wire that must have every piece in memory */
	bool ready;          /* ready() has come for the last BODY_LATER */
	bool patterned;      /* every byte so far is place_byte() of its offset */
	int outcome;         /* of the last produce(); never LATER */
	uint64_t offset;     /* in the file, of the body's first byte */
	bool is_parted;      /* several ranges: neither pattern nor offsets are checked */
	uint64_t length;     /* of the pieces so far */
	unsigned piece_count, extent_count, later_count;
	uint64_t extent_length_max;
	size_t kept_length;
	char kept[32768]; /* the first bytes of the body */
	char path[PATH_MAX];
};

/* GET `path`, with the query "". */
void visit_init(struct visit *visit, struct place *place, const char *path);

/* With a request body, which arrives while the answer is awaited. `body` stays the caller's. */
void visit_init_with_body(
	struct visit *visit, struct place *place, enum method method, struct text body);

/* A field of the request, before handle(); the strings stay valid until the answer. */
void visit_add_field(struct visit *visit, const char *name, const char *value);

/* Runs the loop until the endpoint has answered. */
void visit_await_answer(struct visit *visit);

/* Takes one piece, waiting if needed; returns the outcome, also in visit->outcome. */
int visit_pull(struct visit *visit, size_t length_max);

/* Takes all pieces, then calls release(). */
void visit_pull_all(struct visit *visit, size_t length_max);
void visit_release(struct visit *visit);

/* Calls handle(), waits for the answer, takes everything. */
void visit(struct visit *visit, struct place *place, const struct endpoint *endpoint, void *state,
	const char *path);

unsigned visit_status(const struct visit *visit);
struct text visit_body(const struct visit *visit); /* the kept part */

/* The value of a field of the response; NULL bytes: it has none. */
struct text visit_field(const struct visit *visit, const char *name);

#endif
