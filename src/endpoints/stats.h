/* The forms in which stats answers; private to the endpoint. */
#ifndef RINGLET_ENDPOINTS_STATS_H
#define RINGLET_ENDPOINTS_STATS_H

#include "base/buffer.h"
#include "endpoints/server_state.h"

/* The quantiles that are told of each endpoint. */
struct stats_quantile {
	const char *key;
	const char *title;
	unsigned per_thousand;
};
enum { STATS_QUANTILE_COUNT = 4 };
extern const struct stats_quantile stats_quantiles[STATS_QUANTILE_COUNT];

void stats_append_json(struct buffer *buffer, const struct server_state *state);
void stats_append_text(struct buffer *buffer, const struct server_state *state);

#endif
